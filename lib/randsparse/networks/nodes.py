"""Node masks: whole channels removed, and the smaller dense networks that compute the same."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from randsparse.errors import StudyError
from randsparse.networks.architecture import NodeGroup, Widths
from randsparse.networks.registry import build
from randsparse.networks.residual import ResidualNetwork
from randsparse.networks.widths import kept_nodes
from randsparse.seeds import generator
from randsparse.sparsity.layers import maskable
from randsparse.sparsity.masks import Mask, keep_lowest

Keep = Mapping[str, Tensor]  # name of a node group -> bool vector, True where a node stays


def node_groups(model: nn.Module) -> tuple[NodeGroup, ...]:
    """Return every group of nodes of a model, as its method `node_groups` does: streams, then the insides of blocks.

    Raises StudyError for a network that has no such method.
    """
    if not hasattr(model, "node_groups"):
        raise StudyError(
            f"nodes of a {type(model).__name__} are not grouped: choose structure 'weight' or another model"
        )
    return model.node_groups()


def draw_nodes(model: ResidualNetwork, density: float, seed: int) -> dict[str, Tensor]:
    """Return which nodes to keep: in every group round(density · size) of them, at random.

    Each group keeps the lowest of one uniform score a node, which depends on the seed and the group's name:
    fewer nodes of the same seed are a subset. Raises StudyError if that leaves a group without nodes.
    """
    groups = {group.name: group.size for group in node_groups(model)}
    scores = {name: torch.rand(size, generator=generator("nodes", seed, name)) for name, size in groups.items()}
    return {name: keep_lowest(scores[name], kept_nodes(size, density)) for name, size in groups.items()}


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
        name: the parent's name, as `registry.build` takes it.
        keep: which nodes stay, as from `draw_nodes`.

    Weights, norm parameters and running statistics of the kept nodes are copied, the classifier's bias whole;
    dtype, device and mode are the parent's. Outputs and gradients are equal up to rounding, in both modes.
    Raises StudyError as `node_mask` does.
    """
    rows, columns = _rows_and_columns(model, keep)
    widths = compact_widths({group.name: keep[group.name] for group in node_groups(model)})
    # Of images of 8x8: any size will do, since no weight depends on it.
    small = build(name, model.classifier.out_features, model.stem.in_channels, size=8, widths=widths)
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
