"""Charts of notebook 12: what a search changes on a table and on texts, and random masks beside their controls."""

from __future__ import annotations

import pandas as pd

from randsparse.comparison import marks, plots
from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.marks import GREY
from randsparse.comparison.panels import arrow_text, draw_rows
from randsparse.comparison.plots import MARKERS, PALETTE, Drawn, use_style
from randsparse.comparison.primary import find_claims
from randsparse.comparison.wording import count, format_interval, format_phase, format_points
from randsparse.questions.beyond_images.evidence import POOLED


@use_style
def draw_gains(gains: pd.DataFrame, whole: Estimate | None, phase: float, size: int) -> Drawn | None:
    """Draw searched minus random in final test accuracy, cell by cell and over all cells, with the claim's margin.

    Args:
        gains: as from `Evidence.gains`.
        whole: the estimate over all cells, whose limits of the claim's level are drawn thick.
        phase, size: of the search.
    """
    if whole is None or gains.empty:
        return None
    (claim,) = find_claims("12")
    margin, decisive, names = claim.margin / 100, whole.interval(2 * claim.level - 1), list(gains["cell"])
    title = f"After {format_phase(phase)} of training, among {size}"
    figure, (ax,) = plots.make_panels([title], width=7.6, height=1 + 0.32 * len(names))
    ax.axvspan(-margin, margin, color="#56B4E9", alpha=0.2, linewidth=0, label=f"within ±{claim.margin:g} point")
    look = {"color": PALETTE["searched"], "marker": MARKERS["searched"], "label": "searched − random"}
    edges = marks.find_edges(gains, -1.3 * margin, 1.3 * margin)
    draw_rows(ax, gains, names, "Searched − random, final test accuracy (points)", look, edges)
    ax.plot(decisive, [names.index(POOLED)] * 2, color=PALETTE["searched"], linewidth=3.5, label="90 % interval")
    ax.axhline(names.index(POOLED) - 0.5, color=GREY, linewidth=0.6)
    plots.draw_legend(figure)
    caption = (
        f"The winner among {size} minus the mean of its subset, on average over all subsets of {size}. Over all cells: "
        f"{format_points(whole.value)} points, 90 % interval {format_interval(*decisive)} (thick), 95 % interval "
        f"{format_interval(*whole.interval())} (n = {whole.n} networks, {whole.runs} runs). Cells have "
        "simultaneous 95 % "
        f"intervals. Shaded: the margin of ±{claim.margin:g} point, inside which the 90 % interval has to lie."
        f"{arrow_text(gains, edges)}"
    )
    return Drawn(figure, caption, gains)


@use_style
def draw_differences(differences: pd.DataFrame) -> Drawn | None:
    """Draw the difference of each pair of cells, one below the other.

    Args:
        differences: as from `Evidence.differences`.
    """
    if differences.empty:
        return None
    names = [f"{row.a}\n− {row.b}" for row in differences.itertuples()]
    figure, (ax,) = plots.make_panels(["Pairs of cells"], width=8.2, height=0.9 + 0.45 * len(names))
    edges = marks.find_edges(differences, 0.0)
    look = {"color": PALETTE["random"], "marker": "o"}
    draw_rows(ax, differences, names, "Difference in test accuracy (points)", look, edges)
    ax.tick_params(axis="y", labelsize=8)
    told = [
        f"*{row.a}* − *{row.b}* {format_points(row.mean)} {format_interval(row.low, row.high)}"
        for row in differences.itertuples()
        if row.low > 0 or row.high < 0
    ]
    caption = (
        f"Differences in test accuracy with simultaneous 95 % intervals (n = {count(differences['n'])} networks of the "
        f"smaller cell).{arrow_text(differences, edges)} Those that exclude 0: {'; '.join(told) or 'none'}."
    )
    return Drawn(figure, caption, differences)
