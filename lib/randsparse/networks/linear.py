"""Perceptrons and Transformers, whose layers are all linear: their widths and layers, by arithmetic alone."""

from __future__ import annotations

from randsparse.errors import StudyError, require
from randsparse.networks.architecture import Layers, Widths

HEADS = 2
"""Heads of every attention; a narrower network has as many, each of fewer channels."""


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
