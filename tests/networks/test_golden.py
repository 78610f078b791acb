"""Masks and initial weights of every architecture as they were when the records were made.

They depend on the names of modules: an attribute of a network that is renamed changes both.
"""

from __future__ import annotations

from typing import NamedTuple

import pytest
import torch
from torch import nn

from randsparse.networks.initialization import initialize
from randsparse.networks.nodes import draw_nodes, node_mask
from randsparse.networks.registry import ARCHITECTURES, Architecture, build
from randsparse.sparsity.densities import allocate
from randsparse.sparsity.layers import maskable
from randsparse.sparsity.masks import draw


class OfOnesOwn(nn.Module):
    """A network that is none of the study's."""

    def __init__(self, classes: int, channels: int, size: int) -> None:
        super().__init__()
        self.stem, self.block = nn.Conv2d(channels, 6, 3, padding=1, stride=2), nn.Conv2d(6, 6, 3, padding=1)
        self.norm, self.classifier = nn.GroupNorm(2, 6), nn.Linear(6, classes)


class Golden(NamedTuple):
    """What a network of (classes, channels, size) has with seed 0.

    Attributes:
        mask: the first digits of the digest of a mask of density .1, spread by ERK.
        total: the sum of the absolute values of all parameters.
        weights: two of the first layer, then two of the last one.
    """

    shape: tuple[int, int, int]
    mask: str
    total: float
    weights: list[float]


# fmt: off
GOLDEN = {
    "wrn-16-1": Golden((10, 1, 8), "984d8663f69b303f", 10720.5357,
                       [0.28197226, 0.15607786, 0.1757932, 0.10770721]),
    "wrn-16-2": Golden((10, 3, 8), "b07bf2c4916ef7a0", 29715.152,
                       [0.16279677, 0.0901116, 0.12430456, 0.0761605]),
    "resnet-20": Golden((10, 3, 8), "288135d14a8c9d02", 16201.4321,
                        [0.16279677, 0.0901116, 0.1757932, 0.10770721]),
    "resnet-50": Golden((10, 3, 32), "08b4043302c9adce", 804817.441,
                        [-0.01596542, -0.14110993, -0.02397252, -0.01539458]),
    "mlp-3-32": Golden((2, 30, 1), "45993f2c1878288d", 482.100765,
                       [0.33799985, 0.44394854, 0.24860913, 0.152321]),
    "transformer-2-16": Golden((5, 50, 12), "97eb072bda6effed", 1750.15634,
                               [-0.14435074, -0.18435916, 0.3515864, 0.21541442]),
    "of-ones-own": Golden((10, 1, 8), "781b8d3576b37b93", 100.489923,
                          [0.28197226, 0.15607786, 0.57413816, 0.35177025]),
}
# fmt: on
NODE_MASKS = {"wrn-16-1": "1daabc52150d8392", "wrn-16-2": "953055abc9ad4625", "resnet-20": "71a81ce1f6ca4d57"}
"""The first digits of the digests of node masks of density .4."""


@pytest.fixture(autouse=True)
def of_ones_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(ARCHITECTURES, "of-ones-own", Architecture(OfOnesOwn))


def initialized(name: str) -> nn.Module:
    with torch.device("meta"):  # without PyTorch's own initialisation, which takes seconds
        model = build(name, *GOLDEN[name].shape)
    return initialize(model.to_empty(device="cpu"), seed=0)


@pytest.mark.parametrize("name", GOLDEN)
def test_masks_and_initial_weights_are_those_of_the_records(name):
    golden, model = GOLDEN[name], initialized(name)
    shapes = maskable(model)
    assert draw(shapes, allocate(shapes, 0.1, "erk"), seed=0).digest.startswith(golden.mask)
    assert sum(p.double().abs().sum().item() for p in model.parameters()) == pytest.approx(golden.total, rel=1e-6)
    first, *_, last = (model.get_parameter(name).flatten()[:2].tolist() for name in shapes)
    assert [*first, *last] == pytest.approx(golden.weights, abs=1e-6)


@pytest.mark.parametrize("name", NODE_MASKS)
def test_node_masks_are_those_of_the_records(name):
    model = initialized(name)
    assert node_mask(model, draw_nodes(model, 0.4, seed=0)).digest.startswith(NODE_MASKS[name])
