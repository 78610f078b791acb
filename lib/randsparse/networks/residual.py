"""Wide ResNets and CIFAR ResNets: their blocks, their groups of nodes, and how signals flow through them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping

from torch import Tensor, nn
from torch.nn import functional as F

from randsparse.networks.architecture import NodeGroup, Widths
from randsparse.networks.residual_layers import GROUPS, Block, blocks
from randsparse.sparsity.paths import Flow, beside_shortcuts


def conv3x3(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    """Return a 3x3 convolution without bias: a batch norm further on makes it useless."""
    return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)


def pool(x: Tensor) -> Tensor:
    """Return the means over all positions, (N, C, H, W) to (N, C); gradients come in channels-last order, as x does."""
    return x.permute(0, 2, 3, 1).mean((1, 2))


class PreActivationBlock(nn.Module):
    """The block of a Wide ResNet: norm, ReLU, conv, norm, ReLU, conv; the shortcut reads the activation."""

    def __init__(self, of: Block) -> None:
        super().__init__()
        inputs, inner, outputs, stride = of.inputs, of.inner, of.outputs, of.stride
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = conv3x3(inputs, inner, stride)
        self.norm2 = nn.BatchNorm2d(inner)
        self.conv2 = conv3x3(inner, outputs)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False) if of.project else None

    def forward(self, x: Tensor) -> Tensor:
        # Outputs of batch norms and convolutions may be changed in place: their backward does not read them.
        activated = F.relu(self.norm1(x), inplace=True)
        residual = self.conv2(F.relu(self.norm2(self.conv1(activated)), inplace=True))
        return residual.add_(x if self.shortcut is None else self.shortcut(activated))


class PostActivationBlock(nn.Module):
    """The block of a CIFAR ResNet: conv, norm, ReLU, conv, norm, sum, ReLU; a shortcut has its own norm."""

    def __init__(self, of: Block) -> None:
        super().__init__()
        inputs, inner, outputs, stride = of.inputs, of.inner, of.outputs, of.stride
        self.conv1 = conv3x3(inputs, inner, stride)
        self.norm1 = nn.BatchNorm2d(inner)
        self.conv2 = conv3x3(inner, outputs)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False) if of.project else None
        self.shortcut_norm = nn.BatchNorm2d(outputs) if of.project else None

    def forward(self, x: Tensor) -> Tensor:
        residual = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)), inplace=True)))
        skipped = x if self.shortcut is None else self.shortcut_norm(self.shortcut(x))
        return F.relu(residual.add_(skipped), inplace=True)


class ResidualNetwork(nn.Module):
    """A stem, three groups of residual blocks (full, half, quarter resolution), mean pooling, a classifier.

    Subclasses say which block, and define `features`: what the classifier reads of images (N, channels, size, size),
    which is (N, last stream). Where the network of that name has a shortcut conv, so has one with other `widths`: a
    compacted network keeps the topology of its parent.

    Args:
        classes, channels: the number of outputs, and of colours of an image.
        widths: of all streams and blocks, which say how many there are.

    Attributes:
        norms: by the name of a layer, that of the norm of the channels that it reads, or writes.
        norms_first: whether norms stand before their layers, so that it is what they read.
    """

    block: type[nn.Module]
    norms: Mapping[str, str]
    norms_first: bool

    def __init__(self, classes: int, channels: int, widths: Widths) -> None:
        super().__init__()
        described = list(blocks(widths))
        first, last = described[0].inputs, described[-1].outputs
        of_groups: dict[str, list[nn.Module]] = {}
        for each in described:
            of_groups.setdefault(each.name.partition(".")[0], []).append(self.block(each))
        self.stem = conv3x3(channels, first)
        if "stem" in self.norms:
            self.stem_norm = nn.BatchNorm2d(first)
        for group, modules in of_groups.items():
            self.add_module(group, nn.Sequential(*modules))
        if "classifier" in self.norms:
            self.head_norm = nn.BatchNorm2d(last)
        self.classifier = nn.Linear(last, classes)

    def named_blocks(self) -> Iterator[tuple[str, nn.Module]]:
        """Yield the name and module of every block, in order of depth."""
        for group in GROUPS:
            for index, block in enumerate(self.get_submodule(f"group{group}")):
                yield f"group{group}.{index}", block

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x))

    def node_groups(self) -> tuple[NodeGroup, ...]:
        """Return every group of nodes: streams, then the insides of blocks, each in order of depth.

        Streams are named "stem", "group1", ..., insides "group1.0.inner"; inputs and classes are in no group.
        """
        writers, norms, readers = defaultdict(list), defaultdict(list), defaultdict(list)
        for flow in self.flows():
            if flow.weight_name is None:
                continue
            module = flow.weight_name.removesuffix(".weight")
            source, target = (place.partition("@")[0] for place in (flow.source, flow.target))
            readers[source].append(module)
            writers[target].append(module)
            block, _, layer = module.rpartition(".")
            if layer in self.norms:
                norms[source if self.norms_first else target].append(f"{block}.{self.norms[layer]}".lstrip("."))
        names = sorted([name for name in writers if name != "classes"], key=lambda name: name.endswith(".inner"))
        return tuple(
            NodeGroup(
                name,
                self.get_submodule(writers[name][0]).out_channels,
                *(tuple(modules[name]) for modules in (writers, norms, readers)),
            )
            for name in names
        )

    def flows(self) -> tuple[Flow, ...]:
        """Return every step of the paths from "input" to "classes", each after all that lead to its source."""
        projects = [(name, block.shortcut is not None) for name, block in self.named_blocks()]
        first = "stem" if projects[0][1] else "group1"  # the stem has a stream of its own where a convolution ends it
        blocks = [(name, ("inner",), "shortcut" if project else None) for name, project in projects]
        return beside_shortcuts("stem.weight", first, blocks, "classifier.weight")


class WideResNet(ResidualNetwork):
    """WRN-depth-width of Zagoruyko and Komodakis 2016, pre-activation, without dropout, depth = 6n + 4."""

    block, norms_first = PreActivationBlock, True
    norms = {"conv1": "norm1", "conv2": "norm2", "classifier": "head_norm"}

    def features(self, x: Tensor) -> Tensor:
        x = self.group3(self.group2(self.group1(self.stem(x))))
        return pool(F.relu(self.head_norm(x), inplace=True))


class ResNet(ResidualNetwork):
    """CIFAR ResNet of He et al. 2015 as in Liu et al. 2022: stages of W, 2W, 4W channels, depth = 6n + 2."""

    block, norms_first = PostActivationBlock, False
    norms = {"stem": "stem_norm", "conv1": "norm1", "conv2": "norm2", "shortcut": "shortcut_norm"}

    def features(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem_norm(self.stem(x)), inplace=True)
        return pool(self.group3(self.group2(self.group1(x))))
