"""Which weights of a module a mask covers, and how many inputs and output positions they have."""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor, nn

from randsparse.errors import StudyError

LAYERS = (
    *(nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
    nn.Linear,
)
"""The kinds of modules whose weights a mask covers."""


def maskable(model: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the shape of every weight that a mask covers: of all convolutions and linear layers, in order of depth.

    Keys are names of parameters ("group1.0.conv1.weight"); a block gives conv1, conv2, shortcut. A weight that two
    layers share counts once. Works for any network.
    """
    named = dict(model.named_parameters())  # each parameter once
    layers = (f"{name}.weight".lstrip(".") for name, module in model.named_modules() if isinstance(module, LAYERS))
    return {name: tuple(named[name].shape) for name in layers if name in named}


def fan_in(shape: tuple[int, ...]) -> int:
    """Return the number of inputs of one output: n_in k_h k_w of a convolution, n_in of a linear layer."""
    return math.prod(shape[1:])


@torch.no_grad()
def trace(model: nn.Module, sample: tuple[int, ...]) -> dict[str, tuple[tuple[int, ...], int]]:
    """Return the shape of its weight and the number of output positions of each layer that a mask covers, in order.

    Found by a pass of one sample in evaluation mode; on PyTorch's meta device that computes no numbers.

    Args:
        model: the module, which is left in evaluation mode.
        sample: the shape of one sample, without the dimension of the batch.

    Raises StudyError for a layer that the sample does not pass.
    """
    found: dict[str, tuple[tuple[int, ...], int]] = {}

    def note(layer: str, module: nn.Module, inputs: object, output: Tensor) -> None:
        positions = output.shape[2:] if module.weight.dim() > 2 else output.shape[1:-1]
        found[layer] = (tuple(module.weight.shape), math.prod(positions))

    names = [weight.removesuffix(".weight") for weight in maskable(model)]
    for layer in names:
        model.get_submodule(layer).register_forward_hook(partial(note, layer))
    model.eval()(torch.zeros(1, *sample))
    if unused := [layer for layer in names if layer not in found]:
        raise StudyError(f"layer {unused[0]} of a {type(model).__name__} is not used: leave it out of the model")
    return {layer: found[layer] for layer in names}
