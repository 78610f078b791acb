"""The study's initial weights: Kaiming normal by fan-in, each weight from a stream of its own."""

from __future__ import annotations

from collections.abc import Mapping
from math import sqrt

import torch
from torch import nn

from randsparse.errors import StudyError, unknown
from randsparse.seeds import generator
from randsparse.sparsity.layers import fan_in, maskable

NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm)
"""Layers that are initialised by their own `reset_parameters`."""


@torch.no_grad()
def initialize(
    model: nn.Module, seed: int, scales: Mapping[str, float] | None = None, signed_constant: bool = False
) -> nn.Module:
    """Draw the weights of a model in place and return it: W ~ N(0, 2/fan_in), biases 0, norms 1 and 0.

    Embeddings, of which a sample reads one row, are drawn from N(0, 1/width): their vectors have a length of about 1.

    Args:
        seed: each weight has its own stream, seeded by (seed, its name), whatever else is drawn.
        scales: for some weights by name, a factor on their standard deviation (Kaiming's unless given).
        signed_constant: whether each weight is the standard deviation with its sign (Ramanujan et al. 2020, section 4).

    Raises:
        StudyError: a scale names a weight that the model does not have, or it has parameters of another kind.
    """
    shapes, scales = maskable(model), dict(scales or {})
    for name in scales.keys() - shapes.keys():
        raise unknown("weight", name, shapes)
    for path, module in model.named_modules():
        if isinstance(module, NORMS):
            module.reset_parameters()  # scale, shift, running statistics and their count
        elif isinstance(module, nn.Embedding):
            drawn = torch.randn(module.weight.shape, generator=generator("init", seed, f"{path}.weight"))
            module.weight.copy_(drawn * module.embedding_dim**-0.5)
        elif isinstance(module, nn.Conv2d | nn.Linear):
            if module.bias is not None:
                module.bias.zero_()
        elif own := [f"{path}.{name}".lstrip(".") for name, _ in module.named_parameters(recurse=False)]:
            raise StudyError(
                f"parameter {own[0]} is of a {type(module).__name__}, which is not initialised here: use "
                "2-d convolutions, linear layers, embeddings and norms of torch.nn"
            )
    for name, shape in shapes.items():
        drawn = torch.randn(shape, generator=generator("init", seed, name))
        drawn = drawn.sign() if signed_constant else drawn
        model.get_parameter(name).copy_(drawn * (sqrt(2 / fan_in(shape)) * scales.get(name, 1.0)))
    return model
