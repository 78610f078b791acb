"""The runs of notebook 04: random masks of networks of several depths and widths, each with its learning rate."""

from __future__ import annotations

from dataclasses import replace

from randsparse.comparison.design import (
    DENSE,
    RANDOM,
    SMALL_OWN,
    Comparison,
    Infeasible,
    Parameters,
    Tuning,
    base_config,
    compare,
    join,
    share_rates,
    trials,
)
from randsparse.data import catalogue
from randsparse.runs import feasibility
from randsparse.runs.config import RunConfig
from randsparse.runs.flops import narrow_at_equal_flops

SMALL_FLOPS = "small dense (equal FLOPs)"
NO_NARROWER = "a network of one node a group has more FLOPs"


def sizes(parameters: Parameters) -> Comparison:
    """Return the comparison of networks of several depths and widths at every sparsity, dense ones among them.

    Arms of each of `models`: dense and random; of those that are also in `narrow`, small dense networks with as many
    weights as the random one, and with as many FLOPs. The learning rate of each sparsity is one of `lrs`, chosen on
    validation with the first of `models` that can have it; small dense networks have that of the dense ones.
    """
    base, seeds = base_config(parameters), parameters["seeds"]
    sparsities = sorted({0.0, *parameters["sparsities"]})
    whole = join(
        _of_size(base.replace(model=model, sparsity=sparsity), model, model in parameters["narrow"], seeds)
        for model in parameters["models"]
        for sparsity in sparsities
    )
    alike = share_rates(whole.arms, lambda arm: arm.sparsity if arm.arm == RANDOM else 0.0)
    tunings = [
        Tuning(sparsity, trials(alike[sparsity][0].config, parameters["lrs"], seeds), alike[sparsity])
        for sparsity in sparsities
        if sparsity in alike
    ]
    return Comparison((), (), whole.infeasible, tuple(tunings))


def _of_size(point: RunConfig, model: str, narrow: bool, seeds: int) -> Comparison:
    """Return the comparison of one model at one sparsity."""
    if point.sparsity == 0:
        return compare({(DENSE, "weight", 0.0): point}, seeds)
    configs = {RANDOM: point}
    if narrow:
        configs[SMALL_OWN] = point.replace(method="small-dense", init_scale="own")
    nowhere = ()
    if narrow and not feasibility.infeasible(point, *catalogue.shape(point.dataset)):
        if as_fast := narrow_at_equal_flops(point):
            configs[SMALL_FLOPS] = as_fast
        else:
            nowhere = (Infeasible(SMALL_FLOPS, "weight", point.sparsity, NO_NARROWER, model),)
    found = compare({(name, "weight", point.sparsity): config for name, config in configs.items()}, seeds)
    return replace(found, infeasible=(*found.infeasible, *nowhere))
