"""Charts of a search itself: its candidates, what an early look foretells, and what a longer one buys."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from randsparse.comparison import plots, stats
from randsparse.comparison.marks import count_missing, errors, rho_text
from randsparse.comparison.plots import MARKERS, PALETTE, REMOVED, STRUCTURES, styled

MEASURED = {
    "early_val_accuracy": "Early: validation accuracy after the early phase",
    "test_accuracy": "Final: test accuracy after full training",
}


@styled
def advantage_by_phase(rows: pd.DataFrame, margin: float) -> Figure:
    """Draw searched minus random by length of the early phase, early on the left and at the end on the right.

    Args:
        rows: as `frames.advantages` returns them; a line per sparsity (and structure, where there are two), with 95 %
            intervals.
        margin: the difference that matters, a fraction; shaded.
    """
    plots.need(rows, "structure", "sparsity", "early_epochs", "measured", "mean", "low", "high", "n")
    figure, axes = plots.panels(list(MEASURED.values()))
    epochs = sorted(rows["early_epochs"].unique())
    points = list(rows[["structure", "sparsity"]].drop_duplicates().itertuples(index=False, name=None))
    points.sort(key=lambda point: (list(STRUCTURES).index(point[0]), point[1]))
    colours = dict(zip(points, sns.color_palette("viridis", len(points)), strict=True))
    one_structure = len({structure for structure, _ in points}) == 1
    for ax, measured in zip(axes, MEASURED, strict=True):
        ax.axhspan(-margin, margin, color="#56B4E9", alpha=0.2, linewidth=0, label=f"±{100 * margin:.3g} points")
        ax.axhline(0, color="#555555", linewidth=0.8)
        for index, (structure, sparsity) in enumerate(points):
            own = rows.query("structure == @structure and sparsity == @sparsity and measured == @measured")
            own = own.sort_values("early_epochs")
            aside = 0.5 * ((index + 0.5) / len(points) - 0.5)
            at = [epochs.index(epoch) + aside for epoch in own["early_epochs"]]
            label = f"{plots.percent_text(sparsity)} % of {'nodes' if structure == 'node' else 'weights'}"
            ax.errorbar(
                at,
                own["mean"],
                yerr=errors(own),
                color=colours[structure, sparsity],
                marker="o",
                markersize=4,
                elinewidth=0.9,
                linewidth=0.9,
                label=label if one_structure else f"{structure}: {label}",
            )
        ax.set_xticks(range(len(epochs)), [f"{epoch:g}" for epoch in epochs])
        ax.set_xlabel(f"Early phase (epochs), {plots.count_text(rows['n'])} populations")
        ax.yaxis.set_major_formatter(plots.percent_text)
        room = 1.5 * max(rows.loc[rows["measured"] == measured, "mean"].abs().max(), margin)
        low, high = ax.get_ylim()
        ax.set_ylim(max(low, -2 * room), min(high, 2 * room))
    axes[0].set_ylabel("searched − random\n(percentage points)")
    plots.legend(figure)
    return figure


@styled
def early_candidates(
    frame: pd.DataFrame,
    controls: pd.DataFrame | None = None,
    y: str = "early_val_accuracy",
    population: str = "replicate",
) -> Figure:
    """Draw the early validation accuracy of every candidate against sparsity, the chosen ones marked.

    Args:
        frame: one row per candidate, with structure, sparsity, population, chosen (bool) and y; a panel a
            structure, and an early phase where `early_epochs` tells several apart.
        controls: curves (as `frames.curves` gives them) of networks that were not chosen. The mean of
            the random ones after as many epochs is a line; at sparsity 0 the dense network is the random one.
    """
    plots.need(frame, "structure", "sparsity", population, "chosen", y)
    frame = frame if "early_epochs" in frame else frame.assign(early_epochs=np.nan)
    facets = [
        (structure, epoch)
        for structure in plots.ordered(frame["structure"], STRUCTURES)
        for epoch in sorted(frame["early_epochs"].unique())
    ]
    phases = frame["early_epochs"].nunique(dropna=False)
    titles = [
        STRUCTURES[structure] + (f", epoch {epoch:g}" if np.isfinite(epoch) else "") for structure, epoch in facets
    ]
    figure, axes = plots.panels(titles, columns=phases if phases > 1 else 2, width=4.2 if phases < 3 else 3.3)
    levels = sorted(frame["sparsity"].unique())
    for ax, (structure, epoch) in zip(axes, facets, strict=True):
        same_phase = frame["early_epochs"].eq(epoch) | frame["early_epochs"].isna()
        own = frame[(frame["structure"] == structure) & same_phase]
        _candidates(ax, own, levels, population, y)
        if controls is not None:
            _control_line(ax, controls, structure, epoch, levels)
        ax.set_xticks(range(len(levels)), [plots.percent_text(level) for level in levels])
        ax.grid(axis="x", visible=False)
        ax.set_xlabel(f"Sparsity (% of {REMOVED[structure]})")
        plots.percent(ax, "Early validation accuracy")
        count_missing(ax, own[y])
    plots.legend(figure)
    return figure


def _candidates(ax: Axes, frame: pd.DataFrame, levels: list[float], population: str, y: str) -> None:
    """Draw the candidates of each population in a column of its own."""
    names = sorted(frame[population].unique())
    width = 0.8 / len(names)
    chosen = {"s": 30, "color": PALETTE["searched"], "marker": MARKERS["searched"]}
    for (sparsity, name), rows in frame.sort_values(y).groupby(["sparsity", population]):
        centre = levels.index(sparsity) + width * (names.index(name) - (len(names) - 1) / 2)
        aside = (np.arange(len(rows)) * 0.618034) % 1 - 0.5  # spreads points evenly, the same each time
        shade = sns.light_palette(PALETTE["candidate"], 3)[1 + names.index(name) % 2]
        ax.scatter(centre + 0.6 * width * aside, rows[y], s=9, color=shade, linewidths=0)
        best = rows[rows["chosen"]]
        ax.scatter([centre] * len(best), best[y], **chosen, zorder=3)
    ax.scatter([], [], s=9, color=PALETTE["candidate"], label=f"candidate ({_sizes(frame, population)})")
    ax.scatter([], [], **chosen, label="chosen")


def _sizes(frame: pd.DataFrame, population: str) -> str:
    sizes = frame.groupby(["sparsity", population]).size()
    counts = frame.groupby("sparsity")[population].nunique()
    return f"{plots.count_text(counts)[4:]} populations of {plots.count_text(sizes)[4:]}"


def _control_line(ax: Axes, controls: pd.DataFrame, structure: str, epoch: float, levels: list[float]) -> None:
    plots.need(controls, "arm", "structure", "sparsity", "epoch", "val_accuracy")
    looked = controls[controls["epoch"] == epoch]
    found = [stats.arm_rows(looked, "random", structure, level)["val_accuracy"].dropna() for level in levels]
    means = [stats.mean_interval(values).mean for values in found]
    if counts := [len(values) for values in found if len(values)]:
        ax.plot(
            range(len(levels)),
            means,
            color=PALETTE["random"],
            marker="_",
            markersize=14,
            linewidth=1,
            label=f"mean of random controls ({plots.count_text(counts)})",
            zorder=2.5,
        )


@styled
def early_vs_final(
    frame: pd.DataFrame, x: str = "early_val_accuracy", y: str = "test_accuracy", centred: bool = True
) -> Figure:
    """Draw final against early accuracy, a panel per structure and a colour per sparsity, with Spearman's rho.

    Args:
        frame: one row per run, with arm, structure, sparsity, x and y.
        centred: subtract the mean of the structure and sparsity from both, so that what shows is which network of
            the same sparsity is better, and not that sparser ones are worse.
    """
    plots.need(frame, "arm", "structure", "sparsity", x, y)
    frame = frame.dropna(subset=[x, y]).sort_values(["sparsity", x, y])
    structures = plots.ordered(frame["structure"], STRUCTURES)
    levels = sorted(frame["sparsity"].unique())
    colours = dict(zip(levels, sns.color_palette("viridis", len(levels)), strict=True))
    figure, axes = plots.panels([STRUCTURES[name] for name in structures], height=3.7 + 0.17 * len(levels))
    arms = plots.ordered(frame["arm"], PALETTE)
    for ax, structure in zip(axes, structures, strict=True):
        own = frame[frame["structure"] == structure]
        handles = [_sign("#555555", MARKERS[arm], arm) for arm in arms]
        for sparsity, rows in own.groupby("sparsity"):
            shown = rows[[x, y]] - rows[[x, y]].mean() if centred else rows[[x, y]]
            for arm, members in shown.groupby(rows["arm"]):
                look = {"s": 18, "color": colours[sparsity], "marker": MARKERS[arm], "alpha": 0.8, "linewidths": 0}
                ax.scatter(members[x], members[y], **look)
            text = f"{plots.percent_text(sparsity)} %: {rho_text(stats.spearman(rows[x], rows[y]))}"
            handles.append(_sign(colours[sparsity], "o", text))
        ax.legend(handles=handles, loc="upper center", bbox_to_anchor=(0.5, -0.14), fontsize=7.5)
        less, unit = (" − mean of its sparsity", "points") if centred else ("", "%")
        ax.xaxis.set_major_formatter(plots.percent_text)
        ax.yaxis.set_major_formatter(plots.percent_text)
        ax.set_xlabel(f"Early validation accuracy{less} ({unit})")
        ax.set_ylabel(f"Final accuracy{less} ({unit})")
        if centred:
            ax.axhline(0, color="#999999", linewidth=0.7)
            ax.axvline(0, color="#999999", linewidth=0.7)
    return figure


def _sign(colour: Any, marker: str, label: str) -> Line2D:
    return Line2D([], [], color=colour, marker=marker, linestyle="none", label=label)
