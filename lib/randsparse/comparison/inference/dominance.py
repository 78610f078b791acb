"""P(A > B): how often one run beats another, which is what a difference of means does not tell."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, logit
from scipy.stats import beta
from scipy.stats import t as student
from statsmodels.stats.nonparametric import rank_compare_2indep

from randsparse.comparison.inference.jackknife import FEWEST
from randsparse.errors import StudyError, require


class Dominance(NamedTuple):
    """The probability that a run of A is above one of B (an equal one counts half), its limits, and both sizes."""

    value: float
    low: float
    high: float
    n_a: int
    n_b: int


def dominance(a: ArrayLike, b: ArrayLike, paired: bool = False, level: float = 0.95) -> Dominance:
    """Return P(A > B) with its interval; nan is a run that is missing.

    Own seeds: all pairs of runs count, and the limits are Student's t on the logit, with the variance and degrees of
    freedom of Brunner and Munzel, "The nonparametric Behrens-Fisher problem" (2000). Paired: the share of pairs, with
    the limits of Clopper and Pearson, which are also taken where all runs of one arm lie above the other arm, with as
    many pairs as the smaller arm has runs.

    Raises StudyError for fewer than three runs or pairs, and for pairs of unequal number.
    """
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if paired:
        require(a.shape == b.shape, "sizes of pairs", (a.size, b.size), "equal")
        both = np.isfinite(a) & np.isfinite(b)
        a, b = a[both], b[both]
    a, b = a[np.isfinite(a)], b[np.isfinite(b)]
    if min(a.size, b.size) < FEWEST:
        raise StudyError(f"samples of {a.size} and {b.size} runs: each must have at least {FEWEST}")
    comparisons = np.sign(a - b) if paired else np.sign(a[:, None] - b)
    value = float((comparisons.mean() + 1) / 2)
    if paired or value in (0, 1) or not np.ptp(np.concatenate([a, b])):
        return Dominance(value, *_exact(value, min(a.size, b.size), level), a.size, b.size)
    found = rank_compare_2indep(a, b, use_t=True)
    half = student.ppf((1 + level) / 2, found.df) * math.sqrt(found.var_prob) / (value * (1 - value))
    low, high = expit(logit(value) - half), expit(logit(value) + half)
    return Dominance(value, float(low), float(high), a.size, b.size)


def _exact(share: float, pairs: int, level: float) -> tuple[float, float]:
    """Return Clopper and Pearson's limits of a share of independent pairs; half pairs are allowed."""
    won, tail = share * pairs, (1 - level) / 2
    low = beta.ppf(tail, won, pairs - won + 1) if won > 0 else 0.0
    high = beta.ppf(1 - tail, won + 1, pairs - won) if won < pairs else 1.0
    return float(low), float(high)
