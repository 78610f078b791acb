"""The methods that train a network under a mask, by name, and the one place where a run's method is made.

They need neither runs nor the study's training loop: `base` says how any loop uses them.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from randsparse.runs import methods as fields
from randsparse.runs.config import RunConfig
from randsparse.sparsity.masks import Mask
from randsparse.training.methods.base import Method, StaticMask
from randsparse.training.methods.dynamic import UPDATED
from randsparse.training.methods.edge_popup import EdgePopup
from randsparse.training.methods.iterative_magnitude import IterativeMagnitude
from randsparse.training.methods.soft_threshold import SoftThreshold

METHODS: dict[str, Callable[..., Method]] = {
    "static": StaticMask,
    "small-dense": StaticMask,
    **UPDATED,
    "str": SoftThreshold,
    "imp": IterativeMagnitude,
    "edge-popup": EdgePopup,
}


def make(
    config: RunConfig,
    model: nn.Module,
    mask: Mask | None,
    source: Mask | None,
    optimizer: torch.optim.Optimizer,
    steps_per_epoch: int,
) -> Method:
    """Return the method of a run, with the settings of its config: what trains `model` under its first mask.

    Args:
        source: what a mask that changes stays inside of; None for a mask that stays.
    """
    if source is None:
        return StaticMask(model, mask, optimizer)
    return METHODS[config.method](model, mask, optimizer, **_settings(config, source, steps_per_epoch))


def _settings(config: RunConfig, source: Mask, steps_per_epoch: int) -> dict[str, Any]:
    """Return the keyword arguments of a run's method: its fields of RunConfig, with epochs as steps."""
    method = config.method
    settings: dict[str, Any] = {"total_steps": config.epochs * steps_per_epoch}
    same = ("update_interval", "update_start", "update_end", "prune_rate", "prune_decay", "prune_scope",
            "threshold_init", "threshold_decay", "levels", "rewind")  # fmt: skip
    settings |= {name: getattr(config, name) for name in same if name in fields.READS[method]}
    if method in ("set", "rigl", "granet"):
        settings["source"] = source
    if method in ("set", "edge-popup"):
        settings["seed"] = config.mask_seed
    if method not in ("set", "rigl"):
        settings["density"] = config.density
    if method == "imp":
        settings["rewind_step"] = config.rewind_epoch * steps_per_epoch
    if method == "edge-popup":
        settings["start_density"] = round(1 - fields.start_sparsity(config), 12)
        settings["fine_tune_steps"] = config.fine_tune_epochs * steps_per_epoch
    return settings
