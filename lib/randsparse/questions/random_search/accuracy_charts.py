"""Charts of notebook 03: accuracy against the share of weights that is left, and what a search changes in it."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.ticker import FixedLocator, NullLocator

from randsparse.comparison import marks, plots
from randsparse.comparison.forests import explain_arrows, unless_empty
from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.marks import GREY, RULE_COLOURS, SHADE
from randsparse.comparison.plots import MARKERS, PALETTE, Drawn, use_style
from randsparse.comparison.primary import find_claims
from randsparse.comparison.wording import count, format_interval, format_phase, format_points, list_words
from randsparse.questions.random_search.accuracies import DENSE, NODES, SEARCHED, SMALL, WEIGHTS
from randsparse.questions.random_search.gains import POOLED

TITLE = "Test accuracy at the end of training"
OWN_SCALE = "small dense (own scale)"
LOOKS: dict[str, dict[str, Any]] = {
    NODES: {"color": PALETTE["random"], "marker": MARKERS["random"], "linestyle": "-"},
    SEARCHED: {"color": PALETTE["searched"], "marker": MARKERS["searched"], "linestyle": "none"},
    WEIGHTS: {"color": RULE_COLOURS["magnitude"], "marker": "s", "linestyle": "none"},
    SMALL: {"color": PALETTE[OWN_SCALE], "marker": MARKERS[OWN_SCALE], "linestyle": "none"},
}
ASIDE = {NODES: 1.0, SEARCHED: 1.045, WEIGHTS: 1.0, SMALL: 1 / 1.045}
"""By which factor each series stands beside its share of weights, so that none hides another."""


@use_style
@unless_empty
def draw_accuracy(frame: pd.DataFrame, phase: float, size: int) -> Drawn:
    """Draw mean test accuracy against the share of the dense parent's weights that is left, the dense one as a band.

    Args:
        frame: as from `accuracies.average_cells`.
        phase, size: of the search, for the caption.
    """
    figure, (ax,) = plots.make_panels([TITLE], width=7.6, height=3.9)
    dense, sparse = frame[frame["series"] == DENSE], frame[frame["series"] != DENSE]
    for row in dense.itertuples():
        ax.axhline(row.mean, color=PALETTE["dense"], linewidth=1, label="dense")
        ax.axhspan(row.low, row.high, color=PALETTE["dense"], alpha=0.1, linewidth=0)
    for series, look in LOOKS.items():
        rows = sparse[sparse["series"] == series].sort_values("weights_kept")
        if len(rows):
            at = rows["weights_kept"] * ASIDE[series]
            ax.errorbar(at, rows["mean"], yerr=marks.errors(rows), elinewidth=1, label=series, **look)
    ticks = sorted({1.0, *sparse.loc[sparse["series"].isin([NODES, WEIGHTS]), "weights_kept"]})
    ax.set_xscale("log")
    ax.set_xlim(1.15, ticks[0] / 1.25)
    ax.xaxis.set_major_locator(FixedLocator(ticks))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(lambda share, _: f"{100 * share:.3g}")
    ax.set_xlabel("Weights that are left (% of the dense network's, log axis)")
    plots.label_percent(ax, "Test accuracy")
    plots.draw_legend(figure)
    return Drawn(figure, _accuracy_caption(frame, phase, size), frame)


def _accuracy_caption(frame: pd.DataFrame, phase: float, size: int) -> str:
    means = frame[frame["series"].isin([DENSE, NODES])].sort_values("weights_kept", ascending=False)
    texts = [f"{100 * row.mean:.1f} % with {100 * row.weights_kept:.3g} % of the weights" for row in means.itertuples()]
    return (
        f"Mean test accuracy and 95 % interval over networks (n = {count(frame['n'])} per point; band: dense). Random "
        f"nodes and dense: {list_words(texts)}. *Searched*: the winner among {size} after "
        f"{format_phase(phase)} of training, "
        f"mean over all subsets of {size}; its bar is the interval of its difference to random nodes. Random masks "
        f"stand at their share of weights; so that none hides another, searched ones stand 4 % to the left of theirs "
        f"and small dense ones 4 % to the right."
    )


@use_style
@unless_empty
def draw_difference(frame: pd.DataFrame, whole: Estimate | None, phase: float, size: int) -> Drawn:
    """Draw searched minus random in final test accuracy, cell by cell and over all cells, with the claim's margin.

    Args:
        frame: one row per cell, then POOLED, as from `gains.estimate_cells`.
        whole: the estimate over all cells, whose limits of the claim's level are drawn thick.
        phase, size: of the search.
    """
    (claim,) = find_claims("03")
    margin, decisive = claim.margin / 100, whole.interval(2 * claim.level - 1)
    names = list(frame["cell"])
    title = f"After {format_phase(phase)} of training, among {size}"
    figure, (ax,) = plots.make_panels([title], width=7.6, height=1 + 0.28 * len(names))
    edges = marks.find_edges(frame, -1.5 * margin, 1.5 * margin)
    ax.set_xlim(*edges)
    ax.axvspan(-margin, margin, color=SHADE, alpha=0.2, linewidth=0, label=f"within ±{claim.margin:g} points")
    ax.axvline(0, color=GREY, linewidth=0.8)
    look = {"color": PALETTE["searched"], "marker": MARKERS["searched"], "label": "searched − random"}
    marks.draw_interval_rows(ax, frame, range(len(names)), look)
    ax.plot(decisive, [names.index(POOLED)] * 2, color=PALETTE["searched"], linewidth=3.5, label="90 % interval")
    marks.forest_axis(ax, names, "Searched − random, final test accuracy (points)", POOLED)
    ax.xaxis.set_major_formatter(plots.percent_text)
    plots.draw_legend(figure)
    caption = (
        f"The winner among {size} minus the mean of its subset, on average over all subsets of {size}. Over all cells: "
        f"{format_points(whole.value)} points, 90 % interval {format_interval(*decisive)} (thick), 95 % interval "
        f"{format_interval(*whole.interval())} (n = {whole.n} networks, {whole.runs} runs). Cells have "
        "simultaneous 95 % "
        f"intervals. Shaded: the margin of ±{claim.margin:g} points, inside which the 90 % interval has to lie."
        f"{explain_arrows(frame, edges)}"
    )
    return Drawn(figure, caption, frame)
