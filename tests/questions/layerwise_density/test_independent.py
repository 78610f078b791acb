"""Three numbers of notebook 05, computed again from the JSON files of the runs with NumPy alone."""

from __future__ import annotations

import json

import numpy as np
import pytest

from conftest import REPOSITORY
from planted_layers import planted
from randsparse import questions
from randsparse.questions.layerwise_density import verdicts
from randsparse.questions.layerwise_density.evidence import Layerwise
from randsparse.runs.store import Store
from randsparse.study import parameters


def accuracies(folder, cell):
    """Final test accuracies, in order of their seeds, of the runs in files whose config and seeds are those of a cell.

    A cell has fewer than a hundred networks.
    """
    found, wanted = {}, cell.point.to_dict()
    for path in sorted(folder.rglob("*.json")):
        record = json.loads(path.read_text())
        config = record["config"]
        seed, scored = config.get("init_seed", 0), config.get("score_init_seed")
        own = {name: value for name, value in config.items() if not name.endswith("_seed") and name != "lr"}
        expected = {name: value for name, value in wanted.items() if not name.endswith("_seed") and name != "lr"}
        if own == expected and 0 <= seed - cell.first_seed < 100 and (scored is None) == ("moved" not in cell.name):
            found[seed] = record["test"]["accuracy"]
    return np.array([found[seed] for seed in sorted(found)])


def check(found, folder, erk, uniform, mask, shuffled):
    """ERK − uniform at 98 %, the SNIP mask − its shuffle at 90 %, and the mean of ERK at 98 % are those of files."""
    cells = {cell.name: cell for cell in found.design.networks}
    rows = verdicts.judge(found)
    erk, uniform, mask, shuffled = (accuracies(folder, cells[name]) for name in (erk, uniform, mask, shuffled))
    assert rows.loc[0, "estimate"] == pytest.approx(100 * (erk.mean() - uniform.mean()), abs=1e-9)
    assert rows.loc[0, "n"] == len(erk) == len(uniform) >= 3
    assert rows.loc[1, "estimate"] == pytest.approx(100 * np.mean(mask - shuffled), abs=1e-9)
    error = 100 * (mask - shuffled).std(ddof=1) / np.sqrt(len(mask))
    two_sided_90 = {3: 2.919986, 10: 1.833113}[len(mask)]  # Student's t with n - 1 degrees of freedom
    assert rows.loc[1, "high"] - rows.loc[1, "estimate"] == pytest.approx(two_sided_90 * error, rel=1e-5)
    level = found.rule_levels.set_index(["row", "sparsity"]).loc[("ERK", 0.98), "mean"]
    assert level == pytest.approx(erk.mean(), abs=1e-12)


def test_planted_runs(tmp_path):
    check(planted(tmp_path), tmp_path, "three", "four", "snip", "snip, counts")


def test_the_first_runs_on_cifar_10():
    values = parameters.read_parameters("05_layerwise_density", "cifar10-small", REPOSITORY)
    found = Layerwise(questions.compare("05_layerwise_density", values), Store(REPOSITORY / "results"))
    names = ("ERK 98 %", "uniform 98 %", "SNIP mask 90 %", "SNIP shuffled 90 %")
    small = "" if names[0] in values["cells"] else "small, "
    check(found, REPOSITORY / "results/runs/cifar10", *(f"{small}{name}" for name in names))
