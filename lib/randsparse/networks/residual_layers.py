"""Wide ResNets and CIFAR ResNets: their widths, blocks and layers, by arithmetic alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil

from randsparse.errors import StudyError
from randsparse.networks.architecture import Layers, Widths

GROUPS = (1, 2, 3)
"""The groups of residual blocks; each has as many, and the second and third halve the resolution."""


def wide_widths(depth: int, width: int) -> Widths:
    """Return the widths of WRN-depth-width of Zagoruyko & Komodakis 2016: a stem of 16 channels at any width.

    Raises StudyError unless depth is 6n + 4.
    """
    return _widths(_blocks_per_group(depth, 4), tuple(width * channels for channels in (16, 32, 64)), stem=16)


def plain_widths(depth: int, width: int) -> Widths:
    """Return the widths of the CIFAR ResNet of He et al. 2015 as in Liu et al. 2022: a stem as wide as group 1.

    Raises StudyError unless depth is 6n + 2.
    """
    return _widths(_blocks_per_group(depth, 2), (width, 2 * width, 4 * width), stem=width)


def _blocks_per_group(depth: int, offset: int) -> int:
    """Return n of a depth of 6n + offset; raises StudyError for another depth."""
    blocks, rest = divmod(depth - offset, 6)
    if rest or blocks < 1:
        near = max(6, 6 * blocks) + offset
        raise StudyError(
            f"depth must be 6n+{offset} with n from 1, so {depth} is not possible; choose depth {near} or {near + 6}"
        )
    return blocks


def _widths(blocks: int, groups: tuple[int, int, int], stem: int) -> Widths:
    """Return the widths of a network with so many blocks per group; a stem of other width is a stream of its own."""
    streams = groups if stem == groups[0] else (stem, *groups)
    return Widths(streams, tuple(channels for channels in groups for _ in range(blocks)))


@dataclass(frozen=True)
class Block:
    """One residual block: its name, channels, stride, and whether its shortcut is a convolution."""

    name: str
    inputs: int
    inner: int
    outputs: int
    stride: int
    project: bool


def blocks(widths: Widths) -> Iterator[Block]:
    """Yield the blocks of a network in order of depth.

    A fourth stream is that of the stem, and group 1 then begins with a shortcut convolution, whatever the numbers: a
    narrower network has its shortcut convolutions where the network of that name has them.
    """
    streams, inner = iter(widths.streams), iter(widths.inner)
    current = next(streams)
    for group in GROUPS:
        for index in range(len(widths.inner) // len(GROUPS)):
            project = index == 0 and (group > 1 or len(widths.streams) > len(GROUPS))
            outputs = next(streams) if project else current
            stride = 2 if index == 0 and group > 1 else 1
            yield Block(f"group{group}.{index}", current, next(inner), outputs, stride, project)
            current = outputs


def layers(classes: int, channels: int, size: int, widths: Widths) -> Layers:
    """Return the shape of its weight and the number of output positions of each layer, in order of depth.

    Args:
        classes, channels, size: the number of outputs, and the colours, height and width of an image.
    """
    described = list(blocks(widths))
    found: Layers = {"stem": ((described[0].inputs, channels, 3, 3), size**2)}
    for block in described:
        size = ceil(size / block.stride)
        found[f"{block.name}.conv1"] = ((block.inner, block.inputs, 3, 3), size**2)
        found[f"{block.name}.conv2"] = ((block.outputs, block.inner, 3, 3), size**2)
        if block.project:
            found[f"{block.name}.shortcut"] = ((block.outputs, block.inputs, 1, 1), size**2)
    found["classifier"] = ((classes, described[-1].outputs), 1)
    return found
