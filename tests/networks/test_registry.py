"""Shapes by arithmetic are those of the networks that are built."""

from __future__ import annotations

import math
import subprocess
import sys

import pytest
import torch

from randsparse.errors import StudyError
from randsparse.networks import registry
from randsparse.networks.architecture import Architecture, Widths
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


@pytest.mark.parametrize(
    ("name", "takes", "sample", "convolutional", "chosen"),
    [
        ("wrn-16-2", ("images",), (3, 32, 32), True, True),
        ("resnet-20-8", ("images",), (3, 32, 32), True, True),
        ("wrn-50-2", ("images",), (3, 32, 32), True, False),
        ("mlp-2-8", ("table", "images"), (3, 32, 32), False, True),
        ("transformer-1-8", ("text",), (32,), False, True),
    ],
)
def test_every_name_is_of_one_type(name, takes, sample, convolutional, chosen):
    found = registry.architecture(name)
    assert isinstance(found, Architecture) and found.name == name and found.takes == takes
    assert found.sample_shape(3, 32) == sample and found.convolutional == convolutional
    assert (found.widths is not None) == chosen


def test_a_row_of_a_table_is_no_image():
    assert registry.architecture("mlp-2-8").sample_shape(30, 1) == (30,)


def test_a_network_of_ones_own_may_be_named_as_no_family_allows(monkeypatch):
    monkeypatch.setitem(registry.ARCHITECTURES, "resnet-18", Architecture(lambda *shape: torch.nn.Linear(2, 3)))
    assert registry.build("resnet-18", 10, 3, 32).out_features == 3
    with pytest.raises(StudyError, match="resnet-18 has no groups of convolutions.*choose structure 'weight'"):
        registry.build("resnet-18", 10, 3, 32, Widths((1,), (1,)))
    monkeypatch.delitem(registry.ARCHITECTURES, "resnet-18")
    with pytest.raises(StudyError, match="'resnet-18': depth must be 6n"):
        registry.architecture("resnet-18")


def test_a_layer_that_no_sample_passes_is_named(monkeypatch):
    def build(classes: int, channels: int, size: int) -> torch.nn.Module:
        model = torch.nn.Sequential(torch.nn.Linear(size, classes))
        model[0].idle = torch.nn.Linear(1, 1)
        return model

    monkeypatch.setitem(registry.ARCHITECTURES, "idle", Architecture(build, takes=("text",)))
    with pytest.raises(StudyError, match="layer 0.idle of a Sequential is not used"):
        registry.layers("idle", 2, 1, 5)


def test_layers_by_arithmetic_need_no_torch():
    """Its import takes longer than a whole plan."""
    shown = (
        "import sys; from randsparse.networks import registry, widths\n"
        "for name in ('wrn-16-2', 'resnet-20', 'resnet-50', 'mlp-2-8'):\n"
        "    assert registry.shapes(name, 10, 3, 32)\n"
        "assert registry.products('transformer-1-8', 10)\n"
        "assert widths.small_dense_widths('wrn-10-1', 10, 3, 0.5)\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", shown], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
