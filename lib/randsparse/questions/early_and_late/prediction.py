"""What a search of K candidates gains by the order statistics of normal values, from measured spreads alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import gammaln

from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.inference.jackknife import jackknife
from randsparse.comparison.inference.order_statistics import expected_normal_maximum
from randsparse.comparison.inference.search_value import keep_usable
from randsparse.comparison.inference.subsets import centre, winner_gain


def predicted_gain(cells: Sequence[Sequence[ArrayLike]], size: int, fewest: int) -> Estimate:
    """Return r sigma_F E[max_K]: how far the early winner should lie above the mean in final.

    With the same values as early and final it is sigma_E E[max_K], the gain at the early look. r and the spreads are
    those within an order of batches; the mean is taken over orders, then over cells. No parameter is fitted to gains.

    Args:
        cells: pairs (early, final) of shape (networks, orders), nan for a run that is missing.
        size: K, the candidates of one search.
        fewest: runs that an order needs to count.

    Raises StudyError where no order has as many runs.
    """

    def part(early: np.ndarray, final: np.ndarray) -> list[np.ndarray]:
        return [expected_normal_maximum(size) * _shared_spread(early, final).mean(axis=0)]

    return jackknife(keep_usable(cells, fewest), part).estimate()


def prediction_error(cells: Sequence[Sequence[ArrayLike]], size: int) -> Estimate:
    """Return the measured gain of winners among K candidates less the predicted one; arguments as `predicted_gain`."""

    def part(early: np.ndarray, final: np.ndarray) -> list[np.ndarray]:
        predicted = expected_normal_maximum(size) * _shared_spread(early, final)
        return [(winner_gain(early, final, size) - predicted).mean(axis=0)]

    return jackknife(keep_usable(cells, size + 1), part).estimate()


def _shared_spread(early: np.ndarray, final: np.ndarray) -> np.ndarray:
    """Return r sigma_F per column, 0 where early values are equal.

    It is the slope of final on early times the spread of early values; only the latter is biased in small samples, by
    the factor c4 of normal values, which is taken out.
    """
    early, final = centre(early), centre(final)
    n = np.isfinite(early).sum(axis=0)
    spread = np.sqrt(np.nansum(early**2, axis=0) / (n - 1))
    shared = np.nansum(early * final, axis=0) / (n - 1)
    c4 = np.sqrt(2 / (n - 1)) * np.exp(gammaln(n / 2) - gammaln((n - 1) / 2))
    return np.divide(shared, spread * c4, out=np.zeros_like(spread), where=spread > 0)
