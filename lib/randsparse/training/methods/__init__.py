"""What changes the mask of a run, by its method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from randsparse.runs.config import RunConfig
from randsparse.training.methods.base import ChangingMask
from randsparse.training.methods.dynamic import METHODS, MaskUpdates
from randsparse.training.methods.edge_popup import Supermask
from randsparse.training.methods.iterative_magnitude import Rewinding
from randsparse.training.methods.soft_threshold import SoftThreshold
from randsparse.training.network import Network

if TYPE_CHECKING:
    from randsparse.training.trainer import Trainer

CHANGING: dict[str, type[ChangingMask]] = {
    **dict.fromkeys(METHODS, MaskUpdates),
    "str": SoftThreshold,
    "imp": Rewinding,
    "edge-popup": Supermask,
}
"""All of methods.DYNAMIC."""


def changing_mask(config: RunConfig, network: Network, trainer: Trainer) -> ChangingMask | None:
    """Return what changes the mask of a run whose trainer has model, batches and optimiser; None where it stays."""
    return CHANGING[config.method](config, network, trainer) if config.method in CHANGING else None
