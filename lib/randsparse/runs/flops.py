"""What a forward pass costs, by counting: multiplications and additions of convolutions and linear layers."""

from __future__ import annotations

import math
from functools import cache

from randsparse.data import catalogue
from randsparse.networks.registry import layers, products
from randsparse.networks.widths import node_widths
from randsparse.runs.config import RunConfig
from randsparse.runs.feasibility import find_small_widths


def count_kept(flops: dict[str, float], densities: dict[str, float]) -> float:
    """Return the FLOPs that fall on kept weights.

    Args:
        flops: by layer, as from `count_for_config`.
        densities: of weights, by parameter name ("<layer>.weight"); a layer that is not there is dense.
    """
    return sum(count * densities.get(f"{layer}.weight", 1.0) for layer, count in flops.items())


def count_for_config(config: RunConfig) -> dict[str, float]:
    """Return the forward FLOPs of one sample by layer, as `count_for_network`, of the dataset of the run."""
    return count_for_network(config, *catalogue.shape(config.dataset))


def count_for_network(config: RunConfig, classes: int, channels: int, size: int) -> dict[str, float]:
    """Return the forward FLOPs of one sample by layer, as the network of `config` computes, masked or not.

    Two for each weight at each position, as `torch.utils.flop_counter` counts; products of attention, in which no
    weight takes part, are entries of their own, and dense. Raises StudyError for a network that cannot be built.

    Args:
        classes, channels, size: of the samples, as from `catalogue.shape`.
    """
    narrow = config.method == "small-dense" or config.engine == "compacted"
    names = ("dataset", "model", *(("engine", "method", "structure", "sparsity") if narrow else ()))
    return dict(_counted(RunConfig(**{name: getattr(config, name) for name in names}), classes, channels, size))


@cache
def _counted(config: RunConfig, classes: int, channels: int, size: int) -> dict[str, float]:
    widths = None
    if config.method == "small-dense":
        widths = find_small_widths(config, classes, channels, size)
    elif config.engine == "compacted" and config.sparsity:
        widths = node_widths(config.model, config.density)
    found = layers(config.model, classes, channels, size, widths)
    flops = {name: 2.0 * math.prod(shape) * positions for name, (shape, positions) in found.items()}
    return flops | products(config.model, size, widths)
