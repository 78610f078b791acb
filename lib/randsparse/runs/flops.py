"""What a forward pass costs, by counting: multiplications and additions of convolutions and linear layers."""

from __future__ import annotations

import math
from functools import cache

from randsparse.data import catalogue
from randsparse.errors import StudyError
from randsparse.networks.registry import layers, products, shapes
from randsparse.networks.widths import node_widths
from randsparse.runs.config import RunConfig
from randsparse.runs.feasibility import allocate, small_widths


def on_kept_weights(flops: dict[str, float], densities: dict[str, float]) -> float:
    """Return the FLOPs that fall on kept weights.

    Args:
        flops: by layer, as from `of_config`.
        densities: of weights, by parameter name ("<layer>.weight"); a layer that is not there is dense.
    """
    return sum(count * densities.get(f"{layer}.weight", 1.0) for layer, count in flops.items())


def of_config(config: RunConfig) -> dict[str, float]:
    """Return the forward FLOPs of one sample by layer, as `of_network`, of the dataset that the run trains on."""
    return of_network(config, *catalogue.shape(config.dataset))


def of_network(config: RunConfig, classes: int, channels: int, size: int) -> dict[str, float]:
    """Return the forward FLOPs of one sample by layer, as the network of `config` computes, masked or not.

    Two for each weight at each position, as `torch.utils.flop_counter` counts; products of attention, in which no
    weight takes part, are entries of their own, and dense. Raises StudyError for a network that
    cannot be built.

    Args:
        classes, channels, size: of the samples, as from `sources.shape`.
    """
    narrow = config.method == "small-dense" or config.engine == "compacted"
    names = ("dataset", "model", *(("engine", "method", "structure", "sparsity") if narrow else ()))
    return dict(_counted(RunConfig(**{name: getattr(config, name) for name in names}), classes, channels, size))


@cache
def _counted(config: RunConfig, classes: int, channels: int, size: int) -> dict[str, float]:
    widths = None
    if config.method == "small-dense":
        widths = small_widths(config, classes, channels, size)
    elif config.engine == "compacted" and config.sparsity:
        widths = node_widths(config.model, config.density)
    found = layers(config.model, classes, channels, size, widths)
    flops = {name: 2.0 * math.prod(shape) * positions for name, (shape, positions) in found.items()}
    return flops | products(config.model, size, widths)


@cache
def narrow_at_equal_flops(config: RunConfig) -> RunConfig | None:
    """Return the small dense network whose forward FLOPs are nearest to those on the kept weights of a random mask.

    Args:
        config: a weight mask of a rule that needs no weights.

    Searched among the widths that `widths.small_dense_widths` can give; None if the narrowest network has more FLOPs
    than the mask.
    """
    parent = shapes(config.model, *catalogue.shape(config.dataset))
    counts = allocate(config, parent)
    kept = {name: counts[name] / math.prod(shape) for name, shape in parent.items()}
    wanted = on_kept_weights(of_config(config), kept)
    small = config.replace(method="small-dense", init_scale="own")

    def cost(sparsity: float) -> float:
        try:
            return sum(of_config(small.replace(sparsity=sparsity)).values())
        except StudyError:  # narrower than one node a group
            return 0.0

    low, high = 0.0, 1.0 - 1e-6  # cost falls with sparsity
    while high - low > 1e-4:
        middle = round((low + high) / 2, 6)
        low, high = (middle, high) if cost(middle) > wanted else (low, middle)
    ends = [each for each in (round(low, 4), round(high, 4)) if 0 < each < 1 and cost(each)]
    best = min(ends, key=lambda each: abs(cost(each) - wanted), default=None)
    if best is None or cost(best) > 1.5 * wanted:
        return None
    return small.replace(sparsity=best)
