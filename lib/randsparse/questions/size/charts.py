"""Charts of notebook 04: what random masks cost against the size of the network, and sparse against narrow networks."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import NullLocator

from randsparse.comparison import marks, plots
from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.marks import GREY
from randsparse.comparison.panels import arrow_text, draw_rows
from randsparse.comparison.plots import PALETTE, Drawn, use_style
from randsparse.comparison.wording import count, format_interval, format_model, format_points
from randsparse.questions.size.evidence import FLOPS, WEIGHTS

LOOKS: dict[str, dict[str, Any]] = {
    WEIGHTS: {"color": PALETTE["small dense (own scale)"], "marker": "v"},
    FLOPS: {"color": PALETTE["small dense (equal FLOPs)"], "marker": "<"},
}


@use_style
def draw_gaps(gaps: pd.DataFrame, slopes: dict[float, Estimate | None], published: pd.DataFrame) -> Drawn | None:
    """Draw sparse - dense against the number of weights, a panel per sparsity, with the line whose slope is judged.

    Args:
        gaps: as from `Evidence.gaps`.
        slopes: by sparsity.
        published: as from `Evidence.published`, drawn hollow at the same sparsity.
    """
    if gaps.empty:
        return None
    sparsities = sorted(gaps["sparsity"].unique())
    figure, axes = plots.make_panels([f"{100 * each:g} % of the weights removed" for each in sparsities], sharey=True)
    others = published[published["sparsity"].isin(sparsities)]
    for ax, sparsity in zip(axes, sparsities, strict=True):
        own = gaps[gaps["sparsity"] == sparsity].sort_values("weights")
        ax.axhline(0, color=GREY, linewidth=0.8)
        look = {"color": PALETTE["random"], "marker": "o", "linestyle": "none", "elinewidth": 1.2}
        ax.errorbar(own["weights"], own["mean"], yerr=marks.errors(own), label="random − dense, here", **look)
        if (slope := slopes.get(sparsity)) is not None:
            _line(ax, own, slope.value)
        beside = others[others["sparsity"] == sparsity].sort_values("weights")
        if len(beside):
            ax.plot(
                beside["weights"], beside["mean"], "o", color=GREY, markerfacecolor="none", label="published (ResNet)"
            )
            _name(ax, beside)
        _weights_axis(ax, own, [*own["weights"], *beside["weights"]])
        plots.label_percent(ax, "")
    axes[0].set_ylabel("Random − dense, test accuracy\n(points)")
    plots.draw_legend(figure)
    told = [
        f"{format_points(slope.value)} {format_interval(*slope.interval())} points per doubling at "
        f"{100 * at:g} % (n = {slope.n})"
        for at, slope in sorted(slopes.items())
        if slope is not None and at in sparsities
    ]
    caption = (
        f"Test accuracy of random masks minus that of the dense network of the same size, with simultaneous 95 % "
        f"intervals within a panel (n = {count(gaps['n'])} runs per cell). Line: least squares; its slope is "
        f"{'; '.join(told) or 'not known yet'}, 95 % interval."
    )
    hollow = (
        f" Hollow: {len(others)} points that Liu et al. 2022 published, read off their figure, without an "
        f"interval; their networks, images and steps are others, so that only the direction can be compared."
    )
    caption += hollow if len(others) else ""
    return Drawn(figure, caption, pd.concat([gaps, others.assign(cell="published")], ignore_index=True))


def _line(ax: Axes, rows: pd.DataFrame, slope: float) -> None:
    """Draw the line with a slope per doubling through the centre of the points."""
    x = np.log2(rows["weights"].to_numpy(dtype=float))
    ends = np.array([x.min(), x.max()])
    ax.plot(
        2**ends,
        rows["mean"].mean() + slope * (ends - x.mean()),
        color=PALETTE["random"],
        linewidth=1,
        label="least squares",
    )


def _name(ax: Axes, rows: pd.DataFrame) -> None:
    """Write the name of each published network below its point."""
    place = {"xytext": (0, -12), "textcoords": "offset points", "ha": "center"}
    for row in rows.itertuples():
        ax.annotate(format_model(row.model), (row.weights, row.mean), fontsize=7.5, color=GREY, **place)


def _weights_axis(ax: Axes, rows: pd.DataFrame, weights: Sequence[float]) -> None:
    """Space networks by the logarithm of their number of weights, and name ours on the axis."""
    ax.set_xscale("log", base=2)
    ends = np.log2([min(weights), max(weights)])
    ax.set_xlim(*2 ** (ends + [-0.6, 0.6]))
    names = [f"{format_model(row.model)} ({row.weights / 1000:,.0f}k)" for row in rows.itertuples()]
    ax.set_xticks(rows["weights"].tolist(), names, rotation=45, ha="right", rotation_mode="anchor")
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xlabel("Network and its weights (log axis)")


@use_style
def draw_against_narrow(rows: pd.DataFrame, means: dict[str, Estimate | None]) -> Drawn | None:
    """Draw sparse and wide minus dense and narrow, cell by cell, at equal weights and at equal FLOPs.

    Args:
        rows: as from `Evidence.against_narrow`.
        means: the mean over all pairs, by what is equal.
    """
    if rows.empty:
        return None
    names = list(dict.fromkeys(rows["cell"]))
    shown = [equal for equal in LOOKS if (rows["equal"] == equal).any()]
    figure, axes = plots.make_panels(
        [f"Dense and narrow, {equal}" for equal in shown], height=1.1 + 0.3 * (len(names) + 1)
    )
    edges, told = marks.find_edges(rows, 0.0), []
    for ax, equal in zip(axes, shown, strict=True):
        own = rows[rows["equal"] == equal]
        places = [names.index(name) for name in own["cell"]]
        draw_rows(ax, own, [*names, "mean"], "Sparse, wide − dense, narrow (points)", LOOKS[equal], edges, places)
        if (mean := means.get(equal)) is not None:
            whole = pd.DataFrame([(mean.value, *mean.interval())], columns=["mean", "low", "high"])
            marks.draw_interval_rows(ax, whole, [len(names)], LOOKS[equal] | {"color": "#000000"})
            told.append(
                f"{format_points(mean.value)} {format_interval(*mean.interval())} points with {equal} (n = {mean.n})"
            )
        ax.axhline(len(names) - 0.5, color=GREY, linewidth=0.6)
    caption = (
        f"Test accuracy of a sparse wide network minus that of a dense narrow one, simultaneous 95 % intervals within "
        f"a panel (n = {count(rows['n'])} runs per cell).{arrow_text(rows, edges)} Mean over all pairs, 95 % interval: "
        f"{'; '.join(told) or 'too few runs'}."
    )
    return Drawn(figure, caption, rows)
