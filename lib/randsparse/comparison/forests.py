"""Two charts that notebooks share: differences one below the other, and the accuracies of cells with every run."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes

from randsparse.comparison import marks, plots
from randsparse.comparison.cells import POOLED
from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.marks import GREY, SHADE
from randsparse.comparison.plots import PALETTE, Drawn, use_style
from randsparse.comparison.primary import PrimaryClaim
from randsparse.comparison.wording import count, format_count, format_interval, format_points, list_words

BESIDE = 0.27
"""How far below its mean the runs of a cell stand, in rows."""


def draw_nothing(frame: pd.DataFrame) -> Drawn:
    """Return the figure of no runs, which says so."""
    figure, (ax,) = plots.make_panels([" "], height=0.7)
    ax.axis("off")
    ax.text(0.5, 0.5, "There are too few runs yet.", ha="center", va="center")
    return Drawn(figure, "There are too few runs yet to draw this.", frame)


def unless_empty(draw: Callable[..., Drawn]) -> Callable[..., Drawn]:
    """Let a function draw its first argument, a frame, and say that there are too few runs if that has no row."""

    @functools.wraps(draw)
    def wrapper(frame: pd.DataFrame, *args: Any, **kwargs: Any) -> Drawn:
        return draw_nothing(frame) if frame.empty else draw(frame, *args, **kwargs)

    return wrapper


@use_style
@unless_empty
def draw_forest(
    frame: pd.DataFrame,
    what: str,
    label: str,
    claim: PrimaryClaim | None = None,
    decisive: Mapping[str, Estimate | None] | None = None,
) -> Drawn:
    """Draw differences with their intervals one below the other, and what a claim allows as a shaded range.

    Args:
        frame: as from `Cells.forest`.
        what: the first sentence of the caption: what is compared.
        label: of the axis, without its unit.
        claim: whose margin is shaded; None: a line at 0 alone.
        decisive: the estimates that decide the claim by the rows that show them, drawn thick between its limits.
    """
    names = list(frame["row"])
    figure, (ax,) = plots.make_panels([" "], width=7.6, height=0.75 + 0.27 * len(names))
    margin = claim.margin / 100 if claim else 0.0
    edges = marks.find_edges(frame, *(1.5 * np.array([-margin, margin]) if margin else (0.0,)))
    ax.set_xlim(*edges)
    if claim:
        low, high = _allowed(claim, edges)
        ax.axvspan(low, high, color=SHADE, alpha=0.2, linewidth=0, label=f"the claim: {_range_text(claim)}")
    ax.axvline(0, color=GREY, linewidth=0.8)
    look = {"color": PALETTE["random"], "marker": "o", "label": "mean and simultaneous 95 % interval"}
    if POOLED in names:
        look["label"] += f" ({POOLED}: 95 %)"
    marks.draw_interval_rows(ax, frame, range(len(names)), look)
    shown = {row: each for row, each in (decisive or {}).items() if claim and each and each.varies and row in names}
    for row, each in shown.items():
        limits = np.clip(each.interval(2 * claim.level - 1), *edges)
        decides = f"{100 * (2 * claim.level - 1):.0f} % interval, which decides"
        ax.plot(limits, [names.index(row)] * 2, color=PALETTE["searched"], linewidth=3.5, label=decides)
    marks.forest_axis(ax, names, f"{label} (points)", POOLED)
    ax.xaxis.set_major_formatter(plots.percent_text)
    ax.set_title("")
    plots.draw_legend(figure)
    return Drawn(figure, _forest_caption(frame, what, claim, shown, edges), frame)


def _allowed(claim: PrimaryClaim, edges: tuple[float, float]) -> tuple[float, float]:
    """Return the range of true values for which a claim holds, within the edges of an axis."""
    margin = claim.margin / 100
    if claim.direction == "within":
        return -margin, margin
    return (edges[0], margin) if claim.direction == "below" else (margin, edges[1])


def _range_text(claim: PrimaryClaim) -> str:
    margin = f"{claim.margin:g}".replace("-", "−")
    if claim.direction == "within":
        return f"within ±{margin} point{'' if claim.margin == 1 else 's'}"
    return f"{'below' if claim.direction == 'below' else 'above'} {margin} points"


def _forest_caption(
    frame: pd.DataFrame,
    what: str,
    claim: PrimaryClaim | None,
    decisive: Mapping[str, Estimate],
    edges: tuple[float, float],
) -> str:
    texts, rows = [what], frame[frame["row"] != POOLED]
    for row, each in decisive.items():
        limits = format_interval(*each.interval(2 * claim.level - 1))
        where = "Mean over all rows" if row == POOLED else row
        texts.append(
            f"{where}: {format_points(each.value)} points, {100 * (2 * claim.level - 1):.0f} % interval "
            f"{limits} (thick), "
            f"n = {each.n}, {each.runs} runs."
        )
    if not decisive and (frame["row"] == POOLED).any():
        whole = frame[frame["row"] == POOLED].iloc[0]
        texts.append(
            f"Mean over all rows: {format_points(whole['mean'])} points, 95 % interval "
            f"{format_interval(whole['low'], whole['high'])} (n = {whole['n']}, {whole['runs']} runs)."
        )
    elif not decisive:
        largest = rows.loc[rows["mean"].abs().idxmax()]
        texts.append(
            f"The largest difference is {format_points(largest['mean'])} "
            f"{format_interval(largest['low'], largest['high'])} points "
            f"({largest['row']})."
        )
    texts.append(
        f"{format_count(len(rows), 'row')}, n = {count(rows['n'])} each; simultaneous 95 % intervals."
        if len(rows) > 1
        else f"95 % interval, n = {count(rows['n'])}."
    )
    if claim:
        texts.append(f"Shaded: what the claim allows, {_range_text(claim)}.")
    return " ".join(texts) + explain_arrows(frame, edges)


@use_style
@unless_empty
def draw_levels(frame: pd.DataFrame, runs: pd.DataFrame, what: str, dense: pd.DataFrame | None = None) -> Drawn:
    """Draw the mean test accuracy of cells one below the other with their intervals and runs, a panel per sparsity.

    Args:
        frame: as from `Cells.levels`.
        runs: cell and test_accuracy of each run.
        what: the first sentence of the caption.
        dense: the same of the dense networks: a line and a band in each panel; None or empty: none.
    """
    names = list(dict.fromkeys(frame["row"]))
    sparsities = sorted(frame["sparsity"].unique())
    titles = [f"{plots.percent_text(sparsity)} % sparsity" for sparsity in sparsities]
    columns = plots.even_columns(len(titles), 2)
    figure, axes = plots.make_panels(titles, columns=columns, width=7.6 / columns, height=0.85 + 0.27 * len(names))
    for ax, sparsity in zip(axes, sparsities, strict=True):
        own = frame[frame["sparsity"] == sparsity]
        single = runs[runs["cell"].isin(own["cell"])].dropna(subset=["test_accuracy"])
        bands = pd.DataFrame() if dense is None else dense
        _dense_band(ax, bands)
        shown = [value for name in ("mean", "low", "high") for value in bands.get(name, []) if np.isfinite(value)]
        ax.set_xlim(*marks.find_edges(own, *single["test_accuracy"], *shown))
        places = dict(zip(own["cell"], own["row"].map(names.index), strict=True))
        look = {"color": PALETTE["random"], "marker": "o", "label": "mean and 95 % interval"}
        marks.draw_interval_rows(ax, own, list(places.values()), look)
        ax.scatter(single["test_accuracy"], single["cell"].map(places) + BESIDE, s=7, color=GREY, label="one run")
        marks.forest_axis(ax, names, "Test accuracy (%)")
        ax.xaxis.set_major_formatter(plots.percent_text)
    plots.draw_legend(figure)
    return Drawn(figure, _levels_caption(frame, what, dense), runs[runs["cell"].isin(frame["cell"])])


def _dense_band(ax: Axes, dense: pd.DataFrame) -> None:
    for row in dense.itertuples():
        ax.axvline(row.mean, color=PALETTE["dense"], linewidth=1, label="dense")
        if np.isfinite(row.low):
            ax.axvspan(row.low, row.high, color=PALETTE["dense"], alpha=0.1, linewidth=0)


def _levels_caption(frame: pd.DataFrame, what: str, dense: pd.DataFrame | None) -> str:
    texts = [what, f"Means with 95 % intervals over networks (n = {count(frame['n'])}), and below them each run."]
    for sparsity, own in frame.groupby("sparsity"):
        best, worst = own.loc[own["mean"].idxmax()], own.loc[own["mean"].idxmin()]
        told = f"from {100 * worst['mean']:.1f} % ({worst['row']}) to {100 * best['mean']:.1f} % ({best['row']})"
        told = told if worst["mean"] < best["mean"] else f"{100 * best['mean']:.1f} % ({list_words(list(own['row']))})"
        texts.append(f"{plots.percent_text(sparsity)} % sparsity: {told}.")
    if dense is not None and len(dense):
        row = dense.iloc[0]
        texts.append(f"Line and band: dense networks, {100 * row['mean']:.1f} % (n = {row['n']}).")
    if frame["sparsity"].nunique() > 1:
        texts.append("Each panel has its own scale.")
    return " ".join(texts)


def explain_arrows(frame: pd.DataFrame, edges: Sequence[float]) -> str:
    """Return what the arrows of `marks.draw_interval_rows` mean, where there are some."""
    cut: Any = (frame["low"] < edges[0]) | (frame["high"] > edges[1])
    return " Arrows: the interval goes on beyond the panel." if cut.any() else ""
