"""What the environment says to notebooks and commands: where results and datasets are, and where runs are trained.

And the files of results that notebooks make."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from randsparse.data import place
from randsparse.errors import StudyError, unknown

DEVICES = ("cpu", "cuda")


def find_results_folder(root: Path) -> Path:
    """Return where results are: RANDSPARSE_RESULTS (a relative one is below `root`), or the study's results/."""
    return (root / (os.environ.get("RANDSPARSE_RESULTS") or "results")).resolve()


def find_data_folder(root: Path) -> Path:
    """Return where datasets are or go: DATA_DIR (a relative one is below `root`), or the study's data/."""
    return place.data_folder(root=root).resolve()


def python_path(root: Path) -> str:
    """Return PYTHONPATH for a process of the study: its own library first, then what the environment names."""
    folders = [str(root / "lib"), *os.environ.get("PYTHONPATH", "").split(os.pathsep)]
    return os.pathsep.join(dict.fromkeys(filter(None, folders)))


def read_worker_count() -> int | None:
    """Return how many runs train side by side: RANDSPARSE_WORKERS, or None for one for each core."""
    count = os.environ.get("RANDSPARSE_WORKERS") or None
    if count is not None and not re.fullmatch("[1-9][0-9]{0,3}", count):
        raise StudyError(f"workers {count!r:.40}: give a whole number from 1 to 9999")
    return int(count) if count else None


def read_device() -> str | None:
    """Return what runs are trained on: RANDSPARSE_DEVICE, or None where nothing is said."""
    named = os.environ.get("RANDSPARSE_DEVICE") or None
    if named is not None and named not in DEVICES:
        raise unknown("device", named, DEVICES)
    return named


def read_cluster() -> str | None:
    """Return the address of the Dask scheduler whose workers train: RANDSPARSE_CLUSTER, or None without one."""
    address = os.environ.get("RANDSPARSE_CLUSTER") or None
    if address is not None and not re.fullmatch(r"([a-z]+://)?[^/]+:[0-9]+", address):
        raise StudyError(f"cluster {address!r:.80}: give the address of a Dask scheduler, such as tcp://host:8786")
    return address


def list_outputs(name: str, folder: Path) -> list[Path]:
    """Return what a notebook has left in a profile's folder: its executed copy, figures and tables."""
    copy = folder / "notebooks" / f"{name}.ipynb"
    made = [path for kind in ("figures", "tables") for path in (folder / kind).glob(f"{name}_*")]
    return [copy, *sorted(made)] if copy.is_file() else sorted(made)


@contextmanager
def make_folder(folder: Path) -> Iterator[None]:
    """Make a folder to write to; a failure to write there is one line that names it."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except OSError as error:
        raise StudyError(
            f"cannot write to {folder}: {error.strerror or error}; make it writable, or name another folder "
            "for results (make RESULTS=..., or the environment's RANDSPARSE_RESULTS)"
        ) from None
