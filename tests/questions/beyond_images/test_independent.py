"""Numbers of notebook 12, computed again from the JSON files of the runs with NumPy alone."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

from conftest import REPOSITORY
from planted_other_data import evidence
from randsparse import questions
from randsparse.questions.beyond_images import verdicts
from randsparse.questions.beyond_images.evidence import Evidence
from randsparse.runs.store import Store
from randsparse.study import parameters


def raw(folder, first, last, epochs):
    """Curves and final accuracies of the runs of a length whose init seed lies in a range, by order of batches."""
    found = {}
    for path in sorted(folder.rglob("*.json")):
        record = json.loads(path.read_text())
        if first <= record["config"].get("init_seed", 0) < last and len(record["curve"]) == epochs:
            curve = [point["val_accuracy"] for point in record["curve"]]
            found.setdefault(record["config"]["data_seed"], []).append((curve, record["test"]["accuracy"]))
    return found


def gain(folder, first, last, epoch, epochs=8):
    """The winner of every subset of four of an order (equal ones share) minus its mean, over subsets and orders."""
    of_orders = []
    for runs in raw(folder, first, last, epochs).values():
        early, final = np.array([curve[epoch - 1] for curve, _ in runs]), np.array([end for _, end in runs])
        subsets = [list(subset) for subset in itertools.combinations(range(len(final)), 4)]
        of_orders.append(np.mean([final[s][early[s] == early[s].max()].mean() - final[s].mean() for s in subsets]))
    return np.mean(of_orders)


def mean_of(folder, first, last, epochs=8):
    """The mean final accuracy of the runs of a cell."""
    return np.mean([end for runs in raw(folder, first, last, epochs).values() for _, end in runs])


def test_planted_runs(tmp_path):
    found = evidence(tmp_path, r=0.4, shift={"text, dense": 0.01})
    rows = verdicts.judge(found).set_index("claim")
    whole = np.mean([gain(tmp_path, 1_000, 1_100, 2), gain(tmp_path, 11_000, 11_100, 2)])
    assert rows["estimate"].iloc[0] == pytest.approx(100 * whole, abs=1e-9)
    difference = mean_of(tmp_path, 11_000, 11_100) - mean_of(tmp_path, 10_000, 10_100)
    claim = "On text, ER 90 % is more accurate than dense."
    assert rows.loc[claim, "estimate"] == pytest.approx(100 * difference, abs=1e-9)
    text = found.gains.set_index("cell").loc["text, ER 90 %", "mean"]
    assert text == pytest.approx(gain(tmp_path, 11_000, 11_100, 2), abs=1e-9)


def test_the_runs_in_the_repository():
    values = parameters.read_parameters("12_beyond_images", "cifar10-small", REPOSITORY)
    found = Evidence(questions.compare("12_beyond_images", values), Store(REPOSITORY / "results"), values)
    table, text = (REPOSITORY / "results/runs" / name for name in ("breast-cancer", "docstrings"))
    row = verdicts.judge(found).iloc[0]
    whole = np.mean([gain(table, 4_000, 4_100, 10, 40), gain(text, 10_000, 10_100, 2, 6)])
    assert (row["estimate"], row["n"]) == (pytest.approx(100 * whole, abs=1e-9), 20)
    own = found.differences.set_index(["a", "b"])["mean"]
    bag = mean_of(text, 8_000, 8_100, 6) - mean_of(text, 14_000, 14_100, 6)
    assert own["text, dense", "text, bag of words"] == pytest.approx(bag, abs=1e-9)
    dense = mean_of(table, 4_000, 4_100, 40) - mean_of(table, 2_000, 2_100, 40)
    assert own["table, ER 90 %", "table, dense"] == pytest.approx(dense, abs=1e-9)
