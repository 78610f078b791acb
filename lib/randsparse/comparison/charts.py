"""The charts of runs: each takes a tidy frame (see `frames`), and returns a figure for `saving.save`.

Columns arm, structure and sparsity say which run a row is; accuracies are fractions and are shown in percent.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from randsparse.comparison import marks, plots, stats
from randsparse.comparison.marks import POINT, VERDICT_MARKERS, count_missing, errors, limit, shift
from randsparse.comparison.plots import MARKERS, PALETTE, REMOVED, STRUCTURES, styled


@styled
def accuracy_vs_sparsity(
    frame: pd.DataFrame,
    x: str = "sparsity",
    y: str = "test_accuracy",
    infeasible: Iterable[tuple[str, float, str]] = (),
    label: str = "Test accuracy",
) -> Figure:
    """Draw accuracy against sparsity, a panel per structure: means with 95 % t intervals, and every run.

    Args:
        frame: one row per replicate, with arm, structure, sparsity, x and y.
        x: where a group stands: its sparsity, or the mean of another column, a share of weights removed.
        infeasible: (structure, sparsity, arm) that cannot be reached: crosses on the lower edge.

    The dense network is a band. Each panel has its own axis, which shows all of its runs; wide intervals may leave it.
    """
    plots.need(frame, "arm", "structure", "sparsity", x, y)
    plots.need(frame.dropna(subset=[x, y]))
    infeasible = list(infeasible)
    sparse = frame[frame["arm"] != "dense"]
    shown = [*(sparse if len(sparse) else frame)["structure"], *(structure for structure, _, _ in infeasible)]
    structures = plots.ordered(shown, STRUCTURES)
    figure, axes = plots.panels([STRUCTURES[name] for name in structures])
    arms = plots.ordered([*sparse["arm"], *(arm for _, _, arm in infeasible)], PALETTE)
    for ax, structure in zip(axes, structures, strict=True):
        rows = sparse[sparse["structure"] == structure]
        dense = stats.arm_rows(frame, "dense", structure, 0)
        crosses = [(sparsity, arm) for kind, sparsity, arm in infeasible if kind == structure]
        ticks = [*rows[x].dropna(), *dense[x].dropna(), *(sparsity for sparsity, _ in crosses)]
        if x != "sparsity":
            ticks = [1 - float(f"{1 - value:.2g}") for value in ticks]
        plots.sparsity_axis(ax, ticks, REMOVED[structure] if x == "sparsity" else "weights")
        if len(dense):
            _dense_band(ax, dense, y)
        step = 0.016 * max(float(np.ptp(plots.to_axis(ticks))), 1)
        for index, arm in enumerate(arms):
            aside = step * np.array([index - (len(arms) - 1) / 2, index - len(arms) / 2 + 0.1])
            _arm(ax, rows[rows["arm"] == arm], arm, x, y, aside, sparse[sparse["arm"] == arm])
        for sparsity, arm in crosses:
            position = shift(sparsity, step * (arms.index(arm) - (len(arms) - 1) / 2))
            ax.plot(position, 0.02, "x", color=PALETTE[arm], transform=ax.get_xaxis_transform())
        if crosses:
            ax.plot([], [], "x", color="#555555", label="cannot be reached")
        values = pd.concat([rows, dense])[y]
        count_missing(ax, values)
        if values.notna().any():
            limit(ax, values.dropna(), low=0, high=1)
        plots.percent(ax, label if ax is axes[0] else "")
    plots.legend(figure)
    return figure


def _dense_band(ax: Axes, dense: pd.DataFrame, y: str) -> None:
    dense = dense.dropna(subset=[y]).sort_values(y)
    mean, low, high = stats.mean_interval(dense[y])
    colour = PALETTE["dense"]
    ax.axhline(mean, color=colour, linewidth=1, label=f"dense (n = {dense[y].count()})")
    if np.isfinite(low):
        ax.axhspan(low, high, color=colour, alpha=0.1, linewidth=0)
    ax.scatter(dense["sparsity"], dense[y], s=7, color=colour, alpha=0.5, linewidths=0)


def _arm(ax: Axes, rows: pd.DataFrame, arm: str, x: str, y: str, aside: np.ndarray, everywhere: pd.DataFrame) -> None:
    """Draw an arm, means and runs each a little aside so that none hides another; n is that of all panels."""
    table = stats.summary(rows, ["sparsity"], y)
    table = table[table["n"] > 0]
    if table.empty:
        return
    centre = rows.groupby("sparsity")[x].mean().loc[table["sparsity"]]
    counts = everywhere.groupby(["structure", "sparsity"])[y].count()
    ax.errorbar(
        shift(centre, aside[0]),
        table["mean"],
        yerr=errors(table),
        color=PALETTE[arm],
        marker=MARKERS[arm],
        elinewidth=1,
        label=f"{arm} ({plots.count_text(counts[counts > 0])})",
    )
    own = rows.dropna(subset=[y]).sort_values(["sparsity", y])
    around = own["sparsity"].map(centre)
    ax.scatter(shift(around, aside[1]), own[y], s=7, color=PALETTE[arm], alpha=0.6, linewidths=0)


@styled
def difference_vs_sparsity(rows: pd.DataFrame, margin: float = POINT, label: str = "searched − random") -> Figure:
    """Draw differences of accuracy with 95 % intervals and verdicts against sparsity, a panel per structure.

    Args:
        rows: as `stats.comparisons` returns them.
        margin: the difference that matters, a fraction; shaded.
    """
    plots.need(rows, "structure", "sparsity", "mean", "low", "high", "n", "verdict")
    structures = plots.ordered(rows["structure"], STRUCTURES)
    figure, axes = plots.panels([STRUCTURES[name] for name in structures], sharey=True)
    for ax, structure in zip(axes, structures, strict=True):
        own = rows[rows["structure"] == structure].sort_values("sparsity")
        plots.sparsity_axis(ax, own["sparsity"], REMOVED[structure])
        ax.axhspan(
            -margin,
            margin,
            color="#56B4E9",
            alpha=0.2,
            linewidth=0,
            label=f"within ±{100 * margin:.3g} point{'' if margin == POINT else 's'}",
        )
        ax.axhline(0, color="#555555", linewidth=0.8)
        for kind, marker in VERDICT_MARKERS.items():
            chosen = own[(own["verdict"] == kind) & own["mean"].notna()]
            fill = "white" if kind == "inconclusive" else "#222222"
            if len(chosen):
                ax.errorbar(
                    chosen["sparsity"],
                    chosen["mean"],
                    yerr=errors(chosen),
                    color="#222222",
                    linestyle="none",
                    marker=marker,
                    markersize=6.5,
                    elinewidth=1.2,
                    label=kind,
                    markerfacecolor=fill,
                )
        _counts_above(ax, own)
    finite = pd.concat([rows["mean"].dropna(), pd.Series([-1.5 * margin, 1.5 * margin])])
    limit(axes[0], finite)
    plots.percent(axes[0], "")
    axes[0].set_ylabel(f"{label}\n(percentage points)")
    plots.legend(figure)
    return figure


def _counts_above(ax: Axes, rows: pd.DataFrame) -> None:
    """Write n above each point of a panel, of both samples where they differ."""
    ax.set_title(ax.get_title(), pad=17)
    small = {"textcoords": "offset points", "fontsize": 7, "color": "#555555"}
    ax.annotate("n =", (0, 1), xycoords="axes fraction", xytext=(-2, 3), ha="right", **small)
    for row in rows.itertuples():
        baseline = getattr(row, "n_baseline", row.n)
        text = f"{row.n}" if row.n == baseline else f"{row.n}/{baseline}"
        place = {"xycoords": ax.get_xaxis_transform(), "xytext": (0, 3), "ha": "center"}
        ax.annotate(text, (row.sparsity, 1), **place, **small)


@styled
def learning_curves(
    curves: pd.DataFrame, y: str = "val_accuracy", early: float | None = None, label: str = "Validation accuracy"
) -> Figure:
    """Draw accuracy over epochs, a panel per structure and sparsity: means with 95 % t intervals as bands.

    Args:
        curves: one row per run and epoch, with arm, structure, sparsity, epoch and y.
        early: the epoch at which candidates are weeded out, marked by a dotted line.

    The dense network is in every panel; each panel has its own scale of y. The legend's n is of all panels.
    """
    plots.need(curves, "arm", "structure", "sparsity", "epoch", y)
    points = curves.loc[curves["arm"] != "dense", ["structure", "sparsity"]].drop_duplicates()
    points = points if len(points) else curves[["structure", "sparsity"]].drop_duplicates()
    columns = min(3, points["sparsity"].nunique())
    facets, titles = [], []
    for structure in plots.ordered(points["structure"], STRUCTURES):
        levels = sorted(points.loc[points["structure"] == structure, "sparsity"])
        facets += [(structure, level) for level in levels]
        titles += [f"{structure.capitalize()}s, {plots.percent_text(level)} % removed" for level in levels]
        titles += [""] * (-len(titles) % columns)
    figure, axes = plots.panels(titles, columns=columns, width=3.0 if columns > 1 else 4.2, height=2.1)
    arms = plots.ordered(curves["arm"], PALETTE)
    counts = curves.groupby(["arm", "structure", "sparsity", "epoch"])[y].count()
    for ax, (structure, sparsity) in zip(axes, facets, strict=True):
        rows = pd.concat(
            [
                stats.arm_rows(curves, arm, structure, sparsity).assign(arm=arm)
                for arm in arms
                if not (arm == "random" and sparsity == 0)
            ]
        )
        marks.band(ax, rows, "epoch", y, points=False, counted=False)
        if early is not None:
            text = f"weeded out at epoch {early:g}"
            ax.axvline(early, color="#555555", linewidth=0.9, linestyle=":", label=text)
        plots.percent(ax, label)
        if not ax.get_subplotspec().is_first_col():
            ax.set_ylabel("")
        ax.set_xlabel("Epoch")
        ax.xaxis.set_major_locator(MaxNLocator(integer=True))
        low, high = ax.get_ylim()
        ax.set_ylim(max(low, -0.02), min(high, 1.02))  # bands of few runs reach beyond 0 and 1
        for line in ax.get_lines():
            if (arm := line.get_label()) in arms:
                line.set_label(f"{arm} ({plots.count_text(counts[arm][counts[arm] > 0])})")
    plots.legend(figure)
    return figure
