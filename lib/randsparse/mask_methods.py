"""What changes the mask of a run, by its method."""

from __future__ import annotations

from typing import TYPE_CHECKING

from randsparse.changing import ChangingMask
from randsparse.config import RunConfig
from randsparse.dynamic import METHODS, MaskUpdates
from randsparse.networks import Network
from randsparse.rewinding import Rewinding
from randsparse.soft_threshold import SoftThreshold
from randsparse.supermask import Supermask

if TYPE_CHECKING:
    from randsparse.training import Trainer

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
