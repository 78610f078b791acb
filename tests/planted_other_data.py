"""Cells of a table and of texts whose records are made up, so that what notebook 12 says of them is known."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from made_up import record
from randsparse.questions.beyond_images import plan
from randsparse.questions.beyond_images.evidence import Evidence
from randsparse.runs.store import Store

EPOCHS = 8
CANDIDATES = ["table, ER 90 %", "text, ER 90 %"]
ACCURACY = {"ER 90 %": 0.56, "dense": 0.55, "bag of words": 0.54, "RigL 90 %, from dense": 0.57}
_EACH = {"lr": 0.1, "networks": 5, "orders": 5, "crossed": False}
_RIGL = {"sparsity": 0.9, "rule": "er", "method": "rigl", "update_interval": 5}
_KINDS: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "table": ({"dataset": "breast-cancer", "model": "mlp-4-64"}, {}),
    "text": (
        {"dataset": "docstrings", "model": "transformer-2-32"},
        {"bag of words": _EACH | {"model": "transformer-0-32"}},
    ),
}


def _cells(kind: str, first: int, others: dict[str, Any]) -> dict[str, Any]:
    cells = {
        "dense": _EACH,
        "ER 90 %": {"lr": 0.1, "networks": 8, "orders": 2, "sparsity": 0.9, "rule": "er"},
        **others,
        "RigL 90 %, from dense": _EACH | _RIGL,
    }
    found = {
        f"{kind}, {name}": own | {"first_seed": first + 1000 * place} for place, (name, own) in enumerate(cells.items())
    }
    pair = {
        "lr": 0.1,
        "seeds_of": f"{kind}, RigL 90 %, from dense",
        **_RIGL,
        "source_sparsity": 0.5,
        "source_rule": "er",
    }
    return found | {f"{kind}, RigL 90 %, in a source": pair}


PARAMETERS: dict[str, Any] = {
    "campaign": {
        "recipe": {"epochs": EPOCHS, "optimizer": "adamw"},
        "parts": {
            kind: {"recipe": recipe, **_cells(kind, 10_000 * place, others)}
            for place, (kind, (recipe, others)) in enumerate(_KINDS.items())
        },
    },
    "train_missing": False,
    "candidates": CANDIDATES,
    "controls": [
        ["table, ER 90 %", "table, dense"],
        ["text, ER 90 %", "text, dense"],
        ["text, dense", "text, bag of words"],
    ],
    "sources": [[f"{kind}, RigL 90 %, in a source", f"{kind}, RigL 90 %, from dense"] for kind in _KINDS],
    "phase": 0.25,
    "size": 4,
}


def evidence(
    folder,
    r: float = 0.0,
    spread: float = 0.004,
    shift: Mapping[str, float] | None = None,
    networks: int = 8,
    **changes: Any,
) -> Evidence:
    """Return what planted runs say.

    Args:
        r: the correlation of early and final accuracy of candidates.
        spread: the standard deviation of final accuracy between networks.
        shift: what is added to the accuracy of a cell.
        networks: how many of each cell there are.
    """
    store, parameters = Store(folder), PARAMETERS | changes
    design = plan.cells(parameters)
    for cell in design.networks:
        for (network, order), config in cell.placed(store).items():
            if network >= networks:
                continue
            # those with the same seeds share their noise
            early, own = np.random.default_rng([cell.first_seed, network, order]).normal(size=2)
            made = record(config)
            for point in made["curve"]:
                point["val_accuracy"] = 0.5 + 0.05 * early
            name = cell.name.partition(", ")[2].replace("in a source", "from dense")
            final = ACCURACY[name] + spread * (r * early + (1 - r**2) ** 0.5 * own)
            made["test"]["accuracy"] = final + (shift or {}).get(cell.name, 0.0) * (1 + network / 50)
            store.put(made)
    return Evidence(design, store, parameters)
