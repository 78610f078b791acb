"""The runs of notebook 12: random masks and methods that change them, on a table and on texts."""

from __future__ import annotations

from randsparse.comparison.design import (
    DENSE,
    RANDOM,
    SMALL_OWN,
    Arm,
    Comparison,
    Infeasible,
    Parameters,
    Tuning,
    base_config,
    replicates,
)
from randsparse.data import catalogue
from randsparse.errors import require
from randsparse.runs import feasibility, methods
from randsparse.runs.config import RunConfig

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
    tunings, infeasible = [], []
    for dataset in parameters["models"]:
        found, points = _task(dataset, parameters)
        tunings += found
        infeasible += points
    return Comparison((), (), tuple(infeasible), tuple(tunings))


def _task(dataset: str, parameters: Parameters) -> tuple[list[Tuning], list[Infeasible]]:
    """Return the learning rates to choose of one dataset, with their arms, and the points out of reach."""
    own = {name: parameters[name][dataset] for name in BY_TASK}
    task = {"dataset": dataset, "model": own["models"], "epochs": own["epochs"]}
    task |= {"seeds": own["seeds"], "train_samples": parameters["train_samples"].get(dataset)}
    arms: dict[float, list[Arm]] = {}
    infeasible = []
    for (name, sparsity), config in _configs({**parameters, **task}).items():
        if reason := feasibility.infeasible(config, *catalogue.shape(dataset)):
            infeasible.append(Infeasible(f"{name}, {dataset}", "weight", sparsity, reason, config.model))
            continue
        static = config.method == "static" or (config.method in methods.DYNAMIC and methods.draws_start(config))
        like = sparsity if static else 0.0
        arms.setdefault(like, []).extend(replicates(name, "weight", sparsity, config, own["seeds"]))
    tunings = [
        Tuning(sparsity, _trials(each[0].config, parameters), tuple(each)) for sparsity, each in arms.items() if each
    ]
    return tunings, infeasible


def _configs(parameters: Parameters) -> dict[tuple[str, float], RunConfig]:
    """Return the config of each arm and sparsity, at each the one first by which the learning rate is chosen.

    Args:
        parameters: those of one dataset.
    """
    found = {(DENSE, 0.0): base_config(parameters)}
    for sparsity in parameters["sparsities"]:
        point = {**parameters, "sparsity": sparsity}
        # Not a changed dense config: that would have forgotten all that is of use to masks only.
        for rule in parameters["rules"]:
            found[random(rule), sparsity] = base_config({**point, "rule": rule})
        found[SMALL_OWN, sparsity] = base_config({**point, "method": "small-dense", "init_scale": "own"})
        for method in parameters["methods"]:
            for source in (each for each in parameters["source_sparsities"] if each < sparsity):
                inside = {"method": method, "source_sparsity": source}
                found[changing(method, source), sparsity] = base_config({**point, **inside})
    return found


def _trials(config: RunConfig, parameters: Parameters) -> tuple[RunConfig, ...]:
    """Return the runs by which one of `lrs` is chosen."""
    runs = [replicates("", "", 0.0, config.replace(lr=lr), parameters["tuning_seeds"]) for lr in parameters["lrs"]]
    return tuple(arm.config for each in runs for arm in each)


def random(rule: str) -> str:
    """Return the arm of static random masks by a rule."""
    return f"{RANDOM} {rule}"


def changing(method: str, source: float) -> str:
    """Return the arm of a method inside a random source of a sparsity; 0 is the dense network."""
    return f"{method} in a source of {1 - source:.4g}" if source else method
