"""Sizes of a network on CIFAR-10 whose records are made up, so that what notebook 04 says of them is known."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from made_up import record
from randsparse.questions.size import plan
from randsparse.questions.size.evidence import Evidence, count_weights
from randsparse.runs.store import Store
from randsparse.study.parameters import find_root

MODELS = ("wrn-10-1", "wrn-16-1", "wrn-22-1", "wrn-10-2")
WEIGHTS = {model: count_weights(model, 10, 3, 32) for model in MODELS}
_EACH = {"lr": 0.1, "networks": 5, "orders": 5, "crossed": False}
_CELLS: dict[str, dict[str, Any]] = {}
for _place, _model in enumerate(MODELS):
    _own = _EACH | {"model": _model}
    for _step, (_name, _changes) in enumerate(
        {
            "dense": {},
            "ERK 80 %": {"sparsity": 0.8, "rule": "erk"},
            "ERK 50 %": {"sparsity": 0.5, "rule": "erk"},
            "equal weights": {"sparsity": 0.8, "method": "small-dense", "init_scale": "own"},
            "equal FLOPs": {"sparsity": 0.7, "method": "small-dense", "init_scale": "own"},
        }.items()
    ):
        _CELLS[f"{_model}, {_name}"] = _own | _changes | {"first_seed": 1000 * (1 + 5 * _place + _step)}
PARAMETERS: dict[str, Any] = {
    "campaign": {
        "recipe": {"dataset": "cifar10", "epochs": 4, "batch_size": 64},
        "parts": {"A": _CELLS},
    },
    "train_missing": False,
    "pairs": [[f"{model}, dense", f"{model}, ERK 80 %"] for model in MODELS],
    "milder": [[f"{model}, dense", f"{model}, ERK 50 %"] for model in MODELS],
    "equal_weights": [[f"{model}, ERK 80 %", f"{model}, equal weights"] for model in MODELS],
    "equal_flops": [[f"{model}, ERK 80 %", f"{model}, equal FLOPs"] for model in MODELS],
}


def closing(slope: float, narrow: float = 0.0, noise: float = 0.001) -> Callable[[str, int], float]:
    """Return accuracies whose gap at 80 % changes by `slope` per doubling, with fixed noise.

    Args:
        narrow: how much more accurate narrow dense networks are than the sparse ones.
    """
    middle = np.mean([math.log2(weights) for weights in WEIGHTS.values()])

    def accuracy(cell: str, network: int) -> float:
        model, _, kind = cell.partition(", ")
        gap = -0.05 + slope * (math.log2(WEIGHTS[model]) - middle)
        more = {"dense": -gap, "ERK 80 %": 0.0, "ERK 50 %": -gap / 2}.get(kind, narrow)
        return 0.8 + more + noise * np.random.default_rng([network, *cell.encode()]).normal()

    return accuracy


def evidence(
    folder, accuracy: Callable[[str, int], float], networks: int = 5, ratio: float = 1.0, **changes: Any
) -> Evidence:
    """Return what planted runs say.

    Args:
        networks: how many of each cell there are.
        ratio: of weights and FLOPs, sparse over narrow.
    """
    store, parameters = Store(folder), PARAMETERS | changes
    design = plan.sizes(parameters)
    for cell in design.networks:
        for (network, _), config in list(cell.placed(store).items())[:networks]:
            made = record(config)
            made["test"]["accuracy"] = accuracy(cell.name, network)
            small = config.method == "small-dense"
            kept = WEIGHTS[config.model] * (0.2 if small else 1 - config.sparsity)
            made["density"]["weights"] = round(kept / ratio if small else kept)
            made["cost"]["sparse_flops"] = 3.0 * made["cost"]["images"] * 100 * kept / (ratio if small else 1)
            store.put(made)
    return Evidence(design, store, parameters, find_root())
