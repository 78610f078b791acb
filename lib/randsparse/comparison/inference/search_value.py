"""What a search gets: the gain of its winners, and the share that this is of the best possible gain.

A search of size K picks within one column (its candidates share the order of batches), and every subset of K
candidates counts once. A column needs K + 1 runs, so that one can be left out; shorter ones do not count, and
neither does a cell without a column.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from randsparse.comparison.inference.estimate import Estimate, Ratio
from randsparse.comparison.inference.jackknife import Cell, jackknife, present
from randsparse.comparison.inference.subsets import oracle_gain, winner_gain
from randsparse.errors import StudyError


def share_of_oracle(cells: Sequence[Sequence[ArrayLike]], size: int) -> Ratio:
    """Return the share of the oracle's gain that winners by early keep, with Fieller's interval.

    The share is the sum of the winners' gains over the sum of the oracle's gains, over all cells and columns: 0 for a
    search that picks blindly, 1 for one that always picks the best; it can be negative.

    Args:
        cells: pairs (early, final) of shape (networks, orders), nan for a run that is missing.
        size: K, the candidates of one search.

    Returns: a ratio, nan with infinite limits where the final values do not differ. Raises StudyError where no cell
    has a column with more than `size` runs.
    """

    def gains(early: np.ndarray, final: np.ndarray) -> list[np.ndarray]:
        return [winner_gain(early, final, size).sum(axis=0), oracle_gain(final, size).sum(axis=0)]

    return jackknife(usable(cells, size + 1), gains, lambda parts: parts.sum(axis=0)).ratio()


def search_gain(cells: Sequence[Sequence[ArrayLike]], size: int) -> Estimate:
    """Return how far winners by early lie above the mean in final: the mean over columns, then over cells.

    Arguments and errors are those of `share_of_oracle`; the unit is that of final.
    """
    return jackknife(usable(cells, size + 1), lambda early, final: [winner_gain(early, final, size).mean(0)]).estimate()


def best_gain(cells: Sequence[Sequence[ArrayLike]], size: int) -> Estimate:
    """Return how far the best candidates lie above the mean in final: what `search_gain` could be at most."""
    return jackknife(usable(cells, size + 1), lambda early, final: [oracle_gain(final, size).mean(0)]).estimate()


def by_cell(
    statistic: Callable[..., Estimate], cells: Sequence[Sequence[ArrayLike]], *arguments: object
) -> list[Estimate | None]:
    """Return a statistic of each cell by itself, such as `share_of_oracle`; None for a cell with too few runs."""
    found: list[Estimate | None] = []
    for cell in cells:
        try:
            found.append(statistic([cell], *arguments))
        except StudyError:
            found.append(None)
    return found


def usable(cells: Sequence[Sequence[ArrayLike]], fewest: int) -> list[Cell]:
    """Return the cells that have columns of at least `fewest` runs, with these columns only.

    Raises StudyError where there is none.
    """
    kept = [each for each in (present(cell, fewest) for cell in cells) if each[0].size]
    if not kept:
        raise StudyError(f"no order of batches has {fewest} networks that were run: wait for more runs")
    return kept
