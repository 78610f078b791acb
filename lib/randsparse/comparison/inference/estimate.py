"""An estimate with its standard error and degrees of freedom, and the intervals that follow from them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import stdtrit

from randsparse.errors import require

ALMOST_ONE = 1 - 1e-9
"""The largest correlation that Fisher's z is taken of."""


def satterthwaite(variances: np.ndarray, dfs: ArrayLike) -> float:
    """Return Satterthwaite's degrees of freedom of a sum of independent variances.

    The plain sum of the degrees of freedom would be right only where all variances are equal: one noisy part then makes
    intervals too short. Without any variance the sum is returned.
    """
    if not variances.sum() > 0:
        return float(np.sum(dfs))
    return float(variances.sum() ** 2 / (variances**2 / dfs).sum())


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
        return float(stdtrit(self.df, (1 + level) / 2))  # scipy.stats.t.ppf takes a hundred times as long

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
