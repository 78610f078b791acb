"""Shares of variance over several crossed cells: limits, tests and a bootstrap over networks and orders."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import brentq
from scipy.special import chdtrc, fdtr

from randsparse.comparison.inference.crossed import SOURCES, Crossed, components, shares

LARGEST_RATIO = 1e6
"""The largest ratio of variances, network over residual, that is told from an infinite one."""


def network_limit(cells: Sequence[Crossed], level: float = 0.95) -> float:
    """Return the upper limit of the share of network in the variance within an order, network / (network + residual).

    For each ratio of variances q = network / residual, F / (1 + orders q) is F distributed; the p values of the cells
    are combined by Fisher's method, and the limit is the q at which they reject. For one cell this is the exact F
    limit; for several it assumes that they have the same share, not the same spread.

    Returns: from 0 to 1; nan where the runs of a cell have no residual at all.
    """
    if min(cell.mean_squares[2] for cell in cells) <= 0:
        return np.nan

    def excess(ratio: float) -> float:
        return _combined([fdtr(cell.df[0], cell.df[2], _f(cell) / (1 + cell.orders * ratio)) for cell in cells]) - (
            1 - level
        )

    if excess(0) <= 0:
        return 0.0
    if excess(LARGEST_RATIO) > 0:
        return 1.0
    ratio = brentq(excess, 0, LARGEST_RATIO)
    return ratio / (1 + ratio)


def network_test(cells: Sequence[Crossed]) -> float:
    """Return the p value that networks have no effect in any cell: the exact F tests, combined by Fisher's method."""
    return _combined([cell.p_network for cell in cells])


def _combined(p: list[float]) -> float:
    """Return Fisher's combination of p values; a faster `scipy.stats.combine_pvalues`, for the search of a limit."""
    return float(chdtrc(2 * len(p), -2 * np.log(np.maximum(p, 1e-300)).sum()))


def _f(cell: Crossed) -> float:
    return cell.mean_squares[0] / cell.mean_squares[2]


def pooled_shares(
    cells: Sequence[Crossed], level: float = 0.95, draws: int = 4000, seed: int = 0
) -> dict[str, tuple[float, float, float]]:
    """Return the share of each source over all cells, with the limits of a bootstrap over networks and orders.

    Components are added over cells, so a cell counts by its variance (scaled to equal variances, a cell's shares would
    be biased by its small number of networks); then negative ones count as 0.
    The bootstrap is parametric: it draws the mean squares of new networks and orders. To draw from the two orders of a
    cell with replacement would take the same one twice half of the time, which leaves no residual.

    Returns: (share, low, high) by source.
    """
    generator = np.random.default_rng(seed)
    found, drawn = np.zeros(3), np.zeros((3, draws))
    for cell in cells:
        found += cell.components
        squares = cell.mean_squares[:, None] * generator.chisquare(cell.df[:, None], (3, draws)) / cell.df[:, None]
        drawn += components(squares, cell.networks, cell.orders)
    with np.errstate(invalid="ignore"):  # 0 / 0 where no run differs
        drawn = drawn / drawn.sum(axis=0)
    limits = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2], axis=1).clip(0, 1)
    return {
        source: (float(share), float(low), float(high))
        for source, share, low, high in zip(SOURCES, shares(found), *limits, strict=True)
    }
