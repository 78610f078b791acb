"""What an architecture is: the kinds of data that it reads, its layers by arithmetic alone, and how to build it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from randsparse.errors import StudyError

if TYPE_CHECKING:
    from torch import nn

Layers = dict[str, tuple[tuple[int, ...], int]]
"""Shape of its weight, and number of output positions, of each layer by name."""
Shapes = dict[str, tuple[int, ...]]
"""Shapes of weights by parameter name, such as "group1.0.conv1.weight"."""


@dataclass(frozen=True)
class Widths:
    """The number of channels of every residual stream and inside every block, both in order of depth."""

    streams: tuple[int, ...]
    inner: tuple[int, ...]


def check_widths(widths: Widths, default: Widths) -> Widths:
    """Return `widths` if they fit a network whose own are `default`, else raise StudyError."""
    for kind in ("streams", "inner"):
        given, own = getattr(widths, kind), getattr(default, kind)
        if len(given) != len(own) or min(given, default=1) < 1:
            wanted = f"{len(own)} positive numbers, such as {own}"
            raise StudyError(f"widths.{kind} = {given}: this network needs {wanted}")
    return widths


@dataclass(frozen=True)
class NodeGroup:
    """Nodes (channels) that are removed wherever they appear: a residual stream, or the inside of a block.

    Node i is output i of every writer, channel i of every norm, input i of every reader (names of modules).
    With row i of the writers and scale and shift i of the norms at zero, the node outputs exactly zero.
    """

    name: str
    size: int
    writers: tuple[str, ...]
    norms: tuple[str, ...]
    readers: tuple[str, ...]


@dataclass(frozen=True)
class Architecture:
    """A network that a name stands for; `registry.architecture` finds it by that name.

    A network of one's own is `Architecture(build, takes)`. The other fields describe what only some networks have.

    Args:
        build: returns a module from (classes, channels, size), as `catalogue.shape` has them; where `widths` is given,
            from (classes, channels, size, widths). The module has a method `flows`, which says how its signals flow
            (`paths.flows`). All its parameters belong to convolutions, linear layers, embeddings and norms, which
            `initialization.initialize` can draw.
        takes: the kinds of data that it can read, as `catalogue.kind` names them: (N, channels, size, size) of
            "images", (N, features) of a "table"; of "text" tokens (N, length), as whole numbers of a float dtype.
        layers: returns all layers that a mask covers, in order of depth, from the arguments of `build` and without the
            module. None: `registry.layers` finds them by passing one sample through the module.
        widths: the widths of the network of that name; None: it has no narrower versions.
        products: returns the forward FLOPs of products that no weight takes part in, by name, from (size, widths).
        convolutional: whether the memory format matters, and engines other than "masked" and node masks may fit.
        made_of: of what a network without `widths` is made, in the error that says so.
        smallest: height and width of the smallest image.
        colours: the only number of colours that images may have; None: any.
        name: the one name of the network, which `registry.architecture` fills in.
    """

    build: Callable[..., nn.Module]
    takes: tuple[str, ...] = ("images",)
    layers: Callable[..., Layers] | None = None
    widths: Widths | None = None
    products: Callable[[int, Widths], dict[str, float]] | None = None
    convolutional: bool = False
    made_of: str = "no groups of convolutions"
    smallest: int = 1
    colours: int | None = None
    name: str = ""

    def sample_shape(self, channels: int, size: int) -> tuple[int, ...]:
        """Return the shape of one sample: of an image, of a row of a table, or of the words of a text."""
        if "text" in self.takes:
            return (size,)
        return (channels,) if "table" in self.takes and size == 1 else (channels, size, size)

    def check_images(self, channels: int, size: int) -> None:
        """Raise StudyError for images that are too small, or have another number of colours than the network takes."""
        if size < self.smallest:
            least = f"{self.smallest}x{self.smallest}"
            raise StudyError(f"images of {size}x{size} are too small for {self.name}: the smallest are {least}")
        if self.colours not in (None, channels):
            raise StudyError(f"{self.name} takes images of {self.colours} colours, not of {channels}")


@dataclass(frozen=True)
class Family:
    """Networks whose names tell their depth and their width, such as wrn-16-2.

    Attributes:
        form: the form of their names, with an example.
        network: what all of them have in common.
        widths: returns the widths of the network of a depth and a width; raises StudyError where there is none.
        default_width: the width that a name may leave out; None: it may not.
        reserved: depths that name other networks.
    """

    form: str
    network: Architecture
    widths: Callable[[int, int], Widths]
    default_width: int | None = None
    reserved: tuple[int, ...] = ()
