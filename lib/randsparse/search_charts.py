"""Charts of a search itself: what a longer look buys."""

from __future__ import annotations

import numpy as np
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from randsparse import plots
from randsparse.plots import STRUCTURES, styled

MEASURED = {
    "early_val_accuracy": "Early: validation accuracy after the early phase",
    "test_accuracy": "Final: test accuracy after full training",
}


@styled
def advantage_by_phase(rows: pd.DataFrame, margin: float) -> Figure:
    """Draw searched minus random by length of the early phase, early on the left and at the end on the right.

    Args:
        rows: as `frames.advantages` returns them; a line a sparsity (and structure, where there are two), with 95 %
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
        ax.axhspan(-margin, margin, color="#56B4E9", alpha=0.2, linewidth=0, label=f"within ±{100 * margin:.3g} points")
        ax.axhline(0, color="#555555", linewidth=0.8)
        for index, (structure, sparsity) in enumerate(points):
            own = rows.query("structure == @structure and sparsity == @sparsity and measured == @measured")
            own = own.sort_values("early_epochs")
            aside = 0.5 * ((index + 0.5) / len(points) - 0.5)
            at = [epochs.index(epoch) + aside for epoch in own["early_epochs"]]
            label = f"{plots.percent_text(sparsity)} % of {'nodes' if structure == 'node' else 'weights'}"
            ax.errorbar(at, own["mean"], yerr=_lengths(own), color=colours[structure, sparsity], marker="o",
                        markersize=4, elinewidth=0.9, linewidth=0.9,
                        label=label if one_structure else f"{structure}: {label}")  # fmt: skip
        ax.set_xticks(range(len(epochs)), [f"{epoch:g}" for epoch in epochs])
        ax.set_xlabel(f"Early phase (epochs), {plots.count_text(rows['n'])} populations")
        ax.yaxis.set_major_formatter(plots.percent_text)
        room = 1.5 * max(rows.loc[rows["measured"] == measured, "mean"].abs().max(), margin)
        low, high = ax.get_ylim()
        ax.set_ylim(max(low, -2 * room), min(high, 2 * room))
    axes[0].set_ylabel("searched − random\n(percentage points)")
    plots.legend(figure)
    return figure


def _lengths(rows: pd.DataFrame) -> np.ndarray:
    """Return the lengths of error bars below and above the mean; 0 where there is no interval."""
    return np.nan_to_num(np.stack([rows["mean"] - rows["low"], rows["high"] - rows["mean"]]))
