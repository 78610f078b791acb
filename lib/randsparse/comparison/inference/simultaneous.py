"""Intervals of several estimates that are all right at once with the stated probability."""

from __future__ import annotations

from collections.abc import Sequence

from randsparse.comparison.inference.estimate import Estimate


def simultaneous_intervals(estimates: Sequence[Estimate], level: float = 0.95) -> list[tuple[float, float]]:
    """Return one interval per estimate; together they hold all true values with probability `level`.

    Each has the level of Šidák, level ** (1 / number), which is exact for independent estimates and enough for
    dependent ones (Šidák, "Rectangular confidence regions for the means of multivariate normal distributions", 1967).
    """
    return [estimate.interval(level ** (1 / len(estimates))) for estimate in estimates]
