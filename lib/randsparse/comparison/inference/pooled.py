"""Differences of arms, averaged over strata (cells), and other contrasts.

Every run may have seeds of its own, all arms and strata may share their seeds, or both arms of a stratum alone may.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

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
    arrays = [_finite(array) for array in arrays]
    sizes = np.array([len(array) for array in arrays])
    if not sizes.size or sizes.min() < FEWEST:
        raise StudyError(f"samples of {sizes.tolist()} runs: each must have at least {FEWEST}")
    value = sum(weight * array.mean() for weight, array in zip(weights, arrays, strict=True))
    parts = [weight**2 * _variance(array) / len(array) for weight, array in zip(weights, arrays, strict=True)]
    variances, runs = np.array(parts), int(sizes.sum()) * (len(samples) if shared_seeds else 1)
    if not variances.sum() > 0:
        return Estimate(float(value), 0.0, float((sizes - 1).sum()), int(sizes.min()), runs)
    df = variances.sum() ** 2 / (variances**2 / (sizes - 1)).sum()
    return Estimate(float(value), float(np.sqrt(variances.sum())), float(df), int(sizes.min()), runs)


def difference_of_pairs(strata: Strata) -> Estimate:
    """Return the mean over strata of a - b, where both arms of a stratum share their seeds, and no two strata do.

    The differences of each stratum are one sample; strata count the same, and the variances of their means are added,
    with Satterthwaite's degrees of freedom. For one stratum this is the t test of pairs.

    Args:
        strata: pairs (a, b) of equal length; entry i is one seed, nan for a run that is missing.

    Returns: an estimate, n the pairs. Raises StudyError for unequal lengths, and for fewer than three pairs.
    """
    differences = []
    for a, b in strata:
        a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
        if a.shape != b.shape or a.ndim != 1:
            raise StudyError(f"samples of shapes {a.shape} and {b.shape}: each must have one value per seed")
        differences.append(_finite(a - b))
    found = difference_of_own_seeds([(each, np.zeros(len(each))) for each in differences])
    return replace(found, df=found.df if found.error else found.df / 2)


def _finite(sample: ArrayLike) -> np.ndarray:
    values = np.asarray(sample, dtype=np.float64)
    return values[np.isfinite(values)]


def _variance(sample: np.ndarray) -> float:
    """Return the variance; equal values have exactly 0, whatever rounding does to their mean."""
    return float((sample - sample[0]).var(ddof=1))
