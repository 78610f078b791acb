"""Cells of a campaign compared with each other: values by network, contrasts, and the regime."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from randsparse.comparison import stats
from randsparse.comparison.candidates import array
from randsparse.comparison.crossed import Crossed
from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.inference.pooled import contrast
from randsparse.comparison.wording import format_model, list_words
from randsparse.errors import StudyError
from randsparse.runs.store import Store


def weighted_sum(
    design: Crossed, frame: pd.DataFrame, weights: Mapping[str, float], y: str = "test_accuracy"
) -> Estimate | None:
    """Return the weighted sum of the means of cells over networks; None as long as a cell has fewer than three.

    Cells that share their seeds (`seeds_of` in the file of the campaign) are taken seed by seed, others are
    independent: `inference.pooled.contrast`.

    Args:
        frame: one row per run: cell, network, order and y, as from `candidates.results`.
        weights: by name of cell; 1 and -1 give a difference.
    """
    try:
        return contrast(_by_seeds(design, frame, weights, y))
    except StudyError:
        return None


def estimate_contrast(
    design: Crossed, frame: pd.DataFrame, weights: Mapping[str, float], y: str = "test_accuracy"
) -> Estimate | None:
    """Return `weighted_sum` with the networks of its smallest cell as n."""
    groups = _by_seeds(design, frame, weights, y)
    # summed by NumPy: the last digits of a sum depend on who adds, and results that are stored have these
    sums = [np.tensordot([weight for weight, _ in group], [values for _, values in group], 1) for group in groups]
    try:
        found = contrast([[(1.0, values)] for values in sums])
    except StudyError:
        return None
    sizes = [int(np.isfinite(values).sum()) for values in sums]
    runs = sum(size * len(group) for size, group in zip(sizes, groups, strict=True))
    return replace(found, n=min(sizes), runs=runs)


def _by_seeds(
    design: Crossed, frame: pd.DataFrame, weights: Mapping[str, float], y: str
) -> list[list[tuple[float, np.ndarray]]]:
    """Return weights and values of cells, those with the same networks and orders in one list."""
    groups: dict[tuple[int, int], list[tuple[float, np.ndarray]]] = defaultdict(list)
    for name, weight in weights.items():
        cell = design.by_name[name]
        groups[cell.first_seed, cell.order_seed].append((weight, average_orders(design, frame, name, y)))
    return list(groups.values())


def mean_difference(design: Crossed, frame: pd.DataFrame, pairs: Sequence[tuple[str, str]]) -> Estimate | None:
    """Return the mean over pairs of cells of a - b in test accuracy; None where there are too few runs."""
    weights: dict[str, float] = defaultdict(float)
    for a, b in pairs:
        weights[a] += 1 / len(pairs)
        weights[b] -= 1 / len(pairs)
    return weighted_sum(design, frame, weights)


def average_orders(design: Crossed, frame: pd.DataFrame, cell: str, y: str = "test_accuracy") -> np.ndarray:
    """Return the value of each network of a cell, the mean over its orders; nan for a network without a run."""
    own = frame[frame["cell"] == cell].dropna(subset=[y])
    networks = range(design.by_name[cell].networks)
    return own.groupby("network")[y].mean().reindex(networks).to_numpy(dtype=float)


def levels(design: Crossed, frame: pd.DataFrame, y: str = "test_accuracy") -> pd.DataFrame:
    """Return one row per cell with runs: cell, mean, low, high (95 % interval over networks), n, runs."""
    rows = []
    for cell in design.networks:
        values = average_orders(design, frame, cell.name, y)
        found = values[np.isfinite(values)]
        if len(found):
            runs = int(np.isfinite(array(frame, cell.name, y)).sum())
            rows.append((cell.name, *stats.mean_interval(found), len(found), runs))
    return pd.DataFrame(rows, columns=["cell", "mean", "low", "high", "n", "runs"])


def describe_regime(design: Crossed, store: Store, names: Sequence[str]) -> str:
    """Return network, dataset, training and dense accuracy of some cells in words, those of the first one first."""
    chosen = [design.by_name[name] for name in dict.fromkeys(names)]
    points = [cell.point for cell in chosen]
    records = [store.load(cell.wanted(store)).values() for cell in chosen]
    first, models = points[0], list_words(list(dict.fromkeys(format_model(point.model) for point in points)))
    costs = [record["cost"] for found in records for record in found]
    if not costs:
        return f"{models} on {first.dataset}, {first.epochs} epochs, no run yet"
    images = round(max(cost["images"] / cost["epochs"] for cost in costs))
    of_dense = [found for point, found in zip(points, records, strict=True) if point.sparsity == 0]
    accuracies = [record["test"]["accuracy"] for found in of_dense for record in found if record["test"]]
    reached = f"dense {100 * np.mean(accuracies):.1f} %" if accuracies else "no dense run yet"
    return (
        f"{models} on {first.dataset}, {images:,} images, {first.epochs} epochs of "
        f"{-(-images // first.batch_size):,} steps, {reached}"
    )
