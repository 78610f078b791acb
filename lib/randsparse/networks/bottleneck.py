"""ResNet-50 and Wide ResNet-50-2 for large images, as torchvision builds them, and how signals flow through them."""

from __future__ import annotations

from torchvision.models.resnet import Bottleneck, ResNet

from randsparse.networks.bottleneck_layers import BLOCKS
from randsparse.sparsity.paths import Flow, beside_shortcuts


class BottleneckNetwork(ResNet):
    """torchvision's network of four groups of bottleneck blocks, without trained weights.

    Args:
        classes: the number of outputs.
        inner: channels inside the blocks of the first group; they double from group to group.
        blocks: the number of blocks in each group.
    """

    def __init__(self, classes: int, inner: int, blocks: tuple[int, int, int, int] = BLOCKS) -> None:
        super().__init__(Bottleneck, list(blocks), num_classes=classes, width_per_group=inner)

    def flows(self) -> tuple[Flow, ...]:
        """Return the steps from "input" to "classes": three convolutions beside each shortcut."""
        blocks = [
            (f"{group}.{index}", ("inner1", "inner2"), "downsample.0" if block.downsample is not None else None)
            for group in ("layer1", "layer2", "layer3", "layer4")
            for index, block in enumerate(getattr(self, group))
        ]
        return beside_shortcuts("conv1.weight", "stem", blocks, "fc.weight")
