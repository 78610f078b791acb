"""A small campaign whose records are made up, so that what the notebooks on random search say of it is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from made_up import record
from randsparse.comparison.crossed import Crossed
from randsparse.runs.store import Store

NODES = {"nodes 40 %": 0.4, "nodes 60 %": 0.6, "nodes 80 %": 0.8, "nodes 90 %": 0.9}
CANDIDATES = ["dense", *NODES]
EPOCHS = 10
_SINGLE = {"lr": 0.1, "networks": 8, "orders": 2, "crossed": False}
_CELLS: dict[str, dict[str, Any]] = {
    "dense": {"lr": 0.1, "networks": 8, "orders": 2},
    **{name: {"lr": 0.1, "networks": 8, "orders": 2, "sparsity": s, "structure": "node"} for name, s in NODES.items()},
    "nodes 80 %, 14 epochs": _SINGLE | {"sparsity": 0.8, "structure": "node", "epochs": 14},
    "ERK 80 %": _SINGLE | {"sparsity": 0.8, "rule": "erk"},
    "small dense, nodes 80 %": _SINGLE
    | {"sparsity": 0.8, "structure": "node", "method": "small-dense", "init_scale": "own"},
    "small dense, weights 80 %": _SINGLE | {"sparsity": 0.8, "method": "small-dense", "init_scale": "own"},
}
CAMPAIGN = {
    "recipe": {"dataset": "digits", "model": "wrn-10-1", "epochs": EPOCHS, "batch_size": 32},
    "parts": {
        "A": {name: values | {"first_seed": 1000 * place} for place, (name, values) in enumerate(_CELLS.items(), 1)}
    },
}
SEARCH = {
    "campaign": CAMPAIGN,
    "train_missing": False,
    "candidates": CANDIDATES,
    "others": [],
    "longer": ["nodes 80 %, 14 epochs"],
    "phases": [0.1, 0.2, 0.5],
    "size": 4,
}
ACCURACY = {
    "campaign": CAMPAIGN,
    "train_missing": False,
    "candidates": CANDIDATES,
    "controls": ["ERK 80 %", "small dense, nodes 80 %", "small dense, weights 80 %"],
    "pairs": [["ERK 80 %", "nodes 60 %"], ["nodes 80 %", "small dense, nodes 80 %"]],
    "phase": 0.1,
    "size": 4,
}

Curve = Callable[[str, int, int], tuple[list[float], float]]
"""Validation accuracy after each epoch and final test accuracy of (cell, network, order)."""


def plant(
    design: Crossed, store: Store, curve: Curve, skip: Callable[[str, int, int], bool] = lambda *_: False
) -> None:
    """Put a record of every run of a design into a store, but for those that are skipped."""
    for cell in design.networks:
        for (network, order), config in cell.placed(store).items():
            if skip(cell.name, network, order):
                continue
            values, final = curve(cell.name, network, order)
            made = record(config)
            for point in made["curve"]:
                point["val_accuracy"] = values[min(point["epoch"], len(values)) - 1]
            made["test"]["accuracy"] = final
            made["density"]["realised"] = (1 - NODES.get(cell.name, 0.8 if "80" in cell.name else 0.0)) ** (
                1 if "weights" in cell.name or "ERK" in cell.name else 2
            )
            store.put(made)


def correlated(r: float, early: float = 0.05, final: float = 0.0035, shift: Mapping[str, float] | None = None) -> Curve:
    """Return curves whose accuracy after each epoch but the last correlates with the final one by r, by fixed noise.

    Args:
        early, final: standard deviations within a cell, fractions.
        shift: what is added to the final accuracy of a cell.
    """
    cells = {name: place for place, name in enumerate(_CELLS)}
    noise = np.random.default_rng(1).normal(size=(len(cells), 8, 2, EPOCHS + 1))

    def curve(cell: str, network: int, order: int) -> tuple[list[float], float]:
        own = noise[cells[cell], network, order]
        end = r * own[0] + np.sqrt(1 - r**2) * own[-1]
        level = 0.9 - 0.02 * cells[cell] + (shift or {}).get(cell, 0.0)
        # The first epochs share their noise: the winner stays the one that it was.
        return [float(0.5 + early * own[0])] * (EPOCHS - 1) + [float(level + final * end)], float(level + final * end)

    return curve
