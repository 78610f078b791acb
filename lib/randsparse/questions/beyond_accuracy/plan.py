"""The networks of notebook 06, cells of a campaign, and what is measured of them: pure functions of its parameters."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

from randsparse.comparison.campaign import Networks
from randsparse.comparison.crossed import Crossed, select_cells
from randsparse.comparison.design import Arm, Parameters
from randsparse.errors import rename_in_errors, require, unknown
from randsparse.questions.beyond_accuracy.adversarial import ATTACKS, Adversarial, masking_suite
from randsparse.questions.beyond_accuracy.calibration import Calibration
from randsparse.questions.beyond_accuracy.corruptions import Corruption
from randsparse.questions.beyond_accuracy.ood import SCORES, OutOfDistribution
from randsparse.runs.config import RunConfig
from randsparse.runs.evaluations import Evaluation
from randsparse.runs.store import Store


@dataclass(frozen=True)
class Evaluated(Crossed):
    """The cells of networks that are evaluated, of each the first `evaluated` networks."""

    def singles(self, store: Store) -> list[Arm]:
        """Return the runs that are evaluated and whose learning rate is known, stored or not."""
        return [
            Arm(cell.name, cell.point.structure, cell.point.sparsity, network, config)
            for cell in self.networks
            for network, config in enumerate(cell.to_evaluate(store))
        ]

    def evaluated(self, store: Store) -> dict[tuple[Networks, int], RunConfig]:
        """Return the finished runs that are evaluated, by cell and network."""
        runs = {(cell, n): run for cell in self.networks for n, run in enumerate(cell.to_evaluate(store))}
        return {place: run for place, run in runs.items() if store.has(run)}


def networks(parameters: Parameters) -> Evaluated:
    """Return the cells of notebook 06: `dense`, `sparse`, and those of `narrow`, which are dense.

    Raises StudyError for an unknown cell, and for one that has no networks to evaluate.
    """
    names = [parameters["dense"], parameters["sparse"], *parameters["narrow"]]
    design = select_cells(parameters, names)
    for cell in design.networks:
        require(cell.evaluated > 0, f"evaluated of the cell {cell.name}", cell.evaluated, "at least 1")
    return Evaluated(design.cells, design.train_missing)


def evaluations(parameters: Parameters) -> list[Evaluation]:
    """Return the evaluations beyond accuracy (Liu et al. 2022): calibration, other images, corruptions, attacks.

    Raises StudyError for values with which there is nothing to evaluate or to compare.
    """
    _check(parameters)
    plan: list[Evaluation] = [Calibration(parameters["bins"])]
    with rename_in_errors(images="ood_images", resize="ood_resize"):
        for name in (parameters["near"], *parameters["far"]):
            plan.append(OutOfDistribution(name, parameters["ood_resize"], parameters["ood_images"]))
    with rename_in_errors(images="corruption_images", severity="severities"):
        for place in product(parameters["corruptions"], parameters["severities"]):
            plan.append(Corruption(*place, parameters["corruption_images"]))
    pgd = [parameters[name] for name in ("pgd_steps", "pgd_restarts", "attack_images")]
    with rename_in_errors(steps="pgd_steps", restarts="pgd_restarts", images="attack_images", epsilon="epsilons"):
        plan += [Adversarial(*each, *pgd) for each in product(ATTACKS, parameters["epsilons"])]
    plan += suite(parameters).values()
    return list(dict.fromkeys(plan))


def suite(parameters: Parameters) -> dict[str, Adversarial]:
    """Return the attacks of the check against gradient masking; see `adversarial.masking_suite`."""
    names = ("masking_epsilon", "pgd_steps", "pgd_restarts", "attack_images")
    with rename_in_errors(
        epsilon="masking_epsilon", steps="pgd_steps", restarts="pgd_restarts", images="attack_images"
    ):
        return masking_suite(*(parameters[name] for name in names))


def _check(parameters: Parameters) -> None:
    if parameters["ood_score"] not in SCORES:
        raise unknown("score", parameters["ood_score"], SCORES)
    for name in ("far", "corruptions", "severities", "epsilons", "narrow"):
        require(len(parameters[name]) > 0, name, parameters[name], "a list with something in it")
    for epsilon in parameters["epsilons"]:
        require(0 < epsilon <= 255, "epsilon", epsilon, "a budget above 0 and up to 255, in units of 1/255")
    for name in ("margin", "ece_margin"):
        require(parameters[name] > 0, name, parameters[name], "the smallest difference that matters, above 0")
