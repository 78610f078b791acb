"""Models and datasets of one's own: modules that the environment names, imported before a name counts as unknown.

A module adds to `registry.ARCHITECTURES`, `tables.TABLES`, `texts.TEXTS` or `catalogue.DATASETS`. All processes of a
sweep have the same environment, so that workers know the same names.
"""

from __future__ import annotations

import importlib
import os

from randsparse.errors import StudyError

VARIABLE = "RANDSPARSE_MODULES"
"""Names of modules, separated by commas; Python has to find them (PYTHONPATH)."""


def load() -> None:
    """Import the modules that VARIABLE names; raises StudyError for one that cannot be imported."""
    for name in filter(None, (each.strip() for each in os.environ.get(VARIABLE, "").split(","))):
        try:
            importlib.import_module(name)
        except ImportError as error:
            raise StudyError(f"{VARIABLE}: cannot import {name!r} ({error}): correct it, or PYTHONPATH") from error
