"""Charts of notebook 02: what a search sees after an early phase, what it gains, and how that fades."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from randsparse.comparison import marks, plots
from randsparse.comparison.forests import explain_arrows, unless_empty
from randsparse.comparison.marks import GREY, SHADE
from randsparse.comparison.plots import MARKERS, PALETTE, Drawn, use_style
from randsparse.comparison.primary import find_claims
from randsparse.comparison.wording import (
    count,
    format_count,
    format_interval,
    format_phase,
    format_points,
    list_words,
    share_text,
)
from randsparse.questions.random_search.gains import BEST, EARLY, FINAL, POOLED

LOOKS: dict[str, dict[str, Any]] = {
    EARLY: {"color": GREY, "marker": "o", "markerfacecolor": "white", "label": "early, validation (biased upwards)"},
    FINAL: {"color": PALETTE["searched"], "marker": MARKERS["searched"], "label": "at the end, test"},
    BEST: {"color": "#000000", "marker": "|", "markersize": 8, "label": "the best of four at the end, test"},
}
ASIDE = {EARLY: -0.22, FINAL: 0.0, BEST: 0.22}


@use_style
@unless_empty
def draw_candidates(frame: pd.DataFrame, size: int) -> Drawn:
    """Draw the validation accuracy of all candidates after each early phase, with the mean winner of all searches.

    Args:
        frame: as from `gains.list_looks`.
        size: the candidates of one search.
    """
    cells = list(dict.fromkeys(frame["cell"]))
    orders = sorted(frame["order"].unique())
    figure, axes = _phases(frame, 3.0)
    for ax, (_, rows) in zip(axes, frame.groupby("phase"), strict=True):
        for (cell, order), own in rows.groupby(["cell", "order"]):
            at = cells.index(cell) + 0.36 * (orders.index(order) - (len(orders) - 1) / 2)
            ax.plot([at] * len(own), own["val_accuracy"], ".", color=PALETTE["candidate"], label="candidate")
            _dash(ax, at, own["val_accuracy"].mean(), PALETTE["random"], "mean of the candidates")
            if own["wins"].notna().all():
                winner = float((own["wins"] * own["val_accuracy"]).sum())
                _dash(ax, at, winner, PALETTE["searched"], f"mean winner among {size}")
        ax.set_xticks(range(len(cells)), cells, rotation=45, ha="right", rotation_mode="anchor")
        ax.set_xlim(-0.6, len(cells) - 0.4)
        ax.grid(axis="x", visible=False)
        plots.label_percent(ax, "Validation accuracy" if ax is axes[0] else "")
    plots.draw_legend(figure)
    return Drawn(figure, _candidates_caption(frame, size, len(orders)), frame)


def _dash(ax: Axes, at: float, value: float, colour: str, label: str) -> None:
    ax.plot([at - 0.13, at + 0.13], [value, value], color=colour, linewidth=2, label=label, solid_capstyle="butt")


def _candidates_caption(frame: pd.DataFrame, size: int, orders: int) -> str:
    spreads = frame.groupby(["phase", "cell", "order"])["val_accuracy"].std().groupby("phase").mean()
    texts = [f"{format_points(spread, signed=False)} after {format_phase(phase)}" for phase, spread in spreads.items()]
    runs = frame.groupby("phase")["val_accuracy"].count()
    return (
        f"Each point is one run: {count(runs)} runs of {format_count(frame['cell'].nunique(), 'cell')}, a "
        "column per order "
        f"of batches ({format_count(orders, 'column')} beside each tick). The winner is the candidate with the highest "
        f"validation accuracy among {size} of one column, on average over all subsets of {size}. The standard "
        f"deviation within a column is {list_words(texts)} of training, in points (mean over columns)."
    )


@use_style
@unless_empty
def draw_gains(frame: pd.DataFrame, size: int) -> Drawn:
    """Draw the gain of the winners over their subsets, early and at the end, by cell and early phase.

    Args:
        frame: as from `gains.gains`.
    """
    names = list(dict.fromkeys(frame["cell"]))
    figure, axes = _phases(frame, 1.0 + 0.4 * len(names))
    edges = marks.find_edges(frame, 0.0)
    for ax, (_, rows) in zip(axes, frame.groupby("phase"), strict=True):
        ax.set_xlim(*edges)
        ax.axvline(0, color=GREY, linewidth=0.8)
        for measured, look in LOOKS.items():
            own = rows[rows["measured"] == measured]
            look = look | {"label": look["label"].replace("four", str(size))}
            marks.draw_interval_rows(ax, own, [names.index(cell) + ASIDE[measured] for cell in own["cell"]], look)
        marks.forest_axis(ax, names, "Gain (points)", POOLED)
        ax.xaxis.set_major_formatter(plots.percent_text)
    plots.draw_legend(figure)
    return Drawn(figure, _gains_caption(frame, size, edges), frame)


def _gains_caption(frame: pd.DataFrame, size: int, edges: tuple[float, float]) -> str:
    pooled = frame[frame["cell"] == POOLED].set_index(["phase", "measured"])
    texts = [
        f"{format_points(pooled.loc[(phase, EARLY), 'mean'])} points early and "
        f"{format_points(pooled.loc[(phase, FINAL), 'mean'])} "
        f"{format_interval(*pooled.loc[(phase, FINAL), ['low', 'high']])} at the end after {format_phase(phase)}"
        for phase in frame["phase"].unique()
    ]
    return (
        f"What the winner among {size} gains over the mean of its subset, mean over all subsets. Over all cells: "
        f"{list_words(texts)} of training. The early gain is biased upwards, since the look that chose is "
        "the one that is "
        f"shown; the final gain is not. Bars: simultaneous 95 % intervals for cells, a 95 % interval for all cells "
        f"(n = {count(pooled['n'])} networks, {count(pooled['runs'])} runs).{explain_arrows(frame, edges)}"
    )


@use_style
@unless_empty
def draw_shares(frame: pd.DataFrame, size: int) -> Drawn:
    """Draw the share of the oracle's gain that winners keep, by cell and early phase.

    Args:
        frame: as from `gains.shares`.
    """
    most = find_claims("02")[0].margin
    names = list(dict.fromkeys(frame["cell"]))
    figure, axes = _phases(frame, 1.0 + 0.28 * len(names))
    edges = marks.find_edges(frame, -1.0, 1.0)
    look = {"color": PALETTE["searched"], "marker": MARKERS["searched"], "label": "share that the winner keeps"}
    for ax, (_, rows) in zip(axes, frame.groupby("phase"), strict=True):
        ax.set_xlim(*edges)
        ax.axvspan(edges[0], most, color=SHADE, alpha=0.2, linewidth=0, label=f"below {most:g} (the claim)")
        for place, style, label in ((0, "-", "blind choice"), (1, ":", "always the best")):
            ax.axvline(place, color=GREY, linewidth=0.9, linestyle=style, label=label)
        marks.draw_interval_rows(ax, rows, [names.index(cell) for cell in rows["cell"]], look)
        marks.forest_axis(ax, names, "Share of the oracle's gain", POOLED)
    plots.draw_legend(figure)
    pooled = frame[frame["cell"] == POOLED].set_index("phase")
    texts = [
        f"{share_text(row['mean'], row['low'], row['high'])} after {format_phase(phase)}"
        for phase, row in pooled.iterrows()
    ]
    caption = (
        f"The gain of the winner among {size} in final test accuracy, as a share of what the best of the subset gains: "
        f"over all cells {list_words(texts)} of training. 0 is a blind choice, 1 one that always finds the best; the "
        f"claim is that less than {most:g} is left after 10 %. Bars: simultaneous 95 % intervals for cells, a 95 % "
        f"interval for all cells (n = {count(pooled['n'])} networks, {count(pooled['runs'])} runs)."
    )
    return Drawn(figure, caption + explain_arrows(frame, edges), frame)


@use_style
@unless_empty
def draw_leads(frame: pd.DataFrame, means: pd.DataFrame, size: int) -> Drawn:
    """Draw how far the winner lies above the mean of its subset in validation accuracy, over the epochs.

    Args:
        frame: as from `gains.leads`.
        means: as from `gains.mean_leads`, for the caption.
    """
    figure, axes = _phases(frame, 2.6, sharey=True)
    for ax, (_, rows) in zip(axes, frame.groupby("phase"), strict=True):
        ax.axhline(0, color=GREY, linewidth=0.8)
        for _, own in rows[rows["cell"] != POOLED].groupby("cell", sort=False):
            ax.plot(own["epoch"], own["mean"], color=PALETTE["candidate"], linewidth=0.7, label="one cell")
        own = rows[rows["cell"] == POOLED]
        ax.fill_between(own["epoch"], own["low"], own["high"], color=PALETTE["searched"], alpha=0.2, linewidth=0)
        ax.plot(own["epoch"], own["mean"], color=PALETTE["searched"], marker=".", label="all cells, 95 % interval")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set_xlim(0.5, frame["epoch"].max() + 0.5)
        ax.set_xlabel("Epoch")
        ax.yaxis.set_major_formatter(plots.percent_text)
    axes[0].set_ylabel("Winner − mean of its subset\n(points of validation accuracy)")
    plots.draw_legend(figure)
    return Drawn(figure, _leads_caption(frame, means, size), frame)


def _leads_caption(frame: pd.DataFrame, means: pd.DataFrame, size: int) -> str:
    whole = means[means["cell"] == POOLED]
    texts = [
        f"{format_points(row.mean)} {format_interval(row.low, row.high)} points over {row.epochs} epochs "
        f"({format_points(row.mean * row.epochs)} points × epochs) after {format_phase(row.phase)}"
        for row in whole.itertuples()
    ]
    return (
        f"Validation accuracy of the winner among {size} minus the mean of its subset, from the epoch of the choice on "
        f"(the first point, which is biased upwards). The mean over the epochs after the choice, the area between the "
        f"two curves per epoch: {list_words(texts)} of training. Bands: 95 % intervals of one epoch over "
        "all cells (n = "
        f"{count(whole['n'])} networks)."
    )


def _phases(frame: pd.DataFrame, height: float, **shared: Any) -> tuple[Figure, list[Axes]]:
    """Return a figure with one panel per early phase."""
    titles = [f"After {format_phase(phase)} of training" for phase in sorted(frame["phase"].unique())]
    return plots.make_panels(titles, columns=3, width=2.95, height=height, **shared)
