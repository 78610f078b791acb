"""Wide ResNets and CIFAR ResNets: their blocks, their groups of nodes, and how signals flow through them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from torch import Tensor, nn
from torch.nn import functional as F

from randsparse.networks.architecture import NodeGroup, Widths
from randsparse.networks.residual_layers import GROUPS, Block, blocks
from randsparse.sparsity.paths import Flow


def conv3x3(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    """Return a 3x3 convolution without bias: a batch norm further on makes it useless."""
    return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)


def pooled(x: Tensor) -> Tensor:
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


@dataclass
class _Group:
    """A node group while it is collected: names of modules."""

    writers: list[str] = field(default_factory=list)
    norms: list[str] = field(default_factory=list)
    readers: list[str] = field(default_factory=list)

    def freeze(self, name: str, model: nn.Module) -> NodeGroup:
        size = model.get_submodule(self.writers[0]).out_channels
        return NodeGroup(name, size, tuple(self.writers), tuple(self.norms), tuple(self.readers))


class ResidualNetwork(nn.Module):
    """A stem, three groups of residual blocks (full, half, quarter resolution), mean pooling, a classifier.

    Subclasses say which block, and define `features`: what the classifier reads of images (N, channels, size, size),
    which is (N, last stream). Where the network of that name has a shortcut conv, so has one with other `widths`: a
    compacted network keeps the topology of its parent.

    Args:
        classes, channels: the number of outputs, and of colours of an image.
        widths: of all streams and blocks, which say how many there are.
    """

    block: type[nn.Module]

    def __init__(self, classes: int, channels: int, widths: Widths) -> None:
        super().__init__()
        described = list(blocks(widths))
        first, last = described[0].inputs, described[-1].outputs
        of_groups: dict[str, list[nn.Module]] = {}
        for each in described:
            of_groups.setdefault(each.name.partition(".")[0], []).append(self.block(each))
        self.stem = conv3x3(channels, first)
        self.add_stem_norm(first)
        for group, modules in of_groups.items():
            self.add_module(group, nn.Sequential(*modules))
        self.add_head_norm(last)
        self.classifier = nn.Linear(last, classes)

    def add_stem_norm(self, channels: int) -> None:
        """Add what normalises the stem's output, if anything does."""

    def add_head_norm(self, channels: int) -> None:
        """Add what normalises the last stream, if anything does."""

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
        stream = self._first_stream()
        streams, inner = {stream: _Group(writers=["stem"])}, {}
        if hasattr(self, "stem_norm"):
            streams[stream].norms.append("stem_norm")
        for name, block in self.named_blocks():
            source = streams[stream]
            source.readers.append(f"{name}.conv1")
            if block.shortcut is not None:
                source.readers.append(f"{name}.shortcut")
                stream = name.split(".")[0]
            target = streams.setdefault(stream, _Group())
            target.writers.append(f"{name}.conv2")
            if block.shortcut is not None:
                target.writers.append(f"{name}.shortcut")
            if isinstance(block, PreActivationBlock):  # norms read the stream, so the reading block's count
                source.norms.append(f"{name}.norm1")
                inner_norm = f"{name}.norm2"
            else:  # norms write the stream, so the writing block's count
                target.norms.append(f"{name}.norm2")
                if block.shortcut is not None:
                    target.norms.append(f"{name}.shortcut_norm")
                inner_norm = f"{name}.norm1"
            inner[f"{name}.inner"] = _Group([f"{name}.conv1"], [inner_norm], [f"{name}.conv2"])
        if hasattr(self, "head_norm"):
            streams[stream].norms.append("head_norm")
        streams[stream].readers.append("classifier")
        return tuple(group.freeze(name, self) for name, group in (streams | inner).items())

    def flows(self) -> tuple[Flow, ...]:
        """Return every step of the paths from "input" to "classes", each after all that lead to its source."""
        stream, version = self._first_stream(), 0
        steps = [Flow("stem.weight", "input", f"{stream}@0")]
        for name, block in self.named_blocks():
            source = f"{stream}@{version}"
            if block.shortcut is None:
                version += 1
                target, shortcut = f"{stream}@{version}", None
            else:
                stream, version = name.split(".")[0], 0
                target, shortcut = f"{stream}@0", f"{name}.shortcut.weight"
            steps.append(Flow(f"{name}.conv1.weight", source, f"{name}.inner"))
            steps.append(Flow(f"{name}.conv2.weight", f"{name}.inner", target))
            steps.append(Flow(shortcut, source, target))
        return (*steps, Flow("classifier.weight", f"{stream}@{version}", "classes"))

    def _first_stream(self) -> str:
        """Name the stream that the stem writes: its own, or group1's where no shortcut convolution parts them."""
        return "group1" if self.group1[0].shortcut is None else "stem"


class WideResNet(ResidualNetwork):
    """WRN-depth-width of Zagoruyko and Komodakis 2016, pre-activation, without dropout, depth = 6n + 4."""

    block = PreActivationBlock

    def add_head_norm(self, channels: int) -> None:
        self.head_norm = nn.BatchNorm2d(channels)

    def features(self, x: Tensor) -> Tensor:
        x = self.group3(self.group2(self.group1(self.stem(x))))
        return pooled(F.relu(self.head_norm(x), inplace=True))


class ResNet(ResidualNetwork):
    """CIFAR ResNet of He et al. 2015 as in Liu et al. 2022: stages of W, 2W, 4W channels, depth = 6n + 2."""

    block = PostActivationBlock

    def add_stem_norm(self, channels: int) -> None:
        self.stem_norm = nn.BatchNorm2d(channels)

    def features(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem_norm(self.stem(x)), inplace=True)
        return pooled(self.group3(self.group2(self.group1(x))))
