"""The charts of strong tickets: their accuracy, how it comes about, and what it is beside other sources and masks.

A ticket has the colour and the marker of its source; dense and random networks have those of all notebooks.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from randsparse.comparison import marks, plots, stats
from randsparse.comparison.design import DENSE, RANDOM
from randsparse.comparison.marks import POINT, VERDICT_MARKERS, count_missing, errors, limit, shift
from randsparse.comparison.plots import MARKERS, PALETTE, styled
from randsparse.questions.strong_tickets.frames import FROZEN, LONGER, STAGES, TUNED

SHAPES = "^svDPX"
GREY = "#555555"
REFERENCES = {FROZEN: RANDOM, TUNED: LONGER}
"""The random masks that have been trained for as long, by stage."""
AS_LONG = "random, trained as long"
RANDOM_LOOK = {"color": PALETTE[RANDOM], "marker": MARKERS[RANDOM], "linestyle": "--", "markerfacecolor": "white"}


def looks(frame: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return colour and marker of each source, from dense (dark) to sparse (light)."""
    sources = frame.loc[frame["source"] != "", ["source_sparsity", "source"]].drop_duplicates()
    names = list(sources.sort_values("source_sparsity")["source"])
    colours = reversed(sns.color_palette("flare", len(names)).as_hex())
    return {
        name: {"color": colour, "marker": SHAPES[index % len(SHAPES)]}
        for index, (name, colour) in enumerate(zip(names, colours, strict=True))
    }


@styled
def accuracy(frame: pd.DataFrame, y: str = "test_accuracy") -> Figure:
    """Draw accuracy against final sparsity, a panel per stage: means with 95 % t intervals and every run.

    Args:
        frame: as from `frames.results`, of one kind of weights. Random masks (dashed) are those that were trained for
            as many epochs; the dense network is a band in both panels.
    """
    plots.need(frame, "stage", "source", "source_sparsity", "sparsity", y)
    plots.need(frame[frame["source"] != ""].dropna(subset=[y]))
    lines = looks(frame)
    figure, axes = plots.panels(list(STAGES.values()), width=4.6, height=3.5, sharey=True)
    step = 0.024 * max(float(np.ptp(plots.to_axis(frame.loc[frame["sparsity"] > 0, "sparsity"]))), 1)
    for ax, stage in zip(axes, STAGES, strict=True):
        plots.sparsity_axis(ax, frame.loc[frame["sparsity"] > 0, "sparsity"])
        _dense_line(ax, frame.loc[frame["stage"] == DENSE, y])
        own = frame[frame["stage"].isin([stage, REFERENCES[stage]])]
        for index, (name, look) in enumerate((lines | {AS_LONG: RANDOM_LOOK}).items()):
            aside = step * np.array([index - len(lines) / 2, index - len(lines) / 2 + 0.4])
            _points(ax, own[own["source"] == (name if name in lines else "")], y, name, look, aside)
        count_missing(ax, own[y])
        plots.percent(ax, "Test accuracy" if ax is axes[0] else "")
    shown = frame[frame["stage"].isin([DENSE, *STAGES, *REFERENCES.values()])]
    limit(axes[0], shown[y].dropna(), low=0, high=1)
    plots.legend(figure)
    return figure


def _dense_line(ax: Axes, values: pd.Series) -> None:
    mean, low, high = stats.mean_interval(values.dropna())
    ax.axhline(mean, color=PALETTE[DENSE], linewidth=1, label=f"dense ({plots.count_text([values.count()])})")
    if np.isfinite(low):
        ax.axhspan(max(low, 0), min(high, 1), color=PALETTE[DENSE], alpha=0.1, linewidth=0)


def _points(ax: Axes, rows: pd.DataFrame, y: str, label: str, look: dict[str, Any], aside: Sequence[float]) -> None:
    """Draw means with intervals, and runs a little further aside."""
    table = stats.summary(rows, ["sparsity"], y)
    table = table[table["n"] > 0]
    if table.empty:
        return
    ax.errorbar(
        shift(table["sparsity"], aside[0]),
        table["mean"],
        yerr=errors(table),
        elinewidth=1,
        label=f"{label} ({plots.count_text(table['n'])})",
        **look,
    )
    runs = rows.dropna(subset=[y]).sort_values(["sparsity", y])
    ax.scatter(shift(runs["sparsity"], aside[1]), runs[y], s=7, color=look["color"], alpha=0.7, linewidths=0)


@styled
def learning(curves: pd.DataFrame, epochs: int, annealed: float, y: str = "val_accuracy") -> Figure:
    """Draw validation accuracy over epochs, a panel per sparsity: means with 95 % t intervals as bands.

    Args:
        curves: as from `frames.curves`, of one kind of weights: those of fine-tuned tickets are drawn, which are
            frozen ones up to `epochs`, beside random masks that are trained as long, and dense networks.
        epochs: after which edges stay and weights are trained; dotted.
        annealed: after which the tickets have their final density; dashed.
    """
    plots.need(curves, "stage", "source", "source_sparsity", "sparsity", "epoch", y)
    own = curves[curves["stage"].isin([DENSE, LONGER, TUNED])]
    own = own.assign(line=own["source"].where(own["stage"] == TUNED, own["stage"].replace(LONGER, AS_LONG)))
    colours = {DENSE: PALETTE[DENSE], AS_LONG: PALETTE[RANDOM]}
    colours |= {name: look["color"] for name, look in looks(curves).items()}
    sparsities = sorted(own.loc[own["stage"] == TUNED, "sparsity"].unique())
    titles = [f"{plots.percent_text(sparsity)} % of weights removed" for sparsity in sparsities]
    figure, axes = plots.panels(titles, columns=plots.even_columns(len(titles)), width=3.9, height=3.0, sharey=True)
    for ax, sparsity in zip(axes, sparsities, strict=True):
        rows = own[own["sparsity"].isin([0, sparsity])]
        marks.band(ax, rows, "epoch", y, hue="line", colours=colours, points=False, counted=False)
        for epoch, line, label in ((annealed, "--", "final density"), (epochs, ":", "weights trained from here")):
            label = label if ax is axes[-1] else None  # an entry at the end of the legend
            ax.axvline(epoch, color=GREY, linewidth=0.9, linestyle=line, label=label)
        counts = rows[rows["stage"] != DENSE].groupby(["line", "epoch"])[y].count()
        ax.set_title(f"{ax.get_title()} ({plots.count_text(counts)})")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        ax.set_xlabel("Epoch")
        plots.percent(ax, "Validation accuracy" if ax.get_subplotspec().is_first_col() else "")
    low, high = axes[0].get_ylim()
    axes[0].set_ylim(max(low, -0.02), min(high, 1.02))  # bands of few runs reach beyond 0 and 1
    plots.legend(figure)
    return figure


@styled
def differences(rows: pd.DataFrame, frame: pd.DataFrame, margin: float) -> Figure:
    """Draw differences of accuracy with 95 % Welch intervals against sparsity, a panel per comparison.

    Args:
        rows: as from `frames.of_sources` or `frames.worth`; the marker is the verdict.
        frame: as from `frames.results`, whose sources have the colours.
        margin: the difference that matters, a fraction; shaded.

    Each panel has its own scale.
    """
    plots.need(rows, "compared", "source", "sparsity", "mean", "low", "high", "n", "verdict")
    lines, titles = looks(frame), list(dict.fromkeys(rows["compared"]))
    wide = {"columns": plots.even_columns(len(titles)), "width": 4.4 if len(titles) < 3 else 3.5, "height": 3.1}
    figure, axes = plots.panels(titles, **wide)
    step = 0.035 * max(float(np.ptp(plots.to_axis(rows["sparsity"]))), 1)
    for ax, compared in zip(axes, titles, strict=True):
        own = rows[rows["compared"] == compared]
        sources = [source for source in lines if source in set(own["source"])]
        plots.sparsity_axis(ax, rows["sparsity"])
        _margin(ax, margin)
        for index, source in enumerate(sources):
            aside = step * (index - (len(sources) - 1) / 2)
            _verdicts(ax, own[own["source"] == source], lines[source]["color"], aside)
        limit(ax, pd.concat([own["mean"], pd.Series([-1.5 * margin, 1.5 * margin])]).dropna())
        ax.set_title(f"{ax.get_title()} ({plots.count_text(own['n'])})", fontsize=9)
        plots.percent(ax, "")
        ax.set_ylabel("Difference (percentage points)" if ax.get_subplotspec().is_first_col() else "")
    named = {name: look["color"] for name, look in lines.items() if name in set(rows["source"])}
    _verdict_legend(axes[-1], rows["verdict"], named)
    plots.legend(figure)
    return figure


def _margin(ax: Axes, margin: float) -> None:
    ax.axhspan(
        -margin,
        margin,
        color="#56B4E9",
        alpha=0.2,
        linewidth=0,
        label=f"within ±{100 * margin:.3g} point{'' if margin == POINT else 's'}",
    )
    ax.axhline(0, color=GREY, linewidth=0.8)


def _verdicts(ax: Axes, rows: pd.DataFrame, colour: str, aside: float) -> None:
    for kind, marker in VERDICT_MARKERS.items():
        chosen = rows[rows["verdict"] == kind].dropna(subset=["mean"])
        fill = "white" if kind == "inconclusive" else colour
        if len(chosen):
            look = {"color": colour, "marker": marker, "markerfacecolor": fill, "linestyle": "none"}
            place = shift(chosen["sparsity"], aside)
            ax.errorbar(place, chosen["mean"], yerr=errors(chosen), markersize=6.5, elinewidth=1.2, **look)


def _verdict_legend(ax: Axes, verdicts: Iterable[str], sources: dict[str, str]) -> None:
    """Explain colours, which are sources, and markers, which are verdicts."""
    for name, colour in sources.items():
        ax.plot([], [], color=colour, linewidth=3, label=name)
    for kind in (kind for kind in VERDICT_MARKERS if kind in set(verdicts)):
        fill = "white" if kind == "inconclusive" else GREY
        ax.plot([], [], color=GREY, marker=VERDICT_MARKERS[kind], linestyle="none", markerfacecolor=fill, label=kind)


@styled
def kinds_of_weights(frame: pd.DataFrame, weights: Sequence[str], sparsity: float, y: str = "test_accuracy") -> Figure:
    """Draw the accuracy of tickets of each kind of weights, a panel per stage: means, 95 % t intervals and runs.

    Args:
        frame: as from `frames.results`. Sources stand side by side.
        weights: kinds of weights, the first of which has full markers.
        sparsity: that of the tickets which are shown.
    """
    plots.need(frame, "stage", "source", "source_sparsity", "sparsity", "frozen_weights", y)
    lines, frame = looks(frame), frame[(frame["sparsity"] == sparsity) & (frame["source"] != "")]
    plots.need(frame)
    lines = {name: look for name, look in lines.items() if name in set(frame["source"])}
    figure, axes = plots.panels(list(STAGES.values()), width=4.2, height=3.0, sharey=True)
    places = np.linspace(-0.2, 0.2, len(weights))
    for ax, stage in zip(axes, STAGES, strict=True):
        for (index, source), (number, kind) in product(enumerate(lines), enumerate(weights)):
            rows = frame[(frame["stage"] == stage) & (frame["source"] == source) & (frame["frozen_weights"] == kind)]
            values = rows[y].dropna()
            table = pd.DataFrame([stats.mean_interval(values)])
            look = lines[source] | ({"markerfacecolor": "white"} if number else {})
            ax.errorbar(index + places[number], table["mean"], yerr=errors(table), elinewidth=1, **look)
            beside = index + places[number] + np.linspace(0.05, 0.1, len(values))  # runs may have one accuracy
            ax.scatter(beside, values, s=7, color=look["color"], linewidths=0)
        ax.set_xticks(range(len(lines)), [name.replace(", ", ",\n") for name in lines])
        ax.set_xlim(-0.5, len(lines) - 0.5)
        ax.grid(axis="x", visible=False)
        plots.percent(ax, "Test accuracy" if ax is axes[0] else "")
    for number, kind in enumerate(weights):
        fill = {"markerfacecolor": "white"} if number else {}
        axes[-1].plot([], [], color=GREY, marker="o", linestyle="none", label=f"{kind} weights", **fill)
    limit(axes[0], frame[y].dropna(), low=0, high=1)
    plots.legend(figure)
    return figure
