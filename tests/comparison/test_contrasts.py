"""Cells compared: pairs by seed where seeds are shared, means over orders of batches, and the regime in words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from made_up import record
from randsparse.comparison import cells, contrasts, sentences
from randsparse.comparison.campaign import parse
from randsparse.comparison.crossed import Crossed
from randsparse.runs.store import Store

_EACH = {"lr": 0.1, "networks": 4, "orders": 2}
DESIGN = Crossed(
    parse(
        {
            "recipe": {"dataset": "digits", "epochs": 4, "batch_size": 32},
            "parts": {
                "A": {
                    "a": _EACH | {"first_seed": 1000},
                    "b": {"lr": 0.1, "seeds_of": "a", "sparsity": 0.5},
                    "c": _EACH | {"first_seed": 2000, "sparsity": 0.5},
                }
            },
        }
    ).cells,
    False,
)
EFFECTS = np.array([0.0, 0.1, 0.2, 0.3])
"""What a network adds to all cells that have it."""


def frame():
    """Networks that differ far more than cells do, in two orders with opposite effects."""
    rows = [
        {
            "cell": cell,
            "network": n,
            "order": o,
            "test_accuracy": 0.5 + EFFECTS[n] + shift * (1 + n / 10) + 0.01 * (-1) ** o,
        }
        for cell, shift in (("a", 0.02), ("b", 0.0), ("c", 0.0))
        for n in range(4)
        for o in range(2)
    ]
    return pd.DataFrame(rows)


def test_cells_with_the_same_seeds_are_compared_seed_by_seed():
    paired = contrasts.estimate_contrast(DESIGN, frame(), {"a": 1.0, "b": -1.0})
    own = contrasts.estimate_contrast(DESIGN, frame(), {"a": 1.0, "c": -1.0})
    assert paired.value == pytest.approx(own.value) == pytest.approx(0.023)
    differences = 0.02 * (1 + np.arange(4) / 10)
    assert paired.error == pytest.approx(differences.std(ddof=1) / 2) and (paired.df, paired.n) == (3, 4)
    assert own.error > 20 * paired.error and own.df == pytest.approx(6, abs=0.1)


def test_a_network_counts_once_whatever_its_orders():
    values = frame()
    assert contrasts.average_orders(DESIGN, values, "b") == pytest.approx(0.5 + EFFECTS)
    values.loc[(values["cell"] == "b") & (values["network"] == 2), "test_accuracy"] = np.nan
    assert np.isnan(contrasts.average_orders(DESIGN, values, "b")).tolist() == [False, False, True, False]
    level = contrasts.levels(DESIGN, values).set_index("cell").loc["b"]
    assert (level["mean"], level["n"], level["runs"]) == (pytest.approx(0.5 + (0.1 + 0.3) / 3), 3, 6)


def test_too_few_networks_give_no_estimate():
    values = frame()
    few = values[(values["network"] < 2) | (values["cell"] != "b")]
    assert contrasts.estimate_contrast(DESIGN, few, {"a": 1.0, "b": -1.0}) is None
    assert contrasts.estimate_contrast(DESIGN, values[values["cell"] != "b"], {"a": 1.0, "b": -1.0}) is None


def test_the_regime_and_what_is_missing_are_said(tmp_path):
    store = Store(tmp_path)
    assert contrasts.describe_regime(DESIGN, store, ["a", "b"]).endswith("4 epochs, no run yet")
    assert sentences.write_missing_runs(cells.count_runs(DESIGN, store)).data == "No run yet: *a*, *b* and *c*."
    for cell in DESIGN.networks[:2]:
        for config in cell.wanted(store)[: 8 if cell.name == "a" else 5]:
            store.put(record(config))
    assert contrasts.describe_regime(DESIGN, store, ["a", "b"]) == (
        "WRN-10-1 on digits, 16 images, 4 epochs of 1 steps, dense 90.0 %"
    )
    told = sentences.write_missing_runs(cells.count_runs(DESIGN, store)).data
    assert told == "No run yet: *c*. Not all runs yet: *b* (5 of 8)."
