"""Numbers of notebooks 02 and 03, computed again from the JSON files of the runs with NumPy alone."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest

import planted
from conftest import REPOSITORY
from planted import ACCURACY, CAMPAIGN, CANDIDATES, SEARCH
from randsparse import questions
from randsparse.questions.random_search import verdicts
from randsparse.questions.random_search.evidence import AccuracyEvidence, SearchEvidence
from randsparse.runs.store import Store
from randsparse.study import parameters

FIRST_SEEDS = {name: cell["first_seed"] for name, cell in CAMPAIGN["parts"]["A"].items()}


def raw(folder, cells):
    """Curves (networks, epochs) and final accuracies (networks) of the runs in files, by cell and order of batches.

    `cells` names the first init seed of each cell; a cell has fewer than a hundred networks.
    """
    groups = {}
    for path in sorted(folder.rglob("*.json")):
        record = json.loads(path.read_text())
        config = record["config"]
        for name, first in cells.items():
            whole = not config.keys() & {"stop_epoch", "cooldown_epoch", "fork_epoch"}
            if 0 <= config.get("init_seed", 0) - first < 100 and whole:
                curve = [point["val_accuracy"] for point in record["curve"]]
                groups.setdefault((name, config.get("data_seed", 0)), []).append((curve, record["test"]["accuracy"]))
    return {
        key: (np.array([curve for curve, _ in runs]), np.array([end for _, end in runs]))
        for key, runs in groups.items()
    }


def gain(groups, epoch, of, size=4):
    """The winner of every subset of an order (equal ones share) minus the mean; mean over subsets, orders, cells."""
    by_cell = {}
    for (cell, _), (curves, final) in groups.items():
        if len(final) > size:
            early, values = curves[:, epoch - 1], of(curves, final)
            subsets = [list(subset) for subset in itertools.combinations(range(len(final)), size)]
            found = [values[s][early[s] == early[s].max()].mean() - values[s].mean() for s in subsets]
            by_cell.setdefault(cell, []).append(np.mean(found))
    return by_cell


def mean_of_cells(by_cell):
    return np.mean([np.mean(values) for values in by_cell.values()])


def best_gain(groups, size=4):
    """The best of every subset of an order minus its mean, in final accuracy."""
    by_cell = {}
    for (cell, _), (_, final) in groups.items():
        if len(final) > size:
            subsets = [final[list(subset)] for subset in itertools.combinations(range(len(final)), size)]
            by_cell.setdefault(cell, []).append(np.mean([own.max() - own.mean() for own in subsets]))
    return by_cell


def check_search(found, groups, epoch):
    """Early gain, share of the oracle's gain, and mean lead of notebook 02 are those of the files."""
    early = found.gains.query("phase == 0.1 and measured == 'early' and cell == 'all cells'")["mean"].item()
    assert early == pytest.approx(mean_of_cells(gain(groups, epoch, lambda curves, _: curves[:, epoch - 1])), abs=1e-9)
    won, best = gain(groups, epoch, lambda _, final: final), best_gain(groups)
    share = sum(map(sum, won.values())) / sum(map(sum, best.values()))
    rows = verdicts.judge_search(found)
    assert rows.loc[0, "estimate"] == pytest.approx(share, abs=1e-9)
    lead = mean_of_cells(gain(groups, epoch, lambda curves, _: curves[:, epoch:].mean(axis=1)))
    own = rows[rows["claim"].str.startswith("The winner after 10 % of training is ahead")]
    assert own["estimate"].item() == pytest.approx(100 * lead, abs=1e-7)


def test_planted_runs_of_notebook_02(tmp_path):
    store = Store(tmp_path)
    design = questions.compare("02_random_search", SEARCH)
    planted.plant(design, store, planted.correlated(0.3), skip=lambda cell, n, o: (cell, o) == ("dense", 1) and n > 5)
    groups = raw(tmp_path, {name: FIRST_SEEDS[name] for name in CANDIDATES})
    assert sorted(len(final) for _, final in groups.values()) == [6] + [8] * 9
    check_search(SearchEvidence(design, store, SEARCH), groups, 1)


def test_planted_runs_of_notebook_03(tmp_path):
    store = Store(tmp_path)
    design = questions.compare("03_sparsity_vs_accuracy", ACCURACY)
    planted.plant(design, store, planted.correlated(0.3))
    found = AccuracyEvidence(design, store, ACCURACY)
    groups = raw(tmp_path, {name: FIRST_SEEDS[name] for name in CANDIDATES})
    difference = 100 * mean_of_cells(gain(groups, 1, lambda _, final: final))
    assert verdicts.judge_accuracy(found).loc[0, "estimate"] == pytest.approx(difference, abs=1e-7)
    finals = {name: [] for name in ("nodes 60 %", "ERK 80 %")}
    for (name, _), (_, final) in raw(tmp_path, {name: FIRST_SEEDS[name] for name in finals}).items():
        finals[name].append(final)
    level = found.levels.set_index(["series", "cell"]).loc[("random nodes", "nodes 60 %"), "mean"]
    assert level == pytest.approx(np.mean(finals["nodes 60 %"]), abs=1e-9)
    pair = found.controls.set_index(["a", "b"]).loc[("ERK 80 %", "nodes 60 %")]
    assert pair["mean"] == pytest.approx(np.mean(np.concatenate(finals["ERK 80 %"])) - level, abs=1e-9)


def test_the_runs_of_the_campaign_on_cifar_10():
    values = parameters.read_parameters("02_random_search", "cifar10-small", REPOSITORY)
    found = SearchEvidence(questions.compare("02_random_search", values), Store(REPOSITORY / "results"), values)
    cells = {
        "dense": 104_000,
        "nodes 40 %": 105_000,
        "nodes 60 %": 107_000,
        "nodes 80 %": 102_000,
        "nodes 90 %": 106_000,
    }
    groups = raw(REPOSITORY / "results/runs/cifar10", cells)
    counted = found.cells.set_index("cell")["runs"]
    assert sum(len(final) for _, final in groups.values()) == counted[list(cells)].sum() >= 10
    check_search(found, groups, 2)
