"""Models and datasets of one's own: modules that the environment names, imported before a name counts as unknown.

A module adds to MODELS, `tables.TABLES`, `texts.TEXTS` or `sources.DATASETS`. All processes of a sweep have the same
environment, so that workers know the same names.
"""

from __future__ import annotations

import importlib
import math
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from randsparse.errors import StudyError
from randsparse.networks.architecture import Layers

if TYPE_CHECKING:
    from torch import nn

VARIABLE = "RANDSPARSE_MODULES"
"""Names of modules, separated by commas; Python has to find them (PYTHONPATH)."""


@dataclass(frozen=True)
class Model:
    """A network of one's own.

    Args:
        build: from (classes, channels, size), as `sources.shape` has them, a module with a method `flows`, which says
            how its signals flow (`structure.flows`). All its parameters belong to convolutions, linear layers,
            embeddings and norms, which `models.initialize` can draw.
        takes: the kinds of data that it can read, as `sources.kind` names them: (N, channels, size, size) of
            "images", (N, features) of a "table"; of "text" tokens (N, length), as whole numbers of a float dtype.
    """

    build: Callable[[int, int, int], nn.Module]
    takes: tuple[str, ...] = ("images",)


MODELS: dict[str, Model] = {}
"""By name; another network needs another name, by which records are found again."""


def model(name: str) -> Model | None:
    """Return the network of that name of MODELS, or None."""
    if name not in MODELS:
        load()
    return MODELS.get(name)


def load() -> None:
    """Import the modules that VARIABLE names; raises StudyError for one that cannot be imported."""
    for name in filter(None, (each.strip() for each in os.environ.get(VARIABLE, "").split(","))):
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise StudyError(f"{VARIABLE}: cannot import {name!r} ({error}): correct it, or PYTHONPATH") from error


def layers(name: str, classes: int, channels: int, size: int, sample: tuple[int, ...]) -> Layers:
    """Return what `architectures.layers` says of a network of MODELS, by a pass of one sample without numbers."""
    import torch

    from randsparse.networks.residual import maskable

    found: Layers = {}

    def note(layer: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: object, output: torch.Tensor) -> None:
            positions = output.shape[2:] if module.weight.dim() > 2 else output.shape[1:-1]
            found[layer] = (tuple(module.weight.shape), math.prod(positions))

        return hook

    with torch.device("meta"), torch.no_grad():
        network = MODELS[name].build(classes, channels, size).eval()
        names = [weight.removesuffix(".weight") for weight in maskable(network)]
        for layer in names:
            network.get_submodule(layer).register_forward_hook(note(layer))
        network(torch.zeros(1, *sample))
    return {layer: found[layer] for layer in names}
