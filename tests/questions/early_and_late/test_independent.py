"""Three numbers of notebook 10, computed again from the JSON files of the runs with NumPy alone."""

from __future__ import annotations

import base64
import itertools
import json

import numpy as np
import pytest
import yaml

from conftest import REPOSITORY
from planted_curves import parameters, plant
from randsparse import questions
from randsparse.questions.early_and_late.evidence import Evidence
from randsparse.runs.store import Store


def raw(folder, wanted):
    """The runs of each cell and order of batches in the files of a folder: {(cell, data seed): [record]}."""
    groups = {}
    for path in sorted(folder.glob("*.json")):
        record = json.loads(path.read_text())
        config = record["config"]
        if cell := wanted(config):
            groups.setdefault((cell, config.get("data_seed", 0)), []).append(record)
    return groups


def correlation(groups, epoch):
    """Deviations from the mean of each order; each cell weighs as much as it has runs less one per order."""
    sums = {}
    for (cell, _), runs in groups.items():
        if len(runs) < 4:
            continue
        x = np.array([run["curve"][epoch - 1]["val_accuracy"] for run in runs])
        y = np.array([run["test"]["accuracy"] for run in runs])
        x, y = x - x.mean(), y - y.mean()
        sums[cell] = sums.get(cell, 0) + np.array([x @ y, x @ x, y @ y, len(x) - 1])
    xy, xx, yy, weights = np.array(list(sums.values())).T
    return np.average(xy / np.sqrt(xx * yy), weights=weights)


def late_gain(groups, epoch, size):
    """The winner of every subset of an order (equal ones share); the mean over subsets, then orders, then cells."""
    by_cell = {}
    for (cell, _), runs in groups.items():
        if len(runs) <= size:
            continue
        x = np.array([run["curve"][epoch - 1]["val_accuracy"] for run in runs])
        y = np.array([run["test"]["accuracy"] for run in runs])
        subsets = [list(subset) for subset in itertools.combinations(range(len(x)), size)]
        gains = [y[s][x[s] == x[s].max()].mean() - y[s].mean() for s in subsets]
        by_cell.setdefault(cell, []).append(np.mean(gains))
    return np.mean([np.mean(gains) for gains in by_cell.values()])


def bits(text):
    count, _, packed = text.partition(":")
    return np.unpackbits(np.frombuffer(base64.b64decode(packed), np.uint8))[: int(count)].astype(float)


def alpha(groups, cell, epoch):
    """Cronbach's alpha with images as items, k / (k - 1) (1 - sum of item variances / variance of the total)."""
    items, totals, df = 0, 0, 0
    for (own, _), runs in groups.items():
        if own == cell and len(runs) > 1:
            right = np.array([bits(run["curve"][epoch - 1]["val_correct"]) for run in runs])
            k = right.shape[1]
            items += right.var(axis=0).sum() * len(runs)
            totals += right.sum(axis=1).var() * len(runs)
            df += len(runs)
    assert df
    return k / (k - 1) * (1 - items / totals)


def compare(found, groups, cell, epoch):
    """The numbers of the notebook are those of the files."""
    early = found.pooled(found.plain).loc[epoch, "value"]
    assert early == pytest.approx(correlation(groups, epoch), abs=1e-9)
    gain = found.gains.set_index(["moment", "size", "how"]).loc[("late", 4, "measured"), "value"]
    assert gain == pytest.approx(late_gain(groups, epoch, 4), abs=1e-9)
    own = found.reliable[(found.reliable["cell"] == cell) & (found.reliable["epoch"] == epoch)]
    assert own["reliability"].item() == pytest.approx(alpha(groups, cell, epoch), abs=1e-9)


def test_planted_runs(tmp_path):
    store = Store(tmp_path)
    plant(store, lambda epoch: 0.4, images=500, cells=3, keep=lambda network, order: order == 0 or network < 6)
    found = Evidence(questions.compare("10_early_and_late", parameters(3)), store)
    names = {1: "dense", 2: "nodes 40 %", 3: "nodes 60 %"}
    (folder,) = [path for path in (tmp_path / "runs").iterdir() if path.is_dir()]
    groups = raw(folder, lambda config: names.get(config.get("init_seed", 0) // 1000))
    assert sorted(map(len, groups.values())) == [6, 6, 6, 8, 8, 8]
    compare(found, groups, "nodes 40 %", 1)


def test_the_runs_of_the_campaign_on_cifar_10():
    content = yaml.safe_load((REPOSITORY / "notebooks/profiles/campaign/campaign.yaml").read_text())
    values = {"campaign": content, "train_missing": False, "candidates": ["nodes 80 %"]}
    found = Evidence(questions.compare("10_early_and_late", values), Store(REPOSITORY / "results"))
    rate = max(found.curves["lr"])

    def wanted(config):
        whole = not config.keys() & {"stop_epoch", "cooldown_epoch", "fork_epoch"}
        return "nodes 80 %" if whole and 102_000 <= config.get("init_seed", 0) < 102_008 else None

    groups = raw(REPOSITORY / "results/runs/cifar10", wanted)
    assert sum(map(len, groups.values())) == found.at_end()["runs"].sum() >= 10 and rate > 0
    compare(found, groups, "nodes 80 %", 2)
