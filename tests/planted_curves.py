"""Records of crossed candidates whose early accuracy correlates with the end as a test wants it."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from made_up import record_of
from randsparse.comparison.campaign import parse
from randsparse.runs import records
from randsparse.runs.store import Store

EPOCHS = 10
SPARSITIES = {"dense": 0.0, "nodes 40 %": 0.4, "nodes 60 %": 0.6, "nodes 80 %": 0.8, "nodes 90 %": 0.9}


def campaign(cells: int = 5, cooled: bool = False) -> dict:
    """The content of a campaign's file: cells of 8 networks and 2 orders, their learning rate fixed.

    Args:
        cooled: whether the runs of each cell are cooled down after epoch 1, too.
    """
    described = {
        name: {"lr": 0.1, "networks": 8, "orders": 2, "first_seed": 1000 * (index + 1), "sparsity": sparsity}
        | ({"structure": "node"} if sparsity else {})
        for index, (name, sparsity) in enumerate(list(SPARSITIES.items())[:cells])
    }
    for name in list(described) if cooled else ():
        own = {field: value for field, value in described[name].items() if field in ("lr", "sparsity", "structure")}
        described[f"{name}, cooled"] = own | {"seeds_of": name, "cooldown_epoch": 1, "cooldown_epochs": 1}
    return {"recipe": {"dataset": "digits", "epochs": EPOCHS}, "parts": {"A": described}}


def parameters(cells: int = 5, train_missing: bool = True, cooled: bool = False) -> dict[str, object]:
    """The parameters of a notebook that shows these cells."""
    return {"campaign": campaign(cells, cooled), "train_missing": train_missing, "candidates": list(SPARSITIES)[:cells]}


def plant(
    store: Store,
    r: Callable[[int], float],
    averaged: Callable[[int], float] = lambda epoch: 0.0,
    network: float = 0.01,
    noise: float = 0.0,
    gap: float = 0.0,
    images: int = 20_000,
    cells: int = 5,
    seed: int = 0,
    keep: Callable[[int, int], bool] = lambda network, order: True,
    cooled: float | None = None,
) -> None:
    """Put the records of all runs of the campaign into a store.

    Args:
        r, averaged: the correlation of true early accuracy with the true end, by epoch, of the network and of the
            moving average of its weights.
        network, noise: standard deviations of what the orders of a network share at the end, and of what they do not.
        gap: how much lower the accuracy of each next cell is, early and at the end.
        images: of validation and of test.
        keep: which runs (network, order) there are.
        cooled: the correlation with the end after a cool-down; None for no such runs.
    """
    generator = np.random.default_rng(seed)
    for index, cell in enumerate(parse(campaign(cells)).cells):
        shared = generator.normal(size=cell.networks)
        for (number, order), config in cell.placed(store).items():
            end = network * shared[number] + noise * generator.normal()
            score = end / np.hypot(network, noise)
            level = 0.8 - gap * index

            def bits(value: float) -> np.ndarray:
                return generator.random(images) < value

            def early(correlate: float, score: float = score, level: float = level) -> float:
                return level - 0.2 + 0.05 * (correlate * score + np.sqrt(1 - correlate**2) * generator.normal())

            record = record_of(config)
            for point in record["curve"]:
                own, average = (bits(early(each(point["epoch"]))) for each in (r, averaged))
                point |= {"lr": 0.1 * (1 - point["epoch"] / (EPOCHS + 1)), "val_accuracy": float(own.mean())}
                point |= {"ema_val_accuracy": float(average.mean()), "val_correct": records.pack(own)}
                point |= {"ema_val_correct": records.pack(average)}
            correct = bits(level + end)
            record["test"] |= {"accuracy": float(correct.mean()), "correct": records.pack(correct)}
            if not keep(number, order):
                continue
            store.put(record)
            if cooled is not None:
                short = record_of(config.replace(cooldown_epoch=1, cooldown_epochs=1.0))
                short["curve"][0] = record["curve"][0]
                short["curve"][1]["val_accuracy"] = float(bits(early(cooled)).mean())
                store.put(short)
