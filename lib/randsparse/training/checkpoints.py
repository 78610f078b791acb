"""Checkpoints: one file a trajectory, so that a run goes on bit for bit from where it stopped."""

from __future__ import annotations

import hashlib
import io
import logging
from pathlib import Path
from typing import Any

import torch

from randsparse import files
from randsparse.runs import methods
from randsparse.runs.config import RunConfig

VERSION = 3
"""Version of what a checkpoint holds; one of another version is trained over."""
CHECKSUM = 32
"""Bytes of the SHA-256 with which a file begins, of all that follows."""

logger = logging.getLogger(__name__)


def find_path(config: RunConfig, folder: Path) -> Path:
    """Return the file of the config's trajectory: a candidate and its complete run share it."""
    return folder / f"{config.trajectory.key}.pt"


def save(state: dict[str, Any], config: RunConfig, folder: Path) -> None:
    """Write `state` (tensors and plain values) atomically: a reader finds the old file or the new one, whole.

    Raises StudyError if that is not possible.
    """
    content = io.BytesIO()
    torch.save(state | {"version": VERSION, "key": config.trajectory.key}, content)
    files.write(
        find_path(config, folder), hashlib.sha256(content.getvalue()).digest() + content.getvalue(), parents=True
    )


def load(config: RunConfig, folder: Path | None) -> dict[str, Any] | None:
    """Return the newest state of the config's trajectory, or None; a file that holds none is logged and trained over.

    Such a file is damaged (its checksum does not fit), of another version or of another run. Where the mask changes, a
    state beyond the config's last epoch is None, too: it has other densities.
    """
    if folder is None or not find_path(config, folder).exists():
        return None
    try:
        content = find_path(config, folder).read_bytes()
        checksum, content = content[:CHECKSUM], content[CHECKSUM:]
        if hashlib.sha256(content).digest() != checksum:
            raise ValueError("its checksum does not fit")
        state = torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")
        ours = (state["version"], state["key"]) == (VERSION, config.trajectory.key)
        if not ours or "steps" not in state.get("dynamics", {"steps": 0}):
            raise ValueError("it is of another version, or of another run")
        if not 0 < state["epoch"] <= config.epochs:
            raise ValueError(f"its epoch is {state['epoch']}")
    except Exception as error:  # torch raises many kinds for a damaged file
        logger.warning("checkpoint %s is not used (%s): training starts anew", find_path(config, folder), error)
        return None
    beyond = config.method in methods.DYNAMIC and state["epoch"] > config.last_epoch
    return None if beyond else state


def remove(config: RunConfig, folder: Path | None) -> None:
    """Delete the checkpoint of a finished trajectory, if there is one."""
    if folder is not None:
        find_path(config, folder).unlink(missing_ok=True)
