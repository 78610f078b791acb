"""Which network a name stands for: its family, depth and width, and so the shape of every layer, without torch."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache, partial
from typing import TYPE_CHECKING

from randsparse.data import extensions
from randsparse.errors import StudyError, require, unknown
from randsparse.networks import bottleneck_layers, linear, residual_layers
from randsparse.networks.architecture import Architecture, Family, Layers, Shapes, Widths, check_widths

if TYPE_CHECKING:
    from torch import nn

# Modules are imported where a network is built: plans need shapes alone, and torch takes seconds to import.


def _build_wide_resnet(classes: int, channels: int, size: int, widths: Widths) -> nn.Module:
    from randsparse.networks.residual import WideResNet

    return WideResNet(classes, channels, widths)


def _build_resnet(classes: int, channels: int, size: int, widths: Widths) -> nn.Module:
    from randsparse.networks.residual import ResNet

    return ResNet(classes, channels, widths)


def _build_bottlenecks(inner: int, classes: int, channels: int, size: int) -> nn.Module:
    from randsparse.networks.bottleneck import BottleneckNetwork

    return BottleneckNetwork(classes, inner)


def _build_perceptron(classes: int, channels: int, size: int, widths: Widths) -> nn.Module:
    from randsparse.networks.perceptron import Perceptron

    return Perceptron(classes, channels * size**2, widths)


def _build_transformer(classes: int, channels: int, size: int, widths: Widths) -> nn.Module:
    from randsparse.networks.transformer import Transformer

    return Transformer(classes, channels, size, widths)


def _residual(build: Callable[..., nn.Module]) -> Architecture:
    return Architecture(build, layers=residual_layers.layers, convolutional=True, smallest=8)


RESIDUAL = {
    "wrn": Family(
        "wrn-<depth>-<width> with depth 6n+4, such as wrn-16-2",
        _residual(_build_wide_resnet),
        residual_layers.wide_widths,
    ),
    "resnet": Family(
        "resnet-<depth>[-<initial width>] with depth 6n+2, such as resnet-20 or resnet-20-8",
        _residual(_build_resnet),
        residual_layers.plain_widths,
        default_width=16,
        reserved=(50, 152),  # fit 6n + 2, but everyone means networks for ImageNet by these names
    ),
}
"""Wide ResNets of Zagoruyko & Komodakis 2016, and CIFAR ResNets of He et al. 2015 as in Liu et al. 2022."""

BOTTLENECKS = {
    name: Architecture(
        partial(_build_bottlenecks, inner),
        layers=partial(bottleneck_layers.layers, inner),
        convolutional=True,
        made_of="bottleneck blocks",
        smallest=bottleneck_layers.SMALLEST,
        colours=3,
    )
    for name, inner in bottleneck_layers.BOTTLENECKS.items()
}
"""ResNet-50 and Wide ResNet-50-2 of torchvision, for large images."""

LINEAR = {
    "mlp": Family(
        "mlp-<layers>-<width>, such as mlp-4-64",
        Architecture(_build_perceptron, ("table", "images"), linear.perceptron_layers),
        linear.perceptron_widths,
    ),
    "transformer": Family(
        f"transformer-<blocks>-<width> with a width of {linear.HEADS}n, such as transformer-2-32",
        Architecture(_build_transformer, ("text",), linear.transformer_layers, products=linear.transformer_products),
        linear.transformer_widths,
    ),
}
"""Perceptrons with batch norm, and pre-norm encoders of Vaswani et al. 2017 with mean pooling.

An encoder without blocks, transformer-0-32, classifies bags of words.
"""

ARCHITECTURES: dict[str, Architecture | Family] = {**RESIDUAL, **BOTTLENECKS, **LINEAR}
"""Families by the word that their names begin with, and single networks by name.

A network of one's own is added by its name: `ARCHITECTURES["my-net"] = Architecture(build, takes)`. Another network
needs another name, by which records are found again.
"""


DEEPEST, WIDEST = 5_000, 100_000
"""Beyond these, a depth or width that a name tells is a mistake."""


def architecture(name: str) -> Architecture:
    """Return the network of that name; its field `name` is the one name that it has ("resnet-20" for "resnet-20-16").

    Raises StudyError with the rule that the name breaks.
    """
    if name not in ARCHITECTURES:
        extensions.load()
    found = ARCHITECTURES.get(name)
    return replace(found, name=name) if isinstance(found, Architecture) else _of_family(name)


@lru_cache
def _of_family(name: str) -> Architecture:
    """Return the network of a family whose depth and width the name tells."""
    match = re.fullmatch(r"([a-z]+)-(0|[1-9]\d*)(?:-([1-9]\d*))?", name) if isinstance(name, str) else None
    family = ARCHITECTURES.get(match[1]) if match else None
    if not isinstance(family, Family) or (match[3] is None and family.default_width is None):
        raise unknown("model", name, _takers())
    depth, width = int(match[2]), int(match[3] or family.default_width)
    if depth in family.reserved:
        others = ", ".join((*BOTTLENECKS, *_residual_forms()))
        raise StudyError(f"model {name!r}: that name is of a network for ImageNet; choose one of {others}")
    try:
        require(depth <= DEEPEST, "depth", depth, f"at most {DEEPEST}")
        require(width <= WIDEST, "width", width, f"at most {WIDEST}")
        widths = family.widths(depth, width)
    except StudyError as error:
        raise StudyError(f"model {name!r}: {error}") from error
    shortest = f"{match[1]}-{depth}" if width == family.default_width else name
    return replace(family.network, name=shortest, widths=widths)


def _takers() -> dict[str, tuple[str, ...]]:
    """Return the kinds of data that networks take, by the forms of their names."""
    return {getattr(each, "form", name): getattr(each, "network", each).takes for name, each in ARCHITECTURES.items()}


def _residual_forms() -> list[str]:
    return [family.form for family in RESIDUAL.values()]


def default_widths(name: str) -> Widths:
    """Return the widths of the network of that name; raises StudyError for a name that is none.

    Also for a network whose widths cannot be chosen, of which there are no node masks and narrower versions.
    """
    found = architecture(name)
    if found.widths is None:
        raise StudyError(
            f"{name} has {found.made_of}, and so no node masks, small dense controls, explicit widths and engines but "
            f"'masked': choose structure 'weight' and method 'static', or one of {', '.join(_residual_forms())}"
        )
    return found.widths


def check_kind(name: str, dataset: str, kind: str) -> None:
    """Raise StudyError for a network that does not take the kind of data (`catalogue.kind`) of a dataset."""
    if kind not in architecture(name).takes:
        fitting = ", ".join(form for form, takes in _takers().items() if kind in takes)
        what = {"images": "images", "table": "a table", "text": "text"}[kind]
        raise StudyError(f"{name} is not for {dataset}, which is {what}: choose one of {fitting}")


def build(name: str, classes: int, channels: int, size: int, widths: Widths | None = None) -> nn.Module:
    """Return the network of that name, with PyTorch's own initialisation: call `initialize` for the study's.

    Args:
        name: of a network of ARCHITECTURES, or of one of its families.
        classes, channels: the number of outputs, and of colours of an image; for tables and texts see
            `catalogue.shape`.
        size: height and width of an image, from 8; of bottlenecks, from 32 and in three colours.
        widths: explicit channels, for as many streams and blocks as the name has; the topology stays.

    Raises:
        StudyError: the name, the size or the widths are impossible.
    """
    found = _with_widths(name, widths)
    found.check_images(channels, size)
    return found.build(classes, channels, size, *_given(found.widths))


@lru_cache(maxsize=4096)
def layers(name: str, classes: int, channels: int, size: int, widths: Widths | None = None) -> Layers:
    """Return every layer that a mask covers, in order of depth; the result is shared, so never change it.

    Args:
        name, classes, channels, size, widths: as `build` takes them.
    """
    found = _with_widths(name, widths)
    if found.layers:
        return found.layers(classes, channels, size, *_given(found.widths))
    import torch

    from randsparse.sparsity.layers import trace

    with torch.device("meta"):
        model = found.build(classes, channels, size, *_given(found.widths))
        return trace(model, found.sample_shape(channels, size))


def shapes(name: str, classes: int, channels: int, size: int, widths: Widths | None = None) -> Shapes:
    """Return what `sparsity.layers.maskable` says of the network that `build` gives for the same arguments."""
    return {f"{layer}.weight": shape for layer, (shape, _) in layers(name, classes, channels, size, widths).items()}


def products(name: str, size: int, widths: Widths | None = None) -> dict[str, float]:
    """Return the forward FLOPs of products that no weight takes part in, by name: those of attention."""
    found = _with_widths(name, widths)
    return found.products(size, found.widths) if found.products else {}


def _with_widths(name: str, widths: Widths | None) -> Architecture:
    """Return the network of that name with other widths, if any are given; raises StudyError unless they fit it."""
    found = architecture(name)
    return found if widths is None else replace(found, widths=check_widths(widths, default_widths(name)))


def _given(widths: Widths | None) -> tuple[Widths, ...]:
    return () if widths is None else (widths,)
