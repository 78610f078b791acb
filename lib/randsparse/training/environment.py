"""The machine that trains: what records say of it, and the memory that a training process frees and asks for again."""

from __future__ import annotations

import ctypes
import platform
import sys

import torch

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # of mallopt(3)
_KEPT = 2**30
_GROWTH = 2**26


def describe_environment(device: torch.device) -> dict[str, str | int]:
    """Return the versions and the kind of machine that a run was made with; nothing that names the machine."""
    accelerator = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return {
        "device": device.type,
        "hardware": accelerator,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }


def keep_freed() -> bool:
    """Let this process keep up to a GiB of what it frees; return whether the C library can do that (glibc can).

    A step frees its activations and the next one asks for as many. Without this the C library gives them back to the
    system each time, and the system fills every page with zeros again: a fifth of a step of small networks on images
    of 32x32. It changes no result. Training processes call it, which end soon after their last run.
    """
    change = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    options = {_MMAP_THRESHOLD: _KEPT, _TRIM_THRESHOLD: _KEPT, _TOP_PAD: _GROWTH}
    return change is not None and all([change(option, value) for option, value in options.items()])
