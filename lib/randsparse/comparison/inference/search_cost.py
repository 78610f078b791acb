"""Search against other networks that cost as much: winners of crossed cells beside controls with seeds of their own."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from randsparse.comparison.inference.estimate import Estimate, satterthwaite
from randsparse.comparison.inference.jackknife import FEWEST, jackknife, keep_present
from randsparse.comparison.inference.subsets import winner_gain
from randsparse.errors import StudyError, require


def search_against_controls(cells: Sequence[Sequence[ArrayLike]], controls: Sequence[ArrayLike], size: int) -> Estimate:
    """Return the mean final value of winners by early less that of controls: the mean over cells.

    With controls that were trained as long as a search takes, this is the gain of search less the gain of longer
    training, since what random networks reach without either cancels. The variances of cells (jackknife) and of
    controls (own seeds, own spread) add, with Satterthwaite's degrees of freedom. A cell has a quarter of its
    networks - 1: its variance scatters like one of 2 to 3 degrees of freedom, and is smallest where its winners are
    worst. With half of them, a single cell of 8 networks beside quiet controls supports a claim at its boundary in .08
    of all simulated cases.

    Orders of batches are taken as given: an effect that orders had on the final values of all networks alike would be
    missing in the error (see `crossed` for its share).

    Args:
        cells: pairs (early, final) of shape (networks, orders), nan for a run that is missing. A column with no more
            than `size` runs does not count.
        controls: one sample of final values per cell, nan for a run that is missing.
        size: K, the candidates of one search.

    Returns: an estimate in the unit of final; n the runs of the fewer of networks and controls. Raises StudyError for
    cells and controls of unequal number, a cell without a column, and a control of fewer than three runs.
    """
    require(len(cells) == len(controls), "numbers of cells and controls", (len(cells), len(controls)), "equal")
    samples = [np.asarray(sample, dtype=np.float64) for sample in controls]
    samples = [sample[np.isfinite(sample)] for sample in samples]
    if min(map(len, samples)) < FEWEST:
        raise StudyError(f"controls of {[len(sample) for sample in samples]} runs: each must have at least {FEWEST}")

    def winners(early: np.ndarray, final: np.ndarray) -> list[np.ndarray]:
        return [(winner_gain(early, final, size) + np.nanmean(final, axis=0)).mean(axis=0)]

    found = jackknife([keep_present(cell, size + 1) for cell in cells], winners)
    searched = found._replace(dfs=found.dfs / 4).estimate()  # see the docstring

    variances = np.array([(sample - sample[0]).var(ddof=1) / len(sample) for sample in samples]) / len(samples) ** 2
    error = np.sqrt(searched.error**2 + variances.sum())
    dfs = [searched.df, *(len(sample) - 1 for sample in samples)]
    df = satterthwaite(np.array([searched.error**2, *variances]), dfs)
    value = searched.value - np.mean([sample.mean() for sample in samples])
    of_controls = sum(map(len, samples))
    n = min(searched.n, of_controls)
    return Estimate(float(value), float(error), float(df), n, searched.runs + of_controls)
