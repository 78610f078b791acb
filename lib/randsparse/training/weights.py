"""The weights at the end of runs, one safetensors file a run: `weights/<key>.safetensors`."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from randsparse.errors import StudyError
from randsparse.files import write
from randsparse.runs.config import RunConfig

if TYPE_CHECKING:
    from torch import Tensor

logger = logging.getLogger(__name__)


def path_of(config: RunConfig, root: str | Path) -> Path:
    """Return where the weights of `config` are, or would be, below the results folder `root`."""
    return Path(root) / "weights" / f"{config.key}.safetensors"


def save(state: Mapping[str, Tensor], config: RunConfig, root: str | Path) -> Path:
    """Write parameters and buffers of a network, by name: a reader finds all of them or nothing; return the file.

    Raises StudyError if the folder cannot be written.
    """
    from safetensors.torch import save as packed

    path = path_of(config, root)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StudyError(f"cannot write {path}: {error.strerror}; make its folder writable or use another") from error
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    write(path, packed(tensors, {"key": config.key}))
    return path


def has(config: RunConfig, root: str | Path) -> bool:
    """Return whether there are weights of `config`; a file that holds none is logged, and counts as none."""
    from safetensors import SafetensorError, safe_open

    path = path_of(config, root)
    try:
        with safe_open(path, "np") as file:
            key = (file.metadata() or {}).get("key")
    except FileNotFoundError:
        return False
    except (SafetensorError, OSError) as error:
        logger.warning("weights %s are unreadable (%s): they are made anew", path, error)
        return False
    if key != config.key:
        logger.warning("weights %s are those of run %s: they are made anew", path, key)
    return key == config.key


def load(config: RunConfig, root: str | Path) -> dict[str, Tensor] | None:
    """Return the final parameters and buffers of `config`, on the CPU, or None where `has` says that there are none."""
    from safetensors.torch import load_file

    return load_file(path_of(config, root)) if has(config, root) else None
