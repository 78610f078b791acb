"""Charts of calibration: reliability diagrams, and how far confidence is from accuracy over all test images."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from randsparse.comparison import plots, stats
from randsparse.comparison.marks import errors
from randsparse.comparison.plots import MARKERS, PALETTE, styled
from randsparse.questions.beyond_accuracy.charts import (
    HEIGHT,
    WIDTH,
    Point,
    columns_for,
    counted,
    points_of,
    title_of,
    within,
)

SCALING = {False: "as trained", True: "temperature-scaled"}


@styled
def reliability(bins: pd.DataFrame) -> Figure:
    """Draw accuracy against confidence in bins of equal mass, a row of panels per scaling and a column per sparsity.

    Args:
        bins: as from `frames.reliability`. A point is the mean over networks of a bin's confidence and accuracy, with
            the 95 % t-interval of accuracy; below the diagonal, networks are too sure.
    """
    plots.need(bins, "arm", "structure", "sparsity", "replicate", "scaled", "bin", "confidence", "accuracy")
    panels, figure, axes = _panels(bins, WIDTH + 0.2, WIDTH)
    for ax, (scaled, point) in zip(axes, panels, strict=True):
        ax.plot([0, 1], [0, 1], color="#555555", linewidth=0.8, linestyle=":", label="calibrated")
        _means(ax, bins[bins["scaled"] == scaled], point, "confidence", "accuracy")
        ax.xaxis.set_major_formatter(plots.percent_text)
        plots.percent(ax, "Accuracy in bin" if ax.get_subplotspec().is_first_col() else "")
        ax.set_xlabel("Mean confidence in bin (%)" if ax.get_subplotspec().is_last_row() else "")
        ax.set(xlim=(bins["confidence"].min() - 0.03, 1.02), ylim=(max(0, bins["accuracy"].min() - 0.05), 1.02))
    plots.legend(figure)
    return figure


@styled
def confidence_gap(bins: pd.DataFrame) -> Figure:
    """Draw accuracy - confidence in bins of equal mass, from the least confident images to the most confident.

    Args:
        bins: as from `frames.reliability`; panels and points as in `reliability`. The mean size of a network's gaps is
            its ECE.
    """
    plots.need(bins, "arm", "structure", "sparsity", "replicate", "scaled", "bin", "gap")
    bins = bins.assign(place=(bins["bin"] - 0.5) / bins["bin"].max())
    panels, figure, axes = _panels(bins, WIDTH + 0.6, HEIGHT)
    for ax, (scaled, point) in zip(axes, panels, strict=True):
        ax.axhline(0, color="#555555", linewidth=0.8, linestyle=":", label="calibrated")
        _means(ax, bins[bins["scaled"] == scaled], point, "place", "gap")
        ax.xaxis.set_major_formatter(plots.percent_text)
        ax.yaxis.set_major_formatter(plots.percent_text)
        if ax.get_subplotspec().is_first_col():
            ax.set_ylabel("Accuracy − confidence\n(percentage points)")
        ax.set_xlabel("Test images, least confident first (%)" if ax.get_subplotspec().is_last_row() else "")
    within(axes[0], "y", bins["gap"].min() - 0.03, bins["gap"].max() + 0.03)
    plots.legend(figure)
    return figure


def _panels(bins: pd.DataFrame, width: float, height: float) -> tuple[list[tuple[bool, Point]], Figure, list[Axes]]:
    points = points_of(bins)
    panels = [(scaled, point) for scaled in SCALING for point in points]
    titles = [f"{SCALING[scaled]}\n{title_of(point)}" for scaled, point in panels]
    size = {"columns": columns_for(points), "width": width, "height": height}
    return panels, *plots.panels(titles, **size, sharex=True, sharey=True)


def _means(ax: Axes, bins: pd.DataFrame, point: Point, x: str, y: str) -> None:
    arms = plots.ordered(bins["arm"], PALETTE)
    for index, arm in enumerate(arms):
        own = stats.arm_rows(bins, arm, *point)
        if own.empty:
            continue
        table = stats.summary(own, ["bin"], y)
        across = own.groupby("bin")[x].mean().loc[table["bin"]]
        aside = 0 if x == "confidence" else 0.4 * ((index + 0.5) / len(arms) - 0.5) / len(table)
        ax.errorbar(
            across + aside,
            table["mean"],
            yerr=errors(table),
            color=PALETTE[arm],
            marker=MARKERS[arm],
            markersize=3.5,
            elinewidth=0.9,
            linewidth=0.9,
            label=counted(bins, arm, y),
        )
