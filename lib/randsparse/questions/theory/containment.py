"""Random sources as `theory` describes them: drawn, looked at for a target, and given the target's weights."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise, product

import pandas as pd
import torch
from torch import Tensor

from randsparse.errors import StudyError
from randsparse.questions.theory import predictions
from randsparse.questions.theory.plan import width_factor
from randsparse.questions.theory.predictions import Target
from randsparse.seeds import generator

EVERY, DROPPED = "every copy", "failing copies dropped"
"""What has to hold of a source: all copies realise their edges, or those that do suffice."""
CONNECTED, REACHED = "no end cut off", "a path between all ends"
"""What has to hold of a source for any weights to do: necessary, not sufficient."""
AT_ONCE = 16_000_000
"""Edges that are held in memory at one time."""


@dataclass(frozen=True)
class Sources:
    """Masks of B sources, as far as they matter for a target.

    Attributes:
        usable: (B, 2 n_0, m), which copies of relu(x_i), then of relu(-x_i), have their edge from x_i. Copies that have
            not are left out or False: nothing that leaves them is of use, and it is not drawn.
        edges: of each layer l of the target (B, n_l, c_l, n_(l-1), c_(l-1)): is copy c_l of a neuron connected to copy
            c_(l-1) of another? The first layer reads 2 n_0 signed inputs and m copies of each.
    """

    usable: Tensor
    edges: tuple[Tensor, ...]


def draw_edges(shape: Sequence[int], sparsity: float, stream: torch.Generator) -> Tensor:
    """Return a bool tensor whose entries are True independently with probability 1 - s, s a multiple of 1/STEPS."""
    count = math.prod(shape)
    bits = torch.empty(-(-count // 4), dtype=torch.int64).random_(-(2**63), None, generator=stream)
    removed = round(sparsity * predictions.STEPS) - predictions.STEPS // 2
    return (bits.view(torch.int16)[:count] >= removed).reshape(tuple(shape))


def draw(target: Target, copies: int, sparsity: float, masks: int, stream: torch.Generator) -> Sources:
    """Draw `masks` sources, k copies of each hidden neuron and k_0 = `predictions.input_copies` of each signed input.

    Copies are interchangeable, so that the usable ones of an input stand first.
    """
    inputs, *hidden, outputs = target.widths
    counts = draw_edges((masks, 2 * inputs, predictions.input_copies(copies, sparsity)), sparsity, stream).sum(-1)
    usable = torch.arange(max(1, int(counts.max()))) < counts[..., None]
    before, edges = (2 * inputs, usable.shape[-1]), []
    for width, each in [*((width, copies) for width in hidden), (outputs, 1)]:
        edges.append(draw_edges((masks, width, each, *before), sparsity, stream))
        before = (width, each)
    return Sources(usable, tuple(edges))


def check_containment(target: Target, sources: Sources) -> dict[str, Tensor]:
    """Return which sources contain the target, (B,) bool, by what has to hold: EVERY or DROPPED."""
    alive = _alive(target, sources)
    every = alive[1].flatten(1).all(1)  # whether a copy of the first layer is usable is not its own affair
    for edges, needed in zip(sources.edges[1:], _needed(target)[1:], strict=True):
        every &= (edges.any(-1) | ~needed[:, None]).flatten(1).all(1)
    return {EVERY: every, DROPPED: alive[-1].flatten(1).all(1)}


def _needed(target: Target) -> list[Tensor]:
    """Return the target's edges by layer, inputs with either sign in the first."""
    first, *others = target.edges
    return [torch.cat([first, first], dim=1), *others]


def _alive(target: Target, sources: Sources) -> list[Tensor]:
    """Return, of the signed inputs and of each layer, which copies compute what they should: (B, n_l, c_l)."""
    alive = [sources.usable]
    for edges, needed in zip(sources.edges, _needed(target), strict=True):
        reached = (edges & alive[-1][:, None, None]).any(-1)
        alive.append((reached | ~needed[:, None]).all(-1))
    return alive


def construct(target: Target, sources: Sources, index: int) -> tuple[list[Tensor], list[Tensor], list[Tensor]]:
    """Return weights, biases and masks of the layers of source `index` such that it computes the target.

    Matrices are (n_l c_l, n_(l-1) c_(l-1)), and weights are 0 wherever the mask is False. Each edge of the target is
    given to the first connected copy that computes what it should; copies that fail have no weights.

    Raises StudyError for a mask with fewer edges than a layer of the target, and for a source that does not contain
    the target.
    """
    usable = sources.usable[index]
    masks = [_own_edges(usable), *(edges[index].flatten(2).flatten(0, 1) for edges in sources.edges)]
    for layer, (mask, needed) in enumerate(zip(masks[1:], target.edges, strict=True), start=1):
        if mask.sum() < needed.sum():
            raise StudyError(
                f"the mask of source layer {layer + 1} keeps {int(mask.sum())} edges, fewer than the "
                f"{int(needed.sum())} of the target: take a wider source or a lower sparsity"
            )
    alive = _alive_of(target, sources, index)
    if not alive[-1].all():
        raise StudyError(
            "this source does not contain the target: an output lacks an edge; take another mask, a wider "
            "source or a lower sparsity"
        )
    signs = torch.tensor([1.0, -1.0], dtype=torch.float64).repeat_interleave(len(usable) // 2 * usable.shape[1])
    weights, biases = [masks[0] * signs[:, None]], [torch.zeros(usable.numel(), dtype=torch.float64)]
    for layer, (weight, bias) in enumerate(zip(target.weights, target.biases, strict=True)):
        signed = torch.cat([weight, -weight], dim=1) if layer == 0 else weight
        able = sources.edges[layer][index] & alive[layer]
        first = torch.zeros_like(able).scatter_(-1, able.int().argmax(-1, keepdim=True), 1) & able
        given = first * signed[:, None, :, None] * alive[layer + 1][:, :, None, None]
        weights.append(given.flatten(2).flatten(0, 1))
        biases.append((bias[:, None] * alive[layer + 1]).flatten())
    return weights, biases, masks


def _own_edges(usable: Tensor) -> Tensor:
    """Return the mask of the first layer (2 n_0 m, n_0), as far as it matters: the edge of each copy from its input."""
    inputs = len(usable) // 2
    return (torch.eye(inputs, dtype=torch.bool).repeat(2, 1)[:, None] & usable[..., None]).flatten(0, 1)


def _alive_of(target: Target, sources: Sources, index: int) -> list[Tensor]:
    one = slice(index, index + 1)
    return [each[0] for each in _alive(target, Sources(sources.usable[one], tuple(e[one] for e in sources.edges)))]


def disagreement(target: Target, sources: Sources, index: int, inputs: Tensor) -> float:
    """Return max |source(x) - target(x)| over inputs (B, n_0), as a share of the range of target(x).

    Infinite if a weight of the construction is where the mask has no edge. Raises as `construct`.
    """
    weights, biases, masks = construct(target, sources, index)
    if any(bool(weight[~mask].count_nonzero()) for weight, mask in zip(weights, masks, strict=True)):
        return math.inf
    expected = target(inputs)
    found = predictions.forward(weights, biases, inputs)
    return float((found - expected).abs().max() / (expected.max() - expected.min()))


def count_containing(
    targets: Iterable[Target],
    sparsities: Iterable[float],
    fractions: Iterable[float],
    masks: int,
    checked: int,
    failure: float,
    seed: int,
) -> pd.DataFrame:
    """Draw sources of every sparsity and width; return how many contain each target, beside what theory says.

    Args:
        fractions: of the width that suffices by the union bound: the widths that are drawn.
        masks: sources at each point.
        checked: how many sources a point, of those that contain the target, are given its weights and compared with it.
        failure: δ of the union bound.

    One row a target, sparsity, width and event (EVERY, DROPPED): target, layers, sparsity, factor, copies, event,
    contained, masks, predicted (exact; nan where there is none), low and high (bounds of the probability), checked, and
    error (the largest `disagreement`; nan if none was checked).
    """
    rows = []
    for target, asked in product(targets, sparsities):
        sparsity = predictions.round_to_grid(asked)
        enough = predictions.sufficient_copies(target, sparsity, failure)
        for copies in sorted({max(1, math.ceil(fraction * enough)) for fraction in fractions}):
            stream = generator("theory-source", seed, f"{target.name} {sparsity} {copies}")
            exact = predictions.probability(target, copies, sparsity)
            union = predictions.union_bound(target, copies, sparsity)
            most = predictions.dropping_bound(target, copies, sparsity)
            point = {
                "target": target.name,
                "layers": len(target.weights),
                "sparsity": asked,
                "factor": width_factor(sparsity),
                "copies": copies,
                "masks": masks,
            }
            found = _count(target, copies, sparsity, masks, checked, stream)
            rows += [
                {**point, "event": EVERY, "predicted": exact, "low": union, "high": most, **found[EVERY]},
                {**point, "event": DROPPED, "predicted": math.nan, "low": exact, "high": most, **found[DROPPED]},
            ]
    return pd.DataFrame(rows)


def _count(
    target: Target, copies: int, sparsity: float, masks: int, checked: int, stream: torch.Generator
) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = {event: {"contained": 0} for event in (EVERY, DROPPED)}
    errors: dict[str, list[float]] = {EVERY: [], DROPPED: []}
    sizes = [*(width * copies for width in target.widths[1:-1]), target.widths[-1]]
    edges = sum(math.prod(pair) for pair in pairwise([2 * target.widths[0] * copies, *sizes]))
    for start in range(0, masks, step := max(1, AT_ONCE // edges)):
        sources = draw(target, copies, sparsity, min(step, masks - start), stream)
        x = torch.randn(64, target.widths[0], generator=stream, dtype=torch.float64)
        for event, holds in check_containment(target, sources).items():
            found[event]["contained"] += int(holds.sum())
            for index in holds.nonzero().flatten()[: checked - len(errors[event])].tolist():
                errors[event].append(disagreement(target, sources, index, x))
    tops = {event: {"checked": len(each), "error": max(each, default=math.nan)} for event, each in errors.items()}
    return {event: {**found[event], **tops[event]} for event in found}


def count_connected(
    target: Target, sparsities: Iterable[float], fractions: Iterable[float], masks: int, failure: float, seed: int
) -> pd.DataFrame:
    """Draw sources of every sparsity and width; return how many could contain a target, whatever weights and roles.

    Args:
        target: its outputs depend on all inputs; of it, only how many there are of both and of layers counts. All
            hidden layers of a source have the same width N.
        fractions: of the width that is necessary for 1 - δ: the widths that are drawn.

    One row a sparsity, width and event (CONNECTED: no input and no output is cut off; REACHED: a path leads from every
    input to every output), with the columns of `count_containing` but checked and error, copies being N.
    """
    ends, rows = target.widths[0] + target.widths[-1], []
    for asked in sparsities:
        sparsity = predictions.round_to_grid(asked)
        least = predictions.necessary_width(ends, sparsity, failure)
        for width in sorted({max(1, math.ceil(fraction * least)) for fraction in fractions}):
            stream = generator("theory-ends", seed, f"{target.name} {sparsity} {width}")
            widths = [target.widths[0], *[width] * len(target.weights), target.widths[-1]]
            layers = [draw_edges((masks, *pair), sparsity, stream) for pair in pairwise(widths)]
            reach = layers[0].float()
            for edges in layers[1:]:
                reach = (reach @ edges.float()).clamp(max=1)
            exact = predictions.not_cut_off(ends, width, sparsity)
            point = {
                "target": name_any_weights(target),
                "layers": len(target.weights),
                "sparsity": asked,
                "factor": width_factor(sparsity),
                "copies": width,
                "masks": masks,
                "high": exact,
            }
            connected = int((layers[0].any(2).all(1) & layers[-1].any(1).all(1)).sum())
            reached = int(reach.bool().flatten(1).all(1).sum())
            rows += [
                {**point, "event": CONNECTED, "predicted": exact, "low": exact, "contained": connected},
                {**point, "event": REACHED, "predicted": math.nan, "low": 0.0, "contained": reached},
            ]
    return pd.DataFrame(rows)


def name_any_weights(target: Target) -> str:
    """Return what figures call the question whether a target could be contained with any weights and roles."""
    ends = zip((target.widths[0], target.widths[-1]), ("input", "output"), strict=True)
    return "any weights: " + ", ".join(f"{count} {name}{'s' * (count > 1)}" for count, name in ends)


def find_bounds(
    targets: Iterable[Target], needing: Target, sparsities: Iterable[float], failure: float
) -> pd.DataFrame:
    """Return the widths between which theory places what is needed for 1 - δ, one row per target and sparsity.

    Columns target, sparsity, factor, sufficient (copies k, by the union bound) and necessary: copies k for the edges of
    the last layer, as in `predictions.dropping_bound`; and for `needing`, as named by `name_any_weights`, the width N
    of a layer that any weights need.
    """
    rows = []
    for target, asked in product(targets, sparsities):
        sparsity, last = predictions.round_to_grid(asked), int(target.edges[-1].sum())
        enough = predictions.sufficient_copies(target, sparsity, failure)
        needed = predictions.necessary_width(last, sparsity, failure)
        rows.append((target.name, asked, width_factor(sparsity), enough, needed))
    ends = needing.widths[0] + needing.widths[-1]
    for asked in sparsities:
        sparsity = predictions.round_to_grid(asked)
        necessary = predictions.necessary_width(ends, sparsity, failure)
        rows.append((name_any_weights(needing), asked, width_factor(sparsity), math.nan, necessary))
    return pd.DataFrame(rows, columns=["target", "sparsity", "factor", "sufficient", "necessary"])
