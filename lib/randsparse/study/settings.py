"""What the environment says to notebooks and commands: where results and datasets are, and where runs are trained."""

from __future__ import annotations

import os
import re
from pathlib import Path

from randsparse.data import place
from randsparse.errors import StudyError, unknown

DEVICES = ("cpu", "cuda")


def results_folder(root: Path) -> Path:
    """Return where results are: RANDSPARSE_RESULTS (a relative one is below `root`), or the study's results/."""
    return (root / (os.environ.get("RANDSPARSE_RESULTS") or "results")).resolve()


def data_folder(root: Path) -> Path:
    """Return where datasets are or go: DATA_DIR (a relative one is below `root`), or the study's data/."""
    return place.data_folder(root=root).resolve()


def worker_count() -> int | None:
    """Return how many runs train side by side: RANDSPARSE_WORKERS, or None for one for each core."""
    count = os.environ.get("RANDSPARSE_WORKERS") or None
    if count is not None and not re.fullmatch("[1-9][0-9]{0,3}", count):
        raise StudyError(f"workers {count!r:.40}: give a whole number from 1 to 9999")
    return int(count) if count else None


def device() -> str | None:
    """Return what runs are trained on: RANDSPARSE_DEVICE, or None where nothing is said."""
    named = os.environ.get("RANDSPARSE_DEVICE") or None
    if named is not None and named not in DEVICES:
        raise unknown("device", named, DEVICES)
    return named


def cluster() -> str | None:
    """Return the address of the Dask scheduler whose workers train: RANDSPARSE_CLUSTER, or None without one."""
    return os.environ.get("RANDSPARSE_CLUSTER") or None
