"""Strided convolutions and their gradients equal torch's."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from randsparse.training.engines import strided

KERNELS = [(1, 0), (3, 1)]


def gradients(convolve, x, weight, gradient):
    x, weight = x.clone().requires_grad_(), weight.clone().requires_grad_()
    y = convolve(x, weight)
    y.backward(gradient)
    return y.detach(), x.grad, weight.grad


@pytest.mark.parametrize(("kernel", "padding"), KERNELS)
@pytest.mark.parametrize("size", [(8, 8), (4, 6), (2, 2)])
@pytest.mark.parametrize("groups", [1, 3])
def test_gradients_are_those_of_torch_in_float64(monkeypatch, kernel, padding, size, groups):
    monkeypatch.setattr(strided, "_faster", lambda *_: True)
    torch.manual_seed(0)
    x = torch.randn(5, groups * 4, *size, dtype=torch.float64)
    weight = torch.randn(groups * 6, 4, kernel, kernel, dtype=torch.float64)
    gradient = torch.randn(5, groups * 6, size[0] // 2, size[1] // 2, dtype=torch.float64)
    ours = gradients(lambda x, w: strided.conv2d(x, w, 2, padding, groups), x, weight, gradient)
    torchs = gradients(lambda x, w: F.conv2d(x, w, None, 2, padding, 1, groups), x, weight, gradient)
    for found, wanted in zip(ours, torchs, strict=True):
        torch.testing.assert_close(found, wanted, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize(("kernel", "padding"), KERNELS)
def test_in_bfloat16_they_are_torchs_up_to_rounding(kernel, padding):
    torch.manual_seed(0)
    x = torch.randn(4, 32, 8, 8, dtype=torch.bfloat16).to(memory_format=torch.channels_last)
    weight, gradient = torch.randn(64, 16, kernel, kernel).bfloat16(), torch.randn(4, 64, 4, 4).bfloat16()
    ours = gradients(lambda x, w: strided.conv2d(x, w, 2, padding, 2), x, weight, gradient)
    torchs = gradients(lambda x, w: F.conv2d(x, w, None, 2, padding, 1, 2), x, weight, gradient)
    for found, wanted in zip(ours, torchs, strict=True):
        torch.testing.assert_close(found, wanted, rtol=0.02, atol=0.1)


@pytest.mark.parametrize(("stride", "kernel", "size"), [(1, 3, 8), (2, 3, 7), (2, 5, 8)])
def test_other_convolutions_are_torchs_own(stride, kernel, size):
    x, weight = torch.randn(2, 4, size, size), torch.randn(6, 2, kernel, kernel)
    torch.testing.assert_close(
        strided.conv2d(x, weight, stride, kernel // 2, 2), F.conv2d(x, weight, None, stride, kernel // 2, 1, 2)
    )
