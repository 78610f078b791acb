"""ResNet-50 and Wide ResNet-50-2 for large images, torchvision's: the shape of every layer, by arithmetic alone."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil

from randsparse.errors import StudyError
from randsparse.networks.architecture import Layers


@dataclass(frozen=True)
class Bottleneck:
    """A network of He et al. 2015 or Zagoruyko & Komodakis 2016: its name in torchvision, and how wide its blocks are.

    Attributes:
        inner: channels inside the blocks of the first group; they double from group to group.
    """

    torchvision: str
    inner: int


BOTTLENECKS = {"resnet-50": Bottleneck("resnet50", 64), "wrn-50-2": Bottleneck("wide_resnet50_2", 128)}
BLOCKS = (3, 4, 6, 3)
"""Blocks in each of the four groups."""
SMALLEST = 32
"""Height and width of the smallest image."""


def check_images(name: str, channels: int, size: int) -> None:
    """Raise StudyError for images that are too small for one of BOTTLENECKS, or are not of three colours."""
    if size < SMALLEST:
        raise StudyError(f"images of {size}x{size} are too small for {name}: the smallest are {SMALLEST}x{SMALLEST}")
    if channels != 3:
        raise StudyError(f"{name} takes images of 3 colours, not of {channels}")


def layers(name: str, classes: int, size: int) -> Layers:
    """Return the shape of its weight and the number of output positions of each layer of one of BOTTLENECKS, in order.

    Args:
        classes, size: the number of outputs, and the height and width of an image.
    """
    size, inputs, inner = ceil(size / 2), 64, BOTTLENECKS[name].inner
    found: Layers = {"conv1": ((inputs, 3, 7, 7), size**2)}
    size = ceil(size / 2)  # max pooling
    for group, blocks in enumerate(BLOCKS):
        width, outputs = inner * 2**group, 256 * 2**group
        for index in range(blocks):
            block = f"layer{group + 1}.{index}"
            found[f"{block}.conv1"] = ((width, inputs, 1, 1), size**2)
            size = ceil(size / 2) if group and not index else size
            found[f"{block}.conv2"] = ((width, width, 3, 3), size**2)
            found[f"{block}.conv3"] = ((outputs, width, 1, 1), size**2)
            if not index:
                found[f"{block}.downsample.0"] = ((outputs, inputs, 1, 1), size**2)
            inputs = outputs
    found["fc"] = ((classes, inputs), 1)
    return found
