"""ResNet-50 and Wide ResNet-50-2 for large images, as torchvision builds them, and how signals flow through them."""

from __future__ import annotations

from torchvision.models.resnet import Bottleneck, ResNet

from randsparse.networks.bottleneck_layers import BLOCKS
from randsparse.sparsity.paths import Flow


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
        stream, version = "stem", 0
        steps = [Flow("conv1.weight", "input", "stem@0")]
        for group in ("layer1", "layer2", "layer3", "layer4"):
            for index, block in enumerate(getattr(self, group)):
                name, source = f"{group}.{index}", f"{stream}@{version}"
                projects = block.downsample is not None
                stream, version = (group, 0) if projects else (stream, version + 1)
                target = f"{stream}@{version}"
                steps.append(Flow(f"{name}.conv1.weight", source, f"{name}.inner1"))
                steps.append(Flow(f"{name}.conv2.weight", f"{name}.inner1", f"{name}.inner2"))
                steps.append(Flow(f"{name}.conv3.weight", f"{name}.inner2", target))
                steps.append(Flow(f"{name}.downsample.0.weight" if projects else None, source, target))
        return (*steps, Flow("fc.weight", f"{stream}@{version}", "classes"))
