"""What a search gains over one training, what longer training gains, and the difference of the two."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.inference.jackknife import Cell, Jackknifed, jackknife
from randsparse.comparison.inference.search_cost import search_against_controls
from randsparse.comparison.inference.search_value import keep_usable, search_gain
from randsparse.comparison.inference.subsets import win_probabilities
from randsparse.errors import StudyError
from randsparse.questions.search_cost.measured import SIZE, Measured


def accuracy_of_one(group: Measured) -> float:
    """Return the mean accuracy of one training, from which all gains count; nan without runs."""
    found = attempt(mean_of_candidates, group)
    return float(found.value[0]) if found else float(np.mean(group.accuracies)) if len(group.accuracies) else np.nan


def gain_of_search(group: Measured) -> Estimate | None:
    """Return how far winners of a search lie above the mean of all candidates; None with too few runs.

    It is the search of the primary claim: SIZE candidates in one order of batches, of which every subset counts once.
    """
    return attempt(search_gain, [(group.scores[group.phase()], group.final)], SIZE)


def gain_of_longer(group: Measured) -> Estimate | None:
    """Return the mean of the runs that are trained longer minus that of all candidates; None with too few runs."""
    return attempt(_above_candidates, group.longer, group)


def gain_of_small_dense(group: Measured) -> Estimate | None:
    """Return the mean of small dense networks minus that of all candidates; None with too few runs."""
    return attempt(_above_candidates, group.small_dense, group)


def search_minus_longer(groups: Sequence[Measured]) -> Estimate | None:
    """Return the mean over groups of: winners of a search minus runs trained for the epochs that it costs.

    It is the gain of search minus the gain of longer training, since both are counted from the same candidates, which
    cancel. None unless every group has enough runs: what is pooled is all or none.
    """
    cells = [(group.scores[group.phase()], group.final) for group in groups]
    return attempt(search_against_controls, cells, [group.longer for group in groups], SIZE)


def probability_of_search(groups: Sequence[Measured]) -> float:
    """Return P(A > B): how often a winner is above a run that is trained longer, an equal one counting half.

    A candidate counts as often as it wins, all pairs count, and the result is the mean over groups; nan where one of
    them has too few runs.
    """
    found = [attempt(_wins, group) for group in groups]
    return float(np.mean([np.nan if each is None else each for each in found]))


def numbers(found: Estimate | None) -> tuple[float, float, float, int, int]:
    """Return value, low, high (95 %), n and runs of an estimate; nan and 0 for None."""
    return (found.value, found.low, found.high, found.n, found.runs) if found else (np.nan, np.nan, np.nan, 0, 0)


def attempt(statistic: Callable[..., Any], *arguments: object) -> Any:
    """Return a statistic of runs, or None where too few of them are there."""
    try:
        return statistic(*arguments)
    except StudyError:
        return None


def _above_candidates(values: np.ndarray, group: Measured) -> Estimate:
    """Return the mean of runs minus that of all candidates, with Satterthwaite's degrees of freedom (Welch)."""
    return together(mean_of_runs(values), mean_of_candidates(group), np.array([-1.0])).estimate()


def together(a: Jackknifed, b: Jackknifed, weights: np.ndarray) -> Jackknifed:
    """Return the numbers of a plus those of b times `weights`; the two are independent."""
    covariances = np.concatenate([a.covariances, b.covariances * np.outer(weights, weights)])
    dfs, networks = (np.concatenate([getattr(a, name), getattr(b, name)]) for name in ("dfs", "networks"))
    return Jackknifed(a.value + weights * b.value, covariances, dfs, networks, a.runs + b.runs)


def _wins(group: Measured) -> float:
    early, final = _cell(group)
    if not len(group.longer):
        raise StudyError(f"no run is trained longer than those of {group.cell!r}")
    above = (np.sign(final[..., None] - group.longer).mean(axis=-1) + 1) / 2
    return float(np.nansum(win_probabilities(early, SIZE) * above, axis=0).mean())


def mean_of_candidates(group: Measured) -> Jackknifed:
    """Return the mean of the orders of batches that a search of four can be made in: those of `search_minus_longer`."""
    return jackknife([_cell(group)[1:]], lambda final: [np.nanmean(final, axis=0).mean(axis=0)])


def mean_of_runs(values: np.ndarray) -> Jackknifed:
    """Return the mean of independent runs; its jackknife error is the usual one, sd / sqrt(n)."""
    return jackknife([(values[:, None],)], lambda final: [final.mean(axis=(0, 1))])


def _cell(group: Measured) -> Cell:
    """Return early and final values of the orders of batches with more than SIZE runs."""
    return keep_usable([(group.scores[group.phase()], group.final)], SIZE + 1)[0]
