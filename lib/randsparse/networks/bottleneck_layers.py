"""ResNet-50 and Wide ResNet-50-2 for large images, torchvision's: the shape of every layer, by arithmetic alone."""

from __future__ import annotations

from math import ceil

from randsparse.networks.architecture import Layers

BOTTLENECKS = {"resnet-50": 64, "wrn-50-2": 128}
"""Channels inside the blocks of the first group, by the network's name; they double from group to group.

The networks of He et al. 2015, and of Zagoruyko & Komodakis 2016.
"""
BLOCKS = (3, 4, 6, 3)
"""Blocks in each of the four groups."""
SMALLEST = 32
"""Height and width of the smallest image."""


def layers(inner: int, classes: int, channels: int, size: int) -> Layers:
    """Return the shape of its weight and the number of output positions of each layer, in order of depth.

    Args:
        inner: channels inside the blocks of the first group.
        classes, channels, size: the number of outputs, and the colours, height and width of an image.
    """
    size, inputs = ceil(size / 2), 64
    found: Layers = {"conv1": ((inputs, channels, 7, 7), size**2)}
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
