"""How signals flow through a network: steps from nodes to nodes, from the input to the classes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from randsparse.errors import StudyError

if TYPE_CHECKING:
    from torch import nn


@dataclass(frozen=True)
class Attention:
    """What decides how much of the values each position gets: products of queries and keys, in so many heads.

    Attributes:
        queries, keys: names of nodes; as many channels each as the values, the first of them in the first head.
    """

    queries: str
    keys: str
    heads: int


@dataclass(frozen=True)
class Flow:
    """One step from nodes to nodes: through the weight of that name, or (None) unchanged, channel to channel.

    Source and target are "input", "classes", the name of an inner NodeGroup, or "<stream>@<version>": a
    stream has a new version after each block that adds to it, so that no path runs backwards.

    A step with `attention` passes values on, each channel to itself, in amounts that queries and keys decide.
    """

    weight_name: str | None
    source: str
    target: str
    attention: Attention | None = None


def chain(weights: Iterable[str]) -> tuple[Flow, ...]:
    """Return the steps through layers one after another, the first of which reads the input, the last the classes."""
    names = list(weights)
    nodes = ["input", *(f"after {name}" for name in names[:-1]), "classes"]
    return tuple(Flow(name, nodes[index], nodes[index + 1]) for index, name in enumerate(names))


def flows(model: nn.Module) -> tuple[Flow, ...]:
    """Return every step of the paths from "input" to "classes", each after all that lead to its source.

    Args:
        model: has a method `flows`, which says it, as all networks of `registry.build` do.

    Raises StudyError for another one: which of its layers read which cannot be guessed from the module.
    """
    if not callable(getattr(model, "flows", None)):
        raise StudyError(
            f"a {type(model).__name__} does not say how its signals flow: give it a method `flows` that returns the "
            "steps from input to classes, such as paths.chain([...]) for layers one after another"
        )
    return model.flows()
