"""Where a search would pay: r sigma_F E[max_K] against what its epochs are worth as longer training.

A search of K candidates that looks after t epochs spends K t epochs more than one training of T (less t if its winner
goes on from its checkpoint). Its gain follows from r, the correlation of what it looks at with the end, and from
sigma_F, the standard deviation of the ends. What a training of more than T epochs gains is known at one length. Up to
there it is taken to grow with the logarithm of epochs; beyond, it stays as it is there, so that it is rather too small:
a search that does not pay against that does not pay.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from randsparse.comparison.inference.correlation import correlation
from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.inference.jackknife import jackknife
from randsparse.comparison.inference.order_statistics import expected_normal_maximum
from randsparse.comparison.inference.search_value import keep_usable
from randsparse.comparison.inference.subsets import centre
from randsparse.errors import StudyError, require
from randsparse.questions.search_cost import gains
from randsparse.questions.search_cost.halving import Rounds
from randsparse.questions.search_cost.measured import SIZE, Measured

SIZES = (2, 4, 8)
"""K of the searches that the map shows."""


def share_of_longer(charged: float, total: int, longer: int) -> float:
    """Return the gain of a training of `charged` epochs over one of `total`, as a share of that of `longer` epochs.

    It is log(charged / total) / log(longer / total), and 1 beyond `longer`.
    """
    require(charged >= total, "charged epochs", charged, f"at least one training, {total}")
    return min(1.0, math.log(charged / total) / math.log(longer / total))


def compute_balance(group: Measured, size: int, look: int) -> Estimate | None:
    """Return r sigma_F E[max_K] minus what as many epochs gain as longer training; None with too few runs.

    The winner is trained anew. The error is the jackknife's over the networks of both cells.

    Args:
        size: K. look: epochs after which the search looks.
    """
    return gains.attempt(_balance, group, size, look)


def map_of(groups: Sequence[Measured], sizes: Sequence[int] = SIZES) -> pd.DataFrame:
    """Return `compute_balance` per cell, K and look, for all looks before the end; without the groups that lack runs.

    Columns: cell, candidates (K), look (epochs), phase (its share of T), charged (epochs), measured (whether so long a
    training was run: at least one that is as long), correlation, mean (the balance), low, high (95 %), n networks.
    """
    rows = []
    for group, look, size in ((g, look, size) for g in groups for look in range(1, g.epochs) for size in sizes):
        if (found := compute_balance(group, size, look)) is not None:
            r = correlation([(group.scores[look], group.final)]).value
            charged = Rounds((look,), (size,)).cost(group.epochs, anew=True)
            places = (group.cell, size, look, look / group.epochs, charged, charged <= group.longer_epochs)
            rows.append((*places, r, found.value, found.low, found.high, found.n))
    columns = ["cell", "candidates", "look", "phase", "charged", "measured", "correlation", "mean", "low", "high", "n"]
    return pd.DataFrame(rows, columns=columns)


def correlation_needed(group: Measured, anew: bool = True) -> Estimate | None:
    """Return the r at which the search of the primary claim gains as much as its epochs do as longer training.

    It is the gain of longer training over sigma_F E[max_K]; both have the candidates in common, so that their errors
    come from one jackknife. None with too few runs, or where the ends do not differ.

    Args:
        anew: whether the winner is trained anew, as in the primary claim, or goes on from its checkpoint.
    """
    return gains.attempt(_needed, group, anew)


def measured_correlation(group: Measured) -> Estimate | None:
    """Return r of the search of the primary claim: of validation accuracy after 10 % of training with the end."""
    return gains.attempt(correlation, [(group.scores[group.phase()], group.final)])


def make_table(groups: Sequence[Measured]) -> pd.DataFrame:
    """Return, per cell, r after the early phase and the r that K = 4 needs to break even, in both ways to charge.

    Columns: cell, winner ("trained anew" or "goes on"), charged (epochs), measured, low, high, needed, needed_low,
    needed_high, n networks of candidates, n_longer runs. A needed r above 1 cannot be reached.
    """
    rows = []
    for group in groups:
        for anew, winner in ((True, "trained anew"), (False, "goes on")):
            *of_r, n, _ = gains.numbers(measured_correlation(group))
            needed = gains.numbers(correlation_needed(group, anew))[:3]
            charged = Rounds((group.phase(),), (SIZE,)).cost(group.epochs, anew)
            rows.append((group.cell, winner, charged, *of_r, *needed, n, len(group.longer)))
    columns = ["cell", "winner", "charged", "measured", "low", "high", "needed", "needed_low", "needed_high"]
    return pd.DataFrame(rows, columns=[*columns, "n", "n_longer"])


def _balance(group: Measured, size: int, look: int) -> Estimate:
    longer, share = gains.mean_of_runs(group.longer), _share(group, size, look, anew=True)

    def part(early: np.ndarray, final: np.ndarray) -> list[np.ndarray]:
        slope = (centre(early) * centre(final) / _spread(early)).sum(axis=(0, 1), where=np.isfinite(final))
        gain = expected_normal_maximum(size) * slope / _freedom(final)
        return [gain + share * np.nanmean(final, axis=0).mean(axis=0)]

    own = jackknife(keep_usable([(group.scores[look], group.final)], SIZE + 1), part).with_half_df()
    return gains.together(own, longer, np.array([-share])).estimate()


def _needed(group: Measured, anew: bool) -> Estimate:
    longer, share = gains.mean_of_runs(group.longer), _share(group, SIZE, group.phase(), anew)

    def part(final: np.ndarray) -> list[np.ndarray]:
        return [-share * np.nanmean(final, axis=0).mean(axis=0), expected_normal_maximum(SIZE) * _spread(final)]

    own = jackknife(keep_usable([(group.final,)], SIZE + 1), part)
    found = gains.together(own, longer, np.array([share, 0.0]))
    gain, maximum = found.value
    if not maximum > 0:
        raise StudyError(f"all runs of {group.cell!r} end alike")
    return replace(found.estimate((1 / maximum, -gain / maximum**2)), value=float(gain / maximum))


def _share(group: Measured, size: int, look: int, anew: bool) -> float:
    charged = Rounds((look,), (size,)).cost(group.epochs, anew)
    return share_of_longer(charged, group.epochs, group.longer_epochs)


def _freedom(values: np.ndarray) -> np.ndarray:
    return (np.isfinite(values).sum(axis=0) - 1).sum(axis=0)


def _spread(values: np.ndarray) -> np.ndarray:
    """Return the standard deviation within columns, pooled over them, per version of (networks, orders, versions)."""
    return np.sqrt(np.nansum(centre(values) ** 2, axis=(0, 1)) / _freedom(values))
