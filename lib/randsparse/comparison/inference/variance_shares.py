"""Shares of variance over several crossed cells: limits, tests and a bootstrap over networks and orders."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.stats import combine_pvalues

from randsparse.comparison.inference.crossed import SOURCES, Crossed, components, shares


def network_test(cells: Sequence[Crossed]) -> float:
    """Return the p value that networks have no effect in any cell: the exact F tests, combined by Fisher's method."""
    p = [max(cell.p_network, 1e-300) for cell in cells]
    return float(combine_pvalues(p).pvalue)


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
