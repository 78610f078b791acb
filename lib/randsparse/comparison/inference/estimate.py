"""An estimate with its standard error and degrees of freedom, and the intervals that follow from them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import t as student

from randsparse.errors import require


@dataclass(frozen=True)
class Estimate:
    """A value, its standard error and degrees of freedom, and from how many replicates and runs they come.

    Intervals are Student's t. `n` counts independent replicates (networks or seeds), `runs` all runs behind them.
    The error is 0 only where the replicates do not differ at all.
    """

    value: float
    error: float
    df: float
    n: int
    runs: int

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Return the two-sided limits; each of them is a one-sided limit of level (1 + level) / 2."""
        half = self.quantile(level) * self.error
        return self.value - half, self.value + half

    def quantile(self, level: float) -> float:
        """Return the number of standard errors between the estimate and each limit of a two-sided interval."""
        require(0 < level < 1, "level", level, "between 0 and 1")
        return float(student.ppf((1 + level) / 2, self.df))

    def lower(self, level: float = 0.95) -> float:
        """Return the one-sided limit that the true value exceeds with probability `level`."""
        return self.interval(2 * level - 1)[0]

    def upper(self, level: float = 0.95) -> float:
        """Return the one-sided limit that the true value stays below with probability `level`."""
        return self.interval(2 * level - 1)[1]

    @property
    def low(self) -> float:
        """Return the lower limit of the two-sided 95 % interval."""
        return self.interval()[0]

    @property
    def high(self) -> float:
        """Return the upper limit of the two-sided 95 % interval."""
        return self.interval()[1]

    @property
    def varies(self) -> bool:
        """Return whether the replicates differ, without which no interval means anything."""
        return bool(math.isfinite(self.error) and self.error > 1e-12 * max(1.0, abs(self.value)))


@dataclass(frozen=True)
class Transformed(Estimate):
    """An estimate whose interval is Student's t on another scale, such as Fisher's z or the logit.

    `value` and `error` are on the scale of the reader (the error by the delta method); `scaled` and `scaled_error`
    on the other one, from which the increasing function `back` returns.
    """

    scaled: float
    scaled_error: float
    back: Callable[[float], float]

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        half = self.quantile(level) * self.scaled_error
        return float(self.back(self.scaled - half)), float(self.back(self.scaled + half))


@dataclass(frozen=True)
class Ratio(Estimate):
    """A ratio of two sums with Fieller's interval, whose limits are infinite where the lower sum could be 0.

    Source: Fieller, "Some problems in interval estimation" (1954): all ratios q for which numerator - q denominator
    does not differ from 0. Where this set is no interval, the limits are -inf and inf.
    """

    numerator: float
    denominator: float
    covariance: np.ndarray

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        square = self.quantile(level) ** 2
        a = self.denominator**2 - square * self.covariance[1, 1]
        b = self.numerator * self.denominator - square * self.covariance[0, 1]
        c = self.numerator**2 - square * self.covariance[0, 0]
        if not a > 0 or math.isnan(b):
            return -math.inf, math.inf
        half = math.sqrt(max(b * b - a * c, 0.0))
        return (b - half) / a, (b + half) / a

    @property
    def bounded(self) -> bool:
        """Return whether the 95 % interval has finite limits."""
        return math.isfinite(self.low) and math.isfinite(self.high)
