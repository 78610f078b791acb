"""Shapes by arithmetic are those of the networks that are built."""

from __future__ import annotations

import math

import pytest
import torch

from randsparse.networks import registry
from randsparse.sparsity.layers import maskable

SHAPE = (10, 3, 32)


@pytest.mark.parametrize("name", ["wrn-10-1", "wrn-16-4", "wrn-22-2", "resnet-20", "resnet-56-8"])
@pytest.mark.parametrize("widths", ["own", "narrow"])
def test_shapes_are_those_of_the_network(name, widths):
    own = registry.default_widths(name)
    narrow = registry.Widths(*(tuple(w // 4 + 1 for w in each) for each in (own.streams, own.inner)))
    given = narrow if widths == "narrow" else None
    assert registry.shapes(name, *SHAPE, given) == maskable(registry.build(name, *SHAPE, given))


@pytest.mark.parametrize("name", ["resnet-50", "wrn-50-2"])
@pytest.mark.parametrize("size", [224, 37])
def test_bottlenecks_have_the_layers_and_positions_of_torchvisions_networks(name, size):
    with torch.device("meta"):
        model = registry.build(name, 7, 3, size).eval()
        seen = {}
        for layer, module in model.named_modules():
            if f"{layer}.weight" in maskable(model):
                module.register_forward_hook(
                    lambda module, _, output, layer=layer: seen.__setitem__(
                        layer, (tuple(module.weight.shape), math.prod(output.shape[2:]))
                    )
                )
        model(torch.zeros(1, 3, size, size))
    assert registry.layers(name, 7, 3, size) == seen
    assert list(registry.shapes(name, 7, 3, size)) == list(maskable(model))
