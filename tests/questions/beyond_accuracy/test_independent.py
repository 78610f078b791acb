"""Numbers of notebook 06, computed again from the JSON files of runs and evaluations with NumPy alone."""

from __future__ import annotations

import json

import numpy as np
import pytest

import planted_evaluations as planted
from conftest import REPOSITORY
from randsparse import questions
from randsparse.questions.beyond_accuracy import verdicts
from randsparse.questions.beyond_accuracy.evidence import Evidence
from randsparse.runs.store import Store
from randsparse.study import parameters

NAME = "06_beyond_accuracy"
QUANTILE = {3: 4.302653}
"""The upper 2.5 % point of t with n - 1 degrees of freedom."""


def raw(folder, cells):
    """Values by cell and seed: accuracy, and AUROC (msp, CIFAR-100), NLL, and accuracy under PGD 1/255 of 10 steps.

    `cells` maps the name of a cell to a function of the config, which says whether a run is one of it.
    """
    found = {name: {} for name in cells}
    for path in sorted((folder / "evaluations/cifar10").glob("*.json")):
        record = json.loads(path.read_text())
        config, asked, values = record["config"], record["evaluation"], record["values"]
        for name, holds in cells.items():
            if holds(config):
                own = found[name].setdefault(config.get("init_seed", 0), {})
                run = json.loads((folder / "runs/cifar10" / f"{record['run']}.json").read_text())
                own["accuracy"] = run["test"]["accuracy"]
                if asked.get("data") == "cifar100":
                    own["auroc"] = values["auroc_msp"]
                if asked["kind"] == "calibration":
                    own["nll"] = values["nll"]
    names = ("accuracy", "auroc", "nll")
    return {
        cell: np.array([[own[name] for name in names] for _, own in sorted(seeds.items())])
        for cell, seeds in found.items()
    }


def at_equal_accuracy(sparse, low, high):
    """AUROC of the sparse cell minus that at its accuracy on the line through the means of two dense cells."""
    slope = (high[:, 1].mean() - low[:, 1].mean()) / (high[:, 0].mean() - low[:, 0].mean())
    return sparse[:, 1].mean() - low[:, 1].mean() - slope * (sparse[:, 0].mean() - low[:, 0].mean())


def test_planted_networks(tmp_path):
    store = Store(tmp_path)
    design = planted.plant(store, planted.shifted({"auroc": 0.01}))
    found = Evidence(design, store, planted.PARAMETERS)
    firsts = dict(zip(planted.ACCURACY, (1000, 2000, 3000, 4000), strict=True))
    cells = {name: lambda config, first=first: 0 <= config["init_seed"] - first < 100 for name, first in firsts.items()}
    dense, sparse, narrow, wider = (raw(tmp_path, cells)[name] for name in firsts)
    row = verdicts.judge(found).iloc[0]
    assert row["estimate"] == pytest.approx(100 * (sparse[:, 1].mean() - dense[:, 1].mean()), abs=1e-9)
    equal = found.near.set_index("baseline").loc["dense, as accurate", "mean"]
    assert equal == pytest.approx(at_equal_accuracy(sparse, narrow, wider), abs=1e-9)
    level = found.levels.set_index(["cell", "measure"]).loc[("ERK 80 %", "nll"), "mean"]
    assert level == pytest.approx(sparse[:, 2].mean(), abs=1e-9)


def test_the_short_runs_on_cifar_10():
    values = parameters.read_parameters(NAME, "cifar10-small", REPOSITORY)
    if values["dense"] not in values["campaign"]["parts"].get("beyond", {}):
        pytest.skip("the profile shows runs of the campaign")
    found = Evidence(questions.compare(NAME, values), Store(REPOSITORY / "results"), values)

    def of(**own):
        def holds(config):
            seeds = [config.get(name, 0) for name in ("mask_seed", "init_seed", "data_seed")]
            asked = {"sparsity": 0.0, "method": "static", "train_samples": 20_000, "epochs": 8} | own
            given = {name: config.get(name, {"sparsity": 0.0, "method": "static"}.get(name)) for name in asked}
            return given == asked and max(seeds) < 3 and "structure" not in config

        return holds

    cells = {"dense": of(), "sparse": of(sparsity=0.8), "narrow": of(sparsity=0.8, method="small-dense")}
    dense, sparse, narrow = raw(REPOSITORY / "results", cells).values()
    assert len(dense) == len(sparse) == len(narrow) == 3
    gaps = sparse[:, 1] - dense[:, 1]  # the same seeds: differences per seed
    near = found.near.set_index("baseline")
    half = QUANTILE[3] * gaps.std(ddof=1) / 3**0.5
    assert tuple(near.loc["dense", ["mean", "low", "high"]]) == pytest.approx(
        (gaps.mean(), gaps.mean() - half, gaps.mean() + half), abs=1e-7
    )
    equal = at_equal_accuracy(sparse, narrow, dense)
    assert near.loc["dense, as accurate", "mean"] == pytest.approx(equal, abs=1e-9)
    level = found.levels.set_index(["cell", "measure"]).loc[("dense", "nll"), "mean"]
    assert level == pytest.approx(dense[:, 2].mean(), abs=1e-9)
