"""The methods that train a network under a mask, by name, and the one place where a run's method is made.

They need neither runs nor the study's training loop: `base` says how any loop uses them.
"""

from __future__ import annotations

import inspect
from functools import cache
from typing import Any

import torch
from torch import nn

from randsparse.runs import methods as fields
from randsparse.runs.config import RunConfig
from randsparse.sparsity.masks import Mask
from randsparse.training.methods.base import StaticMask
from randsparse.training.methods.dynamic import UPDATED
from randsparse.training.methods.edge_popup import EdgePopup
from randsparse.training.methods.iterative_magnitude import IterativeMagnitude
from randsparse.training.methods.soft_threshold import SoftThreshold

METHODS: dict[str, type[StaticMask]] = {
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
) -> StaticMask:
    """Return the method of a run, with the settings of its config: what trains `model` under its first mask.

    Args:
        source: what a mask that changes stays inside of; None for a mask that stays.
    """
    if source is None:
        return StaticMask(model, mask, optimizer)
    return METHODS[config.method](model, mask, optimizer, **_settings(config, source, steps_per_epoch))


def _settings(config: RunConfig, source: Mask, steps_per_epoch: int) -> dict[str, Any]:
    """Return the keyword arguments that a run's method takes: its fields of RunConfig, with epochs as steps."""
    settings = {
        "source": source,
        "seed": config.mask_seed,
        "density": config.density,
        "start_density": round(1 - fields.start_sparsity(config), 12),
        "total_steps": config.epochs * steps_per_epoch,
        "rewind_step": config.rewind_epoch * steps_per_epoch,
        "fine_tune_steps": config.fine_tune_epochs * steps_per_epoch,
    }
    settings |= {name: getattr(config, name) for name in fields.FIELDS}
    taken = _keywords(METHODS[config.method])
    return {name: value for name, value in settings.items() if name in taken}


@cache
def _keywords(method: type) -> frozenset[str]:
    """Return the keyword arguments of a class of METHODS, those that it hands on to its bases among them."""
    inits = [base.__init__ for base in method.__mro__ if "__init__" in vars(base) and base is not object]
    parameters = [each for init in inits for each in inspect.signature(init).parameters.values()]
    return frozenset(each.name for each in parameters if each.kind is inspect.Parameter.KEYWORD_ONLY)
