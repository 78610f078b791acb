"""Node masks: whole channels removed, and the smaller dense networks that compute the same."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping
from functools import cache
from math import ceil, prod

import torch
from torch import Tensor

from randsparse.errors import StudyError
from randsparse.masks import Mask, keep_lowest
from randsparse.models import ResidualNetwork, Widths, build, default_widths, maskable
from randsparse.seeds import generator
from randsparse.structure import node_groups

Keep = Mapping[str, Tensor]  # name of a node group -> bool vector, True where a node stays


def draw_nodes(model: ResidualNetwork, density: float, seed: int) -> dict[str, Tensor]:
    """Return which nodes to keep: in every group round(density · size) of them, at random.

    Each group keeps the lowest of one uniform score a node, which depends on the seed and the group's name:
    fewer nodes of the same seed are a subset. Raises StudyError if that leaves a group without nodes.
    """
    keep = {}
    for group in node_groups(model):
        scores = torch.rand(group.size, generator=generator("nodes", seed, group.name))
        keep[group.name] = keep_lowest(scores, _kept(group.size, density))
    return keep


def node_mask(model: ResidualNetwork, keep: Keep) -> Mask:
    """Return the mask under which every removed node outputs exactly zero.

    A removed node loses its row in each layer that writes it, scale and shift of each norm on it, and its
    column in each layer that reads it. The mask covers all weights of the model, and scale and shift of all
    norms.
    Raises StudyError unless `keep` has a bool vector that keeps a node, for every group of the model.
    """
    rows, columns = _rows_and_columns(model, keep)
    tensors = {name: torch.ones(shape, dtype=torch.bool) for name, shape in maskable(model).items()}
    for name, parameter in model.named_parameters():
        module = name.rpartition(".")[0]
        if parameter.dim() == 1 and module in rows:
            tensors[name] = rows[module].clone()
        elif name in tensors and module in rows:
            tensors[name][~rows[module]] = False
        if name in tensors and module in columns:
            tensors[name][:, ~columns[module]] = False
    return Mask(tensors)


def compact(model: ResidualNetwork, name: str, keep: Keep) -> ResidualNetwork:
    """Return the smaller dense network that computes what `model` does under `node_mask(model, keep)`.

    Args:
        model: the parent, masked or not; it is not changed.
        name: the parent's name, as `models.build` takes it.
        keep: which nodes stay, as from `draw_nodes`.

    Weights, norm parameters and running statistics of the kept nodes are copied, the classifier's bias whole;
    dtype, device and mode are the parent's. Outputs and gradients are equal up to rounding, in both modes.
    Raises StudyError as `node_mask` does.
    """
    rows, columns = _rows_and_columns(model, keep)
    widths = compact_widths({group.name: keep[group.name] for group in node_groups(model)})
    size = 8  # of an image: any will do, since no weight depends on it
    small = build(name, model.classifier.out_features, model.stem.in_channels, size, widths=widths)
    state = {}
    for key, value in model.state_dict().items():
        module = key.rpartition(".")[0]
        if value.dim() and module in rows:
            value = value[rows[module].to(value.device)]
        if value.dim() > 1 and module in columns:
            value = value[:, columns[module].to(value.device)]
        state[key] = value
    small.to(model.stem.weight.device, model.stem.weight.dtype).load_state_dict(state)
    return small.train(model.training)


def compact_widths(keep: Keep) -> Widths:
    """Return the widths of the compacted network; the groups of `keep` are in order, as from `draw_nodes`."""
    counts = {name: int(kept.sum()) for name, kept in keep.items()}
    return Widths(
        streams=tuple(count for name, count in counts.items() if not name.endswith(".inner")),
        inner=tuple(count for name, count in counts.items() if name.endswith(".inner")),
    )


def node_widths(name: str, density: float) -> Widths:
    """Return the widths of the network `name` with the share `density` of the nodes of every group.

    Raises StudyError as `draw_nodes` does.
    """
    return _widths(default_widths(name), lambda size: _kept(size, density))


@cache
def small_dense_widths(name: str, classes: int, channels: int, density: float) -> Widths:
    """Return the widths of the narrower dense network that has nearest to `density` of the weights of `name`.

    All groups keep one common share f of their nodes, max(1, round(f · size)). Raises StudyError for a
    density above 1, or so low that a network of one node a group has more weights.
    """
    own = default_widths(name)
    sizes = {*own.streams, *own.inner}
    # Widths change only where f · size passes a half for some size: one f between two such places will do.
    places = sorted({(k + 0.5) / size for size in sizes for k in range(1, size)})
    shares = [(a + b) / 2 for a, b in zip([0.0, *places], [*places, 1.0], strict=True)]

    @cache
    def weights(share: float) -> int:
        widths = _widths(own, lambda size: max(1, round(share * size)))
        with torch.device("meta"):
            shapes = maskable(build(name, classes, channels, 8, widths=widths))
        return sum(map(prod, shapes.values()))

    all_weights = weights(shares[-1])
    wanted = density * all_weights
    if not weights(shares[0]) <= wanted <= all_weights:
        raise StudyError(
            f"a narrower dense {name} cannot have {density:g} of its weights: "
            f"choose a density from {ceil(weights(shares[0]) / all_weights * 1e6) / 1e6:g} to 1"
        )
    above = bisect_left(shares, wanted, key=weights)
    near = min(shares[max(0, above - 1) : above + 1], key=lambda share: abs(weights(share) - wanted))
    return _widths(own, lambda size: max(1, round(near * size)))


def _widths(own: Widths, kept: Callable[[int], int]) -> Widths:
    return Widths(tuple(map(kept, own.streams)), tuple(map(kept, own.inner)))


def _kept(size: int, density: float) -> int:
    """Return round(density · size); raises StudyError if that is no node, or more than there are."""
    if not 0 < density <= 1 or not round(density * size):
        least = ceil(0.5 / size * 1e6 + 0.5) / 1e6  # half a node rounds down
        raise StudyError(
            f"cannot keep {density:g} of the nodes of a group of {size}: choose a density from {least:g} to 1"
        )
    return round(density * size)


def _rows_and_columns(model: ResidualNetwork, keep: Keep) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Return by module which outputs (of layers and norms) and which inputs (of layers) stay."""
    rows, columns = {}, {}
    for group in node_groups(model):
        kept = keep.get(group.name)
        if kept is None or kept.dtype != torch.bool or kept.shape != (group.size,) or not kept.any():
            raise StudyError(f"node group {group.name!r}: give a bool vector of {group.size} that keeps a node")
        rows |= dict.fromkeys((*group.writers, *group.norms), kept)
        columns |= dict.fromkeys(group.readers, kept)
    return rows, columns
