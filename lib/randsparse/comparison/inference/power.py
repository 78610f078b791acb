"""The power of the tests behind verdicts, and the replicates that a verdict needs."""

from __future__ import annotations

import math

from scipy.integrate import quad
from scipy.stats import chi, nct, norm
from scipy.stats import t as student

from randsparse.errors import require

MOST = 100_000
"""Replicates beyond which no number is given."""


def one_sided_power(true: float, margin: float, error: float, df: float, level: float = 0.95) -> float:
    """Return the probability that a one-sided t test shows on which side of the margin the true value lies.

    Args:
        true, margin: in the unit of the estimate; at the margin itself the result is 1 - level.
        error: the standard error of the estimate.
        df: its degrees of freedom.
    """
    require(error > 0 and df > 0, "error and df", (error, df), "positive")
    return float(nct.sf(student.ppf(level, df), df, abs(true - margin) / error))


def equivalence_power(true: float, margin: float, error: float, df: float, level: float = 0.95) -> float:
    """Return the probability that two one-sided t tests show a value between -margin and margin (TOST).

    The estimate is normal and its estimated error chi-distributed, so the probability is an integral over the latter
    (Phillips, "Power of the two one-sided tests procedure in bioequivalence", 1990).
    """
    require(error > 0 and df > 0, "error and df", (error, df), "positive")
    critical = student.ppf(level, df)
    widest = margin / (critical * error)  # the largest estimated error, in true ones, that can still show it
    ratio = chi(df, scale=1 / math.sqrt(df))

    def shown(estimated: float) -> float:
        room = margin - critical * estimated * error
        inside = norm.cdf((room - true) / error) - norm.cdf((-room - true) / error)
        return max(inside, 0.0) * ratio.pdf(estimated)

    return float(quad(shown, 0, min(widest, ratio.ppf(1 - 1e-10)), limit=200, points=[min(1.0, widest / 2)])[0])


def replicates_needed(
    true: float, margin: float, spread: float, within: bool = False, power: float = 0.8, level: float = 0.95
) -> float:
    """Return the fewest replicates whose one-sided test (TOST where `within`) has the power.

    Args:
        spread: the standard deviation of one replicate, so that n of them give an error of spread / sqrt(n), with
            n - 1 degrees of freedom. From an estimate: error * sqrt(n).

    Returns: a whole number of at least three, or inf where the true value lies on the margin (or, for TOST, beyond it),
    or where more than 100,000 would be needed.
    """
    test = equivalence_power if within else one_sided_power

    def reached(n: int) -> bool:
        return test(true, margin, spread / math.sqrt(n), n - 1, level) >= power

    if (abs(true) >= margin if within else true == margin) or not reached(MOST):
        return math.inf
    low, high = 2, MOST  # the power grows with n: halve the range in which it is reached
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high
