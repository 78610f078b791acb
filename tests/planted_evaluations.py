"""Four cells on CIFAR-10 whose evaluations are made up, so that what notebook 06 says of them is known."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from made_up import record
from randsparse.questions.beyond_accuracy import plan
from randsparse.questions.beyond_accuracy.ood import SCORES
from randsparse.runs import evaluations
from randsparse.runs.evaluations import Evaluation
from randsparse.runs.store import Store

DENSE, SPARSE, NARROW, WIDER = "dense", "ERK 80 %", "small dense, weights 80 %", "small dense, weights 60 %"
ACCURACY = {DENSE: 0.90, SPARSE: 0.85, NARROW: 0.84, WIDER: 0.88}
_EACH = {"lr": 0.1, "networks": 8, "orders": 2, "crossed": False, "evaluated": 8}
_SMALL = {"method": "small-dense", "init_scale": "own"}
CAMPAIGN = {
    "recipe": {"dataset": "cifar10", "model": "wrn-10-1", "epochs": 4, "batch_size": 64},
    "parts": {
        "A": {
            DENSE: _EACH | {"first_seed": 1000},
            SPARSE: _EACH | {"first_seed": 2000, "sparsity": 0.8, "rule": "erk"},
            NARROW: _EACH | _SMALL | {"first_seed": 3000, "sparsity": 0.8},
            WIDER: _EACH | _SMALL | {"first_seed": 4000, "sparsity": 0.6},
        }
    },
}
PARAMETERS: dict[str, Any] = {
    "campaign": CAMPAIGN,
    "train_missing": False,
    "dense": DENSE,
    "sparse": SPARSE,
    "narrow": [NARROW, WIDER],
    "near": "cifar100",
    "far": ["rotated", "uniform-noise"],
    "ood_resize": False,
    "ood_images": None,
    "ood_score": "msp",
    "bins": 15,
    "corruptions": ["jpeg", "contrast"],
    "severities": [1, 3, 5],
    "corruption_images": None,
    "epsilons": [1, 2],
    "pgd_steps": 10,
    "pgd_restarts": 2,
    "attack_images": None,
    "masking_epsilon": 2.0,
    "margin": 0.01,
    "ece_margin": 0.25,
}

Values = Mapping[str, float]
"""What a network has: accuracy, auroc, ece, nll, and the accuracies corrupted, fgsm and pgd."""


def equal(cell: str, network: int) -> dict[str, float]:
    """Networks whose measures are a straight line in their accuracy, with fixed noise that differs by cell."""
    noise = np.random.default_rng([network, *cell.encode()]).normal(size=8)
    accuracy = ACCURACY[cell] + 0.002 * noise[0]
    line = {"auroc": 0.5, "ece": -0.1, "nll": -3.0, "corrupted": 1.0, "fgsm": 0.8, "pgd": 0.6}
    at = {"auroc": 0.8, "ece": 0.02, "nll": 0.4, "corrupted": 0.7, "fgsm": 0.5, "pgd": 0.3}
    found = {
        name: at[name] + slope * (accuracy - 0.9) + 0.002 * noise[place]
        for place, (name, slope) in enumerate(line.items(), 1)
    }
    return {"accuracy": accuracy, **found}


def shifted(shift: Mapping[str, float]) -> Callable[[str, int], Values]:
    """Return `equal` with something added to measures of random masks."""

    def values(cell: str, network: int) -> Values:
        return {
            name: value + (shift.get(name, 0.0) if cell == SPARSE else 0.0)
            for name, value in equal(cell, network).items()
        }

    return values


def plant(
    store: Store, values: Callable[[str, int], Values], parameters: Mapping[str, Any] = PARAMETERS, networks: int = 8
) -> plan.Evaluated:
    """Put records of runs and evaluations of the first networks of each cell into a store; return the design."""
    design, wanted = plan.networks(parameters), plan.evaluations(parameters)
    for cell in design.networks:
        for network, config in enumerate(cell.to_evaluate(store)[:networks]):
            own = values(cell.name, network)
            made = record(config)
            made["test"]["accuracy"] = own["accuracy"]
            store.put(made)
            for each in wanted:
                evaluations.save(config, each, _values(each, own), {}, store)
    return design


def _values(evaluation: Evaluation, own: Values) -> dict[str, float]:
    of = evaluation.parameters
    if evaluation.kind == "calibration":
        scaled = {"ece_mass_scaled": own["ece"] / 2, "nll_scaled": own["nll"] - 0.01}
        return {"ece_mass": own["ece"], "nll": own["nll"], **scaled}
    if evaluation.kind == "ood":
        near = {"cifar100": 0.0, "rotated": -0.1, "uniform-noise": 0.1}[of["data"]]
        return {f"auroc_{score}": own["auroc"] + near for score in SCORES}
    if evaluation.kind == "corruption":
        return {"accuracy": own["corrupted"] - 0.05 * (of["severity"] - 3)}
    lost = {"noise": 0.0, "fgsm": 1 - own["fgsm"], "pgd": 1 - own["pgd"]}[of["attack"]]
    accuracy = 0.0 if of["epsilon"] == 255 else own["accuracy"] - lost * of["epsilon"] / 2
    return {"accuracy": accuracy, "loss": 1.0 + of["epsilon"] * of["steps"], "clean_accuracy": own["accuracy"]}
