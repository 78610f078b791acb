"""What a search gives for its epochs, as charts: gains against all epochs charged, differences, the break-even."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator

from randsparse.comparison import marks, plots
from randsparse.comparison.plots import PALETTE, Drawn, use_style
from randsparse.comparison.wording import TOO_FEW, format_phase, format_points, list_words
from randsparse.questions.search_cost import strategies as ways
from randsparse.questions.search_cost.measured import SIZE, Measured

SEARCH, LONGER, DIFFERENCE, POOLED = "search", "longer training", "search − longer training", "all cells"
LOOKS: dict[str, tuple[str, str]] = {
    ways.LONGER: (PALETTE["random"], "o"),
    ways.ONE_LOOK: (PALETTE["searched"], "^"),
    ways.HALVING: ("#882255", "D"),
    ways.FINALS: ("#117733", "s"),
    ways.SMALL: (PALETTE["small dense (own scale)"], "v"),
}
"""Colour and marker of each way to spend epochs."""
MEASURES = {SEARCH: (PALETTE["searched"], "^"), LONGER: (PALETTE["random"], "o"), DIFFERENCE: ("#000000", "s")}
MOST = 3.2
"""Trainings at which the axis of epochs ends."""


@use_style
def gain_by_epochs(table: pd.DataFrame, groups: Sequence[Measured]) -> Drawn:
    """Draw what each way to spend epochs gains over one training against all epochs that it is charged.

    Args:
        table: as from `strategies.compare`.
        groups: the cells of the panels.
    """
    known = table.dropna(subset=["mean"])
    drawn = [group for group in groups if group.cell in set(known["cell"])]
    if not drawn:
        return Drawn(_empty(), _caption_of_gains(table, groups), table)
    figure, axes = plots.make_panels([group.cell for group in drawn], width=_width(drawn), height=3.7)
    for ax, group in zip(axes, drawn, strict=True):
        rows = known[known["cell"] == group.cell]
        rows = rows.assign(going_on=rows["epochs_going_on"] / group.epochs)
        ax.axhline(0, color=marks.GREY, linewidth=0.8)
        _longer(ax, rows[rows["strategy"] == ways.LONGER])
        for way in (ways.ONE_LOOK, ways.HALVING, ways.FINALS, ways.SMALL):
            _way(ax, rows[rows["strategy"] == way], way)
        ax.set(xlim=(0.85, MOST), xlabel=f"Epochs charged (trainings of {group.epochs} epochs)")
        ax.xaxis.set_major_locator(FixedLocator([1, 1.5, 2, 2.5, 3]))
        ax.yaxis.set_major_formatter(plots.percent_text)
    axes[0].set_ylabel("Gain over one training (points)")
    plots.draw_legend(figure)
    return Drawn(figure, _caption_of_gains(table, groups), table)


def _longer(ax: Axes, rows: pd.DataFrame) -> None:
    """Draw longer training as a line from one training on, with its interval as a band that opens with it.

    Beyond the length that was run, the gain is drawn as it is there.
    """
    colour, marker = LOOKS[ways.LONGER]
    for row in rows.itertuples():
        x = np.geomspace(1, row.trainings, 20)
        share = np.log(x) / np.log(row.trainings)
        ax.plot(x, share * row.mean, color=colour)
        ax.plot([row.trainings, MOST], [row.mean, row.mean], color=colour, linestyle=":")
        ax.plot(row.trainings, row.mean, marker, color=colour, label=ways.LONGER)
        low, high = (np.append(share, 1) * limit for limit in (row.low, row.high))
        ax.fill_between(np.append(x, MOST), low, high, color=colour, alpha=0.13, linewidth=0)


def _way(ax: Axes, rows: pd.DataFrame, way: str) -> None:
    colour, marker = LOOKS[way]
    for row in rows.itertuples():
        known = np.isfinite(row.low)
        look = {} if known else {"markerfacecolor": "white"}
        bars = [[row.mean - row.low], [row.high - row.mean]] if known else None
        ax.errorbar(row.going_on, row.mean, yerr=bars, color=colour, marker=marker, linestyle="none", label=way, **look)
        if row.trainings > row.going_on:
            ax.plot([row.going_on, row.trainings], [row.mean, row.mean], color=colour, linewidth=0.9, linestyle=":")
            ax.plot(row.trainings, row.mean, marker, color=colour, markersize=2.5)
        text = {ways.ONE_LOOK: f"epoch {row.looks}", ways.HALVING: f"of {row.candidates}"}.get(way, "")
        above = {"xytext": (0, 4), "textcoords": "offset points", "ha": "center", "va": "bottom"}
        top = row.high if known else row.mean
        ax.annotate(text, (row.going_on, top), **above, fontsize=7, color=colour)


def _caption_of_gains(table: pd.DataFrame, groups: Sequence[Measured]) -> str:
    known = table[table["mean"].notna() & ~table["strategy"].isin([ways.RANDOM, ways.SMALL])]
    best = [
        f"At {group.cell} {row.strategy} gains most: {format_points(row.mean)} points for "
        f"{row.epochs_going_on / group.epochs:.3g} trainings."
        for group in groups
        for row in known[known["cell"] == group.cell].nlargest(1, "mean").itertuples()
    ]
    return (
        "Final test accuracy less the mean of one training, against all epochs charged. Markers: the mean winner over "
        "all subsets of candidates, chosen on validation, if it goes on from its checkpoint; the dotted line ends "
        "where it is trained anew (labels: epoch of the look; candidates that are halved). Longer "
        "training was run at one length: before, its gain is drawn as growing with the logarithm of epochs; after "
        "(dotted), as staying. Bars and band: 95 % intervals over networks (hollow: "
        "none, since every search draws all). Runs: "
        f"{list_words([f'{group.cell} {_counts(group)}' for group in groups])}. "
        f"{' '.join(best)}"
    ).strip()


@use_style
def differences(rows: pd.DataFrame) -> Drawn:
    """Draw the gains of search and of longer training, and their difference, per cell and over all cells.

    Args:
        rows: as `Evidence.differences`.
    """
    known = rows.dropna(subset=["mean"]).reset_index(drop=True)
    if known.empty:
        return Drawn(_empty(), _caption_of_differences(known), rows)
    figure, (ax,) = plots.make_panels([" "], width=8.8, height=0.5 + 0.3 * max(len(known), 2))
    ax.axvline(0, color=marks.GREY, linewidth=0.8)
    names = [f"{row.cell}: {row.measure}" for row in known.itertuples()]
    ax.set_xlim(*marks.find_edges(known, 0.0))
    for measure, (colour, marker) in MEASURES.items():
        own = known[known["measure"] == measure]
        marks.draw_interval_rows(ax, own, list(own.index), {"color": colour, "marker": marker})
    marks.forest_axis(ax, names, "Points of test accuracy")
    ax.xaxis.set_major_formatter(plots.percent_text)
    return Drawn(figure, _caption_of_differences(known), rows)


def _caption_of_differences(known: pd.DataFrame) -> str:
    texts = [
        f"{row.cell}: {format_points(row.mean)} [{format_points(row.low)}, {format_points(row.high)}], and "
        "winners are above "
        f"{100 * row.above:.0f} % of the runs that are trained longer"
        for row in known[known["measure"] == DIFFERENCE].itertuples()
    ]
    return (
        f"What a search of {SIZE} candidates gains over one training if it looks after 10 % of it, what longer "
        "training gains for as many epochs, and the difference, with 95 % intervals (jackknife over the networks of "
        "the search, Welch for independent runs; an arrow: the interval goes on). Search − longer training, in points: "
        f"{'; '.join(texts) or TOO_FEW}."
    )


@use_style
def break_even(rows: pd.DataFrame, groups: Sequence[Measured]) -> Drawn:
    """Draw what a search gains less what its epochs gain as longer training, by early phase, a line per K.

    Args:
        rows: as from `break_even.map_of`.
        groups: the cells of the panels.
    """
    drawn = [group for group in groups if group.cell in set(rows["cell"])]
    if not drawn:
        return Drawn(_empty(), _caption_of_break_even(rows, groups), rows)
    figure, axes = plots.make_panels([group.cell for group in drawn], width=_width(drawn), height=3.4)
    sizes = sorted(rows["candidates"].unique())
    colours = dict(zip(sizes, sns.color_palette("flare", len(sizes)), strict=True))
    for ax, group in zip(axes, drawn, strict=True):
        own = rows[rows["cell"] == group.cell]
        ax.axhline(0, color=marks.GREY, linewidth=0.8)
        for size, line in own.groupby("candidates"):
            inside = line["measured"]
            ax.plot(line["phase"], line["mean"], color=colours[size], linestyle=":")
            ax.plot(line["phase"].where(inside), line["mean"], color=colours[size], marker="o", markersize=3)
            ax.plot([], [], color=colours[size], label=f"{size} candidates")
            if size == SIZE:
                ax.fill_between(line["phase"], line["low"], line["high"], color=colours[size], alpha=0.15, linewidth=0)
        ax.set(xlim=(0, 1), xlabel=f"Early phase (% of {group.epochs} epochs)")
        ax.xaxis.set_major_formatter(plots.percent_text)
        ax.yaxis.set_major_formatter(plots.percent_text)
    axes[0].set_ylabel("Search − longer training (points)")
    plots.draw_legend(figure)
    return Drawn(figure, _caption_of_break_even(rows, groups), rows)


def _caption_of_break_even(rows: pd.DataFrame, groups: Sequence[Measured]) -> str:
    texts = [_balance_text(rows[rows["cell"] == group.cell], group.cell) for group in groups]
    return (
        "Where a search pays: r σ E[max of K] less what the same epochs gain as longer training; above zero the search "
        "is worth its epochs. Points: so long a training was run, or a longer one. Dotted: longer training counts as "
        "no better than the longest that was run, so the line is rather too high. Band: 95 % interval for "
        f"{SIZE} candidates. {' '.join(texts)}"
    )


def _balance_text(rows: pd.DataFrame, cell: str) -> str:
    if rows.empty:
        return f"{cell}: {TOO_FEW}."
    best = rows.loc[rows["mean"].idxmax()]
    above, below = (rows["low"] > 0).sum(), (rows["high"] < 0).sum()
    return (
        f"{cell}: above zero in {(rows['mean'] > 0).sum()} of {len(rows)} places (the whole interval in {above}; below "
        f"zero in {below}), highest for {best['candidates']} candidates after {format_phase(best['phase'])}: "
        f"{format_points(best['mean'])} [{format_points(best['low'])}, {format_points(best['high'])}]."
    )


def _width(drawn: Sequence[Measured]) -> float:
    """Return the width of a panel: all figures of the notebook are as wide as two."""
    return 8.8 / min(len(drawn), 2)


def _empty() -> Figure:
    """Return a figure that says that there are too few runs to draw one."""
    figure, (ax,) = plots.make_panels([" "], width=8.8, height=0.4)
    ax.axis("off")
    ax.text(0.5, 0.5, TOO_FEW.capitalize(), transform=ax.transAxes, ha="center", va="center", color=marks.GREY)
    return figure


def _counts(group: Measured) -> str:
    runs = (group.accuracies, group.longer, group.small_dense)
    parts = zip(runs, group.planned, ("candidates", "trained longer", "small dense"), strict=True)
    texts = [f"{len(there)} of {n} {name}" for there, n, name in parts if n or name == "candidates"]
    return f"({', '.join(texts)})"
