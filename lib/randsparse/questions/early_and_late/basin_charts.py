"""Charts of lines between weights: from which epoch on the end is settled, and the way to it."""

from __future__ import annotations

import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from randsparse.comparison import marks, plots, stats
from randsparse.comparison.plots import Drawn, use_style
from randsparse.comparison.wording import number
from randsparse.questions.early_and_late.charts import AVERAGED, LOOKS, PLAIN
from randsparse.questions.early_and_late.frames import POOLED
from randsparse.questions.early_and_late.words import format_percent

SHARE = "Share of training (%)"


@use_style
def barriers(found: pd.DataFrame, plain: pd.DataFrame, averaged: pd.DataFrame, candidates: str) -> Drawn | None:
    """Draw the error barrier between the ends of forks, and how early accuracy correlates with the end; None if empty.

    Args:
        found: as from `basins.barriers`.
        plain, averaged: as from `frames.correlations`.

        candidates: the networks of the right panel, in words: forks may be of other networks and a shorter training.

    Both panels have the share of training on the x axis.
    """
    if found.empty:
        return None
    figure, axes = plots.make_panels(["Barrier between the ends of forks", "Correlation with the end"])
    cells = list(found["cell"].unique())
    colours = marks.model_colours(cells)
    means = stats.summary(found, ["cell", "share"], "val_error_barrier")
    for ax in axes:
        ax.axhline(0, color=marks.GREY, linewidth=0.8)
        ax.set(xlabel=SHARE, xlim=(-3, 103))
    for cell in cells:
        own, mean = found[found["cell"] == cell], means[means["cell"] == cell]
        n = plots.count_text(mean["n"])
        axes[0].plot(100 * mean["share"], 100 * mean["mean"], color=colours[cell], label=f"{cell} ({n})")
        axes[0].scatter(100 * own["share"], 100 * own["val_error_barrier"], s=10, color=colours[cell], linewidths=0)
    axes[0].set_ylabel("Error barrier, validation images\n(percentage points)")
    for name, rows in ((PLAIN, plain), (AVERAGED, averaged)):
        own = rows[(rows["cell"] == POOLED) & (rows["kind"] == "pearson")]
        axes[1].plot(100 * own["epoch"] / own["epoch"].max(), own["value"], color=LOOKS[name], label=f"r, {name}")
    axes[1].set_ylabel("Pearson's r with final test accuracy")
    plots.draw_legend(figure)
    return Drawn(figure, _barrier_caption(means, candidates), found)


def _barrier_caption(means: pd.DataFrame, candidates: str) -> str:
    told = []
    for cell, own in means.groupby("cell", sort=False):
        first, last = own.iloc[0], own.iloc[-1]
        told.append(
            f"{cell}: {number(100 * first['mean'])} points for forks at {format_percent(first['share'])} "
            "of training and "
            f"{number(100 * last['mean'])} at {format_percent(last['share'])}"
        )
    return (
        "Left: the highest validation error on the line between two ends of one network, minus the mean of both ends; "
        f"the two runs have the same order of batches until the fork. {'; '.join(told)} (means over networks, "
        f"{plots.count_text(means['n'])} per cell; points are networks). "
        f"Right: Pearson's r over all cells of candidates, as above ({candidates})."
    )


@use_style
def travels(found: pd.DataFrame) -> Drawn | None:
    """Draw the validation error on the line from an early checkpoint to the end, a panel per cell; None if empty.

    Args:
        found: as from `basins.travels`.
    """
    if found.empty:
        return None
    cells = list(found["cell"].unique())
    figure, axes = plots.make_panels(cells, sharey=True)
    epochs = sorted(found["epoch"].unique())
    colours = dict(zip(epochs, sns.color_palette("viridis_r", len(epochs)), strict=True))
    for ax, cell in zip(axes, cells, strict=True):
        _way(ax, found[found["cell"] == cell], colours)
    axes[0].set_ylabel("Validation error (%)")
    plots.draw_legend(figure)
    told = []
    for cell, own in found.groupby("cell", sort=False):
        first = own[own["epoch"] == epochs[0]].groupby("alpha")["val_error"].mean()
        distance = own[own["epoch"] == epochs[0]]["relative_distance"].mean()
        told.append(
            f"{cell}: from {number(100 * first.iloc[0], 1)} % error after epoch {epochs[0]:g} over at most "
            f"{number(100 * first.max(), 1)} % to {number(100 * first.iloc[-1], 1)} %, over a distance of "
            f"{number(distance)} times the norm of the final weights"
        )
    text = (
        "Validation error on the straight line from the weights after an early epoch to those at the end, means over "
        f"{found['network'].nunique()} networks per cell; batch norm is recalibrated at each place. {'; '.join(told)}."
    )
    return Drawn(figure, text, found)


def _way(ax: Axes, own: pd.DataFrame, colours: dict) -> None:
    """Draw the mean error along the line, a line per epoch that it starts from."""
    for epoch, rows in own.groupby("epoch"):
        mean = rows.groupby("alpha")["val_error"].mean()
        ax.plot(mean.index, 100 * mean, color=colours[epoch], label=f"from epoch {epoch:g}")
    ax.set_xlabel("Place on the line (0: early, 1: the end)")
