"""Three numbers of notebook 09, computed again from the JSON files of the runs with NumPy alone."""

from __future__ import annotations

import json

import numpy as np
import pytest

from conftest import REPOSITORY
from planted_tickets import planted
from randsparse import questions
from randsparse.questions.strong_tickets import verdicts
from randsparse.questions.strong_tickets.evidence import Tickets
from randsparse.runs.store import Store
from randsparse.study import parameters


def accuracies(folder, cell, rate):
    """Test accuracies, in order of seeds, of the runs in files that are those of a cell of under a hundred networks."""
    found, wanted = {}, {name: value for name, value in cell.point.to_dict().items() if name != "lr"}
    for path in sorted(folder.rglob("*.json")):
        record = json.loads(path.read_text())
        config, seeds = record["config"], ("lr", "mask_seed", "init_seed", "data_seed")
        own = {name: value for name, value in config.items() if name not in seeds}
        seed = config.get("init_seed", 0)
        if own == wanted and config.get("lr", 0.1) == rate and 0 <= seed - cell.first_seed < 100:
            found[seed] = record["test"]["accuracy"]
    return np.array([found[seed] for seed in sorted(found)])


def test_planted_runs(tmp_path):
    found = planted(tmp_path)
    cells = {cell.name: cell for cell in found.design.networks}
    rows = verdicts.judge(found).set_index("claim")
    values = {name: accuracies(tmp_path, cell, cell.rates) for name, cell in cells.items()}
    claim = [np.mean(values[f"part {at}"] - values[f"whole {at}"]) for at in (90, 95)]
    assert rows["estimate"].iloc[0] == pytest.approx(100 * np.mean(claim), abs=1e-9)
    trained = [np.mean(values[f"whole {at}"] - values[f"mask {at}"]) for at in (90, 95)]
    assert rows["estimate"].iloc[1] == pytest.approx(100 * np.mean(trained), abs=1e-9)
    level = found.accuracies(True).set_index("cell").loc["part 90, longer", "mean"]
    assert level == pytest.approx(values["part 90, longer"].mean(), abs=1e-12)


def test_the_runs_on_cifar_10():
    values = parameters.read_parameters("09_strong_tickets", "cifar10-small", REPOSITORY)
    found = Tickets(questions.compare("09_strong_tickets", values), Store(REPOSITORY / "results"))
    cells = {cell.name: cell for cell in found.design.networks}
    folder = REPOSITORY / "results/runs/cifar10"
    first = "dense" in values["cells"]
    part, whole = (
        ("ticket 90 %, of ER 50 %", "ticket 90 %, of dense")
        if first
        else ("small, ticket 90 %, of random", "small, ticket 90 %, of dense")
    )
    mask = "uniform 90 %" if first else "small, uniform 90 %, beside tickets"
    rates = found.results.groupby("cell")["lr"].first()
    a, b, trained = (accuracies(folder, cells[name], rates[name]) for name in (part, whole, mask))
    sources = found.source_forest.set_index("a")["mean"]
    assert len(a) >= 3 and sources[part] == pytest.approx(np.mean(a - b), abs=1e-9)
    worth = found.trained_forest.set_index("a")["mean"]
    assert worth[whole] == pytest.approx(np.mean(b - trained), abs=1e-9)
    level = found.accuracies(False).set_index("cell").loc[part, "mean"]
    assert level == pytest.approx(a.mean(), abs=1e-12)
