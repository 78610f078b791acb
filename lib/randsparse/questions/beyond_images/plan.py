"""The runs of notebook 12: random masks and methods that change them, on a table and on texts."""

from __future__ import annotations

from dataclasses import replace

from randsparse.comparison.design import (
    DENSE,
    RANDOM,
    SMALL_OWN,
    Arm,
    Comparison,
    Parameters,
    Points,
    Tuning,
    base_config,
    compare,
    join,
    share_rates,
    trials,
)
from randsparse.errors import require
from randsparse.runs import methods

BY_TASK = ("models", "epochs", "seeds")
"""The parameters that have a value for each dataset."""


def comparison(parameters: Parameters) -> Comparison:
    """Return the comparison of masks and methods on each of `models`, which names a network for each dataset.

    Arms at every sparsity: static masks by each of `rules`; small dense networks with as many weights; each of
    `methods` inside a random mask of each of `source_sparsities` by `source_rule` (0: the dense network), where that
    leaves something to choose. The learning rate of each dataset and sparsity is one of `lrs`, chosen on validation
    data by `tuning_seeds` runs of the mask by the first rule (or the first that can be), and at sparsity 0 of the dense
    network; small dense networks, and methods that start with all weights of their source, have the rate of that one.

    Raises StudyError for a dataset without a number of epochs or seeds.
    """
    for name in BY_TASK[1:]:
        missing = [dataset for dataset in parameters["models"] if dataset not in parameters[name]]
        require(not missing, name, parameters[name], f"numbers by dataset, also of {', '.join(missing)}")
    return join(_task(dataset, parameters) for dataset in parameters["models"])


def _task(dataset: str, parameters: Parameters) -> Comparison:
    """Return the comparison of one dataset: learning rates to choose with their arms, and points out of reach."""
    own = {name: parameters[name][dataset] for name in BY_TASK}
    task = {"dataset": dataset, "model": own["models"], "epochs": own["epochs"]}
    task |= {"seeds": own["seeds"], "train_samples": parameters["train_samples"].get(dataset)}
    whole = compare(_points({**parameters, **task}), own["seeds"])
    infeasible = [replace(point, arm=f"{point.arm}, {dataset}") for point in whole.infeasible]
    tunings = [
        Tuning(sparsity, trials(arms[0].config, parameters["lrs"], parameters["tuning_seeds"]), arms)
        for sparsity, arms in share_rates(whole.arms, _like).items()
    ]
    return Comparison((), (), tuple(infeasible), tuple(tunings))


def _like(arm: Arm) -> float:
    """Return the sparsity whose learning rate an arm has: that of the dense network unless it begins sparse."""
    config = arm.config
    static = config.method == "static" or (config.method in methods.DYNAMIC and methods.draws_start(config))
    return arm.sparsity if static else 0.0


def _points(parameters: Parameters) -> Points:
    """Return the config of each arm and sparsity, at each the one first by which the learning rate is chosen.

    Args:
        parameters: those of one dataset.
    """
    points = {(DENSE, "weight", 0.0): base_config(parameters)}
    for sparsity in parameters["sparsities"]:
        point = {**parameters, "sparsity": sparsity}
        # Not a changed dense config: that would have forgotten all that is of use to masks only.
        for rule in parameters["rules"]:
            points[random(rule), "weight", sparsity] = base_config({**point, "rule": rule})
        points[SMALL_OWN, "weight", sparsity] = base_config({**point, "method": "small-dense", "init_scale": "own"})
        for method in parameters["methods"]:
            for source in (each for each in parameters["source_sparsities"] if each < sparsity):
                inside = {"method": method, "source_sparsity": source}
                points[changing(method, source), "weight", sparsity] = base_config({**point, **inside})
    return points


def random(rule: str) -> str:
    """Return the arm of static random masks by a rule."""
    return f"{RANDOM} {rule}"


def changing(method: str, source: float) -> str:
    """Return the arm of a method inside a random source of a sparsity; 0 is the dense network."""
    return f"{method} in a source of {1 - source:.4g}" if source else method
