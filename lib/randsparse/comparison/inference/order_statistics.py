"""Order statistics of normal candidates, from which the gains of a search are predicted."""

from __future__ import annotations

from functools import cache

from scipy.integrate import quad
from scipy.stats import norm

from randsparse.errors import require


@cache
def expected_normal_maximum(size: int) -> float:
    """Return E[max_K], the mean of the largest of K independent standard normal values: .564 for 2, 1.029 for 4."""
    require(size >= 1, "size", size, "at least 1")
    return quad(lambda x: x * size * norm.pdf(x) * norm.cdf(x) ** (size - 1), -12, 12, epsabs=1e-10)[0]
