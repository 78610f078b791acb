"""What a search of K normal candidates gains, predicted from spreads and one correlation."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from scipy.integrate import quad
from scipy.stats import norm

from randsparse.errors import require


class PredictedGains(NamedTuple):
    """How far the early winner lies above the mean of its candidates when it is picked, and at the end."""

    early: float
    final: float


@cache
def expected_normal_maximum(size: int) -> float:
    """Return E[max_K], the mean of the largest of K independent standard normal values: .564 for 2, 1.029 for 4."""
    require(size >= 1, "size", size, "at least 1")
    return quad(lambda x: x * size * norm.pdf(x) * norm.cdf(x) ** (size - 1), -12, 12, epsabs=1e-10)[0]


def predicted_gains(correlation: float, early_spread: float, final_spread: float, size: int) -> PredictedGains:
    """Return the gains that follow without a free parameter: sigma_E E[max_K] early, r sigma_F E[max_K] at the end.

    Early and final values of one order of batches are jointly normal; the end of the early winner is then its early
    lead, shrunk by regression to the mean.

    Args:
        correlation: r, of early and final values of candidates.
        early_spread, final_spread: sigma_E and sigma_F, standard deviations between candidates, in the units wanted.
        size: K, the candidates of one search.
    """
    maximum = expected_normal_maximum(size)
    return PredictedGains(early_spread * maximum, correlation * final_spread * maximum)
