"""How well early values order final ones: correlations within cells and orders of batches, pooled over cells.

A column (order of batches) needs four runs; shorter ones do not count, and neither does a cell without a column.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike

from randsparse.comparison.inference.estimate import ALMOST_ONE, Estimate, Transformed
from randsparse.comparison.inference.jackknife import jackknife
from randsparse.comparison.inference.search_value import keep_usable
from randsparse.comparison.inference.subsets import centre, count_below
from randsparse.errors import unknown

FEWEST = 4


def _ranks(values: np.ndarray) -> np.ndarray:
    """Return ranks within each column, equal values with their mean rank, nan where a run is missing."""
    below, up_to = count_below(values)
    return np.where(np.isfinite(values), (below + up_to + 1) / 2, np.nan)


KINDS: dict[str, Callable[[np.ndarray], np.ndarray]] = {"pearson": lambda values: values, "spearman": _ranks}


def correlation(cells: Sequence[Sequence[ArrayLike]], kind: str = "pearson") -> Transformed:
    """Return the correlation of early and final within cells and columns, with an interval on Fisher's z.

    Both are centred (Spearman: ranked, then centred) within each column. Each cell is standardised by its own spreads,
    so that it counts by its runs: the result is the mean of the cells' correlations, weighted by their runs less one
    per column. The standard error is the jackknife's over networks, which allows for runs that share a network.
    The limits, not the value, allow for the small bias of a cell's correlation, r (1 - r^2) / (2 (runs - columns))
    (Olkin and Pratt, "Unbiased estimation of certain correlation coefficients", 1958): pooling does not reduce it.

    Args:
        cells: pairs (early, final) of shape (networks, orders), nan for a run that is missing.
        kind: "pearson" or "spearman".

    Returns: an estimate, nan where the values of a cell do not differ. Raises StudyError for another kind, and where
    no cell has a column of four runs.
    """
    transform = _kind(kind)

    def pooled(parts: np.ndarray) -> np.ndarray:
        unbiased = parts * (1 + (1 - parts**2) / (2 * parts[:, [-1]]))
        unbiased[:, -1] = parts[:, -1]
        z = np.arctanh(np.clip(_mean(unbiased, 0), -ALMOST_ONE, ALMOST_ONE))
        return np.concatenate([z, _mean(parts, 0)])

    found = jackknife(
        keep_usable(cells, FEWEST), lambda early, final: _parts(final, early, transform=transform), pooled
    )
    z, r = (found.with_half_df().estimate(weights) for weights in ((1, 0), (0, 1)))
    return Transformed(r.value, r.error, z.df, z.n, z.runs, z.value, z.error, np.tanh)


def correlation_gain(cells: Sequence[Sequence[ArrayLike]], kind: str = "pearson") -> Estimate:
    """Return how much better the later of two early values correlates with final: r(later) - r(earlier).

    Both correlations are those of `correlation`; they share networks and final values, so a network is left out of
    both at once.

    Args:
        cells: triples (earlier, later, final) of shape (networks, orders), nan for a run that is missing.
    """
    transform = _kind(kind)

    def part(earlier: np.ndarray, later: np.ndarray, final: np.ndarray) -> list[np.ndarray]:
        return _parts(final, earlier, later, transform=transform)

    found = jackknife(keep_usable(cells, FEWEST), part, lambda parts: _mean(parts, 1) - _mean(parts, 0))
    return found.with_half_df().estimate()


def _parts(final: np.ndarray, *earlies: np.ndarray, transform: Callable[[np.ndarray], np.ndarray]) -> list[np.ndarray]:
    """Return the correlations of one cell with final, then the cell's weight, one value per version."""
    final = centre(transform(final))
    runs = np.isfinite(final).sum(axis=0)
    found = []
    for early in (centre(transform(early)) for early in earlies):
        scale = np.sqrt(np.nansum(early**2, axis=(0, 1)) * np.nansum(final**2, axis=(0, 1)))
        with np.errstate(invalid="ignore"):  # 0 / 0 where values do not differ
            found.append(np.nansum(early * final, axis=(0, 1)) / scale)
    return [*found, np.maximum(runs - 1, 0).sum(axis=0)]


def _mean(parts: np.ndarray, column: int) -> np.ndarray:
    """Return the mean of one number over cells by their weights, shape (1, versions)."""
    return np.average(parts[:, [column]], weights=parts[:, [-1]], axis=0)


def _kind(kind: str) -> Callable[[np.ndarray], np.ndarray]:
    if kind not in KINDS:
        raise unknown("kind of correlation", kind, KINDS)
    return KINDS[kind]
