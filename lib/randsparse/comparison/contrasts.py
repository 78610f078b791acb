"""Cells of a campaign compared with each other: values by network, contrasts, and the regime."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from randsparse.comparison import stats
from randsparse.comparison.candidates import array
from randsparse.comparison.crossed import Crossed
from randsparse.comparison.inference.contrast import contrast
from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.wording import listed, model_name
from randsparse.errors import StudyError
from randsparse.runs.store import Store

if TYPE_CHECKING:
    pass


def contrast_of(
    design: Crossed, frame: pd.DataFrame, weights: Mapping[str, float], y: str = "test_accuracy"
) -> Estimate | None:
    """Return the weighted sum of the means of cells over networks; None as long as a cell has fewer than three.

    Cells that all have the same networks and orders are compared seed by seed (`seeds_of` in the file of the campaign).

    Args:
        frame: one row per run: cell, network, order and y, as from `candidates.results`.
        weights: by name of cell; 1 and -1 give a difference.
    """
    cells = {cell.name: cell for cell in design.networks}
    shared = len({(cells[name].first_seed, cells[name].order_seed) for name in weights}) == 1
    try:
        return contrast([(weight, by_network(design, frame, name, y)) for name, weight in weights.items()], shared)
    except StudyError:
        return None


def by_network(design: Crossed, frame: pd.DataFrame, cell: str, y: str = "test_accuracy") -> np.ndarray:
    """Return the value of each network of a cell, the mean over its orders; nan for a network without a run."""
    planned = next(each.networks for each in design.networks if each.name == cell)
    own = frame[frame["cell"] == cell].dropna(subset=[y])
    return own.groupby("network")[y].mean().reindex(range(planned)).to_numpy(dtype=float)


def levels(design: Crossed, frame: pd.DataFrame, y: str = "test_accuracy") -> pd.DataFrame:
    """Return one row per cell with runs: cell, mean, low, high (95 % interval over networks), n, runs."""
    rows = []
    for cell in design.networks:
        values = by_network(design, frame, cell.name, y)
        found = values[np.isfinite(values)]
        if len(found):
            runs = int(np.isfinite(array(frame, cell.name, y)).sum())
            rows.append((cell.name, *stats.mean_interval(found), len(found), runs))
    return pd.DataFrame(rows, columns=["cell", "mean", "low", "high", "n", "runs"])


def regime(design: Crossed, store: Store, names: Sequence[str]) -> str:
    """Return network, dataset, training and dense accuracy of some cells in words, those of the first one first."""
    cells = {cell.name: cell for cell in design.networks}
    chosen = [cells[name] for name in names]
    records = {cell.name: store.load(cell.wanted(store)).values() for cell in chosen}
    point = chosen[0].point
    models = dict.fromkeys(model_name(cell.point.model) for cell in chosen)
    costs = [record["cost"] for found in records.values() for record in found]
    if not costs:
        return f"{listed(list(models))} on {point.dataset}, {point.epochs} epochs, no run yet"
    images = round(max(cost["images"] / cost["epochs"] for cost in costs))
    is_dense = {cell.name: cell.point.sparsity == 0 for cell in chosen}
    dense = [
        record["test"]["accuracy"] for name in is_dense if is_dense[name] for record in records[name] if record["test"]
    ]
    reached = f"dense {100 * np.mean(dense):.1f} %" if dense else "no dense run yet"
    return (
        f"{listed(list(models))} on {point.dataset}, {images:,} images, {point.epochs} epochs of "
        f"{-(-images // point.batch_size):,} steps, {reached}"
    )
