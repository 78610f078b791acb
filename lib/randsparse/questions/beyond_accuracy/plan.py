"""The runs and evaluations of notebook 06: pure functions of its parameters."""

from __future__ import annotations

from randsparse.comparison.design import CONTROLS, Comparison, Parameters, compare, control_points, masked_points
from randsparse.errors import named_as, require, unknown
from randsparse.questions.beyond_accuracy.adversarial import ATTACKS, Adversarial, masking_suite
from randsparse.questions.beyond_accuracy.calibration import Calibration
from randsparse.questions.beyond_accuracy.corruptions import Corruption
from randsparse.questions.beyond_accuracy.ood import SCORES, OutOfDistribution
from randsparse.runs.evaluations import Evaluation


def comparison(parameters: Parameters) -> Comparison:
    """Return the comparison of the networks that are evaluated: `arms`, of CONTROLS, at every structure and sparsity.

    Raises StudyError for another arm.
    """
    _check_arms(parameters)
    points = {}
    for structure, sparsity, point in masked_points(parameters):
        points |= control_points(structure, sparsity, point, parameters["arms"])
    return compare(points, parameters["seeds"])


def evaluations(parameters: Parameters) -> list[Evaluation]:
    """Return the evaluations beyond accuracy (Liu et al. 2022): calibration, other images, corruptions, attacks.

    Raises StudyError for values with which there is nothing to evaluate or to compare.
    """
    _check(parameters)
    plan: list[Evaluation] = [Calibration(parameters["bins"])]
    with named_as(images="ood_images", resize="ood_resize"):
        for name in parameters["ood_sets"]:
            plan.append(OutOfDistribution(name, parameters["ood_resize"], parameters["ood_images"]))
    with named_as(images="corruption_images", severity="severities"):
        for name in parameters["corruptions"]:
            plan += [Corruption(name, each, parameters["corruption_images"]) for each in parameters["severities"]]
    pgd = {"steps": parameters["pgd_steps"], "restarts": parameters["pgd_restarts"]}
    with named_as(steps="pgd_steps", restarts="pgd_restarts", images="attack_images", epsilon="epsilons"):
        for attack in ATTACKS:
            for epsilon in parameters["epsilons"]:
                plan.append(Adversarial(attack, epsilon, **pgd, images=parameters["attack_images"]))
    plan += suite(parameters).values()
    return list(dict.fromkeys(plan))


def suite(parameters: Parameters) -> dict[str, Adversarial]:
    """Return the attacks of the check against gradient masking; see `adversarial.masking_suite`."""
    names = ("masking_epsilon", "pgd_steps", "pgd_restarts", "attack_images")
    with named_as(epsilon="masking_epsilon", steps="pgd_steps", restarts="pgd_restarts", images="attack_images"):
        return masking_suite(*(parameters[name] for name in names))


def _check_arms(parameters: Parameters) -> None:
    for name in parameters["arms"]:
        if name not in CONTROLS:
            raise unknown("arm", name, CONTROLS)


def _check(parameters: Parameters) -> None:
    _check_arms(parameters)
    if parameters["ood_score"] not in SCORES:
        raise unknown("score", parameters["ood_score"], SCORES)
    for name in ("ood_sets", "corruptions", "severities", "epsilons"):
        require(len(parameters[name]) > 0, name, parameters[name], "a list with something in it")
    for epsilon in parameters["epsilons"]:
        require(0 < epsilon <= 255, "epsilon", epsilon, "a budget above 0 and up to 255, in units of 1/255")
    for name in ("margin", "nll_margin", "auroc_margin"):
        require(parameters[name] > 0, name, parameters[name], "the smallest difference that matters, above 0")
