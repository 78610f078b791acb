"""How signals flow through a network: steps from nodes to nodes, from the input to the classes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
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


def beside_shortcuts(
    stem: str, stream: str, blocks: Iterable[tuple[str, Sequence[str], str | None]], classifier: str
) -> tuple[Flow, ...]:
    """Return the steps through residual blocks one after another, each of which adds to a stream.

    Args:
        stem, classifier: the weights that read the input, and give the classes.
        stream: the name of the stream that the stem writes.
        blocks: of each its name, such as "group1.0"; those of the nodes between its convolutions conv1, conv2, ...;
            and the layer of its shortcut, with which the stream of the block's group begins, or None.
    """
    source, version = f"{stream}@0", 0
    steps = [Flow(stem, "input", source)]
    for name, inner, shortcut in blocks:
        stream, version = (stream, version + 1) if shortcut is None else (name.partition(".")[0], 0)
        nodes = [source, *(f"{name}.{each}" for each in inner), f"{stream}@{version}"]
        steps += [Flow(f"{name}.conv{i + 1}.weight", *nodes[i : i + 2]) for i in range(len(inner) + 1)]
        steps.append(Flow(shortcut and f"{name}.{shortcut}.weight", source, nodes[-1]))
        source = nodes[-1]
    return (*steps, Flow(classifier, source, "classes"))


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
