"""The marks that charts of several questions share: looks of rules and models, verdicts, bands, axes and forests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from randsparse.comparison import stats
from randsparse.sparsity.densities import RULES
from randsparse.sparsity.scores import SCORES

POINT = 0.01
"""One percentage point, as a fraction."""
GREY = "#555555"
SHADE = "#56B4E9"
"""The colour of what a claim allows."""
SHAPES = "osD^vP*Xh<>"
RULE_COLOURS: dict[str, Any] = dict(zip(RULES, sns.color_palette("colorblind", len(RULES)), strict=True)) | {
    "magnitude": "#999933",  # these four: Tol's muted colours, and the one that is left of seaborn's
    "snip": "#332288",
    "grasp": "#882255",
    "synflow": "#56b4e9",
}
RULE_MARKERS: dict[str, str] = dict(zip([*RULES, *SCORES], "osD^vPX*<>dph", strict=True))


def errors(table: pd.DataFrame) -> np.ndarray:
    """Return the lengths of error bars below and above the mean; nan, which draws none, for one run."""
    return np.stack([table["mean"] - table["low"], table["high"] - table["mean"]])


def rule_look(rule: str) -> dict[str, Any]:
    """Return how a rule is drawn wherever it is: colour and marker, and dashed if it comes of scores."""
    line = "--" if rule in SCORES else "-"
    return {"color": RULE_COLOURS[rule], "marker": RULE_MARKERS[rule], "markersize": 4, "linestyle": line}


def draw_rule_line(ax: Axes, rows: pd.DataFrame, y: str, rule: str, style: dict[str, Any]) -> None:
    """Draw the mean over draws and its interval, which for shares ends at 0 and 1."""
    drawn = stats.summary(rows, ["sparsity"], y)
    ax.plot(drawn["sparsity"], drawn["mean"], **rule_look(rule) | style)
    ax.fill_between(
        drawn["sparsity"],
        drawn["low"].clip(0, 1),
        drawn["high"].clip(0, 1),
        alpha=0.15,
        linewidth=0,
        color=RULE_COLOURS[rule],
    )


def model_colours(models: Sequence[str]) -> dict[str, Any]:
    """Return a colour per model, from light for the first to dark for the last."""
    return dict(zip(models, sns.color_palette("viridis_r", len(models) + 1)[1:], strict=True))


def find_edges(rows: pd.DataFrame, *always: float) -> tuple[float, float]:
    """Return the limits of an axis that shows all means, `always`, and intervals unless they are very wide.

    Intervals may take, on each side, the range of means and `always` once more, or as much as half of them reach
    beyond their means; `draw_interval_rows` cuts the others.
    """
    values = [*rows["mean"].dropna(), *always]
    ends = rows[["low", "high"]].replace([np.inf, -np.inf], np.nan)
    reach = pd.concat([rows["mean"] - ends["low"], ends["high"] - rows["mean"]]).median()
    room = np.nanmax([max(values) - min(values), reach]) or 1.0
    low = np.nanmax([np.nanmin([ends["low"].min(), *values]), min(values) - room])
    high = np.nanmin([np.nanmax([ends["high"].max(), *values]), max(values) + room])
    return float(low - 0.04 * (high - low)), float(high + 0.04 * (high - low))


def draw_interval_rows(ax: Axes, rows: pd.DataFrame, places: Sequence[float], look: Mapping[str, Any]) -> None:
    """Draw means with their intervals across, one below the other; an interval that leaves the axis ends in an arrow.

    Args:
        ax: with its limits set, see `find_edges`.
        rows: mean, low and high; without limits there is no interval.
        places: where each row stands on the y axis.
        look: colour, marker and label, as errorbar takes them.
    """
    left, right = ax.get_xlim()
    low, high = rows["low"].clip(lower=left), rows["high"].clip(upper=right)
    bars = np.stack([rows["mean"] - low, high - rows["mean"]])
    ax.errorbar(rows["mean"], places, xerr=bars, linestyle="none", **{"elinewidth": 1.2, "capsize": 0} | look)
    for edge, marker, cut in ((left, "<", rows["low"] < left), (right, ">", rows["high"] > right)):
        if cut.any():  # an empty line that is not clipped has no place, which upsets the layout
            at = np.asarray(places)[cut.to_numpy()]
            ax.plot([edge] * len(at), at, marker, color=look["color"], markersize=4, clip_on=False)


def forest_axis(ax: Axes, names: Sequence[str], label: str, pooled: str = "") -> None:
    """Name the rows of a forest, the first one on top, in the first panel of a row of panels alone.

    Args:
        pooled: the row of the mean over all others, which has a line above it if it is there.
    """
    ax.set_yticks(range(len(names)), names if ax.get_subplotspec().is_first_col() else [""] * len(names))
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.set_xlabel(label)
    ax.grid(axis="y", visible=False)
    if pooled in names:
        ax.axhline(list(names).index(pooled) - 0.5, color=GREY, linewidth=0.6)
