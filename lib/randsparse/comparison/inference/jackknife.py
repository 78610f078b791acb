"""Standard errors by leaving out one network at a time, for any function of crossed cells.

A cell is a tuple of arrays of shape (networks, orders), such as (early, final): row i is the same network everywhere,
a column is an order of batches, nan is a run that is missing. A network leaves with all of its orders, since its runs
are not independent. Orders are treated as given: every statistic here compares networks within an order.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from randsparse.comparison.inference.estimate import Estimate, satterthwaite
from randsparse.errors import StudyError

FEWEST = 3
"""Networks without which a spread between networks is no more than a guess."""

Cell = tuple[np.ndarray, ...]
Part = Callable[..., ArrayLike]
Combine = Callable[[np.ndarray], np.ndarray]


class Jackknifed(NamedTuple):
    """A statistic of k numbers: its value (k); of each cell the covariance (cells, k, k), the df, and the networks."""

    value: np.ndarray
    covariances: np.ndarray
    dfs: np.ndarray
    networks: np.ndarray
    runs: int

    def df(self, weights: ArrayLike) -> float:
        """Return Satterthwaite's degrees of freedom of a weighted sum of the k numbers."""
        weights = np.asarray(weights, dtype=np.float64)
        return satterthwaite(np.einsum("i,cij,j->c", weights, self.covariances, weights), self.dfs)

    def with_half_df(self) -> Jackknifed:
        """Return the same with half the degrees of freedom, for statistics that multiply or rank values.

        What one network adds to a correlation or to a gain has heavy tails. So the jackknife's variance scatters more
        than chi-squared: in simulations of 5 cells of 8 networks like one of 10 to 19 degrees of freedom, not of 35,
        and of one cell like one of 2 to 3, not of 7.
        """
        return self._replace(dfs=self.dfs / 2)

    def estimate(self, weights: ArrayLike = (1.0,)) -> Estimate:
        """Return the weighted sum of the k numbers as an estimate."""
        weights = np.asarray(weights, dtype=np.float64)
        error = np.sqrt(max(weights @ self.covariances.sum(axis=0) @ weights, 0.0))
        networks = int(self.networks.sum())
        return Estimate(float(weights @ self.value), float(error), self.df(weights), networks, self.runs)


def jackknife(cells: Sequence[Sequence[ArrayLike]], part: Part, combine: Combine | None = None) -> Jackknifed:
    """Return a statistic of cells with its covariance, by leaving out each network of each cell in turn.

    The variance is the sum over cells of (n - 1) / n times the squared deviations of the n values without one network
    from their mean (Efron and Stein, "The jackknife estimate of variance", 1981).

    Args:
        cells: tuples of arrays (networks, orders); a network without a run that all arrays have does not count.
        part: called with the arrays of one cell, each of shape (networks, orders, versions), returns the numbers that
            the cell contributes, shape (m, versions): a version is the cell without one of its networks.
        combine: called with these numbers of all cells, shape (cells, m, versions), returns the statistic, shape
            (k, versions); None for the mean over cells.

    Raises StudyError without a cell, for unequal shapes, and for a cell with fewer than three networks.
    """
    combine = combine or (lambda parts: parts.mean(axis=0))
    cells = [keep_present(cell) for cell in cells]
    networks = np.array([len(cell[0]) for cell in cells])
    if not len(cells) or networks.min() < FEWEST:
        raise StudyError(f"cells of {networks.tolist()} networks: each must have at least {FEWEST} with a run")
    whole = np.array([part(*(array[:, :, None] for array in cell)) for cell in cells], dtype=np.float64)
    covariances = []
    for index, cell in enumerate(cells):
        n = len(cell[0])
        kept = np.array([np.delete(np.arange(n), left_out) for left_out in range(n)])
        parts = np.repeat(whole, n, axis=2)
        parts[index] = part(*(np.moveaxis(array[kept], 0, -1) for array in cell))
        values = combine(parts)
        deviations = values - values.mean(axis=1, keepdims=True)
        covariances.append((n - 1) / n * deviations @ deviations.T)
    runs = sum(int(np.isfinite(cell[0]).sum()) for cell in cells)
    return Jackknifed(combine(whole)[:, 0], np.array(covariances), networks - 1.0, networks, runs)


def keep_present(cell: Sequence[ArrayLike], fewest: int = 1) -> Cell:
    """Return the arrays of a cell with the runs that all of them have, without empty networks and short columns.

    Args:
        fewest: runs that a column needs; a shorter one is left out.

    Raises StudyError for arrays that are not two-dimensional or have unequal shapes.
    """
    arrays = [np.asarray(array, dtype=np.float64) for array in cell]
    shapes = {array.shape for array in arrays}
    if len(shapes) != 1 or arrays[0].ndim != 2:
        raise StudyError(f"arrays of shapes {sorted(shapes)} are no cell: all must have one shape (networks, orders)")
    there = np.isfinite(arrays).all(axis=0)
    columns = there.sum(axis=0) >= fewest
    there = there[:, columns]
    rows = there.any(axis=1)
    return tuple(np.where(there, array[:, columns], np.nan)[rows] for array in arrays)
