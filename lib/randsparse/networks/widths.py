"""How wide the networks are that keep a share of the nodes, or of the weights, of a named one."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable
from functools import cache
from math import ceil, prod

from randsparse.errors import StudyError
from randsparse.networks.architecture import Widths
from randsparse.networks.registry import default_widths, shapes


def node_widths(name: str, density: float) -> Widths:
    """Return the widths of the network `name` with the share `density` of the nodes of every group.

    Raises StudyError as `draw_nodes` does.
    """
    return _widths(default_widths(name), lambda size: kept_nodes(size, density))


@cache
def small_dense_widths(name: str, classes: int, channels: int, density: float, size: int = 8) -> Widths:
    """Return the widths of the narrower dense network that has nearest to `density` of the weights of `name`.

    All groups keep one common share f of their nodes, max(1, round(f · nodes)); `size`, of an image, matters to
    perceptrons only. Raises StudyError for a density above 1, or so low that a network of one node a group has more
    weights.
    """
    own = default_widths(name)
    sizes = {*own.streams, *own.inner}
    # Widths change only where f · size passes a half for some size: one f between two such places will do.
    places = sorted({(k + 0.5) / size for size in sizes for k in range(1, size)})
    shares = [(a + b) / 2 for a, b in zip([0.0, *places], [*places, 1.0], strict=True)]

    @cache
    def weights(share: float) -> int:
        widths = _widths(own, lambda size: max(1, round(share * size)))
        return sum(map(prod, shapes(name, classes, channels, size, widths).values()))

    all_weights = weights(shares[-1])
    wanted = density * all_weights
    if not weights(shares[0]) <= wanted <= all_weights:
        raise StudyError(
            f"a narrower dense {name} cannot have {density:g} of its weights: "
            f"choose a density from {ceil(weights(shares[0]) / all_weights * 1e6) / 1e6:g} to 1"
        )
    above = bisect_left(shares, wanted, key=weights)
    near = min(shares[max(0, above - 1) : above + 1], key=lambda share: abs(weights(share) - wanted))
    return _widths(own, lambda size: max(1, round(near * size)))


def _widths(own: Widths, kept: Callable[[int], int]) -> Widths:
    return Widths(tuple(map(kept, own.streams)), tuple(map(kept, own.inner)))


def kept_nodes(size: int, density: float) -> int:
    """Return round(density · size); raises StudyError if that is no node, or more than there are."""
    if not 0 < density <= 1 or not round(density * size):
        least = ceil(0.5 / size * 1e6 + 0.5) / 1e6  # half a node rounds down
        raise StudyError(
            f"cannot keep {density:g} of the nodes of a group of {size}: choose a density from {least:g} to 1"
        )
    return round(density * size)
