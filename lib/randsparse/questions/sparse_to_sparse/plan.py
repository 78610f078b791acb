"""The runs of notebooks 08 and 09: methods that change their mask, from dense networks and inside random sources."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from randsparse.comparison.design import (
    DENSE,
    RANDOM,
    SMALL_OWN,
    Comparison,
    Infeasible,
    Parameters,
    base_config,
    replicates,
)
from randsparse.data import catalogue
from randsparse.runs import feasibility, methods
from randsparse.runs.config import RunConfig

TICKET = "edge-popup"
Points = Mapping[tuple[str, float], RunConfig]
"""A config by arm and sparsity."""


def sparse_to_sparse(parameters: Parameters) -> Comparison:
    """Return the comparison of methods that change their mask, with their controls, at every final sparsity.

    Arms: dense, also trained for each of `shorter` epochs; random (static masks by `rule`) and small dense; each of
    `methods`, inside a random mask of each of `source_sparsities` by `source_rule` (0: the dense network). At
    `swept_sparsity`, `swept_method` in sources of each of `swept_sources`. At `rules_sparsity`, static masks by each of
    `rules` and `swept_method` in sources of `rules_source` by them, each with and without its flow preserved. Every
    level of iterative magnitude pruning has `level_epochs`.
    """
    base = base_config(parameters)
    found: dict[tuple[str, float], RunConfig] = {(DENSE, 0.0): base}
    for epochs in parameters["shorter"]:
        config = base.replace(epochs=epochs, warmup_epochs=min(base.warmup_epochs, epochs / 4))
        found[f"{DENSE}, {epochs} epochs", 0.0] = config
    for sparsity in parameters["sparsities"]:
        point = base.replace(sparsity=sparsity)
        found[RANDOM, sparsity] = point
        found[SMALL_OWN, sparsity] = point.replace(method="small-dense", init_scale="own")
        for method in parameters["methods"]:
            for source in parameters["source_sparsities"]:
                found |= _point(_changing(point, method, source, parameters))
    point, method = base.replace(sparsity=parameters["swept_sparsity"]), parameters["swept_method"]
    for source in parameters["swept_sources"]:
        found |= _point(_changing(point, method, source, parameters))
    point = base.replace(sparsity=parameters["rules_sparsity"])
    for rule in parameters["rules"]:
        for flow in (False, True):
            found |= _point(point.replace(rule=rule, preserve_flow=flow), parameters["rule"])
            config = _changing(point, method, parameters["rules_source"], parameters)
            found |= _point(config.replace(source_rule=rule, preserve_flow=flow))
    return _comparison(found, parameters["seeds"])


def strong_tickets(parameters: Parameters) -> Comparison:
    """Return the comparison of strong tickets, before and after their weights are trained, at every final sparsity.

    Arms: dense; random, static masks by `rule`, trained for `epochs`, and for as long as a ticket and its fine-tuning
    take together; tickets of each of `weights` (how weights are drawn), inside sources of each of `source_sparsities`
    by `source_rule`, after `epochs` of choosing, and after `tuned_epochs` more, both with `ticket_lr`. The first of
    `weights` is compared at every sparsity, the others at `weights_sparsity`. Where a source is no denser than the
    ticket there is nothing to choose, and the point is infeasible.
    """
    base = base_config(parameters)
    longer = base.epochs + parameters["tuned_epochs"]
    found: dict[tuple[str, float], RunConfig] = {(DENSE, 0.0): base}
    pointless = []
    for sparsity in parameters["sparsities"]:
        point = base.replace(sparsity=sparsity)
        found[RANDOM, sparsity] = point
        found[f"{RANDOM}, {longer} epochs", sparsity] = point.replace(epochs=longer)
        kinds = parameters["weights"] if sparsity == parameters["weights_sparsity"] else parameters["weights"][:1]
        for weights in kinds:
            for source in parameters["source_sparsities"]:
                if source < sparsity:
                    found |= _tickets(point, weights, source, parameters)
                    continue
                arm = f"{TICKET} of {weights} weights in {parameters['source_rule']} {1 - source:.4g}"
                pointless.append(Infeasible(arm, "weight", sparsity, "the source is no denser", point.model))
    comparison = _comparison(found, parameters["seeds"])
    return replace(comparison, infeasible=(*comparison.infeasible, *pointless))


def _tickets(point: RunConfig, weights: str, source: float, parameters: Parameters) -> Points:
    """Return a ticket of one kind of weights in a source, as it is chosen and fine-tuned."""
    ticket = _changing(point, TICKET, source, parameters)
    ticket = ticket.replace(frozen_weights=weights, init_scale="own", lr=parameters["ticket_lr"])
    tuned = parameters["tuned_epochs"]
    return _point(ticket) | _point(ticket.replace(epochs=ticket.epochs + tuned, fine_tune_epochs=tuned))


def name(config: RunConfig, rule: str = "erk") -> str:
    """Return the arm that a config is, where static masks are called random if they are by `rule`."""
    if config.method == "static":
        arm = RANDOM if config.rule == rule else f"{RANDOM} {config.rule}"
    else:
        arm = config.method
        if config.method == TICKET:
            arm += f" of {config.frozen_weights} weights"
        if config.source_sparsity:
            arm += f" in {config.source_rule} {1 - config.source_sparsity:.4g}"
    if config.fine_tune_epochs:
        arm += ", fine-tuned"
    return f"{arm}, flow preserved" if config.preserve_flow else arm


def _point(config: RunConfig, rule: str = "erk") -> Points:
    return {(name(config, rule), config.sparsity): config}


def _changing(point: RunConfig, method: str, source: float, parameters: Parameters) -> RunConfig:
    """Return the config of a method inside a source; a dense source is the network itself."""
    # A static point has lost the fields that only methods whose masks change have, such as update_interval.
    changes = {field: parameters[field] for field in methods.FIELDS if field in parameters}
    changes |= {"method": method, "source_sparsity": source}
    if method == "imp":
        back, levels = parameters.get("rewind_epoch", 0), parameters["levels"]
        changes["epochs"] = back + levels * (parameters["level_epochs"] - back)
        changes["warmup_epochs"] = min(point.warmup_epochs, parameters["level_epochs"] / 4)
    return point.replace(engine="masked", **changes)


def _comparison(found: Points, seeds: int) -> Comparison:
    arms, infeasible = [], []
    for (arm, sparsity), config in found.items():
        if reason := feasibility.infeasible(config, *catalogue.shape(config.dataset)):
            infeasible.append(Infeasible(arm, "weight", sparsity, reason, config.model))
            continue
        arms += replicates(arm, "weight", sparsity, config, seeds)
    return Comparison(tuple(arms), (), tuple(infeasible))
