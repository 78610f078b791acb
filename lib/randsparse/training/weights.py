"""The weights at the end of runs, one safetensors file a run: `weights/<key>.safetensors`."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from randsparse.files import write
from randsparse.runs.config import RunConfig

if TYPE_CHECKING:
    from torch import Tensor

FOLDER = "weights"
"""Where they are, below the results."""

logger = logging.getLogger(__name__)


def find_path(config: RunConfig, root: str | Path) -> Path:
    """Return where the weights of `config` are, or would be, below the results folder `root`."""
    return Path(root) / FOLDER / f"{config.key}.safetensors"


def save(state: Mapping[str, Tensor], config: RunConfig, root: str | Path) -> Path:
    """Write parameters and buffers of a network, by name: a reader finds all of them or nothing; return the file.

    Raises StudyError if the folder cannot be written.
    """
    from safetensors.torch import save as packed

    path = find_path(config, root)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    # One entry: several come in an order that changes, and the same network shall give the same file.
    write(path, packed(tensors, {"key": f"{config.key} {_checksum(tensors)}"}), parents=True)
    return path


def has(config: RunConfig, root: str | Path) -> bool:
    """Return whether there are weights of `config`; a file that holds none, or others, is logged, and counts as none.

    The checksum in the file is compared with its tensors, so that damaged weights are never taken for a network's.
    """
    return load(config, root) is not None


def load(config: RunConfig, root: str | Path) -> dict[str, Tensor] | None:
    """Return the final parameters and buffers of `config`, on the CPU, or None where `has` says that there are none."""
    from safetensors import SafetensorError, safe_open

    path = find_path(config, root)
    if not path.exists():
        return None
    try:
        with safe_open(path, "pt") as file:
            made_of = file.metadata() or {}
            key, _, checksum = made_of.get("key", "").partition(" ")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is no mapping
    except (SafetensorError, OSError) as error:
        logger.warning("weights %s are unreadable (%s): they are made anew", path, error)
        return None
    if key != config.key:
        logger.warning("weights %s are those of run %s: they are made anew", path, key)
        return None
    if (checksum or made_of.get("sha256")) != _checksum(tensors):
        logger.warning("weights %s do not fit their checksum: they are made anew", path)
        return None
    return tensors


def _checksum(tensors: Mapping[str, Tensor]) -> str:
    """Return the SHA-256 of tensors: names, types, shapes and bytes."""
    import torch

    digest = hashlib.sha256()
    for name, tensor in sorted(tensors.items()):
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
