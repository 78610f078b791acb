"""The charts of the theory: which sources contain a target, how wide they have to be, strong tickets, and practice."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, NullLocator

from randsparse.comparison import marks, plots
from randsparse.comparison.marks import GREY, POINT, SHAPES, model_colours
from randsparse.comparison.plots import PALETTE, use_style
from randsparse.questions.theory.containment import CONNECTED, DROPPED, EVERY, REACHED

EVENTS: dict[str, dict[str, Any]] = {
    EVERY: {"color": "#0072B2", "marker": "o"},
    DROPPED: {"color": "#D55E00", "marker": "s", "markerfacecolor": "none"},
    REACHED: {"color": "#009E73", "marker": "^"},
    CONNECTED: {"color": "#CC79A7", "marker": "v"},
}


@use_style
def containment(frame: pd.DataFrame) -> Figure:
    """Draw the share of random sources that contain a target against their width, a panel per target.

    Args:
        frame: as from `verdicts.add_intervals`, of the event EVERY, with the exact prediction as a line and the union
            bound dotted. Bars are exact 95 % binomial intervals.
    """
    targets, sparsities = list(dict.fromkeys(frame["target"])), sorted(frame["sparsity"].unique())
    colours = model_colours(sparsities)
    figure, axes = plots.make_panels(targets, columns=min(3, len(targets)), width=3.4, sharey=True)
    for ax, target in zip(axes, targets, strict=True):
        for index, sparsity in enumerate(sparsities):
            every = frame[(frame["target"] == target) & (frame["sparsity"] == sparsity)]
            look = {"color": colours[sparsity], "marker": SHAPES[index % len(SHAPES)]}
            ax.plot(every["copies"], every["predicted"], color=colours[sparsity])
            bound = every[every["low"] > 0]
            ax.plot(bound["copies"], bound["low"], color=colours[sparsity], linestyle=":")
            label = f"{plots.percent_text(sparsity)} % sparse"
            _shares(ax, every, look | {"label": label, "markersize": 4.5})
        ax.set(xscale="log", xlabel="Copies of each neuron, k (log scale)", ylim=(-0.03, 1.03))
        _plain_ticks(ax.xaxis, frame["copies"])
        plots.label_percent(ax, "Sources that contain the target" if ax is axes[0] else "")
    for line, label in (("-", "exact prediction"), (":", "union bound")):
        axes[-1].plot([], [], color=GREY, label=label, linestyle=line, marker="")
    plots.draw_legend(figure)
    return figure


def _shares(ax: Axes, rows: pd.DataFrame, look: dict[str, Any]) -> None:
    lengths = [rows["share"] - rows["share_low"], rows["share_high"] - rows["share"]]
    ax.errorbar(rows["copies"], rows["share"], yerr=lengths, linestyle="none", elinewidth=0.8, capsize=0, **look)


def _plain_ticks(axis: Axis, values: Iterable[float]) -> None:
    """Label a logarithmic axis with 1, 2, 5, 10, ... as far as the values go."""
    values = [value for value in values if np.isfinite(value)]
    ticks = [base * 10**power for power in range(-1, 4) for base in (1, 2, 5)]
    shown = [tick for tick in ticks if min(values) / 1.3 <= tick <= max(values) * 1.3]
    axis.set_ticks(shown, [f"{tick:g}" for tick in shown])
    axis.set_minor_locator(NullLocator())


@use_style
def widths_needed(needed: pd.DataFrame, bounds: pd.DataFrame) -> Figure:
    """Draw the width at which 1 - δ is reached against the width factor, both logarithmic, a panel per target.

    Args:
        needed: as from `verdicts.find_widths_needed`.
        bounds: as from `containment.find_bounds`; what is sufficient dotted, what is necessary dashed.
    """
    plots.require_columns(needed.dropna(subset=["width"]))
    targets = list(dict.fromkeys(needed["target"]))
    figure, axes = plots.make_panels(targets, columns=min(4, len(targets)), width=2.7, height=3.1, sharey=True)
    for ax, target in zip(axes, targets, strict=True):
        own, lines = (each[each["target"] == target] for each in (needed, bounds))
        ax.plot(lines["factor"], lines["sufficient"], color=GREY, linestyle=":", label="sufficient: union bound")
        for event in plots.order_values(own["event"], EVENTS):
            rows = own[own["event"] == event].dropna(subset=["width"])
            lengths = [rows["width"] - rows["low"], rows["high"] - rows["width"]]
            ax.errorbar(
                rows["factor"],
                rows["width"],
                yerr=lengths,
                linestyle="-",
                linewidth=0.7,
                elinewidth=1,
                label=event,
                **EVENTS[event],
            )
        ax.plot(lines["factor"], lines["necessary"], color=GREY, linestyle="--", label="necessary")
        ax.set(xscale="log", yscale="log", xlabel="Width factor 1/log(1/s) (log scale)")
        _plain_ticks(ax.xaxis, bounds["factor"])
        _plain_ticks(ax.yaxis, [*bounds["sufficient"], *bounds["necessary"]])
        ax.set_title(target, fontsize=9)
    axes[0].set_ylabel("Copies, or width of a layer (log scale)")
    plots.draw_legend(figure)
    return figure


@use_style
def network_errors(frame: pd.DataFrame) -> Figure:
    """Draw the error of whole strong tickets against copies that the mask leaves, a panel per target.

    Args:
        frame: as from `subset_sums.survey` of networks, and of one weight.
    """
    targets = list(dict.fromkeys(frame["target"]))
    titles = {name: name if name == "one weight" else f"network {name}" for name in targets}
    figure, axes = plots.make_panels(list(titles.values()), columns=min(3, len(targets)), width=3.3, sharey=True)
    densities = sorted(frame["density"].unique(), reverse=True)
    for ax, target in zip(axes, targets, strict=True):
        for index, density in enumerate(densities):
            own = frame[(frame["target"] == target) & (frame["density"] == density)]
            look = {"color": model_colours(densities)[density], "marker": SHAPES[index % len(SHAPES)]}
            _geometric(ax, own, "available", f"{plots.percent_text(density)} % dense", look)
        _halving(ax, frame)
        title = f"{titles[target]} ({plots.count_text(frame.loc[frame['target'] == target, 'n'])})"
        ax.set(yscale="log", xlabel="Copies left on average, p n", title=title)
        ax.yaxis.set_minor_locator(NullLocator())
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes[0].set_ylabel("Error (geometric mean; log scale)")
    plots.draw_legend(figure)
    return figure


def _geometric(ax: Axes, rows: pd.DataFrame, x: str, label: str, look: dict[str, Any]) -> None:
    centre = np.exp2(rows["mean"])
    lengths = [centre - np.exp2(rows["low"]), np.exp2(rows["high"]) - centre]
    ax.errorbar(rows[x], centre, yerr=lengths, elinewidth=1, label=label, **look)


def _halving(ax: Axes, frame: pd.DataFrame) -> None:
    """Draw the line of an error that halves with each copy, from 1/2 on."""
    ends = np.array([0, frame["available"].max()])
    ax.plot(ends, 0.5 * np.exp2(-ends), color=GREY, linestyle="--", linewidth=0.9, label="halves with each copy left")


@use_style
def practice(gaps: pd.DataFrame) -> Figure:
    """Draw accuracy of random masks of wider networks minus dense, a row per cell with its width and the one asked for.

    Args:
        gaps: as `Evidence.gaps`.
    """
    names = [f"{row.cell}\n×{row.width:g} wide, asked: ×{row.asked:.1f}" for row in gaps.itertuples()]
    figure, (ax,) = plots.make_panels(["Random, wider − dense"], width=7.6, height=1.1 + 0.5 * len(names))
    ax.set_xlim(*marks.find_edges(gaps, 0.0, -1.5 * POINT))
    ax.axvspan(-POINT, ax.get_xlim()[1], color="#56B4E9", alpha=0.2, linewidth=0)
    ax.axvline(0, color=GREY, linewidth=0.8)
    marks.draw_interval_rows(ax, gaps, range(len(names)), {"color": PALETTE["random"], "marker": "o"})
    marks.forest_axis(ax, names, "Random − dense, test accuracy (points)")
    ax.xaxis.set_major_formatter(plots.percent_text)
    return figure
