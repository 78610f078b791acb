"""Checkpoints: one file a trajectory, so that a run goes on bit for bit from where it stopped."""

from __future__ import annotations

import io
import logging
from pathlib import Path
from typing import Any

import torch

from randsparse import files
from randsparse.runs import methods
from randsparse.runs.config import RunConfig

VERSION = 2
"""Version of what a checkpoint holds; one of another version is trained over."""

logger = logging.getLogger(__name__)


def path_of(config: RunConfig, folder: Path) -> Path:
    """Return the file of the config's trajectory: a candidate and its complete run share it."""
    return folder / f"{config.trajectory.key}.pt"


def save(state: dict[str, Any], config: RunConfig, folder: Path) -> None:
    """Write `state` (tensors and plain values) atomically: a reader finds the old file or the new one, whole.

    Raises StudyError if that is not possible.
    """
    folder.mkdir(parents=True, exist_ok=True)
    content = io.BytesIO()
    torch.save(state | {"version": VERSION}, content)
    files.write(path_of(config, folder), content.getvalue())


def load(config: RunConfig, folder: Path | None) -> dict[str, Any] | None:
    """Return the newest state of the config's trajectory, or None; an unreadable file is logged and trained over.

    Where the mask changes, a state beyond the config's last epoch is None, too: it has other densities.
    """
    if folder is None or not path_of(config, folder).exists():
        return None
    try:
        state = torch.load(path_of(config, folder), weights_only=True, map_location="cpu")
    except Exception as error:  # torch raises many kinds for a damaged file
        logger.warning("checkpoint %s is unreadable (%s): training starts anew", path_of(config, folder), error)
        return None
    if state.get("version") != VERSION or "steps" not in state.get("dynamics", {"steps": 0}):
        logger.warning("checkpoint %s is of another version: training starts anew", path_of(config, folder))
        return None
    beyond = config.method in methods.DYNAMIC and state["epoch"] > config.last_epoch
    return None if beyond else state


def remove(config: RunConfig, folder: Path | None) -> None:
    """Delete the checkpoint of a finished trajectory, if there is one."""
    if folder is not None:
        path_of(config, folder).unlink(missing_ok=True)
