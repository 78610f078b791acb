"""The charts of what training costs: accuracy against FLOPs on kept weights, and FLOPs beside measured times."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from randsparse.comparison import plots
from randsparse.comparison.design import DENSE, RANDOM, SMALL_OWN
from randsparse.comparison.marks import GREY, SHAPES, error_axis, errors, model_colours
from randsparse.comparison.plots import MARKERS, PALETTE, styled
from randsparse.questions.sparse_to_sparse.charts import changing, look, start_name


@styled
def accuracy_vs_cost(points: pd.DataFrame) -> Figure:
    """Draw accuracy against training FLOPs on kept weights, a panel per final sparsity: means with 95 % t intervals.

    Args:
        points: as from `costs.trade_offs`. Dense networks of all lengths are a line in every panel, the two
            starts of a method are joined, and the grey steps are the Pareto front of the means.

    Wide intervals of few runs leave the panels.
    """
    plots.need(points, "sparsity", "method", "source_sparsity", "cost", "mean", "low", "high", "n", "front")
    sparsities = sorted(points["sparsity"].unique())
    titles = [f"{plots.percent_text(sparsity)} % of weights removed" for sparsity in sparsities]
    size = {"columns": plots.even_columns(len(titles)), "width": 3.3, "height": 3.2}
    figure, axes = plots.panels(titles, **size, sharey=True, sharex=True)
    for ax, sparsity in zip(axes, sparsities, strict=True):
        own = points[points["sparsity"] == sparsity]
        front = own[own["front"]].sort_values("cost")
        ax.step(
            [*front["cost"], points["cost"].max() * 1.3],
            [*front["mean"], front["mean"].max()],
            where="post",
            color="#bbbbbb",
            linewidth=3,
            alpha=0.6,
            zorder=1,
            label="Pareto front of the means",
        )
        for name in (DENSE, RANDOM, SMALL_OWN):
            rows = own[own["method"] == DENSE] if name == DENSE else own[own["arm"] == name]
            label = f"dense, trained for {_epochs(rows)} epochs" if name == DENSE else name
            style = {"color": PALETTE[name], "marker": MARKERS[name], "linestyle": "-" if name == DENSE else "none"}
            ax.errorbar(rows["cost"], rows["mean"], yerr=_clipped(rows), elinewidth=0.8, **style)
            ax.plot([], [], label=label, **style)
        for name in changing(own["method"]):
            rows = own[own["method"] == name].sort_values("source_sparsity")
            ax.plot(rows["cost"], rows["mean"], color=PALETTE[name], linewidth=0.8, zorder=2)
            for row in rows.itertuples():
                one = rows[rows["arm"] == row.arm]
                looks = look(name, row.source_sparsity, rows["source_sparsity"]) | {"linestyle": "none"}
                ax.errorbar(one["cost"], one["mean"], yerr=_clipped(one), elinewidth=0.8, zorder=3, **looks)
            ax.plot([], [], color=PALETTE[name], marker=MARKERS[name], linestyle="none", label=name)
        _share_axis(ax, points["cost"])
        ax.set_xlabel("Training FLOPs, % of dense (log)" if _last_row(ax, axes) else "")
        ax.set_ylabel("Test accuracy (%)" if ax.get_subplotspec().is_first_col() else "")
    worst, best = max(0, 1.5 * points["mean"].min() - 0.5), (2 + points["mean"].max()) / 3  # errors times 3/2 and 1/3
    error_axis(axes[0], pd.concat([points[name].clip(worst, best) for name in ("mean", "low", "high")]).dropna())
    for filled, label in ((False, "from dense"), (True, "in a source")):
        fill = {} if filled else {"markerfacecolor": "white"}
        axes[-1].plot([], [], "o", color=GREY, label=label, **fill)
    plots.legend(figure)
    return figure


def _epochs(rows: pd.DataFrame) -> str:
    return ", ".join(str(each) for each in sorted(rows["epochs"].unique()))


def _last_row(ax: Axes, axes: list[Axes]) -> bool:
    return axes.index(ax) + ax.get_gridspec().ncols >= len(axes)


def _clipped(rows: pd.DataFrame) -> np.ndarray:
    return errors(rows.assign(low=rows["low"].clip(lower=0), high=rows["high"].clip(upper=1)))


def _share_axis(ax: Axes, values: Iterable[float]) -> None:
    """Make x logarithmic, with shares in percent at 1, 2, 5, 10, ... as far as the values go."""
    low, high = np.nanmin(list(values)), np.nanmax(list(values))
    ticks = [base * 10.0**power for power in range(-4, 3) for base in (1, 2, 5)]
    ax.set_xscale("log")
    ax.set_xlim(low / 1.25, high * 1.25)
    ax.xaxis.set_major_locator(FixedLocator([tick for tick in ticks if low / 1.25 <= tick <= high * 1.25]))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(plots.percent_text)


@styled
def flops_and_seconds(frame: pd.DataFrame) -> Figure:
    """Draw training FLOPs on kept weights (left) and measured times (right) of each arm, a colour a final sparsity.

    Args:
        frame: as from `frames.main`: FLOPs over those of dense training, log scale; times over the median of a
            static random mask, median and range of the runs.
    """
    plots.need(frame, "method", "source_sparsity", "sparsity", "cost", "times_static")
    rows = [(name, own) for name in (DENSE, RANDOM, SMALL_OWN) if len(own := frame[frame["arm"] == name])]
    for name in changing(frame["method"]):
        own = frame[frame["method"] == name]
        rows += [(f"{name}, {start_name(start)}", each) for start, each in own.groupby("source_sparsity")]
    sparsities = sorted(set(frame["sparsity"]) - {0.0})
    colours = model_colours(sparsities) | {0.0: PALETTE[DENSE]}
    titles = ["Training FLOPs on kept weights", "Measured time of training"]
    figure, axes = plots.panels(titles, width=4.4, height=0.8 + 0.25 * len(rows))
    for place, (_, own) in enumerate(rows):
        for index, (sparsity, each) in enumerate(own.groupby("sparsity")):
            y = place + 0.14 * (index - (own["sparsity"].nunique() - 1) / 2)
            style = {
                "color": colours[sparsity],
                "linestyle": "none",
                "markersize": 4.5,
                "marker": SHAPES[sparsities.index(sparsity)] if sparsity else MARKERS[DENSE],
            }
            axes[0].plot(each["cost"].mean(), y, **style)
            times = each["times_static"].dropna()
            if len(times):
                bars = [[times.median() - times.min()], [times.max() - times.median()]]
                axes[1].errorbar(times.median(), y, xerr=bars, elinewidth=0.9, capsize=1.5, **style)
    for index, sparsity in enumerate(sparsities):
        axes[0].plot(
            [],
            [],
            color=colours[sparsity],
            marker=SHAPES[index],
            linestyle="none",
            label=f"{plots.percent_text(sparsity)} % removed",
        )
    _share_axis(axes[0], frame.groupby(["arm", "sparsity"])["cost"].mean())
    axes[0].set_xlabel("% of dense training (log scale)")
    axes[1].set_xlabel("times that of a static random mask")
    axes[1].axvline(1, color=GREY, linewidth=0.8)
    axes[1].set_xlim(left=0)
    for ax in axes:
        ax.set_yticks(range(len(rows)), [name for name, _ in rows] if ax is axes[0] else [""] * len(rows), fontsize=8)
        ax.set_ylim(len(rows) - 0.4, -0.6)
    plots.legend(figure)
    return figure
