"""What architectures are described by: widths that can change, and layers with their shapes and positions."""

from __future__ import annotations

from dataclasses import dataclass

from randsparse.errors import StudyError

Layers = dict[str, tuple[tuple[int, ...], int]]
"""Shape of its weight, and number of output positions, of each layer by name."""


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
