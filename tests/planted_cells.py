"""Cells of a made-up campaign whose records are made up, so that what a notebook says of them is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from made_up import record
from randsparse.comparison.crossed import Crossed, select_cells
from randsparse.runs.store import Store

RECIPE = {"dataset": "digits", "model": "wrn-10-1", "epochs": 6, "batch_size": 32}


def parameters(cells: Mapping[str, Mapping[str, Any]], n: int = 10) -> dict[str, Any]:
    """Return the parameters of a notebook that shows all of these cells, of n networks unless they share seeds."""
    described = {}
    for place, (name, values) in enumerate(cells.items(), 1):
        own = {} if "seeds_of" in values else {"networks": n, "orders": n, "crossed": False, "first_seed": 1000 * place}
        described[name] = {"lr": 0.1} | own | dict(values)
    campaign = {"recipe": RECIPE, "parts": {"C": described}}
    return {"campaign": campaign, "train_missing": False, "cells": list(cells)}


def design_of(cells: Mapping[str, Mapping[str, Any]], n: int = 10) -> Crossed:
    """Return these cells as a notebook has them."""
    values = parameters(cells, n)
    return select_cells(values, values["cells"])


def plant(
    design: Crossed,
    store: Store,
    accuracy: Callable[[str, int], float],
    skip: Callable[[str, int], bool] = lambda *_: False,
    change: Callable[[dict, Any], None] = lambda *_: None,
) -> None:
    """Put a record of every run into a store, accuracy by cell and network, but for those that are skipped.

    `change` may change a record, given its config, before it is put.
    """
    for cell in design.networks:
        for (network, _), config in cell.placed(store).items():
            if skip(cell.name, network):
                continue
            made = record(config)
            made["test"]["accuracy"] = float(accuracy(cell.name, network))
            made["density"]["realised"] = config.density
            change(made, config)
            store.put(made)


def noise(spread: float, of_seed: float = 0.0, seed: int = 0) -> Callable[[str, int], float]:
    """Return fixed noise by cell and network, of standard deviation `spread`, and one that all cells share by seed."""
    shared = np.random.default_rng(seed).normal(size=100)

    def drawn(cell: str, network: int) -> float:
        own = np.random.default_rng([seed + 1, *cell.encode()]).normal(size=100)
        return spread * own[network] + of_seed * shared[network]

    return drawn


def normal_scores(n: int) -> np.ndarray:
    """Return n values of mean 0 and standard deviation 1, the same always."""
    values = np.linspace(-1, 1, n)
    return (values - values.mean()) / values.std(ddof=1)
