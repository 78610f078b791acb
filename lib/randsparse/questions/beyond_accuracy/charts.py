"""Charts of what networks do beyond clean accuracy: other images, corruptions, attacks, and all measures at once.

Each takes a tidy frame of `frames` or `verdicts`, and returns a figure for `saving.save`.
Points are means over replicates with 95 % t-intervals, small dots are single networks. The dense network is the
control in every panel.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from randsparse.comparison import plots, stats
from randsparse.comparison.marks import VERDICT_MARKERS, errors
from randsparse.comparison.plots import MARKERS, PALETTE, styled
from randsparse.questions.beyond_accuracy.ood import SCORES
from randsparse.questions.beyond_accuracy.verdicts import MEASURES

Point = tuple[str, float]

DETECTION = {"auroc": "AUROC", "fpr95": "FPR at 95 % TPR"}
ATTACKS = {"fgsm": "FGSM", "pgd": "PGD", "noise": "random signs"}
WIDTH, HEIGHT = 2.9, 2.3
"""Of a panel, in inches."""


def points_of(frame: pd.DataFrame) -> list[Point]:
    """Return the structures and sparsities of the arms that are not dense; of the dense one if there is no other."""
    sparse = frame[frame["arm"] != "dense"]
    found = (sparse if len(sparse) else frame)[["structure", "sparsity"]].drop_duplicates()
    order = ("weight", "node")
    return sorted(found.itertuples(index=False, name=None), key=lambda point: (order.index(point[0]), point[1]))


def title_of(point: Point) -> str:
    """Return what stands above the panel of a structure and sparsity."""
    structure, sparsity = point
    return f"{plots.percent_text(sparsity)} % of {structure}s removed"


def counted(frame: pd.DataFrame, arm: str, y: str) -> str:
    """Return an arm with n, the number of its networks at each point that have a value of y, for a legend."""
    own = frame[frame["arm"] == arm].dropna(subset=[y])
    counts = own.groupby(["structure", "sparsity"])["replicate"].nunique()
    return f"{arm} ({plots.count_text(counts)})" if len(counts) else f"{arm} (n = 0)"


def draw_arms(
    ax: Axes,
    frame: pd.DataFrame,
    point: Point,
    x: str,
    y: str,
    places: Mapping[Any, float],
    flat: bool = False,
    line: str = "-",
) -> None:
    """Draw the means of all arms at one point with intervals and single networks, arms a little beside each other.

    Args:
        places: where each value of x stands.
        flat: whether x goes up and y, the value, goes to the right.
    """
    arms = plots.ordered(frame["arm"], PALETTE)
    for index, arm in enumerate(arms):
        own = stats.arm_rows(frame, arm, *point).dropna(subset=[y])
        table = stats.summary(own, [x], y)
        step = (-0.7 if flat else 0.3) / len(arms)
        aside = step * (index + 0.5 - len(arms) / 2)
        look = {
            "color": PALETTE[arm],
            "linestyle": line,
            "marker": MARKERS[arm],
            "markersize": 4,
            "elinewidth": 1,
            "linewidth": 0.9,
            "label": counted(frame, arm, y),
        }
        at = table[x].map(places).to_numpy(dtype=float) + aside
        dots = own[x].map(places).to_numpy(dtype=float) + aside + 0.4 * step
        small = {"s": 6, "color": PALETTE[arm], "alpha": 0.45, "linewidths": 0}
        if flat:
            ax.errorbar(table["mean"], at, xerr=errors(table), **look)
            ax.scatter(own[y], dots, **small)
        else:
            ax.errorbar(at, table["mean"], yerr=errors(table), **look)
            ax.scatter(dots, own[y], **small)


def columns_for(points: Sequence[Point]) -> int:
    """Return the columns of panels that come in two rows, one column a point; side by side if there is one point."""
    return max(len(points), 2)


def within(ax: Axes, axis: str, low: float, high: float) -> None:
    """Keep wide intervals of few networks from flattening panels: once all that share the axis are drawn."""
    limits = getattr(ax, f"get_{axis}lim")()
    getattr(ax, f"set_{axis}lim")(max(limits[0], low), min(limits[1], high))


@styled
def ood(frame: pd.DataFrame, by: str = "data") -> Figure:
    """Draw AUROC and FPR at 95 % TPR, a row of panels each, a column per sparsity.

    Args:
        frame: as from `frames.detection`, with arm, structure, sparsity, replicate, `by`, auroc and fpr95; one row a
            replicate and value of `by`.
        by: what stands on the vertical axis: "data", the sets of images, or "score".
    """
    plots.need(frame, "arm", "structure", "sparsity", "replicate", by, *DETECTION)
    points = points_of(frame)
    kinds = plots.ordered(frame[by], SCORES if by == "score" else frame[by].drop_duplicates())
    titles = [f"{label}\n{title_of(point)}" for label in DETECTION.values() for point in points]
    figure, axes = plots.panels(
        titles,
        columns=columns_for(points),
        width=WIDTH + 0.5,
        height=0.9 + 0.38 * len(kinds),
        sharex="row" if len(points) > 1 else False,
        sharey=True,
    )
    places = {kind: -index for index, kind in enumerate(kinds)}
    for ax, (metric, point) in zip(axes, [(m, p) for m in DETECTION for p in points], strict=True):
        draw_arms(ax, frame, point, by, metric, places, flat=True, line="none")
        if metric == "auroc":
            ax.axvline(0.5, color="#555555", linewidth=0.8, linestyle=":", label="chance")
        ax.set_yticks(list(places.values()), [_short(kind) for kind in kinds])
        ax.xaxis.set_major_formatter(plots.percent_text)
        ax.set_xlabel(f"{DETECTION[metric]} (%)")
    for ax in axes:
        within(ax, "x", -0.02, 1.02)
    plots.legend(figure)
    return figure


def _short(kind: str) -> str:
    """Return the name of a set of images; of a folder, its last part."""
    return f"folder …/{kind.rstrip('/').rpartition('/')[2]}" if "/" in kind else kind


@styled
def corruptions(frame: pd.DataFrame, y: str = "accuracy") -> Figure:
    """Draw accuracy against severity, a row of panels per sparsity and a column per corruption.

    Args:
        frame: as from `frames.corruptions`; severity 0 are the clean images.
        y: "accuracy", or "drop", what it has lost.
    """
    plots.need(frame, "arm", "structure", "sparsity", "replicate", "corruption", "severity", y)
    points, kinds = points_of(frame), list(frame["corruption"].drop_duplicates())
    levels = sorted(frame["severity"].unique())
    panels = [(point, kind) for point in points for kind in kinds]
    titles = [f"{kind}\n{title_of(point)}" for point, kind in panels]
    figure, axes = plots.panels(titles, columns=len(kinds), width=WIDTH - 0.3, height=HEIGHT, sharex=True, sharey=True)
    for ax, (point, kind) in zip(axes, panels, strict=True):
        draw_arms(ax, frame[frame["corruption"] == kind], point, "severity", y, dict(zip(levels, levels, strict=True)))
        _levels(ax, levels, [f"{level:g}" if level else "clean" for level in levels], "Severity")
        _accuracy_axis(ax, y)
    within(axes[0], "y", frame[y].min() - 0.05, frame[y].max() + 0.05)
    plots.legend(figure)
    return figure


@styled
def attacks(frame: pd.DataFrame, chance: float, y: str = "accuracy") -> Figure:
    """Draw accuracy under attack against its budget, a row of panels per sparsity and a column per attack.

    Args:
        frame: as from `frames.attacks`; epsilon 0 are the clean images.
        chance: the accuracy of a guess, a dotted line.
        y: "accuracy", or "drop", what it has lost.
    """
    plots.need(frame, "arm", "structure", "sparsity", "replicate", "attack", "epsilon", y)
    points, kinds = points_of(frame), plots.ordered(frame["attack"], ATTACKS)
    levels = sorted(frame["epsilon"].unique())
    places = {level: index for index, level in enumerate(levels)}
    panels = [(point, kind) for point in points for kind in kinds]
    titles = [f"{ATTACKS[kind]}\n{title_of(point)}" for point, kind in panels]
    figure, axes = plots.panels(titles, columns=len(kinds), width=WIDTH, height=HEIGHT, sharex=True, sharey=True)
    for ax, (point, kind) in zip(axes, panels, strict=True):
        if y == "accuracy":
            ax.axhline(chance, color="#555555", linewidth=0.8, linestyle=":", label="chance")
        draw_arms(ax, frame[frame["attack"] == kind], point, "epsilon", y, places)
        _levels(ax, list(places.values()), [f"{level:g}" for level in levels], "Budget ε (1/255 of the pixel range)")
        _accuracy_axis(ax, y)
    within(axes[0], "y", frame[y].min() - 0.05, frame[y].max() + 0.05)
    plots.legend(figure)
    return figure


def _levels(ax: Axes, places: Sequence[float], labels: Sequence[str], name: str) -> None:
    ax.set_xticks(places, labels)
    ax.set_xlabel(name if ax.get_subplotspec().is_last_row() else "")


def _accuracy_axis(ax: Axes, y: str) -> None:
    first = ax.get_subplotspec().is_first_col()
    plots.percent(ax, "Test accuracy" if first and y == "accuracy" else "")
    if first and y == "drop":
        ax.set_ylabel("Accuracy lost\n(percentage points)")


@styled
def masking(checks: pd.DataFrame) -> Figure:
    """Draw by how much the attack that should win is ahead, a panel per check and a dot per network.

    Args:
        checks: as from `frames.masking`; a check that does not hold is a cross.
    """
    plots.need(checks, "arm", "structure", "sparsity", "check", "lead", "holds")
    kinds = list(checks["check"].drop_duplicates())
    figure, axes = plots.panels([f"{kind[0].upper()}{kind[1:]}" for kind in kinds], width=WIDTH + 0.6, height=HEIGHT)
    sparsities, arms = sorted(checks["sparsity"].unique()), plots.ordered(checks["arm"], PALETTE)
    for ax, kind in zip(axes, kinds, strict=True):
        ax.axhline(0, color="#555555", linewidth=0.8)
        for (sparsity, arm), own in checks[checks["check"] == kind].groupby(["sparsity", "arm"]):
            own = own.drop_duplicates("key")
            there = [each for each in arms if ((checks["arm"] == each) & (checks["sparsity"] == sparsity)).any()]
            middle = sparsities.index(sparsity) + 0.7 * ((there.index(arm) + 0.5) / len(there) - 0.5)
            across = middle + 0.2 * (np.arange(len(own)) + 0.5 - len(own) / 2) / len(own)
            for holds, marker in ((True, MARKERS[arm]), (False, "x")):
                chosen = (own["holds"] == holds).to_numpy()
                ax.plot(
                    across[chosen],
                    own["lead"][chosen],
                    marker,
                    color=PALETTE[arm],
                    markersize=4.5,
                    label=counted(checks, arm, "lead") if holds else None,
                )
        if not checks.loc[checks["check"] == kind, "holds"].all():
            ax.plot([], [], "x", color="#555555", label="does not hold")
        ax.set_xticks(range(len(sparsities)), [plots.percent_text(sparsity) for sparsity in sparsities])
        ax.set_xlabel("Sparsity (% removed)" if ax.get_subplotspec().is_last_row() else "")
        if "loss" in kind:
            ax.set_ylabel("Lead (nats of loss)")
        else:
            ax.yaxis.set_major_formatter(plots.percent_text)
            ax.set_ylabel("Lead (points of accuracy)")
    plots.legend(figure)
    return figure


@styled
def summary(differences: pd.DataFrame) -> Figure:
    """Draw random - baseline on every measure in units of its margin, so that the right is better for random masks.

    Args:
        differences: as from `verdicts.differences`; a column of panels a baseline, a row a structure and sparsity.

    Bars are 95 % intervals and may leave the panel; the band is where differences do not matter.
    """
    plots.need(differences, "measure", "baseline", "margin", "structure", "sparsity", "mean", "low", "high", "verdict")
    baselines = plots.ordered(differences["baseline"], PALETTE)
    points = points_of(differences.assign(arm="random"))
    panels = [(point, baseline) for point in points for baseline in baselines]
    titles = [f"against {baseline}\n{title_of(point)}" for point, baseline in panels]
    shown = [each for each in MEASURES if each.column in set(differences["measure"])]
    figure, axes = plots.panels(
        titles, columns=len(baselines), width=4.0, height=0.9 + 0.2 * len(shown), sharex=True, sharey=True
    )
    for ax, (point, baseline) in zip(axes, panels, strict=True):
        ax.axvspan(-1, 1, color="#56B4E9", alpha=0.2, linewidth=0, label="within the margin")
        ax.axvline(0, color="#555555", linewidth=0.8)
        own = differences[(differences["baseline"] == baseline) & (differences["structure"] == point[0])]
        own = own[own["sparsity"] == point[1]].set_index("measure")
        for place, each in enumerate(shown):
            if each.column in own.index and own.loc[each.column, "n"]:
                _difference(ax, -place, own.loc[each.column], -1 if each.lower else 1)
        ax.set_yticks([-place for place in range(len(shown))], [each.name for each in shown])
        ax.set_xlabel("Difference in margins (right: random better)" if ax.get_subplotspec().is_last_row() else "")
    furthest = (differences["mean"] / differences["margin"]).abs().max()
    axes[0].set_xlim(-(reach := 1.3 * max(furthest, 2)), reach)
    plots.legend(figure)
    return figure


def _difference(ax: Axes, place: float, row: pd.Series, sign: int) -> None:
    mean, low, high = (sign * row[name] / row["margin"] for name in ("mean", "low", "high"))
    low, high = min(low, high), max(low, high)
    fill = "white" if row["verdict"] == "inconclusive" else "#222222"
    ax.errorbar(
        [mean],
        [place],
        xerr=[[mean - low], [high - mean]],
        color="#222222",
        elinewidth=1.1,
        markersize=5,
        marker=VERDICT_MARKERS[row["verdict"]],
        markerfacecolor=fill,
        linestyle="none",
        label=f"{row['verdict']}",
    )
