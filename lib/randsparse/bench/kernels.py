"""Sparse kernels: the matrix products of a masked layer, of dense matrices and of compressed sparse rows (CSR)."""

from __future__ import annotations

import statistics
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from randsparse.bench.steps import find_quartiles, time_call

SPARSITIES = (0.8, 0.9, 0.98)
SHAPES = ((64, 576, 128 * 64), (512, 4608, 128 * 16))
"""(outputs, inputs, positions): 3x3 convolutions as one product, of the last stages of WRN-16-1 and of ResNet-18.

Positions are those of 128 images of 32x32 pixels."""


class Products:
    """The three products of a step of training with a layer, each with dense matrices and with a sparse weight.

    `forward` is W X, `inputs` the gradient W^T G of the layer's inputs, `weights` that of the weights, G X^T; the
    sparse one of these is computed only where the mask keeps a weight, which is all that a fixed mask needs.
    """

    def __init__(self, outputs: int, inputs: int, positions: int, sparsity: float) -> None:
        random = torch.Generator().manual_seed(0)
        weight, kept = torch.rand(2, outputs, inputs, generator=random)
        weight = weight * (kept >= sparsity)
        x, g = (torch.rand(size, positions, generator=random) for size in (inputs, outputs))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # torch says that its CSR tensors may still change
            csr, transposed = weight.to_sparse_csr(), weight.t().contiguous().to_sparse_csr()
        self.kept = weight != 0
        self.dense: dict[str, Callable[[], Tensor]] = {
            "forward": lambda: torch.mm(weight, x),
            "inputs": lambda: torch.mm(weight.t(), g),
            "weights": lambda: torch.mm(g, x.t()),
        }
        self.sparse: dict[str, Callable[[], Tensor]] = {
            "forward": lambda: torch.mm(csr, x),
            "inputs": lambda: torch.mm(transposed, g),
            "weights": lambda: torch.sparse.sampled_addmm(csr, g, x.t(), beta=0.0),
        }


def time_products(outputs: int, inputs: int, positions: int, sparsity: float, steps: int = 10) -> dict[str, Any]:
    """Return how much faster the products of a layer are with CSR than with dense matrices, one thread, float32.

    `forward` and `training` are quartiles of dense over sparse seconds, measured in turn: of the product of a forward
    pass, and of the three of a step of training. `flops` is the same ratio if zeros cost nothing.
    """
    layer = Products(outputs, inputs, positions, sparsity)
    ways = [(kind, name) for name in layer.dense for kind in ("dense", "sparse")]
    rounds = [{way: time_call(getattr(layer, way[0])[way[1]]) for way in ways} for _ in range(steps + 1)][1:]
    sums = [{kind: sum(each[kind, name] for name in layer.dense) for kind in ("dense", "sparse")} for each in rounds]
    return {
        "outputs": outputs,
        "inputs": inputs,
        "positions": positions,
        "sparsity": sparsity,
        "kernel": "CSR",
        "dense_ms": 1e3 * statistics.median(each["dense"] for each in sums),
        "sparse_ms": 1e3 * statistics.median(each["sparse"] for each in sums),
        "forward": find_quartiles(each["dense", "forward"] / each["sparse", "forward"] for each in rounds),
        "training": find_quartiles(each["dense"] / each["sparse"] for each in sums),
        "flops": layer.kept.numel() / int(layer.kept.sum()),
    }
