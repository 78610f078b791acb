"""What a network's name says: its family, depth and width, and so the shape of every layer, by arithmetic alone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from math import ceil

from randsparse import extensions
from randsparse.errors import StudyError, unknown
from randsparse.networks import bottleneck
from randsparse.networks import linear as linear_networks
from randsparse.networks.architecture import Layers, Widths, check_widths
from randsparse.networks.bottleneck import BOTTLENECKS
from randsparse.networks.linear import LINEAR

Shapes = dict[str, tuple[int, ...]]
"""Shapes of weights by parameter name, such as "group1.0.conv1.weight"."""


@dataclass(frozen=True)
class Family:
    """Networks of three groups of blocks, whose names tell depth and width.

    Attributes:
        offset: depth = 6n + offset, with n blocks a group.
        default_width: the width that a name may leave out, None if it may not.
        stem, groups: their channels; `groups` at width 1, `stem` at any width unless it is None, and then as group 1.
        reserved: depths that name other networks.
    """

    form: str
    offset: int
    default_width: int | None
    stem: int | None
    groups: tuple[int, int, int]
    reserved: tuple[int, ...] = ()

    def widths(self, depth: int, width: int) -> Widths:
        """Return the widths that the paper of this family gives the network of that depth and width."""
        groups = tuple(width * channels for channels in self.groups)
        streams = groups if self.stem in (None, groups[0]) else (self.stem, *groups)
        return Widths(streams, tuple(channels for channels in groups for _ in range((depth - self.offset) // 6)))


FAMILIES = {
    "wrn": Family("wrn-<depth>-<width> with depth 6n+4, such as wrn-16-2", 4, None, 16, (16, 32, 64)),
    "resnet": Family(
        "resnet-<depth>[-<initial width>] with depth 6n+2, such as resnet-20 or resnet-20-8",
        2, 16, None, (1, 2, 4), (50, 152),  # fit 6n + 2, but everyone means networks for ImageNet by these names
    ),
}  # fmt: skip
"""Wide ResNets of Zagoruyko & Komodakis 2016, and CIFAR ResNets of He et al. 2015 as in Liu et al. 2022."""
FORMS = tuple(family.form for family in FAMILIES.values())


def parse(name: str) -> tuple[str, int, int]:
    """Return the family, depth and width of a network of FAMILIES; raises StudyError with the rule that a name breaks.

    Others have no groups of residual blocks, which node masks, explicit widths and some engines need.
    """
    match = re.fullmatch(r"([a-z]+)-([1-9]\d*)(?:-([1-9]\d*))?", name) if isinstance(name, str) else None
    family = FAMILIES.get(match[1]) if match else None
    if family is None or (match[3] is None and family.default_width is None):
        if linear_networks.parse(name) or extensions.model(name):
            raise StudyError(f"{name} has no groups of convolutions: choose structure 'weight', engine 'masked' and "
                             f"method 'static', or one of {', '.join(FORMS)}")  # fmt: skip
        raise unknown("model", name, _takers())
    depth, width = int(match[2]), int(match[3] or family.default_width)
    if name in BOTTLENECKS:
        raise StudyError(f"{name} has bottleneck blocks, for which there are no node masks, small dense controls, "
                         "explicit widths and engines but 'masked': choose structure 'weight' and method 'static', "
                         f"or one of {', '.join(FORMS)}")  # fmt: skip
    if depth in family.reserved:
        others = ", ".join((*BOTTLENECKS, *FORMS))
        raise StudyError(f"model {name!r}: that name is of a network for ImageNet; choose one of {others}")
    blocks, rest = divmod(depth - family.offset, 6)
    if rest or blocks < 1:
        near = max(6, 6 * ((depth - family.offset) // 6)) + family.offset
        raise StudyError(
            f"model {name!r}: depth must be 6n+{family.offset} with n from 1, so {depth} is not possible; "
            f"choose depth {near} or {near + 6}"
        )
    return match[1], depth, width


def canonical(name: str) -> str:
    """Return the one name of a network: "resnet-20" for "resnet-20-16"; raises StudyError as `parse` does."""
    if linear_networks.parse(name):
        linear_networks.widths_of(name)
        return name
    if name in BOTTLENECKS or extensions.model(name):
        return name
    family, _, width = parse(name)
    shorter = name.count("-") == 2 and width == FAMILIES[family].default_width
    return name.rsplit("-", 1)[0] if shorter else name


def default_widths(name: str) -> Widths:
    """Return the widths of the network of that name; raises StudyError for a name that is none."""
    if linear_networks.parse(name):
        return linear_networks.widths_of(name)
    family, depth, width = parse(name)
    return FAMILIES[family].widths(depth, width)


def is_convolutional(name: str) -> bool:
    """Return whether a network is one of FAMILIES or BOTTLENECKS."""
    return not (linear_networks.parse(name) or extensions.model(name))


def check_kind(name: str, dataset: str, kind: str) -> None:
    """Raise StudyError for a network that does not take the kind of data (`sources.kind`) of a dataset."""
    special = linear_networks.family_of(name) or extensions.model(name)
    if kind not in (special.takes if special else ("images",)):
        fitting = ", ".join(form for form, takes in _takers().items() if kind in takes)
        what = {"images": "images", "table": "a table", "text": "text"}[kind]
        raise StudyError(f"{name} is not for {dataset}, which is {what}: choose one of {fitting}")


def _takers() -> dict[str, tuple[str, ...]]:
    """Return the kinds of data that networks take, by the forms of their names."""
    linear = {family.form: family.takes for family in LINEAR.values()}
    own = {name: each.takes for name, each in extensions.MODELS.items()}
    return dict.fromkeys((*FORMS, *BOTTLENECKS), ("images",)) | linear | own


def input_shape(name: str, channels: int, size: int) -> tuple[int, ...]:
    """Return the shape of a sample of those that a network takes: an image, a row of a table or the words of a text."""
    special = linear_networks.family_of(name) or extensions.model(name)
    takes = special.takes if special else ("images",)
    if "text" in takes:
        return (size,)
    return (channels,) if "table" in takes and size == 1 else (channels, size, size)


def check_images(name: str, channels: int, size: int) -> None:
    """Raise StudyError for images that are too small for a network, or have other colours than it takes."""
    if name in BOTTLENECKS:
        bottleneck.check_images(name, channels, size)
    elif is_convolutional(name) and size < 8:
        raise StudyError(f"images of {size}x{size} are too small for {name}: the smallest are 8x8")


@dataclass(frozen=True)
class Block:
    """One residual block: its name, channels, stride, and whether its shortcut is a convolution."""

    name: str
    inputs: int
    inner: int
    outputs: int
    stride: int
    project: bool


def blocks(name: str, widths: Widths | None = None) -> Iterator[Block]:
    """Yield the blocks of a network in order of depth; where its own widths need a shortcut conv, others have it too.

    Raises StudyError for a name that is none, and widths that do not fit it.
    """
    family, depth, width = parse(name)
    default = FAMILIES[family].widths(depth, width)
    widths = check_widths(widths, default) if widths else default
    streams, inner = iter(widths.streams), iter(widths.inner)
    current = next(streams)
    for group in (1, 2, 3):
        for index in range((depth - FAMILIES[family].offset) // 6):
            project = index == 0 and (group > 1 or len(default.streams) == 4)
            outputs = next(streams) if project else current
            stride = 2 if index == 0 and group > 1 else 1
            yield Block(f"group{group}.{index}", current, next(inner), outputs, stride, project)
            current = outputs


@lru_cache(maxsize=4096)
def layers(name: str, classes: int, channels: int, size: int, widths: Widths | None = None) -> Layers:
    """Return every layer that a mask covers, in order of depth; the result is shared, so never change it.

    Args:
        name, classes, channels, size, widths: as `models.build` takes them.
    """
    if name in BOTTLENECKS and widths is None:
        return bottleneck.layers(name, classes, size)
    if family := linear_networks.family_of(name):
        return family.layers(classes, channels, size, linear_networks.widths_of(name, widths))
    if extensions.model(name) and widths is None:
        return extensions.layers(name, classes, channels, size, input_shape(name, channels, size))
    described = list(blocks(name, widths))
    found: dict[str, tuple[tuple[int, ...], int]] = {"stem": ((described[0].inputs, channels, 3, 3), size**2)}
    for block in described:
        size = ceil(size / block.stride)
        found[f"{block.name}.conv1"] = ((block.inner, block.inputs, 3, 3), size**2)
        found[f"{block.name}.conv2"] = ((block.outputs, block.inner, 3, 3), size**2)
        if block.project:
            found[f"{block.name}.shortcut"] = ((block.outputs, block.inputs, 1, 1), size**2)
    found["classifier"] = ((classes, described[-1].outputs), 1)
    return found


def shapes(name: str, classes: int, channels: int, size: int, widths: Widths | None = None) -> Shapes:
    """Return what `models.maskable` says of the network that `models.build` gives for the same arguments."""
    return {f"{layer}.weight": shape for layer, (shape, _) in layers(name, classes, channels, size, widths).items()}


def products(name: str, size: int, widths: Widths | None = None) -> dict[str, float]:
    """Return the forward FLOPs of products that no weight takes part in, by name: those of attention."""
    family = linear_networks.family_of(name)
    return family.products(size, linear_networks.widths_of(name, widths)) if family else {}
