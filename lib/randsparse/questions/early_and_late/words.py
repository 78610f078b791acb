"""How captions and sentences of notebook 10 write numbers."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from randsparse.comparison import plots
from randsparse.comparison.wording import format_count, number


def format_interval(row: Mapping[str, float], digits: int = 2, scale: float = 1) -> str:
    """Return "0.12 [0.01, 0.23]" of a row with value, low and high, without limits where it has none."""
    text = number(scale * row["value"], digits)
    if np.isnan(row["low"]):
        return text
    return f"{text} [{number(scale * row['low'], digits)}, {number(scale * row['high'], digits)}]"


def format_points(row: Mapping[str, float]) -> str:
    """Return a fraction with its limits in percentage points."""
    return format_interval(row, 2, 100)


def format_percent(fraction: float) -> str:
    """Return a fraction in percent."""
    return "unknown" if np.isnan(fraction) else f"{plots.percent_text(round(fraction, 3))} %"


def format_networks(n: int, cells: int) -> str:
    """Return "n = 40 networks of 5 cells"."""
    return f"n = {format_count(n, 'network')} of {format_count(cells, 'cell')}"
