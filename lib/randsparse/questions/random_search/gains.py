"""What a search gains, early and late: frames of notebook 02, from the curves of crossed candidates.

A search picks the best of `size` candidates that share their order of batches, by validation accuracy after an early
phase. Every subset of that size counts once. Gains are differences of accuracy, as fractions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import numpy as np
import pandas as pd

from randsparse.comparison.candidates import Early, look_after
from randsparse.comparison.crossed import find_epoch
from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.inference.search_value import best_gain, estimate_by_cell, search_gain, share_of_oracle
from randsparse.comparison.inference.simultaneous import simultaneous_intervals
from randsparse.comparison.inference.subsets import win_probabilities

POOLED = "all cells"
EARLY, FINAL, BEST = "early", "final", "best"
ESTIMATE = ["cell", "mean", "low", "high", "n", "runs"]


def select_cells(frame: pd.DataFrame, cells: Iterable[str]) -> pd.DataFrame:
    """Return the rows of some cells, cell by cell in the order that is given."""
    return pd.concat([frame[:0], *(frame[frame["cell"] == cell] for cell in cells)])


def gains(curves: pd.DataFrame, phases: Iterable[float], size: int) -> pd.DataFrame:
    """Return what the winners gain over the mean of their subsets, by early phase and cell, and over all cells.

    Args:
        curves: as from `candidates.curves`, of the candidates alone.
        phases: shares of training.

    Columns phase, measured, then those of ESTIMATE: `early` is validation accuracy after the phase (biased upwards:
    that look chose), `final` is test accuracy, and `best` what the best of the subset gains in it. Intervals of cells
    are simultaneous 95 % intervals, that of POOLED is a 95 % interval.
    """
    found = []
    for phase in phases:
        cells = look_after(curves, phase)
        own = {
            EARLY: estimate_cells([each._replace(final=each.early) for each in cells], search_gain, size),
            FINAL: estimate_cells(cells, search_gain, size),
            BEST: estimate_cells(cells, best_gain, size),
        }
        found += [rows.assign(phase=phase, measured=measured) for measured, rows in own.items()]
    return _joined(found, ["phase", "measured"])


def shares(curves: pd.DataFrame, phases: Iterable[float], size: int) -> pd.DataFrame:
    """Return the share of the oracle's gain that the winners keep, by early phase and cell, and over all cells.

    Columns phase, then those of ESTIMATE; a limit is infinite where the oracle's gain could be 0.
    """
    found = [estimate_cells(look_after(curves, phase), share_of_oracle, size).assign(phase=phase) for phase in phases]
    return _joined(found, ["phase"])


def leads(curves: pd.DataFrame, phases: Iterable[float], size: int) -> pd.DataFrame:
    """Return how far winners lie above the mean of their subsets in validation accuracy, epoch by epoch.

    Columns phase, chosen (the epoch of the choice), epoch (from there on), then those of ESTIMATE.
    """
    found = []
    for phase in phases:
        epochs = curves.loc[curves["epoch"] >= _choices(curves, phase), "epoch"]
        for epoch in sorted(epochs.unique()):
            at = curves[curves["epoch"] == epoch].set_index("key")["val_accuracy"]
            then = look_after(curves.assign(then=curves["key"].map(at)), phase, final="then")
            found.append(estimate_cells(then, search_gain, size).assign(phase=phase, epoch=int(epoch)))
    return _joined(found, ["phase", "epoch"])


def mean_leads(curves: pd.DataFrame, phases: Iterable[float], size: int) -> pd.DataFrame:
    """Return the mean lead over the epochs after the choice: the area between the two curves per epoch.

    Columns phase, epochs (how many there are), then those of ESTIMATE.
    """
    found = []
    for phase in phases:
        rows = estimate_cells(look_at_mean(curves, phase), search_gain, size)
        epochs = curves.loc[curves["epoch"] > _choices(curves, phase), "epoch"].nunique()
        found.append(rows.assign(phase=phase, epochs=epochs))
    return _joined(found, ["phase", "epochs"])


def look_at_mean(curves: pd.DataFrame, phase: float) -> list[Early]:
    """Return each cell as a search sees it, with the mean validation accuracy after the choice as final."""
    after = curves[curves["epoch"] > _choices(curves, phase)]
    mean = curves["key"].map(after.groupby("key")["val_accuracy"].mean())
    return look_after(curves.assign(mean=mean), phase, final="mean")


def list_looks(curves: pd.DataFrame, phases: Iterable[float], size: int) -> pd.DataFrame:
    """Return one row per candidate and early phase: its validation accuracy then, and how often it is the winner.

    Columns phase, epoch, cell, network, order, val_accuracy, wins (the share of the subsets of `size` that it wins; nan
    in an order of batches with fewer candidates).
    """
    rows = []
    for phase in phases:
        for cell in look_after(curves, phase):
            few = len(cell.early) < size
            wins = np.full_like(cell.early, np.nan) if few else win_probabilities(cell.early, size)
            epoch = find_epoch(phase, int(curves.loc[curves["cell"] == cell.cell, "epoch"].max()))
            rows += [
                (phase, epoch, cell.cell, network, order, cell.early[network, order], wins[network, order])
                for network, order in zip(*np.nonzero(np.isfinite(cell.early)), strict=True)
            ]
    return pd.DataFrame(rows, columns=["phase", "epoch", "cell", "network", "order", "val_accuracy", "wins"])


def estimate_cells(cells: Sequence[Early], statistic: Callable[..., Estimate], size: int) -> pd.DataFrame:
    """Return a statistic of a search in each cell, then over all cells.

    Intervals of cells are simultaneous 95 % intervals, that over all cells is a 95 % interval. A cell with
    too few runs has no row, and without any cell there is none.
    """
    pairs = [each.pair for each in cells]
    own = [
        (cell.cell, found) for cell, found in zip(cells, estimate_by_cell(statistic, pairs, size), strict=True) if found
    ]
    if not own:
        return pd.DataFrame(columns=ESTIMATE)
    limits = simultaneous_intervals([found for _, found in own])
    whole = statistic(pairs, size)
    rows = [(name, found.value, *ends, found.n, found.runs) for (name, found), ends in zip(own, limits, strict=True)]
    return pd.DataFrame([*rows, (POOLED, whole.value, *whole.interval(), whole.n, whole.runs)], columns=ESTIMATE)


def _choices(curves: pd.DataFrame, phase: float) -> pd.Series:
    """Return for each row the epoch after which its cell is looked at."""
    return curves.groupby("cell")["epoch"].transform("max").map(lambda last: find_epoch(phase, int(last)))


def _joined(found: list[pd.DataFrame], columns: list[str]) -> pd.DataFrame:
    names = [*columns, *ESTIMATE]
    return pd.concat(found, ignore_index=True)[names] if found else pd.DataFrame(columns=names)
