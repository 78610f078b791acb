"""The networks of the study, built from a name, or from explicit widths for a small dense twin."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import prod, sqrt

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from randsparse.errors import StudyError, unknown
from randsparse.seeds import generator


@dataclass(frozen=True)
class Widths:
    """The number of channels of every residual stream and inside every block, both in order of depth."""

    streams: tuple[int, ...]
    inner: tuple[int, ...]


def conv3x3(inputs: int, outputs: int, stride: int = 1) -> nn.Conv2d:
    """Return a 3x3 convolution without bias: a batch norm further on makes it useless."""
    return nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False)


class PreActivationBlock(nn.Module):
    """The block of a Wide ResNet: norm, ReLU, conv, norm, ReLU, conv; the shortcut reads the activation."""

    def __init__(self, inputs: int, inner: int, outputs: int, stride: int, project: bool) -> None:
        super().__init__()
        self.norm1 = nn.BatchNorm2d(inputs)
        self.conv1 = conv3x3(inputs, inner, stride)
        self.norm2 = nn.BatchNorm2d(inner)
        self.conv2 = conv3x3(inner, outputs)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False) if project else None

    def forward(self, x: Tensor) -> Tensor:
        # Outputs of batch norms and convolutions may be changed in place: their backward does not read them.
        activated = F.relu(self.norm1(x), inplace=True)
        residual = self.conv2(F.relu(self.norm2(self.conv1(activated)), inplace=True))
        return residual.add_(x if self.shortcut is None else self.shortcut(activated))


class PostActivationBlock(nn.Module):
    """The block of a CIFAR ResNet: conv, norm, ReLU, conv, norm, sum, ReLU; a shortcut has its own norm."""

    def __init__(self, inputs: int, inner: int, outputs: int, stride: int, project: bool) -> None:
        super().__init__()
        self.conv1 = conv3x3(inputs, inner, stride)
        self.norm1 = nn.BatchNorm2d(inner)
        self.conv2 = conv3x3(inner, outputs)
        self.norm2 = nn.BatchNorm2d(outputs)
        self.shortcut = nn.Conv2d(inputs, outputs, 1, stride=stride, bias=False) if project else None
        self.shortcut_norm = nn.BatchNorm2d(outputs) if project else None

    def forward(self, x: Tensor) -> Tensor:
        residual = self.norm2(self.conv2(F.relu(self.norm1(self.conv1(x)), inplace=True)))
        skipped = x if self.shortcut is None else self.shortcut_norm(self.shortcut(x))
        return F.relu(residual.add_(skipped), inplace=True)


class ResidualNetwork(nn.Module):
    """A stem, three groups of residual blocks (full, half, quarter resolution), mean pooling, a classifier.

    Subclasses say which block, depths and widths, and define `features`: what the classifier reads of images
    (N, channels, size, size), which is (N, last stream). Where the network of that name has a shortcut conv,
    so has one with other `widths`: a compacted network keeps the topology of its parent.
    """

    block: type[nn.Module]
    offset: int  # depth = 6n + offset, with n blocks a group
    default_width: int | None  # the width that a name may leave out
    reserved: tuple[int, ...] = ()  # depths that name other networks

    def __init__(
        self, depth: int, width: int, classes: int, channels: int, widths: Widths | None = None
    ) -> None:
        super().__init__()
        default = self.default_widths(depth, width)
        widths = check_widths(widths, default) if widths else default
        streams, inner = iter(widths.streams), iter(widths.inner)
        current = next(streams)
        self.stem = conv3x3(channels, current)
        self.add_stem_norm(current)
        for group in (1, 2, 3):
            blocks = []
            for index in range((depth - self.offset) // 6):
                project = index == 0 and (group > 1 or len(default.streams) == 4)
                outputs = next(streams) if project else current
                stride = 2 if index == 0 and group > 1 else 1
                blocks.append(self.block(current, next(inner), outputs, stride, project))
                current = outputs
            self.add_module(f"group{group}", nn.Sequential(*blocks))
        self.add_head_norm(current)
        self.classifier = nn.Linear(current, classes)

    @classmethod
    def default_widths(cls, depth: int, width: int) -> Widths:
        """Return the widths that the paper of this family gives the network of that name."""
        stem, groups = cls.stem_and_groups(width)
        streams = groups if stem == groups[0] else (stem, *groups)
        return Widths(streams, tuple(w for w in groups for _ in range((depth - cls.offset) // 6)))

    def add_stem_norm(self, channels: int) -> None:
        """Add what normalises the stem's output, if anything does."""

    def add_head_norm(self, channels: int) -> None:
        """Add what normalises the last stream, if anything does."""

    def named_blocks(self) -> Iterator[tuple[str, nn.Module]]:
        """Yield the name and module of every block, in order of depth."""
        for group in ("group1", "group2", "group3"):
            for index, block in enumerate(getattr(self, group)):
                yield f"{group}.{index}", block

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x))


class WideResNet(ResidualNetwork):
    """WRN-depth-width of Zagoruyko and Komodakis 2016, pre-activation, without dropout, depth = 6n + 4."""

    block, offset, default_width = PreActivationBlock, 4, None

    @staticmethod
    def stem_and_groups(width: int) -> tuple[int, tuple[int, int, int]]:
        """Return the widths of the stem and of the three groups."""
        return 16, (16 * width, 32 * width, 64 * width)

    def add_head_norm(self, channels: int) -> None:
        self.head_norm = nn.BatchNorm2d(channels)

    def features(self, x: Tensor) -> Tensor:
        x = self.group3(self.group2(self.group1(self.stem(x))))
        return F.relu(self.head_norm(x), inplace=True).mean((2, 3))


class ResNet(ResidualNetwork):
    """CIFAR ResNet of He et al. 2015 as in Liu et al. 2022: stages of W, 2W, 4W channels, depth = 6n + 2."""

    block, offset, default_width = PostActivationBlock, 2, 16
    reserved = (50, 152)  # fit 6n + 2, but everyone means ImageNet's networks by these names

    @staticmethod
    def stem_and_groups(width: int) -> tuple[int, tuple[int, int, int]]:
        """Return the widths of the stem and of the three groups."""
        return width, (width, 2 * width, 4 * width)

    def add_stem_norm(self, channels: int) -> None:
        self.stem_norm = nn.BatchNorm2d(channels)

    def features(self, x: Tensor) -> Tensor:
        x = F.relu(self.stem_norm(self.stem(x)), inplace=True)
        return self.group3(self.group2(self.group1(x))).mean((2, 3))


MODELS: dict[str, type[ResidualNetwork]] = {"wrn": WideResNet, "resnet": ResNet}
FORMS = (
    "wrn-<depth>-<width> with depth 6n+4, such as wrn-16-2",
    "resnet-<depth>[-<initial width>] with depth 6n+2, such as resnet-20 or resnet-20-8",
)


def parse(name: str) -> tuple[type[ResidualNetwork], int, int]:
    """Return the class, depth and width that a name stands for; raises StudyError with the rule it breaks."""
    match = re.fullmatch(r"([a-z]+)-([1-9]\d*)(?:-([1-9]\d*))?", name) if isinstance(name, str) else None
    family = MODELS.get(match[1]) if match else None
    if family is None or (match[3] is None and family.default_width is None):
        raise unknown("model", name, FORMS)
    depth, width = int(match[2]), int(match[3] or family.default_width)
    if depth in family.reserved:
        raise StudyError(f"model {name!r}: that name is ImageNet's network; choose one of {', '.join(FORMS)}")
    blocks, rest = divmod(depth - family.offset, 6)
    if rest or blocks < 1:
        near = max(6, 6 * ((depth - family.offset) // 6)) + family.offset
        raise StudyError(
            f"model {name!r}: depth must be 6n+{family.offset} with n from 1, so {depth} is not possible; "
            f"choose depth {near} or {near + 6}"
        )
    return family, depth, width


def canonical(name: str) -> str:
    """Return the one name of a network: "resnet-20" for "resnet-20-16"; raises StudyError as `parse` does."""
    family, depth, width = parse(name)
    return name.rsplit("-", 1)[0] if name.count("-") == 2 and width == family.default_width else name


def default_widths(name: str) -> Widths:
    """Return the widths of the network of that name; raises StudyError for a name that is none."""
    family, depth, width = parse(name)
    return family.default_widths(depth, width)


def build(name: str, classes: int, channels: int, size: int, widths: Widths | None = None) -> ResidualNetwork:
    """Return the network of that name, with PyTorch's own initialisation: call `initialize` for the study's.

    Args:
        name: wrn-<depth>-<width> or resnet-<depth>[-<initial width>].
        classes, channels: the number of outputs, and of colours of an image.
        size: height and width of an image, from 8.
        widths: explicit channels, for as many streams and blocks as the name has; the topology stays.

    Raises:
        StudyError: the name, the size or the widths are impossible.
    """
    family, depth, width = parse(name)
    if size < 8:
        raise StudyError(f"images of {size}x{size} are too small for {name}: the smallest are 8x8")
    return family(depth, width, classes, channels, widths)


def check_widths(widths: Widths, default: Widths) -> Widths:
    """Return `widths` if they fit a network whose own are `default`, else raise StudyError."""
    for kind in ("streams", "inner"):
        given, own = getattr(widths, kind), getattr(default, kind)
        if len(given) != len(own) or min(given) < 1:
            wanted = f"{len(own)} positive numbers, such as {own}"
            raise StudyError(f"widths.{kind} = {given}: this network needs {wanted}")
    return widths


def maskable(model: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the shape of every weight that a mask covers: convolutions and classifier, in order of depth.

    Keys are names of parameters ("group1.0.conv1.weight"). A block gives conv1, conv2, shortcut.
    """
    layers = ((n, m) for n, m in model.named_modules() if isinstance(m, nn.Conv2d | nn.Linear))
    return {f"{name}.weight": tuple(module.weight.shape) for name, module in layers}


def fan_in(shape: tuple[int, ...]) -> int:
    """Return the number of inputs of one output: n_in k_h k_w of a convolution, n_in of a linear layer."""
    return prod(shape[1:])


@torch.no_grad()
def initialize(model: nn.Module, seed: int, scales: Mapping[str, float] | None = None) -> nn.Module:
    """Draw the weights of a model in place and return it: W ~ N(0, 2/fan_in), biases 0, batch norms 1 and 0.

    Args:
        seed: each weight has its own stream, seeded by (seed, its name), whatever else is drawn.
        scales: for some weights by name, a factor on their standard deviation (Kaiming's unless given).

    Raises:
        StudyError: a scale names a weight that the model does not have.
    """
    shapes, scales = maskable(model), dict(scales or {})
    for name in scales.keys() - shapes.keys():
        raise unknown("weight", name, shapes)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.reset_parameters()  # scale, shift, running statistics and their count
        elif isinstance(module, nn.Linear) and module.bias is not None:
            module.bias.zero_()
    for name, shape in shapes.items():
        drawn = torch.randn(shape, generator=generator("init", seed, name))
        model.get_parameter(name).copy_(drawn * (sqrt(2 / fan_in(shape)) * scales.get(name, 1.0)))
    return model
