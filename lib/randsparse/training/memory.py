"""The memory that a training process frees and asks for again, thousands of times a second."""

from __future__ import annotations

import ctypes
import sys

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # of mallopt(3)
_KEPT = 2**30
_GROWTH = 2**26


def keep_freed() -> bool:
    """Let this process keep up to a GiB of what it frees; return whether the C library can do that (glibc can).

    A step frees its activations and the next one asks for as many. Without this the C library gives them back to the
    system each time, and the system fills every page with zeros again: a fifth of a step of small networks on images
    of 32x32. It changes no result. Training processes call it, which end soon after their last run.
    """
    change = getattr(ctypes.CDLL(None), "mallopt", None) if sys.platform == "linux" else None
    options = {_MMAP_THRESHOLD: _KEPT, _TRIM_THRESHOLD: _KEPT, _TOP_PAD: _GROWTH}
    return change is not None and all([change(option, value) for option, value in options.items()])
