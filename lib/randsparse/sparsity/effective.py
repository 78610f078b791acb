"""Effective density: which of the kept weights lie on a path from the input to the classes."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from randsparse.errors import StudyError
from randsparse.sparsity.masks import Mask
from randsparse.sparsity.paths import Flow


def effective_density(mask: Mask, flows: Sequence[Flow]) -> float:
    """Return the share of all weights that is kept and lies on a path of kept weights from input to classes.

    Vysogorets & Kempe 2021. Never above `mask.density`; far below it where nodes lose all inputs or outputs.
    Raises StudyError as `effective_mask` does.
    """
    return effective_mask(mask, flows).density


def effective_mask(mask: Mask, flows: Sequence[Flow]) -> Mask:
    """Return the mask of the kept weights that lie on some path of kept weights from input to classes.

    Args:
        mask: has exactly the weights that the flows name, each (out, in, *kernel).
        flows: as from `paths.flows`, each step after all that lead to its source. A step without weight
            passes every channel on, as the identity around a residual block does, or attention.

    A weight counts if its input channel can be reached from the input, and the classes from its output
    channel. The positions of a kernel count one by one. Norms and biases do not start paths. What decides about the
    values of a head leads to the classes where one of these values is on a path; a channel of its queries does so only
    together with the same channel of its keys, since they are multiplied.
    Raises StudyError if mask and flows are not of the same network.
    """
    named = {flow.weight_name for flow in flows} - {None}
    if named != mask.weights.keys():
        odd = ", ".join(sorted(named ^ mask.weights.keys()))
        raise StudyError(f"mask and flows are of different networks ({odd}): take both from one model")
    edges = {name: kept.flatten(2).any(2) if kept.dim() > 2 else kept for name, kept in mask.weights.items()}

    reached: dict[str, Tensor] = {}  # by node set, the channels that the input reaches
    for flow in flows:
        if flow.weight_name is None:
            arriving = reached[flow.source]
        else:
            edge = edges[flow.weight_name]
            arriving = (edge & reached.setdefault(flow.source, torch.ones_like(edge[0]))).any(1)
        reached[flow.target] = reached.get(flow.target, False) | arriving

    sources = {flow.source for flow in flows}
    sources |= {name for flow in flows if flow.attention for name in (flow.attention.queries, flow.attention.keys)}
    # By node set, the channels that reach the classes, which are what no step leads on from.
    useful = {name: torch.full_like(kept, name not in sources) for name, kept in reached.items()}
    for flow in reversed(flows):
        target = useful[flow.target]
        leading = target if flow.weight_name is None else (edges[flow.weight_name] & target[:, None]).any(0)
        useful[flow.source] = useful[flow.source] | leading
        if flow.attention:
            queries, keys, heads = flow.attention.queries, flow.attention.keys, flow.attention.heads
            alive = (leading & reached[flow.source]).unflatten(0, (heads, -1))
            alive = alive.any(1, keepdim=True).expand_as(alive).flatten()
            useful[queries] = useful[queries] | alive & reached[keys]
            useful[keys] = useful[keys] | alive & reached[queries]

    passes = {
        flow.weight_name: useful[flow.target][:, None] & reached[flow.source] for flow in flows if flow.weight_name
    }
    return Mask(
        {
            name: kept & passes[name].view(*kept.shape[:2], *[1] * (kept.dim() - 2))
            for name, kept in mask.weights.items()
        }
    )
