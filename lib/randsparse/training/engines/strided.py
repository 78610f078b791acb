"""Grouped convolutions of stride 2 whose gradient by the input is faster on processors than oneDNN's own.

With y = conv(x, w), the gradient by x spreads that by y over every second position. It is computed at the positions
of y, where nothing is multiplied by zeros between them, and moved to its places.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

_TAPS = {(0, 0): 1, (1, 0): 2, (1, 1): 0}
"""Which row of a 3x3 kernel takes x at row 2i + phase to y at row i + offset, by (phase, offset); so for columns."""


def conv2d(x: Tensor, weight: Tensor, stride: int, padding: int, groups: int) -> Tensor:
    """Return the convolution of x (N, C, H, W) without bias; its gradients can not be differentiated again."""
    if x.device.type != "cpu" or stride != 2 or not _faster(x, weight, padding):
        return F.conv2d(x, weight, None, stride, padding, 1, groups)
    return _Strided.apply(x, weight, padding, groups)


def _faster(x: Tensor, weight: Tensor, padding: int) -> bool:
    size, even = tuple(weight.shape[2:]), x.shape[2] % 2 == 0 and x.shape[3] % 2 == 0
    narrow = size == (1, 1) and padding == 0
    return even and (narrow or (size == (3, 3) and padding == 1 and x.dtype == torch.bfloat16))


class _Strided(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, padding: int, groups: int) -> Tensor:
        ctx.save_for_backward(x, weight)
        ctx.padding, ctx.groups = padding, groups
        return F.conv2d(x, weight, None, 2, padding, 1, groups)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, Tensor | None, None, None]:
        x, weight = ctx.saved_tensors
        gradient = gradient.contiguous(memory_format=torch.channels_last)
        by_x = by_weight = None
        if ctx.needs_input_grad[0]:
            by_x = (_of_points if ctx.padding == 0 else _of_phases)(gradient, weight, ctx.groups)
        if ctx.needs_input_grad[1]:
            p = [ctx.padding] * 2
            _, by_weight, _ = torch.ops.aten.convolution_backward(
                gradient, x, weight, None, [2, 2], p, [1, 1], False, [0, 0], ctx.groups, [False, True, False]
            )
        return by_x, by_weight, None, None


def _of_points(gradient: Tensor, weight: Tensor, groups: int) -> Tensor:
    """Return the gradient by x of a 1x1 convolution: zero but at every second row and column."""
    n, _, height, width = gradient.shape
    swapped = weight.unflatten(0, (groups, -1)).transpose(1, 2).flatten(0, 1)
    points = F.conv2d(gradient, swapped.contiguous(memory_format=torch.channels_last), None, groups=groups)
    whole = points.new_zeros(n, 2 * height, 2 * width, points.shape[1]).permute(0, 3, 1, 2)
    whole[:, :, ::2, ::2] = points
    return whole


def _of_phases(gradient: Tensor, weight: Tensor, groups: int) -> Tensor:
    """Return the gradient by x of a 3x3 convolution with padding 1: even and odd rows and columns, side by side.

    Each of the four phases needs the gradient by y at up to 2x2 places: one convolution gives them all as channels.
    """
    n, _, height, width = gradient.shape
    inputs = weight.shape[1]
    taps = weight.unflatten(0, (groups, -1)).permute(0, 2, 3, 4, 1)  # group, input, row, column, output
    kernel = weight.new_zeros(groups, 2, 2, inputs, 2, 2, taps.shape[-1])
    for (a, u), row in _TAPS.items():
        for (b, v), column in _TAPS.items():
            kernel[:, a, b, :, u, v] = taps[:, :, row, column]
    kernel = kernel.flatten(0, 3).permute(0, 3, 1, 2)
    phases = F.conv2d(F.pad(gradient, (0, 1, 0, 1)), kernel, None, groups=groups)
    rows = phases.permute(0, 2, 3, 1).unflatten(3, (groups, 2, 2, inputs)).permute(0, 1, 4, 2, 5, 3, 6)
    return rows.reshape(n, 2 * height, 2 * width, groups * inputs).permute(0, 3, 1, 2)
