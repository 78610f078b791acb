"""Intervals, equivalence tests, and the verdicts that they give.

Values are those of independent replicates (populations of a search, not its finalists), accuracies as
fractions. SciPy and statsmodels compute; decided here is what holds for one value or for equal values.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy import stats as tests
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from randsparse.errors import StudyError


class Interval(NamedTuple):
    """A mean and its confidence limits, which are nan where there is only one value."""

    mean: float
    low: float
    high: float


def _sample(values: Iterable[float]) -> np.ndarray:
    sample = np.asarray(list(values), dtype=np.float64)
    if not np.isfinite(sample).all():
        raise StudyError(
            f"{(~np.isfinite(sample)).sum()} of {sample.size} values are not finite: "
            "leave out runs that diverged, and say how many they were"
        )
    return sample


def _spread(sample: np.ndarray) -> float:
    """Return the range, and 0 where only rounding errors tell the values apart."""
    spread = float(np.ptp(sample))
    return spread if spread > 1e-12 * max(1.0, float(np.abs(sample).max())) else 0.0


def mean_interval(values: Iterable[float], level: float = 0.95) -> Interval:
    """Return the mean and its Student t interval.

    One value has a mean and nan limits, equal values have the limits mean, no value has nan everywhere.
    Raises StudyError for values that are not finite.
    """
    sample = _sample(values)
    mean = float(sample.mean()) if sample.size else np.nan
    if sample.size < 2:
        return Interval(mean, np.nan, np.nan)
    if _spread(sample) == 0:
        return Interval(mean, mean, mean)
    low, high = tests.t.interval(level, df=sample.size - 1, loc=mean, scale=tests.sem(sample))
    return Interval(mean, float(low), float(high))


class Compared(NamedTuple):
    """mean(a) - mean(b) with its limits, both sizes, the p values behind the verdict, and the verdict."""

    mean: float
    low: float
    high: float
    n: int
    n_baseline: int
    p_difference: float
    p_equivalence: float
    verdict: str


def compare(a: Iterable[float], b: Iterable[float], margin: float = 0.01, alpha: float = 0.05) -> Compared:
    """Return how the mean of a compares with that of b: "better", "equivalent", "worse" or "inconclusive".

    The rule, in this order:

    1. fewer than two values in a sample: inconclusive, limits and p values are nan;
    2. two one-sided t tests (TOST) reject a difference of `margin` or more (p_equivalence < alpha): equivalent, even
       where the difference is significant, since it is too small to matter;
    3. the 1 - alpha interval of the difference excludes 0: better or worse;
    4. otherwise inconclusive: too few or too noisy runs to tell.

    All tests are Welch's. Without any variance the limits are the difference, and p values are their limits, 0 and 1.
    Raises StudyError for a margin that is not positive, and for values that are not finite.
    """
    if not margin > 0:
        raise StudyError(f"margin {margin!r} is not positive: give the smallest difference that matters")
    a, b = _sample(a), _sample(b)
    mean = float(a.mean() - b.mean()) if a.size and b.size else np.nan
    if min(a.size, b.size) < 2:
        return Compared(mean, np.nan, np.nan, a.size, b.size, np.nan, np.nan, "inconclusive")
    if _spread(a) == _spread(b) == 0:
        low = high = mean
        p_difference = 1.0 if _spread(np.array([a.mean(), b.mean()])) == 0 else 0.0
        p_equivalence = 0.0 if abs(mean) < margin else 1.0
    else:
        welch = CompareMeans(DescrStatsW(a), DescrStatsW(b))
        low, high = map(float, welch.tconfint_diff(alpha, usevar="unequal"))
        p_difference = float(welch.ttest_ind(usevar="unequal")[1])
        p_equivalence = float(welch.ttost_ind(-margin, margin, usevar="unequal")[0])
    signed = "better" if low > 0 else "worse" if high < 0 else "inconclusive"
    verdict = "equivalent" if p_equivalence < alpha else signed
    return Compared(mean, low, high, a.size, b.size, p_difference, p_equivalence, verdict)


def summary(frame: pd.DataFrame, by: Sequence[str], y: str, level: float = 0.95) -> pd.DataFrame:
    """Return one row per group: `by`, then mean, low, high, n, and missing (runs without a value of y)."""
    rows = []
    for group, values in frame.groupby(list(by), dropna=False)[y]:
        interval = mean_interval(values.dropna(), level)
        rows.append((*group, *interval, values.count(), values.isna().sum()))
    return pd.DataFrame(rows, columns=[*by, "mean", "low", "high", "n", "missing"])


def comparisons(frame: pd.DataFrame, a: str, b: str, y: str = "test_accuracy", margin: float = 0.01) -> pd.DataFrame:
    """Return one row per structure and sparsity with the difference arm a - arm b, its interval and verdict.

    Args:
        frame: one row per replicate, with columns arm, structure, sparsity and y.

    Columns: structure, sparsity, then those of `compare` (mean, low and high in units of y), and missing (runs of the
    two arms without a value of y).
    """
    rows = []
    for place, own in frame[frame["arm"].isin([a, b])].groupby(["structure", "sparsity"]):
        samples = [own.loc[own["arm"] == arm, y].dropna() for arm in (a, b)]
        rows.append((*place, *compare(*samples, margin), int(own[y].isna().sum())))
    table = pd.DataFrame(rows, columns=["structure", "sparsity", *Compared._fields, "missing"])
    return table.sort_values(["structure", "sparsity"], ascending=[False, True], ignore_index=True)  # weight first
