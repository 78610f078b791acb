"""The charts of data that is no images: accuracy of arms, and their differences, a panel per dataset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from randsparse.comparison import plots, stats
from randsparse.comparison.design import DENSE, RANDOM
from randsparse.comparison.marks import (
    POINT,
    RULE_COLOURS,
    VERDICT_MARKERS,
    count_missing,
    errors,
    limit,
    rule_look,
    shift,
)
from randsparse.comparison.plots import MARKERS, PALETTE, styled
from randsparse.errors import unknown

GREY = "#555555"


def look(arm: str) -> dict[str, Any]:
    """Return how an arm is drawn: a static mask as its rule, a method in a random source dashed and hollow."""
    name, _, rest = arm.partition(" ")
    if name == RANDOM and rest in RULE_COLOURS:
        return rule_look(rest)
    if arm in PALETTE:
        return {"color": PALETTE[arm], "marker": MARKERS[arm]}
    if name in PALETTE:
        return {"color": PALETTE[name], "marker": MARKERS[name], "linestyle": "--", "markerfacecolor": "white"}
    raise unknown("arm", arm, PALETTE)


@styled
def accuracy(frame: pd.DataFrame, arms: Sequence[str], y: str = "test_accuracy") -> Figure:
    """Draw accuracy against sparsity, a panel per dataset: means with 95 % t intervals and every run.

    Args:
        frame: one row per run, with dataset, arm, sparsity and y.
        arms: which ones, in this order; dense networks are a line and a band.
    """
    plots.need(frame, "dataset", "sparsity", y)
    datasets = list(dict.fromkeys(frame["dataset"]))
    figure, axes = plots.panels(datasets, width=4.6, height=3.4)
    own = frame[frame["arm"].isin(arms)]
    plots.need(own.dropna(subset=[y]))
    step = _step(own["sparsity"], len(arms))
    for ax, dataset in zip(axes, datasets, strict=True):
        rows = own[own["dataset"] == dataset]
        dense = frame.loc[(frame["dataset"] == dataset) & (frame["arm"] == DENSE), y].dropna()
        plots.sparsity_axis(ax, rows["sparsity"])
        _dense_band(ax, dense)
        for index, arm in enumerate(arms):
            _points(ax, rows[rows["arm"] == arm], arm, y, step * (index - (len(arms) - 1) / 2), step / 3)
        count_missing(ax, rows[y])
        limit(ax, pd.concat([rows[y].dropna(), dense]), low=0, high=1)
        ax.set_title(f"{dataset} (n = {dense.count()})")
        plots.percent(ax, "Test accuracy" if ax is axes[0] else "")
    plots.legend(figure)
    return figure


def _step(sparsities: pd.Series, arms: int) -> float:
    """Return how far arms stand apart, in halvings of density, so that all of a sparsity have room on the axis."""
    return 0.1 * max(float(np.ptp(plots.to_axis(sparsities))), 1) / max(4, arms)


def _dense_band(ax: Axes, values: pd.Series) -> None:
    mean, low, high = stats.mean_interval(values)
    ax.axhline(mean, color=PALETTE[DENSE], linewidth=1, label=DENSE)
    if np.isfinite(low):
        ax.axhspan(max(low, 0), min(high, 1), color=PALETTE[DENSE], alpha=0.1, linewidth=0)


def _points(ax: Axes, rows: pd.DataFrame, arm: str, y: str, aside: float, further: float) -> None:
    """Draw the means of an arm with intervals, and its runs a little further aside."""
    table = stats.summary(rows, ["sparsity"], y)
    table = table[table["n"] > 0]
    if table.empty:
        return
    drawn = look(arm) | {"elinewidth": 1, "label": arm}
    ax.errorbar(shift(table["sparsity"], aside), table["mean"], yerr=errors(table), **drawn)
    runs = rows.dropna(subset=[y]).sort_values(["sparsity", y])
    small = {"s": 6, "color": drawn["color"], "alpha": 0.6, "linewidths": 0}
    ax.scatter(shift(runs["sparsity"], aside + further), runs[y], **small)


@styled
def differences(rows: pd.DataFrame, margin: float, title: str) -> Figure:
    """Draw differences of accuracy with 95 % Welch intervals against sparsity, a panel per dataset.

    Args:
        rows: as from `frames.differences`; colours are those of the arms, markers the verdicts.
        margin: the difference that matters, a fraction; shaded.
        title: what is subtracted from what, of the y axis.
    """
    plots.need(rows, "dataset", "sparsity", "mean", "low", "high", "n", "verdict")
    datasets, arms = list(dict.fromkeys(rows["dataset"])), list(dict.fromkeys(rows["arm"]))
    figure, axes = plots.panels(datasets, width=4.6, height=3.2)
    step = _step(rows["sparsity"], len(arms))
    for ax, dataset in zip(axes, datasets, strict=True):
        own = rows[rows["dataset"] == dataset]
        plots.sparsity_axis(ax, rows["sparsity"])
        ax.axhspan(
            -margin,
            margin,
            color="#56B4E9",
            alpha=0.2,
            linewidth=0,
            label=f"within ±{100 * margin:.3g} point{'' if margin == POINT else 's'}",
        )
        ax.axhline(0, color=GREY, linewidth=0.8)
        for index, arm in enumerate(arms):
            _verdicts(ax, own[own["arm"] == arm], arm, step * (index - (len(arms) - 1) / 2))
        limit(ax, pd.concat([own["mean"], pd.Series([-1.5 * margin, 1.5 * margin])]).dropna())
        ax.set_title(f"{dataset} ({plots.count_text([*own['n'], *own['n_baseline']])})")
        plots.percent(ax, "")
        ax.set_ylabel(f"{title}\n(percentage points)" if ax is axes[0] else "")
    for kind in (kind for kind in VERDICT_MARKERS if kind in set(rows["verdict"])):
        drawn = {"marker": VERDICT_MARKERS[kind], "markerfacecolor": "white" if kind == "inconclusive" else GREY}
        axes[0].plot([], [], color=GREY, linestyle="none", label=kind, **drawn)
    plots.legend(figure)
    return figure


def _verdicts(ax: Axes, rows: pd.DataFrame, arm: str, aside: float) -> None:
    own = {"color": look(arm)["color"], "linestyle": "none", "markersize": 6, "elinewidth": 1.2}
    ax.plot([], [], color=own["color"], linewidth=3, label=arm)
    for kind, marker in VERDICT_MARKERS.items():
        chosen = rows[rows["verdict"] == kind].dropna(subset=["mean"])
        fill = "white" if kind == "inconclusive" else own["color"]
        if len(chosen):
            place = shift(chosen["sparsity"], aside)
            ax.errorbar(place, chosen["mean"], yerr=errors(chosen), marker=marker, markerfacecolor=fill, **own)
