"""Averages over all subsets of candidates of one size, in closed form: what a search of that size gets.

Candidates lie on the first axis; all functions work on each column (order of batches) by itself, with the candidates
that have finite values there. A tie in a score is broken by lot, so equal candidates share a win equally.
"""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import comb

from randsparse.errors import require

MOST_SUBSETS = 200_000


def win_probabilities(scores: ArrayLike, size: int) -> np.ndarray:
    """Return the probability of each candidate to have the highest score in a random subset of `size`.

    With k of n candidates not above it, the winner's rank is at most k with probability C(k, size) / C(n, size); a
    group of equal candidates shares what its ranks get.

    Args:
        scores: shape (candidates, ...), nan for a candidate that is missing, whose probability is 0.

    Returns: the shape of scores; nan in a column with fewer than `size` candidates.
    """
    scores = np.asarray(scores, dtype=np.float64)
    require(1 <= size <= len(scores), "size", size, f"from 1 to the number of candidates, {len(scores)}")
    finite = np.isfinite(scores)
    below, up_to = count_below(scores)
    reach = comb(np.arange(len(scores) + 1), size)
    subsets = reach[finite.sum(axis=0)]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = (reach[up_to] - reach[below]) / np.where(finite, up_to - below, 1) / subsets
    return share


def winner_gain(early: ArrayLike, final: ArrayLike, size: int) -> np.ndarray:
    """Return how far the winner by `early` lies above the mean in `final`, on average over all subsets of `size`.

    A subset's mean averages to the mean of all candidates, so the gain is that of the winner over its own subset.

    Args:
        early, final: shape (candidates, ...), nan where a run is missing; a candidate counts where both are finite.

    Returns: one gain per column, in the unit of final; nan in a column with fewer than `size` candidates.
    """
    early, final = keep_finite_pairs(early, final)
    return np.nansum(win_probabilities(early, size) * centre(final), axis=0) + np.where(
        np.isfinite(final).sum(axis=0) < size, np.nan, 0
    )


def oracle_gain(final: ArrayLike, size: int) -> np.ndarray:
    """Return how far the best candidate lies above the mean in `final`, on average over all subsets of `size`."""
    return winner_gain(final, final, size)


def agreement(early: ArrayLike, final: ArrayLike, size: int) -> np.ndarray:
    """Return the probability that the early winner of a random subset of `size` is its final one (compare 1/K).

    Counts all subsets; arguments and result are those of `winner_gain`. Raises StudyError for more than 200,000
    subsets.
    """
    early, final = keep_finite_pairs(early, final)
    require(1 <= size <= len(early), "size", size, f"from 1 to the number of candidates, {len(early)}")
    number = comb(len(early), size, exact=True)
    require(number <= MOST_SUBSETS, "number of subsets", number, f"at most {MOST_SUBSETS}")
    subsets = np.array(list(combinations(range(len(early)), size))).T
    won_early, won_final = (_shares_of_first(values[subsets]) for values in (early, final))
    with np.errstate(invalid="ignore"):  # 0 / 0 where no subset is complete
        return np.nansum(won_early * won_final, axis=(0, 1)) / np.isfinite(early[subsets]).all(axis=0).sum(axis=0)


def _shares_of_first(scores: np.ndarray) -> np.ndarray:
    """Return each candidate's share of the first place along the first axis; nan where one of them is missing."""
    first = (scores == scores.max(axis=0)).astype(np.float64)
    with np.errstate(invalid="ignore", divide="ignore"):
        return first / first.sum(axis=0)


def count_below(scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return how many candidates of the column lie below each one, and how many lie not above it."""
    return (scores[None] < scores[:, None]).sum(axis=1), (scores[None] <= scores[:, None]).sum(axis=1)


def centre(values: np.ndarray) -> np.ndarray:
    """Return values less the mean of their column, nan where they are; equal values give exactly 0."""
    shifted = values - np.fmin.reduce(values, axis=0)  # else rounding of the mean could leave a spread
    return shifted - np.nansum(shifted, axis=0) / np.maximum(np.isfinite(values).sum(axis=0), 1)


def keep_finite_pairs(early: ArrayLike, final: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Return both arrays with nan wherever one of them is not finite. Raises StudyError for unequal shapes."""
    early, final = np.asarray(early, dtype=np.float64), np.asarray(final, dtype=np.float64)
    require(early.shape == final.shape and early.ndim > 0, "shapes", (early.shape, final.shape), "equal")
    both = np.isfinite(early) & np.isfinite(final)
    return np.where(both, early, np.nan), np.where(both, final, np.nan)
