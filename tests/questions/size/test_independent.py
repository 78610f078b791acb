"""Numbers of notebook 04, computed again from the JSON files of the runs with NumPy alone."""

from __future__ import annotations

import json

import numpy as np
import pytest

from conftest import REPOSITORY
from planted_sizes import closing, evidence
from randsparse import questions
from randsparse.questions.size import verdicts
from randsparse.questions.size.evidence import Evidence
from randsparse.runs.store import Store
from randsparse.study import parameters


def raw(folder, holds):
    """Test accuracies of the runs in files, by (model, method, sparsity), in the order of seeds; weights of each."""
    found, weights = {}, {}
    for path in sorted(folder.rglob("*.json")):
        record = json.loads(path.read_text())
        config = record["config"]
        if holds(config):
            key = (config.get("model", "wrn-10-1"), config.get("method", "static"), config.get("sparsity", 0.0))
            found.setdefault(key, {})[config.get("init_seed", 0)] = record["test"]["accuracy"]
            weights[key] = record["density"]["weights"]
    return {key: np.array([value for _, value in sorted(own.items())]) for key, own in found.items()}, weights


def slope_of(accuracies, weights, models, sparsity):
    """Least squares of the gap over log2 of weights."""
    gaps = [accuracies[m, "static", sparsity].mean() - accuracies[m, "static", 0.0].mean() for m in models]
    return np.polyfit(np.log2([weights[m, "static", 0.0] for m in models]), gaps, 1)[0]


def test_planted_runs(tmp_path):
    found = evidence(tmp_path, closing(0.01, noise=0.003))
    accuracies, weights = raw(tmp_path, lambda config: True)
    models = ["wrn-10-1", "wrn-16-1", "wrn-22-1", "wrn-10-2"]
    row = verdicts.judge(found).iloc[0]
    assert row["estimate"] == pytest.approx(100 * slope_of(accuracies, weights, models, 0.8), abs=1e-9)
    gap = found.gaps.set_index(["model", "sparsity"]).loc[("wrn-16-1", 0.5), "mean"]
    own = [accuracies["wrn-16-1", "static", sparsity].mean() for sparsity in (0.5, 0.0)]
    assert gap == pytest.approx(own[0] - own[1], abs=1e-9)
    narrow = [accuracies[m, "static", 0.8].mean() - accuracies[m, "small-dense", 0.8].mean() for m in models]
    assert found.means_against_narrow["as many weights"].value == pytest.approx(np.mean(narrow), abs=1e-9)


def test_the_short_runs_on_cifar_10():
    values = parameters.read_parameters("04_size", "cifar10-small", REPOSITORY)
    if "sizes" not in values["campaign"]["parts"]:
        pytest.skip("the profile shows runs of the campaign")
    design = questions.compare("04_size", values)
    found = Evidence(design, Store(REPOSITORY / "results"), values, REPOSITORY)

    def holds(config):
        seeds = {"mask_seed", "init_seed", "data_seed"}
        asked = {"train_samples": 10_000, "epochs": 4, "lr": 0.6, "batch_size": 64}
        others = {"dataset", "model", "sparsity", "precision", "method", "init_scale"}
        plain = config.keys() <= asked.keys() | others | seeds
        return plain and asked.items() <= config.items() and max(config.get(name, 0) for name in seeds) < 3

    accuracies, weights = raw(REPOSITORY / "results/runs/cifar10", holds)
    models = ["wrn-10-1", "wrn-16-1", "wrn-10-2"]
    assert found.slopes[0.9].value == pytest.approx(slope_of(accuracies, weights, models, 0.9), abs=1e-9)
    # the same seeds everywhere: the slope of each seed, then t with two degrees of freedom
    x = np.log2([weights[m, "static", 0.0] for m in models])
    gaps = np.array([accuracies[m, "static", 0.9] - accuracies[m, "static", 0.0] for m in models])
    slopes = np.polyfit(x, gaps, 1)[0]
    half = 4.302653 * slopes.std(ddof=1) / 3**0.5
    assert found.slopes[0.9].interval() == pytest.approx((slopes.mean() - half, slopes.mean() + half), abs=1e-7)
    wide = [accuracies["wrn-10-2", "static", s] - accuracies["wrn-10-2", "small-dense", s] for s in (0.5, 0.9)]
    assert found.means_against_narrow["as many weights"].value == pytest.approx(np.mean(wide), abs=1e-9)
