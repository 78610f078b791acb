"""The runs of notebook 09: strong tickets in dense and in random networks, beside random masks that are trained."""

from __future__ import annotations

from dataclasses import replace

from randsparse.comparison.design import (
    DENSE,
    RANDOM,
    TICKET,
    Comparison,
    Infeasible,
    Parameters,
    Points,
    base_config,
    compare,
    named_point,
    put_in_source,
)
from randsparse.runs.config import RunConfig


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
    points = {(DENSE, "weight", 0.0): base}
    pointless = []
    for sparsity in parameters["sparsities"]:
        point = base.replace(sparsity=sparsity)
        points[RANDOM, "weight", sparsity] = point
        points[f"{RANDOM}, {longer} epochs", "weight", sparsity] = point.replace(epochs=longer)
        kinds = parameters["weights"] if sparsity == parameters["weights_sparsity"] else parameters["weights"][:1]
        for weights in kinds:
            for source in parameters["source_sparsities"]:
                if source < sparsity:
                    points |= _tickets(point, weights, source, parameters)
                    continue
                arm = f"{TICKET} of {weights} weights in {parameters['source_rule']} {1 - source:.4g}"
                pointless.append(Infeasible(arm, "weight", sparsity, "the source is no denser", point.model))
    comparison = compare(points, parameters["seeds"])
    return replace(comparison, infeasible=(*comparison.infeasible, *pointless))


def _tickets(point: RunConfig, weights: str, source: float, parameters: Parameters) -> Points:
    """Return a ticket of one kind of weights in a source, as it is chosen and fine-tuned."""
    ticket = put_in_source(point, TICKET, source, parameters)
    ticket = ticket.replace(frozen_weights=weights, init_scale="own", lr=parameters["ticket_lr"])
    tuned = parameters["tuned_epochs"]
    return named_point(ticket) | named_point(ticket.replace(epochs=ticket.epochs + tuned, fine_tune_epochs=tuned))
