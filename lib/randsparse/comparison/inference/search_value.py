"""What a search gets: the gain of its winners, and the share that this is of the best possible gain.

A search of size K picks within one column (its candidates share the order of batches), and every subset of K
candidates counts once. A column needs K + 1 runs, so that one can be left out; shorter ones do not count, and
neither does a cell without a column.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from randsparse.comparison.inference.estimate import ALMOST_ONE, Estimate, Transformed
from randsparse.comparison.inference.jackknife import Cell, Jackknifed, jackknife, keep_present
from randsparse.comparison.inference.subsets import oracle_gain, winner_gain
from randsparse.errors import StudyError


def share_of_oracle(cells: Sequence[Sequence[ArrayLike]], size: int) -> Transformed:
    """Return the share of the oracle's gain that winners by early keep.

    The share is the sum of the winners' gains over the sum of the oracle's gains, over all cells and columns: 0 for a
    search that picks blindly, 1 for one that always picks the best; it can be negative. For normal values it is the
    correlation of early and final, so its interval is Student's t on Fisher's z, with the standard error of a ratio.
    Fieller's interval is not needed, since the oracle's gain is far from 0, and is worse: at a claim's boundary, it
    contradicts in up to .08 of simulated single cells, where .05 are meant.

    Args:
        cells: pairs (early, final) of shape (networks, orders), nan for a run that is missing.
        size: K, the candidates of one search.

    Returns: an estimate, nan where the final values do not differ. Raises StudyError where no cell has a column with
    more than `size` runs.
    """

    def gains(early: np.ndarray, final: np.ndarray) -> list[np.ndarray]:
        return [winner_gain(early, final, size).sum(axis=0), oracle_gain(final, size).sum(axis=0)]

    found = correct_for_subsets(jackknife(keep_usable(cells, size + 1), gains, lambda parts: parts.sum(axis=0)), size)
    won, best = map(float, found.value)
    if not best > 0:
        empty = (math.nan, math.nan)
        return Transformed(*empty, found.df((1, 0)), int(found.networks.sum()), found.runs, *empty, np.tanh)
    ratio = found.estimate((1 / best, -won / best**2))
    share = max(-ALMOST_ONE, min(won / best, ALMOST_ONE))
    z_error = ratio.error / (1 - share**2)
    return Transformed(won / best, ratio.error, ratio.df, ratio.n, ratio.runs, math.atanh(share), z_error, np.tanh)


def search_gain(cells: Sequence[Sequence[ArrayLike]], size: int) -> Estimate:
    """Return how far winners by early lie above the mean in final: the mean over columns, then over cells.

    Arguments and errors are those of `share_of_oracle`; the unit is that of final.
    """
    found = jackknife(keep_usable(cells, size + 1), lambda early, final: [winner_gain(early, final, size).mean(axis=0)])
    return correct_for_subsets(found, size).estimate()


def best_gain(cells: Sequence[Sequence[ArrayLike]], size: int) -> Estimate:
    """Return how far the best candidates lie above the mean in final: what `search_gain` could be at most."""
    return search_gain([(final, final) for _, final in (keep_present(cell) for cell in cells)], size)


def variance_factors(networks: np.ndarray, size: int) -> np.ndarray:
    """Return what the jackknife's variance of a gain is multiplied by to be nearly right: sqrt((n - K) / (n - 1)).

    Without one network, fewer subsets are left by far: the jackknife's variance is then too large, by a factor of 1.3
    to 1.6 for 4 of 8 candidates (its bias is that of all averages over subsets: Efron and Stein, 1981). With this
    factor it is .98 to 1.23 of the variance found by simulation; for many networks the factor is close to 1.
    """
    return np.sqrt((networks - size) / (networks - 1))


def correct_for_subsets(found: Jackknifed, size: int) -> Jackknifed:
    """Return the jackknife of an average over subsets of `size` candidates, with a variance that is nearly right."""
    factors = variance_factors(found.networks, size)
    return found._replace(covariances=found.covariances * factors[:, None, None]).with_half_df()


def attempt(
    statistic: Callable[..., Estimate], cells: Sequence[Sequence[ArrayLike]], *arguments: object
) -> Estimate | None:
    """Return a statistic of cells, such as `share_of_oracle`; None where they have too few runs."""
    try:
        return statistic(cells, *arguments)
    except StudyError:
        return None


def estimate_by_cell(
    statistic: Callable[..., Estimate], cells: Sequence[Sequence[ArrayLike]], *arguments: object
) -> list[Estimate | None]:
    """Return a statistic of each cell by itself; None for a cell with too few runs."""
    return [attempt(statistic, [cell], *arguments) for cell in cells]


def keep_usable(cells: Sequence[Sequence[ArrayLike]], fewest: int) -> list[Cell]:
    """Return the cells that have columns of at least `fewest` runs, with these columns only.

    Raises StudyError where there is none.
    """
    kept = [each for each in (keep_present(cell, fewest) for cell in cells) if each[0].size]
    if not kept:
        raise StudyError(f"no order of batches has {fewest} networks that were run: wait for more runs")
    return kept
