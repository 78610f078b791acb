"""Several networks of one shape as one: every layer does the work of all of them in one operation.

Small networks spend much of a training step on calls, not on arithmetic. K networks side by side in the channels, as
groups of each convolution, need as many calls as one. The networks do not mix: a lane computes the same numbers, to
the last bit, whatever the others are and wherever it stands, so that lanes can be put together anew at any time. That
needs layers of multiples of 16 channels, where no vector register holds channels of two lanes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from randsparse.errors import StudyError
from randsparse.sparsity.masks import Mask
from randsparse.training.engines import strided
from randsparse.training.engines.programs import LANES
from randsparse.training.metrics import autocast, input_dtype
from randsparse.training.network import Network
from randsparse.training.trainer import EpochBatches, Trainer


class BatchedTrainer(Trainer):
    """A trainer of the runs of one program, whose model is that of `combine`; its losses are of all lanes."""

    def losses(self, images: Tensor, labels: Tensor) -> Tensor:
        with autocast(self.device, self.precision):
            outputs = self.network(images.to(input_dtype(self.precision))).transpose(1, 2)
            smoothing = self.config.label_smoothing
            return F.cross_entropy(outputs, labels, label_smoothing=smoothing, reduction="none").mean(0)

    def of_runs(self, outputs: Tensor) -> list[Tensor]:
        return list(outputs.unbind(1))[: len(self.configs)]

    def state_of_runs(self, whole: dict[str, Any]) -> list[dict[str, Any]]:
        return [take_lane_state(whole, lane) for lane in range(len(self.configs))]

    def state_of_model(self, states: Sequence[dict[str, Any]]) -> dict[str, Any]:
        return stack_state(list(states))


def combine(networks: Sequence[Network]) -> tuple[nn.Module, Mask | None]:
    """Return the networks of runs as one, and its mask; raises StudyError for networks of different shapes."""
    shapes, *others = [{name: p.shape for name, p in net.model.named_parameters()} for net in networks]
    if any(other != shapes for other in others):
        raise StudyError("runs of one program must have networks of one shape")
    return stack([net.model for net in networks]), stack_masks([net.mask for net in networks], shapes)


class LaneConv(nn.Module):
    """LANES convolutions as one, with a group each: (N, LANES n_in, H, W) to (N, LANES n_out, H', W').

    Images that are the same for all lanes, (N, n_in, H, W), are taken as well.
    """

    def __init__(self, convolutions: Sequence[nn.Conv2d]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.cat([c.weight.detach() for c in convolutions]))
        first = convolutions[0]
        self.inputs, self.stride, self.padding = first.in_channels, first.stride[0], first.padding[0]

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[1] == self.inputs:
            x = x.repeat(1, LANES, 1, 1)
        weight, kind = self.weight, x.device.type
        if torch.is_autocast_enabled(kind):
            x, weight = (tensor.to(torch.get_autocast_dtype(kind)) for tensor in (x, weight))
        return strided.conv2d(x, weight, self.stride, self.padding, LANES)


class LaneLinear(nn.Module):
    """LANES linear layers as one: (N, LANES n_in) to (N, LANES, n_out)."""

    def __init__(self, layers: Sequence[nn.Linear]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.cat([layer.weight.detach() for layer in layers]))
        self.bias = nn.Parameter(torch.cat([layer.bias.detach() for layer in layers]))

    def forward(self, x: Tensor) -> Tensor:
        by_lane = x.unflatten(1, (LANES, -1)).transpose(0, 1)
        weight, bias = self.weight.unflatten(0, (LANES, -1)), self.bias.unflatten(0, (LANES, 1, -1))
        return torch.baddbmm(bias, by_lane, weight.transpose(1, 2)).transpose(0, 1)


def stack(models: Sequence[nn.Module]) -> nn.Module:
    """Return LANES networks of one shape as one whose tensors are theirs, in order along the first dimension.

    Names of parameters stay; the networks' own tensors are not used any more. Raises StudyError for more networks.
    """
    models = _fill(models)
    whole = models[0]
    for name, module in list(whole.named_modules()):
        same = [model.get_submodule(name) for model in models]
        if isinstance(module, nn.Conv2d):
            lanes = LaneConv(same)
        elif isinstance(module, nn.Linear):
            lanes = LaneLinear(same)
        elif isinstance(module, nn.BatchNorm2d):
            lanes = nn.BatchNorm2d(LANES * module.num_features, module.eps, module.momentum)
            lanes.load_state_dict(stack_state([norm.state_dict() for norm in same]))
        else:
            continue
        parent, _, child = name.rpartition(".")
        setattr(whole.get_submodule(parent), child, lanes)
    return whole


def stack_masks(masks: Sequence[Mask | None], shapes: Mapping[str, Sequence[int]]) -> Mask | None:
    """Return the masks of networks as that of the stacked one; None where nothing is masked.

    Args:
        masks: one a network, None for a network without.
        shapes: of all parameters of one network, by name.
    """
    masks = _fill(masks)
    names = [name for name in shapes if any(mask and name in mask for mask in masks)]
    if not names:
        return None
    all_kept = {name: torch.ones(tuple(shapes[name]), dtype=torch.bool) for name in names}
    return Mask({name: torch.cat([(mask or {}).get(name, all_kept[name]) for mask in masks]) for name in names})


def stack_state(states: Sequence[Any]) -> Any:
    """Return the states (tensors in mappings and lists, as of torch) of networks as that of the stacked one."""
    first, states = states[0], _fill(states)
    if isinstance(first, Tensor):
        return torch.cat(list(states)) if first.dim() else first
    if isinstance(first, dict):
        return {key: stack_state([state[key] for state in states]) for key in first}
    if isinstance(first, list):
        return [stack_state(list(items)) for items in zip(*states, strict=True)]
    return first


def take_lane_state(state: Any, lane: int) -> Any:
    """Return one network's part of the state of the stacked one, as copies."""
    if isinstance(state, Tensor):
        return state.unflatten(0, (LANES, -1))[lane].clone() if state.dim() else state.clone()
    if isinstance(state, dict):
        return {key: take_lane_state(item, lane) for key, item in state.items()}
    if isinstance(state, list):
        return [take_lane_state(item, lane) for item in state]
    return state


class LaneBatches:
    """The batches of several runs at once: images (N, LANES C, size, size) and labels (N, LANES).

    Args:
        lanes: the batches of each run; what several runs share is made once.
    """

    def __init__(self, lanes: Sequence[EpochBatches]) -> None:
        self.lanes = _fill(lanes)

    def __len__(self) -> int:
        return len(self.lanes[0])

    def epoch(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches of an epoch, as those of every run give them."""
        streams = list(dict.fromkeys(self.lanes))
        for batches in zip(*(stream.epoch(epoch) for stream in streams), strict=True):
            of_stream = dict(zip(streams, batches, strict=True))
            images = torch.cat([of_stream[lane][0] for lane in self.lanes], 1)
            yield images, torch.stack([of_stream[lane][1] for lane in self.lanes], 1)


def _fill(items: Sequence[Any]) -> list[Any]:
    """Return the items, and the first one again in every spare lane."""
    if not 1 <= len(items) <= LANES:
        raise StudyError(f"{len(items)} networks do not fit into a program of {LANES} lanes")
    return [*items, *[items[0]] * (LANES - len(items))]
