"""Numbers of notebook 07, computed again from the JSON files of the runs with NumPy alone."""

from __future__ import annotations

import json

import numpy as np
import pytest

from conftest import REPOSITORY
from randsparse import questions
from randsparse.questions.theory import claims
from randsparse.questions.theory.evidence import Evidence
from randsparse.runs.store import Store
from randsparse.study import parameters


def accuracies(model, sparsity):
    """Test accuracies of the short runs of a network, by seed."""
    found = {}
    for path in (REPOSITORY / "results/runs/cifar10").glob("*.json"):
        record = json.loads(path.read_text())
        config = record["config"]
        asked = {"train_samples": 10_000, "epochs": 4, "lr": 0.6, "batch_size": 64}
        others = {"dataset", "model", "sparsity", "precision", "mask_seed", "init_seed", "data_seed"}
        plain = config.keys() <= asked.keys() | others and asked.items() <= config.items()
        if plain and (config.get("model", "wrn-10-1"), config.get("sparsity", 0.0)) == (model, sparsity):
            found[config.get("init_seed", 0)] = record["test"]["accuracy"]
    return np.array([found[seed] for seed in range(3)])


def test_the_short_runs_on_cifar_10():
    values = parameters.read_parameters("07_theory", "cifar10-small", REPOSITORY)
    if "sizes" not in values["campaign"]["parts"]:
        pytest.skip("the profile shows runs of the campaign")
    found = Evidence(questions.compare("07_theory", values), Store(REPOSITORY / "results"), values)
    dense = accuracies("wrn-10-1", 0.0)
    gaps = accuracies("wrn-10-2", 0.9) - dense
    row = claims._finding(found, "WRN-10-2, ERK 90 %")
    assert row["estimate"] == pytest.approx(100 * gaps.mean(), abs=1e-7)
    half = 2.919986 * gaps.std(ddof=1) / 3**0.5  # the same seeds: t with two degrees of freedom, 90 %
    assert (row["low"], row["high"]) == pytest.approx(
        (100 * (gaps.mean() - half), 100 * (gaps.mean() + half)), abs=1e-4
    )
    equal = accuracies("wrn-10-2", 0.7444908312635417) - dense
    assert found.gaps["mean"].iloc[1] == pytest.approx(equal.mean(), abs=1e-9)
