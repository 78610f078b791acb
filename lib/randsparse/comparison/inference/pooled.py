"""Weighted sums of the means of samples, such as the difference of two arms, averaged over strata (cells).

Every run may have seeds of its own, all arms and strata may share their seeds, or some of them may.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from randsparse.comparison.inference.estimate import Estimate, satterthwaite
from randsparse.comparison.inference.jackknife import FEWEST
from randsparse.errors import StudyError


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
        shapes = [array.shape for array in arrays]
        if len(set(shapes)) != 1 or arrays[0].ndim != 1:
            raise StudyError(f"samples of shapes {shapes}: each must have one value per seed")
        whole = sum(weight * array for (weight, _), array in zip(group, arrays, strict=True))
        sums.append(whole[np.isfinite(whole)])
        runs += len(sums[-1]) * len(group)
    sizes = np.array([len(each) for each in sums])
    if not sizes.size or sizes.min() < FEWEST:
        raise StudyError(f"groups of {sizes.tolist()} seeds: each must have at least {FEWEST}")
    signs = [{weight > 0 for weight, _ in group} for group in groups]
    n = min(sum(int(size) for size, own in zip(sizes, signs, strict=True) if sign in own) for sign in (True, False))
    # equal values have exactly the variance 0, whatever rounding does to their mean
    variances = np.array([(each - each[0]).var(ddof=1) / len(each) for each in sums])
    value, error = sum(float(each.mean()) for each in sums), float(np.sqrt(variances.sum()))
    return Estimate(value, error, satterthwaite(variances, sizes - 1), n, runs)
