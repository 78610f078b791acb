"""Perceptrons and Transformers, whose layers are all linear: what a name says, and layer shapes by arithmetic alone."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from randsparse.errors import StudyError, require
from randsparse.networks.architecture import Layers, Widths, check_widths

HEADS = 2
"""Heads of every attention; a narrower network has as many, each of fewer channels."""


@dataclass(frozen=True)
class LinearFamily:
    """Networks whose names tell how many layers or blocks they have, and how wide these are.

    Attributes:
        form: such as mlp-<layers>-<width>.
        takes: the kinds of data, as `sources.kind` names them.
        widths: from depth and width of the name, the widths of the network.
        layers: from classes, channels, size and widths, what `architectures.layers` returns.
        products: from size and widths, the forward FLOPs of products that no weight takes part in, by name.
    """

    form: str
    takes: tuple[str, ...]
    widths: Callable[[int, int], Widths]
    layers: Callable[[int, int, int, Widths], Layers]
    products: Callable[[int, Widths], dict[str, float]]


def parse(name: str) -> tuple[str, int, int] | None:
    """Return the family, depth and width that a name stands for, or None for a name of none of LINEAR."""
    match = re.fullmatch(r"([a-z]+)-([1-9]\d*)-([1-9]\d*)", name) if isinstance(name, str) else None
    return (match[1], int(match[2]), int(match[3])) if match and match[1] in LINEAR else None


def family_of(name: str) -> LinearFamily | None:
    """Return the family of a network, or None for a name of none of LINEAR."""
    parsed = parse(name)
    return LINEAR[parsed[0]] if parsed else None


def widths_of(name: str, widths: Widths | None = None) -> Widths:
    """Return `widths` if they fit the network of that name, by default its own; raises StudyError if it has none."""
    family, depth, width = parse(name)
    own = LINEAR[family].widths(depth, width)
    return check_widths(widths, own) if widths else own


def perceptron_widths(layers: int, width: int) -> Widths:
    """Return the widths of a perceptron: one stream a hidden layer, of which it has one less than layers of weights."""
    require(layers >= 2, "layers", layers, "2 or more in mlp-<layers>-<width>, the classifier among them")
    return Widths((width,) * (layers - 1), ())


def perceptron_layers(classes: int, channels: int, size: int, widths: Widths) -> Layers:
    """Return the layers of a perceptron that reads a row of features, or all pixels of an image."""
    sizes = [channels * size**2, *widths.streams]
    hidden = {f"hidden.{index}": ((outputs, sizes[index]), 1) for index, outputs in enumerate(widths.streams)}
    return {**hidden, "classifier": ((classes, sizes[-1]), 1)}


def transformer_widths(blocks: int, width: int) -> Widths:
    """Return the widths of a Transformer: its stream; in each block the channels of a head, and 4 times the stream."""
    if width % HEADS:
        raise StudyError(f"a Transformer of width {width}: it must be a multiple of {HEADS}, the number of its heads")
    return Widths((width,), (width // HEADS, 4 * width) * blocks)


def transformer_layers(classes: int, channels: int, size: int, widths: Widths) -> Layers:
    """Return the layers of a Transformer that reads texts of `size` tokens."""
    (stream,) = widths.streams
    found: Layers = {}
    for index, (head, inner) in enumerate(zip(widths.inner[::2], widths.inner[1::2], strict=True)):
        for name in ("query", "key", "value"):
            found[f"blocks.{index}.{name}"] = ((HEADS * head, stream), size)
        found[f"blocks.{index}.output"] = ((stream, HEADS * head), size)
        found[f"blocks.{index}.expand"] = ((inner, stream), size)
        found[f"blocks.{index}.contract"] = ((stream, inner), size)
    return {**found, "classifier": ((classes, stream), 1)}


def transformer_products(size: int, widths: Widths) -> dict[str, float]:
    """Return the FLOPs of queries times keys, and of the weights of attention times values, in each block."""
    return {f"blocks.{index}.attention": 4.0 * size**2 * HEADS * head for index, head in enumerate(widths.inner[::2])}


LINEAR: dict[str, LinearFamily] = {
    "mlp": LinearFamily(
        "mlp-<layers>-<width>, such as mlp-4-64",
        ("table", "images"),
        perceptron_widths,
        perceptron_layers,
        lambda size, widths: {},
    ),
    "transformer": LinearFamily(
        f"transformer-<blocks>-<width> with a width of {HEADS}n, such as transformer-2-32",
        ("text",),
        transformer_widths,
        transformer_layers,
        transformer_products,
    ),
}
"""Perceptrons with batch norm, and pre-norm encoders of Vaswani et al. 2017 with mean pooling."""
