"""Records for notebook 11 in which search and longer training gain what a test wants."""

from __future__ import annotations

import numpy as np

from made_up import record_of
from randsparse.comparison.campaign import parse
from randsparse.runs.store import Store

EPOCHS, LONGER = 10, 14
SPARSITIES = (0.8, 0.9)
LEVELS = {0.8: 0.7, 0.9: 0.6}
"""The mean accuracy of one training at each sparsity."""


def campaign() -> dict:
    """The content of a campaign's file: at two sparsities 8 x 2 candidates and 8 controls, whose rate is fixed."""
    cells = {"dense": {"lr": 0.1, "networks": 3, "orders": 1, "first_seed": 1000}}
    for sparsity in SPARSITIES:
        name, seed = f"nodes {100 * sparsity:g} %", int(100_000 * sparsity)
        shared = {"lr": 0.1, "networks": 8, "orders": 2, "sparsity": sparsity, "structure": "node"}
        alone = shared | {"crossed": False}
        cells[name] = shared | {"first_seed": seed}
        cells[f"{name}, longer"] = alone | {"first_seed": seed + 1000, "epochs": LONGER}
        small = {"first_seed": seed + 2000, "method": "small-dense", "init_scale": "own"}
        cells[f"small dense, {name}"] = alone | small
    return {"recipe": {"dataset": "digits", "epochs": EPOCHS}, "parts": {"A": cells}}


def parameters(train_missing: bool = True) -> dict[str, object]:
    """The parameters of the notebook that shows these cells."""
    names = [f"nodes {100 * sparsity:g} %" for sparsity in SPARSITIES]
    return {
        "campaign": campaign(),
        "train_missing": train_missing,
        "candidates": names,
        "trained_longer": [f"{name}, longer" for name in names],
        "small_dense": [f"small dense, {name}" for name in names],
        "dense": ["dense"],
    }


def plant(
    store: Store,
    r: float = 0.0,
    longer: float = 0.02,
    small: float = -0.01,
    spread: float = 0.01,
    seed: int = 0,
    without: tuple[str, ...] = (),
) -> None:
    """Put the records of all runs into a store.

    Args:
        r: the correlation of validation accuracy at each epoch but the last with the end; at the last it is 1.
        longer, small: how far runs that are trained longer, and small dense networks, lie above one training.
        spread: the standard deviation of ends, of candidates and of controls.
        without: cells that have no runs.
    """
    generator = np.random.default_rng(seed)
    for cell in parse(campaign()).cells:
        gain = longer if "longer" in cell.name else small if "small" in cell.name else 0.0
        level = LEVELS.get(cell.point.sparsity, 0.9) + gain
        for config in cell.placed(store).values():
            score = generator.normal()
            record = record_of(config)
            for point in record["curve"]:
                last = point["epoch"] == config.epochs
                early = score if last else r * score + np.sqrt(1 - r**2) * generator.normal()
                point["val_accuracy"] = float(level + 0.03 * early)
            record["test"] |= {"accuracy": float(level + spread * score)}
            record["cost"] |= {"images": 100 * config.epochs, "epochs": config.epochs}
            if cell.name not in without:
                store.put(record)
