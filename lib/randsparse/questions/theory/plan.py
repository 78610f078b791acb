"""The runs of notebook 07: random masks of wider networks beside the dense one, at the widths that theory asks for."""

from __future__ import annotations

import math

from randsparse.comparison.design import DENSE, RANDOM, Comparison, Parameters, base_config, compare, join
from randsparse.data import catalogue
from randsparse.errors import StudyError
from randsparse.networks import registry


def width_factor(sparsity: float) -> float:
    """Return 1/log(1/s); raises StudyError for s outside of (0, 1)."""
    if not 0 < sparsity < 1:
        raise StudyError(f"the width factor of sparsity {sparsity!r}: it must be above 0 and below 1")
    return 1 / math.log(1 / sparsity)


def comparison(parameters: Parameters) -> Comparison:
    """Return the comparison of a dense network with random masks of wider ones.

    Arms: dense, the network of `family` (such as "wrn-10") of the first of `widths`; random, at as many weights as
    that one for every other width, and at each of `trained_sparsities` for every width up to the first that theory
    asks for, 1/log(1/s) times the dense one's. Raises StudyError for widths that do not increase.
    """
    widths, family = parameters["widths"], parameters["family"]
    if sorted(set(widths)) != list(widths) or not widths:
        raise StudyError(f"widths {widths}: give increasing numbers, the first is that of the dense network")
    base = base_config(parameters)
    parent = base.replace(model=f"{family}-{widths[0]}")
    configs = [parent]
    for width in widths[1:]:
        few, many = (weights(f"{family}-{each}", base.dataset) for each in (widths[0], width))
        configs.append(parent.replace(model=f"{family}-{width}", sparsity=1 - few / many))
    for sparsity in parameters["trained_sparsities"]:
        configs += [parent.replace(model=f"{family}-{width}", sparsity=sparsity) for width in asked(widths, sparsity)]
    # One part per config, as networks of several widths are one arm at one sparsity.
    return join(
        compare({(RANDOM if config.sparsity else DENSE, "weight", config.sparsity): config}, parameters["seeds"])
        for config in dict.fromkeys(configs)
    )


def weights(model: str, dataset: str) -> int:
    """Return how many weights a mask of a network covers, for the images and classes of a dataset."""
    return sum(map(math.prod, registry.shapes(model, *catalogue.shape(dataset)).values()))


def asked(widths: list[int], sparsity: float) -> list[int]:
    """Return the widths up to the first that is 1/log(1/s) times the first of them, all if none is."""
    enough = [width for width in widths if width / widths[0] >= width_factor(sparsity)]
    return [width for width in widths if width <= min(enough, default=widths[-1])]
