"""Whether a config can reach its sparsity, and how many weights or nodes each layer then keeps: by arithmetic alone."""

from __future__ import annotations

import math
from functools import cache

from randsparse.errors import StudyError
from randsparse.networks import widths
from randsparse.networks.architecture import Widths
from randsparse.networks.registry import shapes
from randsparse.runs import methods
from randsparse.runs.config import RunConfig
from randsparse.sparsity import densities, flow_preservation


@cache
def explain_infeasible(config: RunConfig, classes: int, channels: int, size: int) -> str | None:
    """Say why `config` cannot reach its sparsity, or return None when it can."""
    try:
        layers = shapes(config.model, classes, channels, size)
        if config.sparsity == 0:
            return None
        if config.method == "small-dense":
            find_small_widths(config, classes, channels, size)
        elif config.method in methods.DYNAMIC:
            allocate_changing(config, layers)
        elif config.structure == "node":
            widths.node_widths(config.model, config.density)
        elif config.rule in densities.SCORED:
            densities.check(layers, config.density)
            if config.preserve_flow:  # whatever the counts by layer
                flow_preservation.lift(layers, densities.allocate(layers, config.density, "uniform"))
        else:
            allocate(config, layers)
    except StudyError as error:
        return str(error)
    return None


def allocate(config: RunConfig, layers: densities.Shapes) -> dict[str, int]:
    """Return the counts of a rule that needs no weights, by parameter name; raises StudyError if it cannot be met."""
    if config.rule != "custom":
        counts = densities.allocate(layers, config.density, config.rule)
    else:
        custom = densities.custom(layers, config.density, dict(config.layer_densities))
        counts = densities.apportion(layers, config.density, custom)
    return flow_preservation.lift(layers, counts) if config.preserve_flow else counts


def allocate_changing(config: RunConfig, layers: densities.Shapes) -> tuple[dict[str, int], dict[str, int]]:
    """Return how many weights the source mask has by layer, and the first mask in it, of a method of methods.DYNAMIC.

    Where the rule of the first mask wants more of a layer than the source has, the other layers take the rest. Flow is
    preserved in the source, or, inside a dense one, in the first mask.
    Raises StudyError for sparsities that the rules cannot meet.
    """
    source = {name: math.prod(shape) for name, shape in layers.items()}
    if config.source_sparsity:
        source = densities.allocate(layers, round(1 - config.source_sparsity, 12), config.source_rule)
        source = flow_preservation.lift(layers, source) if config.preserve_flow else source
    densities.check(layers, config.density)
    if not methods.draws_start(config):
        return source, dict(source)
    start = RunConfig(
        dataset=config.dataset,
        model=config.model,
        sparsity=methods.start_sparsity(config),
        rule=config.rule,
        layer_densities=config.layer_densities,
        preserve_flow=config.preserve_flow and not config.source_sparsity,
    )
    return source, densities.fit_within(allocate(start, layers), source)


def find_small_widths(config: RunConfig, classes: int, channels: int, size: int) -> Widths:
    """Return the widths of a small dense control: the same share of nodes, or as near as can be as many weights."""
    if config.structure == "node":
        return widths.node_widths(config.model, config.density)
    return widths.small_dense_widths(config.model, classes, channels, config.density, size)
