"""A panel of differences one below the other, in percentage points, as charts of several questions draw it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes

from randsparse.comparison import marks, plots
from randsparse.comparison.marks import GREY


def draw_rows(
    ax: Axes,
    rows: pd.DataFrame,
    names: Sequence[str],
    label: str,
    look: Mapping[str, Any],
    edges: tuple[float, float],
    places: Sequence[float] | None = None,
) -> None:
    """Draw differences with their intervals, one row per name, and a line at 0.

    Args:
        rows: columns mean, low and high, fractions.
        names: of the rows, the first one on top.
        label: of the axis.
        look: colour, marker and label, as errorbar takes them.
        edges: the limits of the axis, as from `marks.find_edges`.
        places: where each row stands; None: one below the other.
    """
    ax.set_xlim(*edges)
    ax.axvline(0, color=GREY, linewidth=0.8)
    marks.draw_interval_rows(ax, rows, range(len(rows)) if places is None else places, look)
    marks.forest_axis(ax, names, label)
    ax.xaxis.set_major_formatter(plots.percent_text)


def arrow_text(rows: pd.DataFrame, edges: tuple[float, float]) -> str:
    """Return what an arrow of `marks.draw_interval_rows` means, where there is one."""
    cut = ((rows["low"] < edges[0]) | (rows["high"] > edges[1])).any()
    return " An arrow: the interval goes on beyond the panel." if cut else ""
