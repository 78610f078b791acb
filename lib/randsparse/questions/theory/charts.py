"""The charts of the theory: which sources contain a target, how wide they have to be, strong tickets, and practice."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator, NullLocator

from randsparse.comparison import plots
from randsparse.comparison.marks import POINT, SHAPES, errors, limit, model_colours
from randsparse.comparison.plots import PALETTE, styled
from randsparse.questions.theory.containment import CONNECTED, DROPPED, EVERY, REACHED
from randsparse.questions.theory.practice import EQUAL, NOT_WORSE, UNDECIDED, WORSE

EVENTS: dict[str, dict[str, Any]] = {
    EVERY: {"color": "#0072B2", "marker": "o"},
    DROPPED: {"color": "#D55E00", "marker": "s", "markerfacecolor": "none"},
    REACHED: {"color": "#009E73", "marker": "^"},
    CONNECTED: {"color": "#CC79A7", "marker": "v"},
}
STANDINGS = {NOT_WORSE: "o", WORSE: "v", UNDECIDED: "o"}
"""Markers are filled, that of undecided is hollow."""
GREY = "#555555"


@styled
def containment(frame: pd.DataFrame) -> Figure:
    """Draw the share of random sources that contain a target against their width, a panel per target.

    Args:
        frame: as from `verdicts.with_intervals`, of the events EVERY (filled, with the exact prediction as a line
            and the union bound dotted) and DROPPED (hollow). Bars are exact 95 % binomial intervals.
    """
    plots.need(frame, "target", "event", "sparsity", "copies", "share", "share_low", "share_high", "predicted", "low")
    targets, sparsities = list(dict.fromkeys(frame["target"])), sorted(frame["sparsity"].unique())
    colours = model_colours(sparsities)
    figure, axes = plots.panels(targets, columns=min(3, len(targets)), width=3.4, sharey=True)
    for ax, target in zip(axes, targets, strict=True):
        for index, sparsity in enumerate(sparsities):
            own = frame[(frame["target"] == target) & (frame["sparsity"] == sparsity)]
            look = {"color": colours[sparsity], "marker": SHAPES[index % len(SHAPES)]}
            every, dropped = (own[own["event"] == event] for event in (EVERY, DROPPED))
            ax.plot(every["copies"], every["predicted"], color=colours[sparsity])
            bound = every[every["low"] > 0]
            ax.plot(bound["copies"], bound["low"], color=colours[sparsity], linestyle=":")
            label = f"{plots.percent_text(sparsity)} % sparse"
            _shares(ax, every, look | {"label": label, "markersize": 4.5})
            _shares(ax, dropped, look | {"markerfacecolor": "white", "markersize": 4.5})
        ax.set_xscale("log")
        _plain_ticks(ax, frame["copies"])
        ax.set_xlabel("Copies of each neuron, k (log scale)")
        ax.set_ylim(-0.03, 1.03)
        plots.percent(ax, "Sources that contain the target" if ax is axes[0] else "")
    for look, label in (
        ({"linestyle": "-", "marker": ""}, "exact prediction"),
        ({"linestyle": ":", "marker": ""}, "union bound"),
        ({"linestyle": "none", "marker": "o"}, EVERY),
        ({"linestyle": "none", "marker": "o", "markerfacecolor": "white"}, DROPPED),
    ):
        axes[-1].plot([], [], color=GREY, label=label, **look)
    plots.legend(figure)
    return figure


def _shares(ax: Axes, rows: pd.DataFrame, look: dict[str, Any]) -> None:
    lengths = [rows["share"] - rows["share_low"], rows["share_high"] - rows["share"]]
    ax.errorbar(rows["copies"], rows["share"], yerr=lengths, linestyle="none", elinewidth=0.8, capsize=0, **look)


def _plain_ticks(ax: Axes, values: Iterable[float], axis: str = "x") -> None:
    """Label a logarithmic axis with 1, 2, 5, 10, ... as far as the values go."""
    values = [value for value in values if np.isfinite(value)]
    ticks = [base * 10**power for power in range(-1, 4) for base in (1, 2, 5)]
    shown = [tick for tick in ticks if min(values) / 1.3 <= tick <= max(values) * 1.3]
    (ax.set_xticks if axis == "x" else ax.set_yticks)(shown, [f"{tick:g}" for tick in shown])
    (ax.xaxis if axis == "x" else ax.yaxis).set_minor_locator(NullLocator())


@styled
def widths_needed(needed: pd.DataFrame, bounds: pd.DataFrame) -> Figure:
    """Draw the width at which 1 - δ is reached against the width factor, both logarithmic, a panel per target.

    Args:
        needed: as from `verdicts.widths_needed`.
        bounds: as from `containment.bounds`; what is sufficient dotted, what is necessary dashed.
    """
    plots.need(needed, "target", "event", "factor", "width", "low", "high")
    plots.need(needed.dropna(subset=["width"]))
    targets = list(dict.fromkeys(needed["target"]))
    figure, axes = plots.panels(targets, columns=min(4, len(targets)), width=2.7, height=3.1, sharey=True)
    for ax, target in zip(axes, targets, strict=True):
        own, lines = (each[each["target"] == target] for each in (needed, bounds))
        ax.plot(lines["factor"], lines["sufficient"], color=GREY, linestyle=":", label="sufficient: union bound")
        for event in plots.ordered(own["event"], EVENTS):
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
        ax.set(xscale="log", yscale="log")
        _plain_ticks(ax, bounds["factor"])
        _plain_ticks(ax, [*bounds["sufficient"], *bounds["necessary"]], "y")
        ax.set_xlabel("Width factor 1/log(1/s) (log scale)")
        ax.set_title(target, fontsize=9)
    axes[0].set_ylabel("Copies, or width of a layer (log scale)")
    plots.legend(figure)
    return figure


@styled
def weight_errors(frame: pd.DataFrame) -> Figure:
    """Draw the error of one weight as a subset sum against copies, and against those that the mask leaves.

    Args:
        frame: as from `subset_sums.survey` of one weight; the bound on the geometric mean is dotted.
    """
    plots.need(frame, "density", "copies", "available", "mean", "low", "high", "n", "least")
    figure, axes = plots.panels(["Against all copies", "Against copies that the mask leaves"], sharey=True)
    densities = sorted(frame["density"].unique(), reverse=True)
    for ax, x in zip(axes, ("copies", "available"), strict=True):
        for index, density in enumerate(densities):
            own = frame[frame["density"] == density]
            look = {"color": model_colours(densities)[density], "marker": SHAPES[index % len(SHAPES)]}
            _geometric(ax, own, x, f"{plots.percent_text(density)} % dense ({plots.count_text(own['n'])})", look)
            if x == "copies":
                ax.plot(own[x], np.exp2(own["least"]), color=look["color"], linestyle=":")
        _error_axis(ax)
    axes[0].plot([], [], color=GREY, linestyle=":", label="no mask can be below")
    _halving(axes[1], frame)
    axes[0].set_xlabel("Copies, n")
    axes[1].set_xlabel("Copies left on average, p n")
    axes[0].set_ylabel("Error of a weight (geometric mean; log scale)")
    plots.legend(figure)
    return figure


@styled
def network_errors(frame: pd.DataFrame) -> Figure:
    """Draw the error of whole strong tickets against copies that the mask leaves, a panel per target.

    Args:
        frame: as from `subset_sums.survey` of networks, and of one weight.
    """
    plots.need(frame, "target", "density", "available", "mean", "low", "high", "n")
    targets = list(dict.fromkeys(frame["target"]))
    titles = {name: name if name == "one weight" else f"network {name}" for name in targets}
    figure, axes = plots.panels(list(titles.values()), columns=min(3, len(targets)), width=3.3, sharey=True)
    densities = sorted(frame["density"].unique(), reverse=True)
    for ax, target in zip(axes, targets, strict=True):
        for index, density in enumerate(densities):
            own = frame[(frame["target"] == target) & (frame["density"] == density)]
            look = {"color": model_colours(densities)[density], "marker": SHAPES[index % len(SHAPES)]}
            _geometric(ax, own, "available", f"{plots.percent_text(density)} % dense", look)
        _halving(ax, frame)
        _error_axis(ax)
        ax.set_title(f"{titles[target]} ({plots.count_text(frame.loc[frame['target'] == target, 'n'])})")
        ax.set_xlabel("Copies left on average, p n")
    axes[0].set_ylabel("Error (geometric mean; log scale)")
    plots.legend(figure)
    return figure


def _geometric(ax: Axes, rows: pd.DataFrame, x: str, label: str, look: dict[str, Any]) -> None:
    centre = np.exp2(rows["mean"])
    lengths = [centre - np.exp2(rows["low"]), np.exp2(rows["high"]) - centre]
    ax.errorbar(rows[x], centre, yerr=lengths, elinewidth=1, label=label, **look)


def _halving(ax: Axes, frame: pd.DataFrame) -> None:
    """Draw the line of an error that halves with each copy, from 1/2 on."""
    ends = np.array([0, frame["available"].max()])
    ax.plot(ends, 0.5 * np.exp2(-ends), color=GREY, linestyle="--", linewidth=0.9, label="halves with each copy left")


def _error_axis(ax: Axes) -> None:
    ax.set_yscale("log")
    ax.yaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_locator(MaxNLocator(integer=True))


@styled
def practice(gaps: pd.DataFrame, margin: float) -> Figure:
    """Draw accuracy of random masks minus dense against width, a panel per fixed sparsity, and one at equal weights.

    Args:
        gaps: as from `practice.against_dense`; the width that theory asks for, 1/log(1/s), is a dotted line, or
            stands beside the points of equal weights, whose sparsities differ.
        margin: the difference that matters, a fraction; shaded.
    """
    plots.need(gaps, "width", "sparsity", "factor", "kind", "mean", "low", "high", "n", "standing")
    points = [(kind, s) for kind, s in gaps[["kind", "sparsity"]].itertuples(index=False) if kind != EQUAL]
    facets = [*dict.fromkeys(points), *[(EQUAL, None)] * bool((gaps["kind"] == EQUAL).any())]
    titles = ["As many weights as dense" if s is None else f"{plots.percent_text(s)} % removed" for _, s in facets]
    figure, axes = plots.panels(titles, columns=min(4, len(titles)), width=3.1, height=2.9, sharey=True)
    widths = sorted(gaps["width"].unique())
    for ax, (kind, sparsity) in zip(axes, facets, strict=True):
        own = gaps[(gaps["kind"] == kind) & (True if sparsity is None else gaps["sparsity"] == sparsity)]
        ax.axhspan(
            -margin,
            margin,
            color="#56B4E9",
            alpha=0.2,
            linewidth=0,
            label=f"within ±{100 * margin:.3g} point{'' if margin == POINT else 's'}",
        )
        ax.axhline(0, color=GREY, linewidth=0.8)
        for name, marker in STANDINGS.items():
            rows = own[own["standing"] == name]
            fill = "white" if name == UNDECIDED else PALETTE["random"]
            if len(rows):
                ax.errorbar(
                    rows["width"],
                    rows["mean"],
                    yerr=errors(rows),
                    linestyle="none",
                    marker=marker,
                    label=name,
                    color=PALETTE["random"],
                    markerfacecolor=fill,
                    markersize=6.5,
                )
        _asked(ax, own, kind)
        ax.set_title(f"{ax.get_title()} ({plots.count_text(own['n'])})")
        ax.set_xlim(min(widths) - 0.4, max(widths) + 0.7)
        ax.xaxis.set_major_locator(FixedLocator(widths))
        ax.set_xlabel("Width, times that of dense")
        plots.percent(ax, "")
    limit(axes[0], pd.concat([gaps["mean"].dropna(), pd.Series([-1.5 * margin, 1.5 * margin])]))
    axes[0].set_ylabel("random − dense\n(percentage points)")
    plots.legend(figure)
    return figure


def _asked(ax: Axes, rows: pd.DataFrame, kind: str) -> None:
    if kind != EQUAL:
        ax.axvline(rows["factor"].iloc[0], color="#D55E00", linestyle=":", label="width that theory asks for")
        return
    for row in rows.itertuples():
        text = f"{plots.percent_text(round(row.sparsity, 3))} %\nasked: ×{row.factor:.1f}"
        ax.annotate(
            text,
            (row.width, 0.02),
            xycoords=ax.get_xaxis_transform(),
            ha="center",
            va="bottom",
            fontsize=7,
            color="#D55E00",
        )
