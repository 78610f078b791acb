"""Shares of variance in crossed cells: networks by orders of batches, one run each.

The analysis of variance of a balanced two-way layout without replication: the residual is interaction and noise
together. Mean squares of a balanced layout of normal effects are independent and chi-squared, so tests and intervals
of one cell are exact (Searle, Casella and McCulloch, "Variance Components", 1992, chapter 4).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import f as fisher

from randsparse.comparison.inference.jackknife import FEWEST
from randsparse.errors import StudyError

SOURCES = ("network", "order", "residual")


@dataclass(frozen=True)
class Crossed:
    """The mean squares of one complete cell, in the order of SOURCES, and what follows from them."""

    networks: int
    orders: int
    mean_squares: np.ndarray

    @property
    def df(self) -> np.ndarray:
        """Return the degrees of freedom of the mean squares."""
        a, b = self.networks, self.orders
        return np.array([a - 1, b - 1, (a - 1) * (b - 1)])

    @property
    def components(self) -> np.ndarray:
        """Return the variances of network, order and residual; chance can make the first two negative."""
        return components(self.mean_squares, self.networks, self.orders)

    @property
    def shares(self) -> np.ndarray:
        """Return the shares of the whole variance, where a negative component counts as 0."""
        return shares(self.components)

    @property
    def p_network(self) -> float:
        """Return the p value of the exact F test that networks have no effect that all orders share."""
        ratio = self.mean_squares[0] / self.mean_squares[2]
        return float(fisher.sf(ratio, self.df[0], self.df[2]))


def components(mean_squares: np.ndarray, networks: int, orders: int) -> np.ndarray:
    """Return variance components (3, ...) of mean squares (3, ...): expected mean squares, solved for variances."""
    network, order, residual = mean_squares
    return np.array([(network - residual) / orders, (order - residual) / networks, residual])


def shares(variances: np.ndarray) -> np.ndarray:
    """Return the shares (3, ...) of variance components, the negative ones as 0."""
    positive = np.maximum(variances, 0)
    with np.errstate(invalid="ignore"):  # 0 / 0 where no run differs
        return positive / positive.sum(axis=0)


def complete_block(values: ArrayLike) -> np.ndarray:
    """Return the largest block of a cell without a missing run.

    Of all sets of the k fullest orders, k = 2 and more, with the networks that were run in each of them, the one with
    the most runs. Raises StudyError where no block has three networks and two orders.
    """
    there = np.isfinite(values := np.asarray(values, dtype=np.float64))
    fullest = np.argsort(-there.sum(axis=0), kind="stable")
    choices = [np.sort(fullest[:k]) for k in range(2, len(fullest) + 1)]
    blocks = [values[np.ix_(there[:, columns].all(axis=1), columns)] for columns in choices]
    blocks = [block for block in blocks if len(block) >= FEWEST]
    if not blocks:
        raise StudyError(f"no {FEWEST} networks were run in the same two orders of batches: wait for more runs")
    return max(blocks, key=np.size)


def analyse(values: ArrayLike) -> Crossed:
    """Return the analysis of variance of the complete block of one cell, shape (networks, orders)."""
    block = complete_block(values)
    block = block - block[0, 0]  # else rounding of the mean could leave a spread
    a, b = block.shape
    rows, columns = block.mean(axis=1, keepdims=True), block.mean(axis=0, keepdims=True)
    squares = [b * rows.var(ddof=1), a * columns.var(ddof=1)]
    residual = ((block - rows - columns + block.mean()) ** 2).sum() / ((a - 1) * (b - 1))
    return Crossed(a, b, np.array([*squares, residual]))
