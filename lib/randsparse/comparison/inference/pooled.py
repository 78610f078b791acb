"""The difference of two arms, averaged over strata (cells).

Every run may have seeds of its own, all arms and strata may share their seeds, or some of them may.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import sem

from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.inference.jackknife import FEWEST
from randsparse.errors import StudyError

Strata = Sequence[tuple[ArrayLike, ArrayLike]]


def difference_of_own_seeds(strata: Strata) -> Estimate:
    """Return the mean over strata of mean(a) - mean(b), where every run has seeds of its own.

    Each stratum counts the same. The variance is the sum of those of all sample means, with Satterthwaite's degrees
    of freedom; so no two arms or strata need the same spread. For one stratum this is Welch's t.

    Args:
        strata: pairs (values of a, values of b), nan for a run that is missing.

    Returns: an estimate, n the runs of the smaller arm. Raises StudyError for a sample of fewer than three.
    """
    samples = [[_finite(sample) for sample in pair] for pair in strata]
    sizes = np.array([[len(sample) for sample in pair] for pair in samples])
    if not sizes.size or sizes.min() < FEWEST:
        raise StudyError(f"samples of {sizes.tolist()} runs: each must have at least {FEWEST}")
    variances = np.array([[_variance(sample) / len(sample) for sample in pair] for pair in samples])
    value = np.mean([a.mean() - b.mean() for a, b in samples])
    smaller = int(sizes.sum(axis=0).min())
    if not variances.sum() > 0:
        return Estimate(float(value), 0.0, float((sizes - 1).sum()), smaller, int(sizes.sum()))
    df = variances.sum() ** 2 / (variances**2 / (sizes - 1)).sum()
    error = np.sqrt(variances.sum()) / len(samples)
    return Estimate(float(value), float(error), float(df), smaller, int(sizes.sum()))


def difference_of_shared_seeds(strata: Strata) -> Estimate:
    """Return the mean over seeds and strata of a - b, where all arms and strata share their seeds.

    The difference of each seed is averaged over strata; then t with n - 1 degrees of freedom. What a seed does to all
    strata alike is therefore part of the error.

    Args:
        strata: pairs (a, b) of equal length; entry i is seed i in every stratum, nan for a run that is missing. A seed
            that misses a run in one stratum does not count.

    Returns: an estimate, n the seeds. Raises StudyError for unequal lengths, and for fewer than three whole seeds.
    """
    arrays = [np.asarray(sample, dtype=np.float64) for pair in strata for sample in pair]
    if len({array.shape for array in arrays}) != 1 or arrays[0].ndim != 1:
        raise StudyError(f"samples of shapes {[array.shape for array in arrays]}: each must have one value per seed")
    differences = np.mean([a - b for a, b in zip(arrays[::2], arrays[1::2], strict=True)], axis=0)
    differences = differences[np.isfinite(differences)]
    n = len(differences)
    if n < FEWEST:
        raise StudyError(f"{n} seeds have all of their runs: at least {FEWEST} are needed")
    error = sem(differences) if _variance(differences) else 0.0
    return Estimate(float(differences.mean()), float(error), n - 1.0, n, n * len(arrays))


def contrast(groups: Sequence[Sequence[tuple[float, ArrayLike]]]) -> Estimate:
    """Return the sum of weighted means of samples, of which some share their seeds.

    The samples of a group share their seeds: what a group adds is the mean over seeds of its weighted sum. Groups have
    seeds of their own; the variances of their means are added, with Satterthwaite's degrees of freedom. So a difference
    is Welch's t for two groups of one sample, the t test of pairs for one group of two, and a mean over strata with
    weights 1 / S and -1 / S. Weights that add up to 0 leave out what all samples have in common.

    Args:
        groups: each a list of (weight, values); entry i of all samples of a group is one seed, nan for a run that is
            missing. A seed that misses a run does not count.

    Returns: an estimate; n is the seeds behind the samples of positive weight, or of negative if these are fewer.
    Raises StudyError for unequal lengths within a group, and for a group of fewer than three whole seeds.
    """
    sums, runs = [], 0
    for group in groups:
        arrays = [np.asarray(values, dtype=np.float64) for _, values in group]
        if len({array.shape for array in arrays}) != 1 or arrays[0].ndim != 1:
            raise StudyError(
                f"samples of shapes {[array.shape for array in arrays]}: each must have one value per seed"
            )
        sums.append(_finite(sum(weight * array for (weight, _), array in zip(group, arrays, strict=True))))
        runs += len(sums[-1]) * len(group)
    sizes = np.array([len(each) for each in sums])
    if not sizes.size or sizes.min() < FEWEST:
        raise StudyError(f"groups of {sizes.tolist()} seeds: each must have at least {FEWEST}")
    signs = [{weight > 0 for weight, _ in group} for group in groups]
    n = min(sum(int(size) for size, own in zip(sizes, signs, strict=True) if sign in own) for sign in (True, False))
    value, variances = sum(float(each.mean()) for each in sums), [_variance(each) / len(each) for each in sums]
    if not sum(variances) > 0:
        return Estimate(value, 0.0, float((sizes - 1).sum()), n, runs)
    df = sum(variances) ** 2 / (np.square(variances) / (sizes - 1)).sum()
    return Estimate(value, float(np.sqrt(sum(variances))), float(df), n, runs)


def _finite(sample: ArrayLike) -> np.ndarray:
    values = np.asarray(sample, dtype=np.float64)
    return values[np.isfinite(values)]


def _variance(sample: np.ndarray) -> float:
    """Return the variance; equal values have exactly 0, whatever rounding does to their mean."""
    return float((sample - sample[0]).var(ddof=1))
