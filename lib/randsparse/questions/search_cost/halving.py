"""Successive halving among candidates whose curves are known to the end, over all subsets that a search could draw."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import numpy as np

from randsparse.comparison.inference.subsets import centre


class Rounds(NamedTuple):
    """A search: after `epochs[i]` epochs it looks at `sizes[i]` candidates and keeps `sizes[i + 1]`, in the end one."""

    epochs: tuple[int, ...]
    sizes: tuple[int, ...]

    def possible(self, total: int) -> bool:
        """Return whether looks come one after another in `total` epochs, each at fewer candidates, at least two."""
        looks, sizes = (0, *self.epochs, total + 1), (*self.sizes, 1)
        one_each = len(self.epochs) == len(self.sizes)
        return one_each and list(looks) == sorted(set(looks)) and list(sizes) == sorted(set(sizes), reverse=True)

    def cost(self, total: int, anew: bool) -> int:
        """Return the epochs of training that the search takes, all candidates and the winner's training counted.

        Args:
            total: epochs of a complete run.
            anew: whether the winner is trained again from its first epoch, and not from where the search left it.
        """
        steps = np.diff([0, *self.epochs])
        seen = int(steps @ np.array(self.sizes))
        left = total - self.epochs[-1]
        return seen + (total if anew and left else left)


def halving_gain(looks: Sequence[np.ndarray], final: np.ndarray, sizes: Sequence[int]) -> np.ndarray:
    """Return how far the survivor lies above the mean in `final`, on average over all subsets of candidates.

    With one look it is `subsets.winner_gain`. Equal values are told apart by lot: the result is the mean over all ways.

    Args:
        looks: per look, what the candidates are ranked by, of shape (candidates, columns); nan for one that is missing.
        final: what the survivor is judged by, of the same shape.
        sizes: how many candidates each look sees.

    Returns: one gain per column, in the unit of final; nan in a column with fewer candidates than a search draws.
    """
    gains = np.full(final.shape[1], np.nan)
    there = np.isfinite([*looks, final]).all(axis=0)
    for column, kept in enumerate(there.T):
        if kept.sum() >= sizes[0]:
            ends = centre(final[kept, column])
            scores = [look[kept, column] for look in looks]
            drawn = combinations(range(len(ends)), sizes[0])
            gains[column] = np.mean([_end(subset, scores, ends, (*sizes[1:], 1)) for subset in drawn])
    return gains


def _end(left: tuple[int, ...], looks: list[np.ndarray], final: np.ndarray, keeps: Sequence[int]) -> float:
    """Return the mean end of what survives all looks at the candidates that are left."""
    if not looks:
        return float(final[left[0]])
    bar = sorted((looks[0][each] for each in left), reverse=True)[keeps[0] - 1]
    sure = tuple(each for each in left if looks[0][each] > bar)
    level = [each for each in left if looks[0][each] == bar]
    ways = combinations(level, keeps[0] - len(sure))
    return float(np.mean([_end(sure + lucky, looks[1:], final, keeps[1:]) for lucky in ways]))
