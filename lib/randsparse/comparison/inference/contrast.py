"""Weighted sums of means, such as a slope over several cells: with seeds of their own, or with shared ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.inference.jackknife import FEWEST
from randsparse.errors import StudyError


def contrast(samples: Sequence[tuple[float, ArrayLike]], shared_seeds: bool = False) -> Estimate:
    """Return the sum of weight times mean over samples, such as a difference, or a slope over several of them.

    Own seeds: the variances of all means are added, with Satterthwaite's degrees of freedom. Shared seeds: the weighted
    sum of each seed that has all of its runs, then t with n - 1 degrees of freedom.

    Args:
        samples: pairs (weight, values), nan for a run that is missing; with shared seeds, entry i is seed i in each.

    Returns: an estimate, n the seeds, or the runs of the smallest sample. Raises StudyError for fewer than three.
    """
    weights, arrays = [weight for weight, _ in samples], [np.asarray(values, np.float64) for _, values in samples]
    if shared_seeds and len({array.shape for array in arrays}) != 1:
        raise StudyError(f"samples of shapes {[array.shape for array in arrays]}: each must have one value per seed")
    if shared_seeds:
        weights, arrays = [1.0], [np.tensordot(weights, arrays, 1)]
    arrays = [array[np.isfinite(array)] for array in arrays]
    sizes = np.array([len(array) for array in arrays])
    if not sizes.size or sizes.min() < FEWEST:
        raise StudyError(f"samples of {sizes.tolist()} runs: each must have at least {FEWEST}")
    value = sum(weight * array.mean() for weight, array in zip(weights, arrays, strict=True))
    parts = [
        weight**2 * (array - array[0]).var(ddof=1) / len(array) for weight, array in zip(weights, arrays, strict=True)
    ]
    variances, runs = np.array(parts), int(sizes.sum()) * (len(samples) if shared_seeds else 1)
    if not variances.sum() > 0:
        return Estimate(float(value), 0.0, float((sizes - 1).sum()), int(sizes.min()), runs)
    df = variances.sum() ** 2 / (variances**2 / (sizes - 1)).sum()
    return Estimate(float(value), float(np.sqrt(variances.sum())), float(df), int(sizes.min()), runs)
