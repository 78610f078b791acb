"""The charts of notebook 08: accuracies, differences, and accuracy against the cost of training."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, NullLocator

from randsparse.comparison import plots
from randsparse.comparison.cells import POOLED
from randsparse.comparison.forests import draw_forest, draw_levels, draw_nothing
from randsparse.comparison.marks import GREY
from randsparse.comparison.plots import MARKERS, PALETTE, Drawn, use_style
from randsparse.comparison.primary import find_claims
from randsparse.comparison.wording import count, list_words
from randsparse.questions.sparse_to_sparse.evidence import (
    CLAIMED,
    DENSE,
    FROM_DENSE,
    SMALL,
    STATIC,
    Methods,
)

OWN_SCALE = "small dense (own scale)"
COLOURS = PALETTE | {STATIC: PALETTE["random"], SMALL: PALETTE[OWN_SCALE]}
SHAPES = MARKERS | {STATIC: MARKERS["random"], SMALL: MARKERS[OWN_SCALE]}
TICKS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0)


def draw_accuracies(found: Methods) -> Drawn:
    """Draw the test accuracy of methods with both starts, and of their controls."""
    what = "Test accuracy of methods that change their mask, static random masks, and small dense networks."
    return draw_levels(found.accuracies, found.results, what, found.dense_level)


def draw_source_differences(found: Methods) -> Drawn:
    """Draw each method in a source minus from dense, with the primary claim on their mean."""
    (claim,) = find_claims("08")
    what = "Test accuracy of a method inside a random source minus that of the same method from the dense network."
    decisive = {POOLED: found.claim if set(found.pairs) == set(CLAIMED) else None}
    return draw_forest(found.source_forest, what, "in a source − from dense, test accuracy", claim, decisive)


def draw_static_differences(found: Methods) -> Drawn:
    """Draw each method in a source minus the static random mask of the same final density."""
    what = "Test accuracy of a method inside a random source minus that of static ERK masks of the same density."
    return draw_forest(found.static_forest, what, "in a source − static mask, test accuracy")


def draw_cost_differences(found: Methods) -> Drawn:
    """Draw each method in a source minus dense networks of equal training cost."""
    what = (
        "Test accuracy of a method inside a random source minus that of dense networks of the same training FLOPs, "
        "interpolated between the two nearest ones in the logarithm of cost."
    )
    return draw_forest(found.cost_forest, what, "in a source − dense of equal cost, test accuracy")


@use_style
def draw_costs(found: Methods) -> Drawn:
    """Draw test accuracy against training cost, a panel per sparsity; dense networks trained as long are joined."""
    points = found.points
    if points.empty:
        return draw_nothing(points)
    epochs = found.dense.point.epochs
    sparsities = list(dict.fromkeys(points["sparsity"]))
    titles = [f"{plots.percent_text(sparsity)} % sparsity" for sparsity in sparsities]
    columns = plots.even_columns(len(titles), 2)
    figure, axes = plots.make_panels(titles, columns=columns, width=7.6 / columns, height=2.9)
    dense = points[points["arm"].isin([SMALL, DENSE]) & (points["epochs"] == epochs)].drop_duplicates("cell")
    dense = dense.sort_values("cost")
    for ax, sparsity in zip(axes, sparsities, strict=True):
        own = points[points["sparsity"] == sparsity]
        ax.plot(dense["cost"], dense["mean"], color=GREY, linewidth=0.9, label="dense networks of all sizes", zorder=1)
        for row in own.itertuples():
            _point(ax, row, epochs)
        _axes(ax, pd.concat([own["cost"], dense["cost"]]))
        plots.label_percent(ax, "Test accuracy" if ax.get_subplotspec().is_first_col() else "")
    plots.draw_legend(figure)
    return Drawn(figure, _costs_caption(points), points)


def _point(ax: Axes, row: Any, epochs: int) -> None:
    hollow = row.start.endswith(FROM_DENSE) or (row.arm == DENSE and row.epochs != epochs)
    fill = {"markerfacecolor": "white"} if hollow else {}
    look = {"color": COLOURS[row.arm], "marker": SHAPES[row.arm], **fill}
    name = f"{DENSE}, fewer epochs" if row.arm == DENSE and row.epochs < epochs else row.start
    bars = [[row.mean - row.low], [row.high - row.mean]]
    ax.errorbar(row.cost, row.mean, yerr=bars, linestyle="none", elinewidth=1, label=name, **look)


def _axes(ax: Axes, costs: pd.Series) -> None:
    low, high = costs.min() / 1.3, costs.max() * 1.3
    ax.set(xscale="log", xlim=(low, high), xlabel="Training FLOPs on kept weights (% of dense, log axis)")
    ax.xaxis.set_major_locator(FixedLocator([tick for tick in TICKS if low <= tick <= high]))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_major_formatter(plots.percent_text)
    ax.autoscale(axis="y")


def _costs_caption(points: pd.DataFrame) -> str:
    cheapest = points[points["front"]].groupby("sparsity", sort=False).first()
    texts = [
        f"{row['start']} at {plots.percent_text(sparsity)} % ({100 * row['cost']:.2g} % of the FLOPs, "
        f"{100 * row['mean']:.1f} %)"
        for sparsity, row in cheapest.iterrows()
    ]
    return (
        f"Test accuracy against training FLOPs on kept weights, as a share of those of the dense network: means with "
        f"95 % intervals (n = {count(points['n'])}). Hollow: methods from the dense network; filled: in a random "
        f"source. Line: dense networks of all sizes, trained as long. The cheapest point of the Pareto front is "
        f"{list_words(texts)}. Each panel has its own scale."
    )
