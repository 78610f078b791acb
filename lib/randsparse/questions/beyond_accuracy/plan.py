"""The evaluations that a notebook needs of its runs: a pure function of its parameters, as its runs are."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from randsparse.errors import require, unknown
from randsparse.questions.beyond_accuracy.adversarial import ATTACKS, Adversarial, masking_suite
from randsparse.questions.beyond_accuracy.calibration import Calibration
from randsparse.questions.beyond_accuracy.corruptions import Corruption
from randsparse.questions.beyond_accuracy.ood import SCORES, OutOfDistribution
from randsparse.questions.experiments import DENSE, RANDOM, SMALL_OWN, SMALL_PARENT, Parameters, compared
from randsparse.runs import evaluations
from randsparse.runs.config import RunConfig
from randsparse.runs.evaluations import Evaluation
from randsparse.runs.store import Store

ARMS = (DENSE, RANDOM, SMALL_PARENT, SMALL_OWN)
"""The arms whose networks are evaluated."""


def beyond_accuracy(parameters: Parameters) -> list[Evaluation]:
    """Return the evaluations beyond accuracy (Liu et al. 2022): calibration, other images, corruptions, attacks.

    Raises StudyError for values with which there is nothing to evaluate or to compare.
    """
    _check(parameters)
    plan: list[Evaluation] = [Calibration(parameters["bins"])]
    plan += [
        OutOfDistribution(name, parameters["ood_resize"], parameters["ood_images"]) for name in parameters["ood_sets"]
    ]
    plan += [
        Corruption(name, severity, parameters["corruption_images"])
        for name in parameters["corruptions"]
        for severity in parameters["severities"]
    ]
    pgd = {"steps": parameters["pgd_steps"], "restarts": parameters["pgd_restarts"]}
    images = parameters["attack_images"]
    plan += [
        Adversarial(attack, epsilon, **pgd, images=images)
        for attack in ATTACKS
        for epsilon in parameters["epsilons"]
    ]
    plan += suite(parameters).values()
    return list(dict.fromkeys(plan))


def suite(parameters: Parameters) -> dict[str, Adversarial]:
    """Return the attacks of the check against gradient masking; see `adversarial.masking_suite`."""
    return masking_suite(
        parameters["masking_epsilon"],
        parameters["pgd_steps"],
        parameters["pgd_restarts"],
        parameters["attack_images"],
    )


PLANS: dict[str, Callable[[Parameters], list[Evaluation]]] = {"06_beyond_accuracy": beyond_accuracy}
"""The evaluations of each notebook that has some, by the notebook's name."""


def wanted(name: str, parameters: Parameters) -> list[Evaluation]:
    """Return the evaluations that notebook `name` needs of each run; raises StudyError for impossible values."""
    return PLANS[name](parameters) if name in PLANS else []


def runs(name: str, parameters: Parameters, store: Store) -> list[RunConfig]:
    """Return the runs that notebook `name` evaluates, those of arms whose settings are known, stored or not."""
    if not wanted(name, parameters):
        return []
    return list(dict.fromkeys(arm.config for arm in compared(name, parameters).singles(store)))


def missing(name: str, parameters: Parameters, store: Store) -> list[evaluations.Unit]:
    """Return what `store` lacks of the evaluations of notebook `name`; raises as `evaluations.load`."""
    return evaluations.missing(runs(name, parameters, store), wanted(name, parameters), store)


def paths(name: str, parameters: Parameters, store: Store) -> list[Path]:
    """Return the files of the evaluations that notebook `name` shows, as far as they are there."""
    plan = wanted(name, parameters)
    own = [evaluations.path_of(run, each, store) for run in runs(name, parameters, store) for each in plan]
    return [path for path in own if path.is_file()]


def _check(parameters: Parameters) -> None:
    for name in parameters["arms"]:
        if name not in ARMS:
            raise unknown("arm", name, ARMS)
    if parameters["ood_score"] not in SCORES:
        raise unknown("score", parameters["ood_score"], SCORES)
    for name in ("ood_sets", "corruptions", "severities", "epsilons"):
        require(len(parameters[name]) > 0, name, parameters[name], "a list with something in it")
    for epsilon in parameters["epsilons"]:
        require(0 < epsilon <= 255, "epsilon", epsilon, "a budget above 0 and up to 255, in units of 1/255")
    for name in ("margin", "nll_margin", "auroc_margin"):
        require(parameters[name] > 0, name, parameters[name], "the smallest difference that matters, above 0")
