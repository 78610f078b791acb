"""Charts of notebook 06: detection of other images, accuracy under attack, and all differences."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.axes import Axes

from randsparse.comparison import marks, plots
from randsparse.comparison.marks import GREY
from randsparse.comparison.panels import arrow_text, draw_rows
from randsparse.comparison.plots import PALETTE, Drawn, use_style
from randsparse.comparison.primary import find_claims
from randsparse.comparison.wording import count, format_interval, format_points
from randsparse.questions.beyond_accuracy.frames import (
    BASELINES,
    DENSE,
    EQUAL_ACCURACY,
    EQUAL_WEIGHTS,
    IMAGES,
    KINDS,
)

BASELINE_LOOKS: dict[str, dict[str, Any]] = {
    DENSE: {"color": "#000000", "marker": "s"},
    EQUAL_ACCURACY: {"color": PALETTE["random"], "marker": "o"},
    EQUAL_WEIGHTS: {"color": PALETTE["small dense (own scale)"], "marker": "v"},
}
NARROW_COLOURS = [PALETTE["small dense (own scale)"], *sns.color_palette("flare", 3)[1:]]
CELL_LOOKS = list(zip(["#000000", PALETTE["random"], *NARROW_COLOURS], "sov<>", strict=True))
"""Colour and marker of the dense parent, the sparse network and narrow dense ones."""


def looks(cells: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return colour, marker and label of each cell: the dense parent, the sparse one, and narrow dense ones."""
    return {
        cell: {"color": colour, "marker": marker, "label": cell}
        for cell, (colour, marker) in zip(cells, CELL_LOOKS, strict=False)
    }


@use_style
def draw_other_images(levels: pd.DataFrame, near: pd.DataFrame, cells: Sequence[str]) -> Drawn | None:
    """Draw the AUROC against each set of other images, the nearest first, and what random masks change in the nearest.

    Args:
        levels: as from `Evidence.levels`; rows of other kinds are left out.
        near: the differences in the nearest set, one row per baseline, as from `Evidence.near`.
        cells: their order: the dense parent, the sparse one, narrow dense ones.

    Returns None as long as no network is evaluated.
    """
    own = levels[levels["kind"] == IMAGES]
    if own.empty:
        return None
    names = list(dict.fromkeys(own["name"]))
    titles = ["All sets of images", *(["The nearest images"] if len(near) else [])]
    figure, axes = plots.make_panels(titles, width=4.3, height=1.2 + 0.4 * len(names))
    left = axes[0]
    left.set_xlim(max(0.0, own["mean"].min() - 0.1), 1.0)
    for place, (cell, look) in enumerate(looks(cells).items()):
        rows = own[own["cell"] == cell]
        marks.draw_interval_rows(left, rows, _places(rows, names, place, len(cells)), look | {"markersize": 4})
    left.axvline(0.5, color=GREY, linewidth=0.8, linestyle=":", label="chance")
    left.axhline(0.5, color=GREY, linewidth=0.6)
    marks.forest_axis(left, [name.removeprefix("AUROC, ") for name in names], "AUROC (%)")
    left.xaxis.set_major_formatter(plots.percent_text)
    if len(near):
        _draw_near(axes[1], near)
    plots.draw_legend(figure)
    told = [
        f"{format_points(row.mean)} {format_interval(row.low, row.high)} (− {row.baseline})"
        for row in near.itertuples()
    ]
    caption = (
        f"Left: how well each cell tells other images from test images, the nearest images above the line; mean and "
        f"95 % interval (n = {count(own['n'])} networks per cell).{arrow_text(own, left.get_xlim())} Right: random "
        f"masks minus three dense networks, against the nearest images, with 95 % intervals: "
        f"{'; '.join(told) or 'too few networks'} points. Shaded: what the claim allows."
    )
    return Drawn(figure, caption, pd.concat([own, near], ignore_index=True))


def _draw_near(ax: Axes, near: pd.DataFrame) -> None:
    """Draw the differences in the nearest set of images, one row per baseline."""
    allowed = find_claims("06")[0].margin / 100
    ax.set_xlim(*marks.find_edges(near, 0.0, 1.5 * allowed))
    ax.axvline(0, color=GREY, linewidth=0.8)
    ax.axvspan(allowed, ax.get_xlim()[1], color="#56B4E9", alpha=0.2, linewidth=0)
    for place, row in enumerate(near.index):
        marks.draw_interval_rows(ax, near.loc[[row]], [place], BASELINE_LOOKS[near.loc[row, "baseline"]])
    marks.forest_axis(ax, [], "Random − dense, AUROC (points)")
    ax.set_yticks(range(len(near)), [f"− {each}" for each in near["baseline"]])
    ax.set_ylim(len(near) - 0.4, -0.6)
    ax.xaxis.set_major_formatter(plots.percent_text)


@use_style
def draw_attacks(attacked: pd.DataFrame, cells: Sequence[str], chance: float) -> Drawn | None:
    """Draw accuracy against the budget of each attack, a panel per attack and a line per cell, clean images at 0.

    Args:
        attacked: as from `Evidence.attacked`.
        chance: the accuracy of a guess, a dotted line.
    """
    if attacked.empty:
        return None
    figure, axes = plots.make_panels(list(KINDS.values()), columns=3, width=2.9, height=2.7, sharey=True)
    budgets = sorted(attacked["epsilon"].unique())
    for ax, attack in zip(axes, KINDS, strict=True):
        ax.axhline(chance, color=GREY, linewidth=0.8, linestyle=":", label="chance")
        for cell, look in looks(cells).items():
            own = attacked[(attacked["cell"] == cell) & (attacked["attack"] == attack)]
            ax.errorbar(own["epsilon"], own["mean"], yerr=marks.errors(own), markersize=4, elinewidth=1, **look)
        ax.set_xscale("function", functions=(np.log1p, np.expm1))
        ax.set_xticks(budgets, [f"{each:g}" for each in budgets])
        ax.set_xlabel("Budget (1/255, log axis of 1 + ε)")
        plots.label_percent(ax, "Test accuracy" if ax is axes[0] else "")
    plots.draw_legend(figure)
    pgd = attacked[(attacked["attack"] == "pgd") & (attacked["epsilon"] == budgets[1])]
    told = ", ".join(f"{100 * row.mean:.1f} % ({row.cell})" for row in pgd.itertuples())
    caption = (
        f"Accuracy on test images that are attacked, mean and 95 % interval (n = {count(attacked['n'])} networks per "
        f"cell); at 0 on all test images as they are. Random signs of the same size are the control. PGD with "
        f"{budgets[1]:g}/255 leaves {told}."
    )
    return Drawn(figure, caption, attacked)


@use_style
def draw_differences(differences: pd.DataFrame, far: Sequence[str]) -> Drawn | None:
    """Draw what random masks change in each measure that is a fraction, against two dense networks.

    Args:
        differences: as from `Evidence.differences`.
        far: names of measures that are left out: of sets of images that lie far.
    """
    left_out = differences["name"].str.startswith("NLL") | differences["name"].isin(far)
    rows = differences[~left_out & (differences["baseline"] != EQUAL_WEIGHTS)]
    if rows.empty:
        return None
    sign = np.where(rows["lower_is_better"], -1.0, 1.0)
    ends = np.sort(np.stack([sign * rows["low"], sign * rows["high"]]), axis=0)
    better = rows.assign(mean=sign * rows["mean"], low=ends[0], high=ends[1])
    kinds = dict(zip(rows["name"], rows["kind"], strict=True))
    names, shown = list(kinds), [each for each in BASELINES if each in set(rows["baseline"])]
    figure, axes = plots.make_panels(
        [f"Random minus {each}" for each in shown], width=4.3, height=1 + 0.24 * len(names)
    )
    edges, told = marks.find_edges(better, 0.0), []
    for ax, baseline in zip(axes, shown, strict=True):
        own = better[better["baseline"] == baseline]
        places = [names.index(name) for name in own["name"]]
        draw_rows(ax, own, names, "Better by (points)", BASELINE_LOOKS[baseline], edges, places)
        for place, (above, below) in enumerate(pairwise(kinds.values())):
            if above != below:
                ax.axhline(place + 0.5, color=GREY, linewidth=0.6)
        ahead, behind = (own["low"] > 0).sum(), (own["high"] < 0).sum()
        told.append(f"minus {baseline}: {ahead} better, {behind} worse, of {len(own)}")
    caption = (
        f"Random masks minus a dense network in each measure, turned so that the right is better for random masks (a "
        f"lower ECE is better). Intervals are simultaneous 95 % intervals within each kind of measure (n = "
        f"{count(rows['n'])}).{arrow_text(better, edges)} Intervals that exclude 0: {'; '.join(told)}. Sets of "
        f"images that lie far are in the figure above."
    )
    return Drawn(figure, caption, better)


def _places(rows: pd.DataFrame, names: Sequence[str], place: int, number: int) -> list[float]:
    """Return where the rows of one series stand beside those of the others, within the room of each name."""
    return [names.index(name) + 0.7 * ((place + 0.5) / number - 0.5) for name in rows["name"]]
