"""Three numbers of notebook 11, computed again from the JSON files of records with NumPy alone."""

from __future__ import annotations

import json
from itertools import combinations

import numpy as np
import pytest

from planted_costs import parameters, plant
from randsparse import questions
from randsparse.questions.search_cost import prose, verdicts
from randsparse.questions.search_cost.evidence import Evidence
from randsparse.runs.store import Store


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """What the notebook says of planted runs, and the content of their files."""
    folder = tmp_path_factory.mktemp("results")
    plant(Store(folder), r=0.6, longer=0.012, seed=5)
    found = Evidence(questions.compare("11_search_cost", parameters()), Store(folder), parameters())
    return found, [json.loads(path.read_text()) for path in sorted(folder.rglob("*.json"))]


def candidates(records, sparsity, epoch=1):
    """Validation accuracy after an epoch of 10, and test accuracy at the end, of shape (orders, networks, 2)."""
    found = {}
    for record in records:
        config = record["config"]
        plain = config.get("method", "static") == "static" and config["epochs"] == 10
        if config.get("sparsity") == sparsity and config.get("structure") == "node" and plain:
            pair = record["curve"][epoch - 1]["val_accuracy"], record["test"]["accuracy"]
            found.setdefault(config["data_seed"], []).append(pair)
    return np.array([found[order] for order in sorted(found)])


def longer(records, sparsity):
    chosen = [r for r in records if r["config"]["epochs"] == 14 and r["config"].get("sparsity") == sparsity]
    return np.array([record["test"]["accuracy"] for record in chosen])


def winner_mean(runs):
    ends = [
        max((order[each] for each in subset), key=lambda run: run[0])[1]
        for order in runs
        for subset in combinations(range(len(order)), 4)
    ]
    return np.mean(ends)


def test_the_estimate_of_the_primary_claim(made):
    found, records = made
    each = []
    for sparsity in (0.8, 0.9):
        runs, controls = candidates(records, sparsity), longer(records, sparsity)
        assert runs.shape == (2, 8, 2) and controls.shape == (8,)
        each.append(100 * (winner_mean(runs) - controls.mean()))
    first = verdicts.judge(found).iloc[0]
    assert first["estimate"] == pytest.approx(np.mean(each))
    told = f"{abs(np.mean(each)):.2f}"
    assert told in prose.write_abstract(found).data


def test_the_needed_correlation(made):
    found, records = made
    runs, controls = candidates(records, 0.9), longer(records, 0.9)
    ends = runs[..., 1]
    sigma = np.sqrt(((ends - ends.mean(axis=1, keepdims=True)) ** 2).sum() / 14)
    draws = np.random.default_rng(0).normal(size=(400_000, 4)).max(axis=1).mean()
    rows = found.needed[(found.needed["cell"] == "nodes 90 %") & (found.needed["winner"] == "trained anew")]
    assert rows["needed"].item() == pytest.approx((controls.mean() - ends.mean()) / (sigma * draws), rel=0.01)


def test_the_better_of_two_finished_runs(made):
    found, records = made
    gains = []
    for order in candidates(records, 0.8, epoch=10):
        pairs = [max((order[a], order[b]), key=lambda run: run[0])[1] for a, b in combinations(range(8), 2)]
        gains.append(np.mean(pairs) - order[:, 1].mean())
    rows = found.charges[(found.charges["cell"] == "nodes 80 %") & (found.charges["strategy"] == "best of two ends")]
    assert rows["gain (points)"].item() == pytest.approx(100 * np.mean(gains))
    assert rows["epochs, winner goes on"].item() == 20
