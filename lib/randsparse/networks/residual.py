"""The networks of the study, built from a name, or from explicit widths for a small dense twin."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import prod, sqrt

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from randsparse import extensions
from randsparse.errors import StudyError, unknown
from randsparse.networks import linear as linear_networks
from randsparse.networks.bottleneck import BOTTLENECKS
from randsparse.networks.perceptron import Perceptron
from randsparse.networks.registry import Block, Widths, blocks, check_images, parse
from randsparse.networks.transformer import Transformer
from randsparse.seeds import generator


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


class ResidualNetwork(nn.Module):
    """A stem, three groups of residual blocks (full, half, quarter resolution), mean pooling, a classifier.

    Subclasses say which block, depths and widths, and define `features`: what the classifier reads of images
    (N, channels, size, size), which is (N, last stream). Where the network of that name has a shortcut conv,
    so has one with other `widths`: a compacted network keeps the topology of its parent.
    """

    block: type[nn.Module]

    def __init__(self, name: str, classes: int, channels: int, widths: Widths | None = None) -> None:
        super().__init__()
        described = list(blocks(name, widths))
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
        for group in ("group1", "group2", "group3"):
            for index, block in enumerate(getattr(self, group)):
                yield f"{group}.{index}", block

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x))


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


NORMS = (nn.BatchNorm1d, nn.BatchNorm2d, nn.LayerNorm, nn.GroupNorm)
MODELS: dict[str, type[ResidualNetwork]] = {"wrn": WideResNet, "resnet": ResNet}


def build(name: str, classes: int, channels: int, size: int, widths: Widths | None = None) -> nn.Module:
    """Return the network of that name, with PyTorch's own initialisation: call `initialize` for the study's.

    Args:
        name: wrn-<depth>-<width> or resnet-<depth>[-<initial width>], both a ResidualNetwork; one of BOTTLENECKS; of
            `linear_networks.LINEAR`; or of `extensions.MODELS`.
        classes, channels: the number of outputs, and of colours of an image; for tables and texts see `sources.shape`.
        size: height and width of an image, from 8; of bottlenecks, from 32 and in three colours.
        widths: explicit channels, for as many streams and blocks as the name has; the topology stays.

    Raises:
        StudyError: the name, the size or the widths are impossible.
    """
    check_images(name, channels, size)
    if name in BOTTLENECKS and widths is None:
        import torchvision.models  # here, since it takes a second that only these networks need

        return getattr(torchvision.models, BOTTLENECKS[name].torchvision)(weights=None, num_classes=classes)
    if linear := linear_networks.parse(name):
        widths = linear_networks.widths_of(name, widths)
        if linear[0] == "mlp":
            return Perceptron(classes, channels * size**2, widths)
        return Transformer(classes, channels, size, widths)
    own = extensions.model(name)
    if own and widths is None:
        return own.build(classes, channels, size)
    family, _, _ = parse(name)
    return MODELS[family](name, classes, channels, widths)


def maskable(model: nn.Module) -> dict[str, tuple[int, ...]]:
    """Return the shape of every weight that a mask covers: convolutions and linear layers, in order of depth.

    Keys are names of parameters ("group1.0.conv1.weight"). A block gives conv1, conv2, shortcut.
    """
    layers = ((n, m) for n, m in model.named_modules() if isinstance(m, nn.Conv2d | nn.Linear))
    return {f"{name}.weight": tuple(module.weight.shape) for name, module in layers}


def fan_in(shape: tuple[int, ...]) -> int:
    """Return the number of inputs of one output: n_in k_h k_w of a convolution, n_in of a linear layer."""
    return prod(shape[1:])


@torch.no_grad()
def initialize(
    model: nn.Module, seed: int, scales: Mapping[str, float] | None = None, signed_constant: bool = False
) -> nn.Module:
    """Draw the weights of a model in place and return it: W ~ N(0, 2/fan_in), biases 0, norms 1 and 0.

    Embeddings, of which a sample reads one row, are drawn from N(0, 1/width): their vectors have a length of about 1.

    Args:
        seed: each weight has its own stream, seeded by (seed, its name), whatever else is drawn.
        scales: for some weights by name, a factor on their standard deviation (Kaiming's unless given).
        signed_constant: whether each weight is the standard deviation with its sign (Ramanujan et al. 2020, section 4).

    Raises:
        StudyError: a scale names a weight that the model does not have, or it has parameters of another kind.
    """
    shapes, scales = maskable(model), dict(scales or {})
    for name in scales.keys() - shapes.keys():
        raise unknown("weight", name, shapes)
    for path, module in model.named_modules():
        if isinstance(module, NORMS):
            module.reset_parameters()  # scale, shift, running statistics and their count
        elif isinstance(module, nn.Embedding):
            drawn = torch.randn(module.weight.shape, generator=generator("init", seed, f"{path}.weight"))
            module.weight.copy_(drawn * module.embedding_dim**-0.5)
        elif isinstance(module, nn.Conv2d | nn.Linear):
            if module.bias is not None:
                module.bias.zero_()
        elif own := [f"{path}.{name}".lstrip(".") for name, _ in module.named_parameters(recurse=False)]:
            raise StudyError(f"parameter {own[0]} is of a {type(module).__name__}, which is not initialised here: use "
                             "2-d convolutions, linear layers, embeddings and norms of torch.nn")  # fmt: skip
    for name, shape in shapes.items():
        drawn = torch.randn(shape, generator=generator("init", seed, name))
        drawn = drawn.sign() if signed_constant else drawn
        model.get_parameter(name).copy_(drawn * (sqrt(2 / fan_in(shape)) * scales.get(name, 1.0)))
    return model
