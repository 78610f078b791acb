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
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW, ttost_ind, ttost_paired

from randsparse.errors import StudyError

VERDICTS = ("better", "equivalent", "worse", "inconclusive")


class Interval(NamedTuple):
    """A mean and its confidence limits, which are nan where there is only one value."""

    mean: float
    low: float
    high: float


class Difference(NamedTuple):
    """mean(a) - mean(b), its limits (nan where a sample has fewer than two values), and both sizes."""

    mean: float
    low: float
    high: float
    n_a: int
    n_b: int


class Correlation(NamedTuple):
    """A rank correlation, its confidence limits (nan where they are undefined), and the number of pairs."""

    rho: float
    low: float
    high: float
    n: int


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


def _pair(a: Iterable[float], b: Iterable[float], paired: bool) -> tuple[np.ndarray, np.ndarray, bool]:
    """Return both samples, and whether their difference has a variance."""
    a, b = _sample(a), _sample(b)
    if paired and a.size != b.size:
        raise StudyError(f"paired samples of {a.size} and {b.size} values: give pairs, or set paired=False")
    if min(a.size, b.size) < 2:
        return a, b, False
    return a, b, _spread(a - b) > 0 if paired else _spread(a) > 0 or _spread(b) > 0


def difference(a: Iterable[float], b: Iterable[float], paired: bool = False, level: float = 0.95) -> Difference:
    """Return mean(a) - mean(b) with Welch's interval, or for pairs the t interval of the differences.

    With fewer than two values in a sample the limits are nan; without any variance they are the difference.
    Raises StudyError for values that are not finite, and for pairs of unequal number.
    """
    a, b, varies = _pair(a, b, paired)
    mean = float(a.mean() - b.mean()) if a.size and b.size else np.nan
    if min(a.size, b.size) < 2:
        return Difference(mean, np.nan, np.nan, a.size, b.size)
    if not varies:
        return Difference(mean, mean, mean, a.size, b.size)
    if paired:
        return Difference(*mean_interval(a - b, level), a.size, b.size)
    low, high = CompareMeans(DescrStatsW(a), DescrStatsW(b)).tconfint_diff(1 - level, usevar="unequal")
    return Difference(mean, float(low), float(high), a.size, b.size)


def significance(a: Iterable[float], b: Iterable[float], paired: bool = False) -> float:
    """Return the two-sided p value of mean(a) = mean(b), Welch's where unpaired.

    nan with fewer than two values in a sample; without any variance the limit, 1 for equal means, else 0.
    """
    a, b, varies = _pair(a, b, paired)
    if min(a.size, b.size) < 2:
        return np.nan
    if not varies:
        return 1.0 if _spread(np.array([a.mean(), b.mean()])) == 0 else 0.0
    if paired:
        return float(DescrStatsW(a - b).ttest_mean()[1])
    return float(CompareMeans(DescrStatsW(a), DescrStatsW(b)).ttest_ind(usevar="unequal")[1])


def equivalence(a: Iterable[float], b: Iterable[float], margin: float, paired: bool = False) -> float:
    """Return the p value of two one-sided t tests (TOST; Welch's where unpaired) of |difference| >= margin.

    A small p says that the difference of the means is within the margin. nan with fewer than two values in a
    sample; without any variance the limit, 0 within the margin and 1 outside. Raises StudyError for a margin
    that is not positive.
    """
    if not margin > 0:
        raise StudyError(f"margin {margin!r} is not positive: give the smallest difference that matters")
    a, b, varies = _pair(a, b, paired)
    if min(a.size, b.size) < 2:
        return np.nan
    if not varies:
        return 0.0 if abs(a.mean() - b.mean()) < margin else 1.0
    if paired:
        return float(ttost_paired(a, b, -margin, margin)[0])
    return float(ttost_ind(a, b, -margin, margin, usevar="unequal")[0])


def verdict(
    a: Iterable[float], b: Iterable[float], margin: float = 0.01, alpha: float = 0.05, paired: bool = False
) -> str:
    """Return how a compares with b: "better", "equivalent", "worse" or "inconclusive".

    The rule, in this order:

    1. fewer than two values in a sample: inconclusive;
    2. TOST rejects a difference of `margin` or more (p < alpha): equivalent, even where the difference is
       significant, since it is too small to matter;
    3. the 1 - alpha interval of the difference excludes 0: better or worse;
    4. otherwise inconclusive: too few or too noisy runs to tell.
    """
    a, b = list(a), list(b)
    p_equivalence = equivalence(a, b, margin, paired)
    if np.isnan(p_equivalence):
        return "inconclusive"
    if p_equivalence < alpha:
        return "equivalent"
    _, low, high, _, _ = difference(a, b, paired, level=1 - alpha)
    return "better" if low > 0 else "worse" if high < 0 else "inconclusive"


def spearman(x: Iterable[float], y: Iterable[float], level: float = 0.95) -> Correlation:
    """Return Spearman's rank correlation with Fisher's interval (Pearson's, of the ranks).

    The limits are nan for fewer than four pairs and for |rho| = 1, where Fisher's interval has no width; all
    are nan where a variable is constant. Raises StudyError for values that are not finite, or not in pairs.
    """
    x, y, _ = _pair(x, y, paired=True)
    if x.size < 2 or _spread(x) == 0 or _spread(y) == 0:
        return Correlation(np.nan, np.nan, np.nan, x.size)
    result = tests.pearsonr(tests.rankdata(x), tests.rankdata(y))
    if x.size < 4 or np.isclose(abs(result.statistic), 1):
        return Correlation(float(result.statistic), np.nan, np.nan, x.size)
    low, high = result.confidence_interval(level)
    return Correlation(float(result.statistic), float(low), float(high), x.size)


def rank_significance(x: Iterable[float], y: Iterable[float]) -> float:
    """Return the two-sided p value of no rank correlation, by permuting the pairs (all of them, up to seven).

    nan for fewer than two pairs or a constant variable. Raises StudyError for values that are not finite, or not in
    pairs.
    """
    x, y, _ = _pair(x, y, paired=True)
    if x.size < 2 or _spread(x) == 0 or _spread(y) == 0:
        return np.nan
    ranks = tests.rankdata(y)
    found = tests.permutation_test(
        (tests.rankdata(x),), lambda moved: tests.pearsonr(moved, ranks).statistic, permutation_type="pairings", rng=0
    )
    return float(found.pvalue)


def summary(frame: pd.DataFrame, by: Sequence[str], y: str, level: float = 0.95) -> pd.DataFrame:
    """Return one row per group: `by`, then mean, low, high, n, and missing (runs without a value of y)."""
    rows = []
    for group, values in frame.groupby(list(by), dropna=False)[y]:
        interval = mean_interval(values.dropna(), level)
        rows.append((*group, *interval, values.count(), values.isna().sum()))
    return pd.DataFrame(rows, columns=[*by, "mean", "low", "high", "n", "missing"])


def arm_rows(frame: pd.DataFrame, arm: str, structure: str, sparsity: float) -> pd.DataFrame:
    """Return the rows of `arm` at one structure and sparsity.

    The dense network is the control of every sparsity (its rows may name one structure or each), and at
    sparsity 0 it is the random network, too.
    """
    if arm == "random" and sparsity == 0:
        arm = "dense"
    rows = frame[frame["arm"] == arm]
    own = rows[rows["structure"] == structure]
    if arm == "dense":
        return own if len(own) else rows
    return own[own["sparsity"] == sparsity]


def comparisons(
    frame: pd.DataFrame,
    a: str = "searched",
    b: str = "random",
    y: str = "test_accuracy",
    margin: float = 0.01,
    alpha: float = 0.05,
) -> pd.DataFrame:
    """Return one row per structure and sparsity with the difference arm a - arm b, its interval and verdict.

    Args:
        frame: one row per replicate, with columns arm, structure, sparsity and y.

    Columns: structure, sparsity, mean, low, high (the 1 - alpha interval, in units of y), n (of a),
    n_baseline (of b), p_difference, p_equivalence, verdict, missing (runs of the two arms without a value
    of y). For "dense" see `arm_rows`.
    """
    rows = []
    points = frame.loc[frame["arm"].isin({a, b} - {"dense"}), ["structure", "sparsity"]].drop_duplicates()
    points = points.sort_values(["structure", "sparsity"], ascending=[False, True])  # weight before node
    for structure, sparsity in points.itertuples(index=False):
        samples = [arm_rows(frame, arm, structure, sparsity)[y] for arm in (a, b)]
        finite = [sample.dropna() for sample in samples]
        mean, low, high, n_a, n_b = difference(*finite, level=1 - alpha)
        rows.append(
            (
                structure,
                sparsity,
                mean,
                low,
                high,
                n_a,
                n_b,
                significance(*finite),
                equivalence(*finite, margin),
                verdict(*finite, margin, alpha),
                sum(int(sample.isna().sum()) for sample in samples),
            )
        )
    columns = ["structure", "sparsity", *Difference._fields[:3], "n", "n_baseline"]
    return pd.DataFrame(rows, columns=[*columns, "p_difference", "p_equivalence", "verdict", "missing"])
