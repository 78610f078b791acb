"""The charts of methods that change their mask: accuracy, and what a source, its rule and its flow are worth.

A method has one colour and marker; it is filled inside a source, and hollow from the dense network.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from randsparse.comparison import plots, stats
from randsparse.comparison.design import DENSE, RANDOM, SMALL_OWN
from randsparse.comparison.marks import (
    GREY,
    POINT,
    count_missing,
    dense_band,
    error_axis,
    errors,
    forest,
    limit,
    rules_of,
    shift,
)
from randsparse.comparison.plots import MARKERS, PALETTE, styled
from randsparse.runs import methods

CONTROLS = {RANDOM: ":", SMALL_OWN: "-."}
LINES = ("-", (0, (5, 1)), "-.", ":")


@styled
def accuracy_by_method(frame: pd.DataFrame, y: str = "test_accuracy") -> Figure:
    """Draw accuracy against final sparsity, a panel per method: means with 95 % t intervals and every run.

    Args:
        frame: as from `frames.main`.

    Hollow and dashed: from the dense network. Filled: inside sources. Random masks (dotted) and small dense networks
    (dash-dotted) are in every panel, the dense network is a band. A point without a run has a cross on the lower edge.
    Both axes are logarithmic, in density and in error.
    """
    plots.need(frame, "method", "source_sparsity", "sparsity", y)
    plots.need(frame.dropna(subset=[y]))
    sparse = frame[frame["sparsity"] > 0]
    names, sparsities = changing(sparse["method"]), sorted(sparse["sparsity"].unique())
    starts = sorted(sparse.loc[sparse["method"].isin(names), "source_sparsity"].unique())
    columns = min(4, 3, key=lambda count: -len(names) % count)
    figure, axes = plots.panels(names, columns=columns, width=2.8, height=2.3, sharey=True)
    tables, step = [], 0.03 * max(float(np.ptp(plots.to_axis(sparsities))), 1)
    for index, (ax, name) in enumerate(zip(axes, names, strict=True)):
        plots.sparsity_axis(ax, sparsities)
        dense_band(ax, frame.loc[frame["arm"] == DENSE, y])
        for control, line in CONTROLS.items():
            table = _summary(sparse[sparse["arm"] == control], ["sparsity"], y)
            ax.plot(table["sparsity"], table["mean"], color=PALETTE[control], linestyle=line, label=control, zorder=1.5)
            tables.append(table)
        for place, start in enumerate(starts):
            own = sparse[(sparse["method"] == name) & (sparse["source_sparsity"] == start)]
            tables.append(_line(ax, own, look(name, start, starts), step * (place - (len(starts) - 1) / 2), y))
            for sparsity in set(sparsities) - set(own["sparsity"]):
                ax.plot(sparsity, 0.03, "x", color=GREY, transform=ax.get_xaxis_transform(), label="cannot be reached")
        count_missing(ax, sparse.loc[sparse["method"] == name, y])
        ax.tick_params(labelsize=7.5)
        ax.set_xlabel("Final sparsity (% of weights)" if index + columns >= len(names) else "")
        ax.set_ylabel("Test accuracy (%)" if ax.get_subplotspec().is_first_col() else "")
    whole = pd.concat(tables)
    error_axis(axes[0], pd.concat([frame.loc[_shown(frame), y], whole["low"], whole["high"]]).dropna().clip(0, 1))
    _start_keys(axes[-1], starts)
    plots.legend(figure)
    return figure


def _shown(frame: pd.DataFrame) -> pd.Series:
    return (frame["sparsity"] > 0) | (frame["arm"] == DENSE)


def changing(values: Iterable[str]) -> list[str]:
    """Return the methods among values whose masks change, in the order of all figures."""
    return plots.ordered(set(values) & set(methods.DYNAMIC), PALETTE)


def look(method: str, source: float, sources: Iterable[float] = (0.0,)) -> dict[str, Any]:
    """Return how a method is drawn: hollow and dashed from the dense network, filled inside a source."""
    size = 9 if MARKERS[method] == "*" else 5.5
    found = {"color": PALETTE[method], "marker": MARKERS[method], "markersize": size, "linestyle": "--"}
    if not source:
        return found | {"markerfacecolor": "white"}
    return found | {"linestyle": LINES[[each for each in sources if each].index(source) % len(LINES)]}


def _start_keys(ax: Axes, starts: Iterable[float]) -> None:
    """Give the legend an entry for each start, in grey."""
    starts = list(starts)
    for start in starts:
        each = look(RANDOM, start, starts) | {"color": GREY, "marker": "o"}
        ax.plot([], [], label=start_name(start), **each)


def start_name(source: float) -> str:
    """Return how a start is called: from dense, or in a source."""
    return f"in a source, {100 * source:.4g} % sparse" if source else "from dense"


def _summary(rows: pd.DataFrame, by: list[str], y: str) -> pd.DataFrame:
    table = stats.summary(rows, by, y)
    return table[table["n"] > 0].assign(low=table["low"].clip(lower=0), high=table["high"].clip(upper=1))


def _line(ax: Axes, rows: pd.DataFrame, looks: dict[str, Any], aside: float, y: str) -> pd.DataFrame:
    """Draw means, intervals and, a little aside, runs; return what was drawn."""
    table = _summary(rows, ["sparsity"], y)
    if len(table):
        ax.errorbar(shift(table["sparsity"], aside), table["mean"], yerr=errors(table), elinewidth=1, zorder=3, **looks)
        ax.scatter(shift(rows["sparsity"], 2.6 * aside), rows[y], s=6, color=looks["color"], alpha=0.6, linewidths=0)
    return table


@styled
def differences(rows: pd.DataFrame, margin: float, label: str) -> Figure:
    """Draw differences of methods inside sources to what they are compared with, a panel per final sparsity.

    Args:
        rows: as from `frames.from_dense`, `from_static` or `costs.from_shorter`: mean, 95 % Welch interval, verdict.
        margin: the difference that matters, a fraction; shaded.
        label: what is subtracted from what.

    Each panel has its own scale, and shows at most the range of the means thrice.
    """
    plots.need(rows, "method", "source_sparsity", "sparsity", "mean", "low", "high", "n", "verdict")
    several = rows["source_sparsity"].nunique() > 1
    text = rows["source_sparsity"].map(lambda source: f", {start_name(source)}" if several else "")
    rows = rows.assign(row=rows["method"] + text, arm=rows["method"])
    order = rows.assign(order=rows["method"].map(list(PALETTE).index)).sort_values(["order", "source_sparsity"])
    names = list(dict.fromkeys(order["row"]))
    sparsities = sorted(rows["sparsity"].unique())
    titles = [f"{plots.percent_text(sparsity)} % of weights removed" for sparsity in sparsities]
    size = {"columns": plots.even_columns(len(titles)), "width": 3.0, "height": 1.2 + 0.24 * len(names)}
    figure, axes = plots.panels(titles, **size)
    for ax, sparsity in zip(axes, sparsities, strict=True):
        forest(ax, rows[rows["sparsity"] == sparsity], names, margin, colours=PALETTE)
        ax.set_xlabel(f"{label} (points)", fontsize=8)
        ax.tick_params(axis="x", labelsize=7.5)
    plots.legend(figure)
    return figure


@styled
def source_sweep(frame: pd.DataFrame, y: str = "test_accuracy") -> Figure:
    """Draw accuracy and training FLOPs of one method against the sparsity of its source: means, 95 % t intervals, runs.

    Args:
        frame: as from `frames.swept`; the static random masks of the final sparsity and the dense networks are
            lines with bands.
    """
    plots.need(frame, "method", "source_sparsity", y, "cost")
    names = changing(frame["method"])
    plots.need(frame[frame["method"].isin(names)].dropna(subset=[y]))
    figure, axes = plots.panels(["Accuracy", "Training FLOPs on kept weights"], width=4.2)
    for ax, column in zip(axes, (y, "cost"), strict=True):
        plots.sparsity_axis(ax, frame.loc[frame["method"].isin(names), "source_sparsity"])
        ax.set_xlabel("Sparsity of the source (% of weights; log-density axis)")
        for control in (DENSE, RANDOM):
            _level(ax, frame.loc[frame["arm"] == control, column], control)
        for name in names:
            own = frame[frame["method"] == name]
            table = stats.summary(own, ["source_sparsity"], column)
            label = f"{name} ({plots.count_text(table['n'])})"
            looks = look(name, 0) | {"markerfacecolor": PALETTE[name], "linestyle": "-"}
            ax.errorbar(table["source_sparsity"], table["mean"], yerr=errors(table), elinewidth=1, label=label, **looks)
            ax.scatter(
                shift(own["source_sparsity"], 0.07), own[column], s=7, color=PALETTE[name], alpha=0.6, linewidths=0
            )
    limit(axes[0], frame[y].dropna(), low=0, high=1)
    plots.percent(axes[0], "Test accuracy")
    plots.percent(axes[1], "Of dense training")
    axes[1].set_ylim(bottom=0)
    plots.legend(figure)
    return figure


def _level(ax: Axes, values: pd.Series, arm: str) -> None:
    """Draw the mean of an arm as a line, and its 95 % t interval as a band."""
    mean, low, high = stats.mean_interval(values.dropna())
    label = f"{arm} (n = {values.count()})"
    ax.axhline(mean, color=PALETTE[arm], linestyle="-" if arm == DENSE else ":", label=label)
    if np.isfinite(low):
        ax.axhspan(max(low, 0), high, color=PALETTE[arm], alpha=0.1, linewidth=0)


@styled
def rules_and_flow(rules: pd.DataFrame, flow: pd.DataFrame, table: pd.DataFrame, margin: float) -> Figure:
    """Draw what a rule is worth (top) and what preserving flow is (bottom), a column per kind: 95 % Welch intervals.

    Args:
        rules, flow: as from `frames.rule_differences` and `flow_differences`.
        table: as from `frames.rule_table`; the share of units that are alone without preservation stands
            beside the differences of flow.
        margin: the difference that matters, a fraction; shaded.
    """
    plots.need(table, "kind", "spread_by", "preserve_flow", "alone")
    kinds, names = list(dict.fromkeys(table["kind"])), rules_of(table["spread_by"])
    titles = [f"{kind}:\n{what}" for what in ("what the rule is worth", "what flow is worth") for kind in kinds]
    figure, axes = plots.panels(titles, columns=len(kinds), width=4.2, height=1.2 + 0.28 * len(names))
    both = [rules.assign(what="rule"), flow.assign(what="flow")]
    for index, ax in enumerate(axes):
        rows = both[index // len(kinds)]
        rows = rows.assign(row=rows["spread_by"], arm=rows["spread_by"])
        forest(ax, rows[rows["kind"] == kinds[index % len(kinds)]], names, margin, everywhere=rows)
        ax.set_title(ax.get_title(), fontsize=9)
        of_rules = index < len(kinds)
        reference = next(iter(set(names) - set(rules["spread_by"])), "")
        ax.set_xlabel(f"rule − {reference} (points)" if of_rules else "flow preserved − not (points)")
        _beside(ax, rows, table, kinds[index % len(kinds)], names, None if of_rules else "alone", reference)
    plots.legend(figure)
    return figure


def _beside(
    ax: Axes, rows: pd.DataFrame, table: pd.DataFrame, kind: str, names: list[str], column: str | None, reference: str
) -> None:
    """Say beside each rule how many units are alone, and which rows have nothing to show."""
    small = {"fontsize": 7, "color": GREY, "va": "center", "transform": ax.get_yaxis_transform()}
    own = table[(table["kind"] == kind) & ~table["preserve_flow"].astype(bool)].set_index("spread_by")
    for place, name in enumerate(names):
        if not ((rows["kind"] == kind) & (rows["row"] == name)).any():
            text = "reference" if column is None and name == reference else "cannot be reached"
            ax.text(0.02, place, text, ha="left", **small)
        if column and name in own.index:
            ax.text(1.01, place, f"{own.loc[name, column]:.1%}\nalone", ha="left", **small)


@styled
def against_random(rows: pd.DataFrame, seeds: pd.DataFrame, margin: float) -> Figure:
    """Draw one method minus static random masks (left), and its FLOPs over theirs (right), against final sparsity.

    Args:
        rows: as from `frames.from_static`, of one method: means with 95 % Welch intervals.
        seeds: as from `frames.by_seed`: pairs of equal seeds, small.
        margin: the difference that matters, a fraction; shaded.
    """
    plots.need(rows, "method", "source_sparsity", "sparsity", "mean", "low", "high", "n")
    name, starts = rows["method"].iloc[0], sorted(rows["source_sparsity"].unique())
    figure, axes = plots.panels([f"{name} − static random masks", "Training FLOPs, over those of random masks"])
    for ax in axes:
        plots.sparsity_axis(ax, rows["sparsity"])
        ax.set_xlabel("Final sparsity (% of weights)")
    axes[0].axhspan(
        -margin,
        margin,
        color="#56B4E9",
        alpha=0.2,
        linewidth=0,
        label=f"within ±{100 * margin:.3g} point{'' if margin == POINT else 's'}",
    )
    axes[0].axhline(0, color=GREY, linewidth=0.8)
    axes[1].axhline(1, color=PALETTE[RANDOM], linestyle=":", label="static random masks")
    for place, start in enumerate(starts):
        own = rows[rows["source_sparsity"] == start].sort_values("sparsity")
        pairs = seeds[seeds["source_sparsity"] == start].dropna()
        aside = 0.1 * (place - (len(starts) - 1) / 2)
        looks = look(name, start, starts) | {"label": f"{name} {start_name(start)} ({plots.count_text(own['n'])})"}
        axes[0].errorbar(shift(own["sparsity"], aside), own["mean"], yerr=errors(own), elinewidth=1, **looks)
        axes[0].scatter(
            shift(pairs["sparsity"], aside + 0.05),
            pairs["difference"],
            s=7,
            color=PALETTE[name],
            alpha=0.6,
            linewidths=0,
        )
        flops = pairs.groupby("sparsity")["cost"].mean()
        axes[1].plot(flops.index, flops, **looks)
    limit(axes[0], pd.concat([seeds["difference"].dropna(), pd.Series([-1.5 * margin, 1.5 * margin])]))
    plots.percent(axes[0], "")
    axes[0].set_ylabel("difference of test accuracy\n(percentage points)")
    axes[1].yaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 5, 10]))
    axes[1].set_ylabel("times")
    plots.legend(figure)
    return figure
