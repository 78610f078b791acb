"""Where datasets are on this machine: the one place that reads DATA_DIR."""

from __future__ import annotations

import os
from pathlib import Path


def data_folder(data_dir: str | Path | None = None, root: Path | None = None) -> Path:
    """Return the folder of datasets: `data_dir`, else the environment's DATA_DIR, else "data", absolute.

    Args:
        root: the folder below which a relative one is; None is the working directory.
    """
    return ((root or Path()) / (data_dir or os.environ.get("DATA_DIR") or "data")).absolute()
