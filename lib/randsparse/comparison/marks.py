"""The marks that charts of several questions share: looks of rules and models, verdicts, bands, axes and forests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from randsparse.comparison import plots, stats
from randsparse.comparison.plots import PALETTE
from randsparse.sparsity.densities import RULES
from randsparse.sparsity.scores import SCORES

VERDICT_MARKERS = {"better": "^", "equivalent": "o", "worse": "v", "inconclusive": "o"}
"""Markers are filled, that of inconclusive is hollow."""
POINT = 0.01
"""One percentage point, as a fraction."""
GREY = "#555555"
SHAPES = "osD^vP*Xh<>"
RULE_COLOURS: dict[str, Any] = dict(zip(RULES, sns.color_palette("colorblind", len(RULES)), strict=True)) | {
    "magnitude": "#999933",  # these four: Tol's muted colours, and the one that is left of seaborn's
    "snip": "#332288",
    "grasp": "#882255",
    "synflow": "#56b4e9",
}
RULE_MARKERS: dict[str, str] = dict(zip([*RULES, *SCORES], "osD^vPX*<>dph", strict=True))


def shift(sparsity: Any, aside: float) -> Any:
    """Return a sparsity moved by `aside` halvings of density, so that points of several arms do not hide each other."""
    return plots.from_axis(plots.to_axis(sparsity) + aside)


def errors(table: pd.DataFrame) -> np.ndarray:
    """Return the lengths of error bars below and above the mean; nan, which draws none, for one run."""
    return np.stack([table["mean"] - table["low"], table["high"] - table["mean"]])


def count_missing(ax: Axes, values: pd.Series) -> None:
    """Say how many runs have no value, since they diverged or failed."""
    if missing := int(values.isna().sum()):
        text = f"{missing} run{'s' if missing > 1 else ''} without a result"
        ax.text(0.02, 0.06, text, transform=ax.transAxes, fontsize=7.5, color="#555555")


def limit(ax: Axes, values: pd.Series, low: float = -np.inf, high: float = np.inf) -> None:
    """Keep wide intervals of few runs from flattening a panel: show at most the range of values thrice."""
    room = max(float(values.max() - values.min()), 0.004)
    bottom, top = ax.get_ylim()
    margin = 0.004 if high == 1 else 0
    ax.set_ylim(max(bottom, values.min() - room, low), min(top, values.max() + room, high + margin))


def band(
    ax: Axes,
    frame: pd.DataFrame,
    x: str,
    y: str,
    hue: str = "arm",
    colours: Mapping[Any, Any] = PALETTE,
    points: bool = True,
    counted: bool = True,
) -> pd.DataFrame:
    """Draw mean lines with 95 % t intervals as bands, one a value of `hue`; return what was drawn.

    Runs without a value of y are left out (their number is in the column missing); n stands in the legend.
    """
    drawn = stats.summary(frame, [hue, x], y)
    for name in plots.ordered(frame[hue], colours):
        rows = drawn[(drawn[hue] == name) & (drawn["n"] > 0)]
        if rows.empty:
            continue
        label = f"{name} ({plots.count_text(rows['n'])})" if counted else str(name)
        ax.plot(rows[x], rows["mean"], color=colours[name], label=label)
        ax.fill_between(rows[x], rows["low"], rows["high"], color=colours[name], alpha=0.18, linewidth=0)
        if points:
            own = frame[frame[hue] == name].sort_values([x, y])
            ax.scatter(own[x], own[y], s=6, color=colours[name], alpha=0.5, linewidths=0)
    return drawn


def rule_look(rule: str) -> dict[str, Any]:
    """Return how a rule is drawn wherever it is: colour and marker, and dashed if it comes of scores."""
    line = "--" if rule in SCORES else "-"
    return {"color": RULE_COLOURS[rule], "marker": RULE_MARKERS[rule], "markersize": 4, "linestyle": line}


def rule_line(ax: Axes, rows: pd.DataFrame, y: str, rule: str, style: dict[str, Any]) -> None:
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


def forest(
    ax: Axes,
    rows: pd.DataFrame,
    names: Sequence[str],
    margin: float,
    everywhere: pd.DataFrame | None = None,
    colours: Mapping[str, Any] = RULE_COLOURS,
) -> None:
    """Draw differences one below the other: `row` is one of `names`, `arm` gives the colour.

    The scale is that of `everywhere`, by default of these rows.
    """
    ax.axvspan(
        -margin,
        margin,
        color="#56B4E9",
        alpha=0.2,
        linewidth=0,
        label=f"within ±{100 * margin:.3g} point{'' if margin == POINT else 's'}",
    )
    ax.axvline(0, color=GREY, linewidth=0.8)
    for kind, marker in VERDICT_MARKERS.items():
        fill = {"markerfacecolor": "white"} if kind == "inconclusive" else {}
        for row in rows[rows["verdict"] == kind].dropna(subset=["mean"]).itertuples():
            bars = [[row.mean - row.low], [row.high - row.mean]]
            ax.errorbar(
                row.mean,
                names.index(row.row),
                xerr=bars,
                color=colours[row.arm],
                marker=marker,
                markersize=6,
                elinewidth=1.2,
                **fill,
            )
    for kind in (kind for kind in VERDICT_MARKERS if kind in set(rows["verdict"])):
        fill = "white" if kind == "inconclusive" else GREY
        ax.plot([], [], color=GREY, marker=VERDICT_MARKERS[kind], linestyle="none", markerfacecolor=fill, label=kind)
    ax.set_yticks(range(len(names)), names if ax.get_subplotspec().is_first_col() else [""] * len(names))
    ax.set_ylim(len(names) - 0.4, -0.6)
    shown = rows if everywhere is None else everywhere
    values = [*shown["mean"].dropna(), -1.5 * margin, 1.5 * margin]
    room = max(values) - min(values)
    ends = [shown["low"].min(), shown["high"].max()]
    low, high = np.nanmin([ends[0], min(values)]), np.nanmax([ends[1], max(values)])
    ax.set_xlim(max(low, min(values) - room) - 0.05 * room, min(high, max(values) + room) + 0.05 * room)
    ax.xaxis.set_major_formatter(plots.percent_text)


def edges_of(rows: pd.DataFrame, *always: float) -> tuple[float, float]:
    """Return the limits of an axis that shows all means, `always`, and intervals unless they are very wide.

    Intervals may take the range of means and `always` once more on each side; `interval_rows` cuts the others.
    """
    values = [*rows["mean"].dropna(), *always]
    room = max(values) - min(values) or 1.0
    ends = rows[["low", "high"]].replace([np.inf, -np.inf], np.nan)
    low = np.nanmax([np.nanmin([ends["low"].min(), *values]), min(values) - room])
    high = np.nanmin([np.nanmax([ends["high"].max(), *values]), max(values) + room])
    return float(low - 0.04 * (high - low)), float(high + 0.04 * (high - low))


def interval_rows(ax: Axes, rows: pd.DataFrame, places: Sequence[float], look: Mapping[str, Any]) -> None:
    """Draw means with their intervals across, one below the other; an interval that leaves the axis ends in an arrow.

    Args:
        ax: with its limits set, see `edges_of`.
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


def forest_axis(ax: Axes, names: Sequence[str], label: str) -> None:
    """Name the rows of a forest, the first one on top, in the first panel of a row of panels alone."""
    ax.set_yticks(range(len(names)), names if ax.get_subplotspec().is_first_col() else [""] * len(names))
    ax.set_ylim(len(names) - 0.4, -0.6)
    ax.set_xlabel(label)
    ax.grid(axis="y", visible=False)
