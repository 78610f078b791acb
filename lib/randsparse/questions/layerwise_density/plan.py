"""The runs of notebook 05: rules and score masks at equal density."""

from __future__ import annotations

from dataclasses import replace

from randsparse.comparison.design import DENSE, Arm, Comparison, Parameters, base_config, compare, join

NEW_INIT = 1000
"""What is added to a replicate's seed for initial weights that are scored and not trained."""


def layers(parameters: Parameters) -> Comparison:
    """Return the comparison of rules at every sparsity, and of score masks with what is left of them.

    Arms: the dense network; random masks by each of `rules`, named so; and at each of `mask_sparsities`, for each of
    `criteria`, the mask of the highest scores ("snip mask"), that mask around other initial weights than the scored
    ones ("snip mask, new init"), and the random mask with its counts of weights per layer ("snip"): its shuffled
    version.
    """
    base = base_config(parameters)
    points = {(DENSE, "weight", 0.0): base}
    for sparsity in parameters["sparsities"]:
        rules = {rule: base.replace(sparsity=sparsity, rule=rule) for rule in parameters["rules"]}
        points |= {(rule, "weight", sparsity): config for rule, config in rules.items()}
    for sparsity in parameters["mask_sparsities"]:
        for score in parameters["criteria"]:
            point = base.replace(sparsity=sparsity, rule=score)
            points[score, "weight", sparsity] = point
            points[score_mask(score), "weight", sparsity] = point.replace(criterion=score)
    return join(_with_new_init(compare({key: config}, parameters["seeds"])) for key, config in points.items())


def score_mask(score: str, new_init: bool = False) -> str:
    """Return the name of the arm that keeps the highest scores, of its own initial weights or of others."""
    return f"{score} mask, new init" if new_init else f"{score} mask"


def _with_new_init(part: Comparison) -> Comparison:
    """Return the comparison of one arm; if it is a score mask, also around other initial weights."""
    others = [_scored_elsewhere(arm) for arm in part.arms if arm.config.criterion != "random"]
    return replace(part, arms=(*part.arms, *others))


def _scored_elsewhere(arm: Arm) -> Arm:
    """Return the arm whose mask was scored on other initial weights than those that are trained."""
    config = arm.config.replace(score_init_seed=arm.config.init_seed + NEW_INIT)
    return replace(arm, arm=score_mask(config.criterion, new_init=True), config=config)
