"""How much of the spread of measured accuracies is real: reliability from the correctness of each image.

Runs are measured on the same images. What differs between two runs beyond the images that happen to be in the set is
their true difference; the rest is sampling noise, which limits every correlation with these accuracies.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import f as fisher

from randsparse.errors import StudyError


class Reliability(NamedTuple):
    """The reliability of accuracies, and the variances behind it (accuracies as fractions).

    `value` is the share of the variance between runs that is true, negative where chance leaves less than nothing;
    low and high are its limits; nan where no run differs. `variance` is that of measured accuracies, `sampling` that
    of their noise from the choice of images.
    """

    value: float
    low: float
    high: float
    variance: float
    sampling: float
    runs: int
    images: int


def reliability(columns: Sequence[ArrayLike] | np.ndarray, level: float = 0.95) -> Reliability:
    """Return Cronbach's alpha (here also KR-20) of correctness, the mean of all split-half coefficients.

    alpha = 1 - MS(run x image) / MS(run), with deviations from the mean of the run's column (Hoyt, "Test reliability
    estimated by analysis of variance", 1941); its limits are those of Feldt (1965), from the F distribution.

    Args:
        columns: bool of shape (runs, images), or a sequence of such arrays, one per order of batches: then only runs
            of one order are compared, and all are pooled. A column with one run does not count.

    Raises StudyError for columns of different images, and where no column has two runs.
    """
    columns = [columns] if isinstance(columns, np.ndarray) and columns.ndim == 2 else columns
    columns = [np.asarray(column, dtype=np.float64) for column in columns if len(column) > 1]
    images = {column.shape[1] for column in columns}
    if len(images) != 1:
        raise StudyError(f"columns of {sorted(images)} images: give runs on the same images, two or more in a column")
    k = images.pop()
    df = sum(len(column) - 1 for column in columns)
    of_runs = sum(k * np.square(column.mean(1) - column.mean()).sum() for column in columns) / df
    within = sum(np.square(column - column.mean(0)).sum() for column in columns)
    of_noise = (within - of_runs * df) / (df * (k - 1))
    runs = sum(map(len, columns))
    if not of_runs > 0:
        return Reliability(np.nan, np.nan, np.nan, 0.0, float(of_noise / k), runs, k)
    noise = of_noise / of_runs
    tail = (1 - level) / 2
    low, high = 1 - noise * fisher.ppf([1 - tail, tail], df, df * (k - 1))
    return Reliability(1 - noise, float(low), float(high), float(of_runs / k), float(of_noise / k), runs, k)


def ceiling(early: float, final: float = 1.0) -> float:
    """Return the largest correlation of early and final values that their noise allows: sqrt(early x final).

    Args:
        early, final: reliabilities; a final value without noise has 1, a negative estimate counts as 0.

    Source: Spearman, "The proof and measurement of association between two things" (1904).
    """
    return math.sqrt(max(early, 0.0) * max(final, 0.0))
