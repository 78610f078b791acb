"""What the runs of a group say, as arrays: candidates by epoch and at the end, and the controls beside them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from randsparse.comparison import candidates
from randsparse.comparison.campaign import Networks
from randsparse.comparison.crossed import Crossed, find_epoch
from randsparse.comparison.design import Parameters
from randsparse.questions.search_cost import plan
from randsparse.runs.store import Store

SIZE = 4
"""K: the candidates of the search that the primary claim is about."""
PHASE = 0.1
"""The share of training after which it looks."""
LATER = (0.25, 0.5)
"""Later looks, shown beside."""


@dataclass(frozen=True)
class Measured:
    """A cell of candidates with its controls; accuracies as fractions, nan for a run that is missing or diverged.

    Attributes:
        cell: its name.
        epochs: T, of a complete run.
        scores: by epoch from 1 on, validation accuracy of the candidates, of shape (networks, orders).
        final: their test accuracy at the end, of the same shape.
        longer, small_dense: test accuracies of the controls, one per run; empty where there is none.
        longer_epochs: of a run that is trained longer; None where the notebook names no such cell.
        planned: how many runs cell, longer and small dense have when all are done.
    """

    cell: str
    epochs: int
    scores: dict[int, np.ndarray]
    final: np.ndarray
    longer: np.ndarray = field(default_factory=lambda: np.empty(0))
    longer_epochs: int | None = None
    small_dense: np.ndarray = field(default_factory=lambda: np.empty(0))
    planned: tuple[int, int, int] = (0, 0, 0)

    @property
    def accuracies(self) -> np.ndarray:
        """Test accuracies of all candidates that are there, one per run."""
        return self.final[np.isfinite(self.final)]

    def phase(self) -> int:
        """Return after how many epochs the search of the primary claim looks."""
        return find_epoch(PHASE, self.epochs)


def measure(design: Crossed, parameters: Parameters, store: Store) -> list[Measured]:
    """Return what the store has of each group of cells, in the order of the campaign."""
    results, curves = candidates.results(design, store), candidates.curves(design, store)

    def ends(cell: object) -> np.ndarray:
        found = results.loc[results["cell"] == getattr(cell, "name", None), "test_accuracy"].to_numpy(dtype=float)
        return found[np.isfinite(found)]

    found = []
    for group in plan.groups(design, parameters):
        own, point = group.candidates, group.candidates.point
        epochs = range(1, point.epochs + 1)
        by_epoch = {epoch: _grid(curves[curves["epoch"] == epoch], own, "val_accuracy") for epoch in epochs}
        planned = tuple(len(cell.planned(store)) if cell else 0 for cell in group)
        final = _grid(results, own, "test_accuracy")
        longer = group.longer.point.epochs if group.longer else None
        ended = (by_epoch, final, ends(group.longer), longer, ends(group.small_dense), planned)
        found.append(Measured(own.name, point.epochs, *ended))
    return found


def _grid(frame: pd.DataFrame, cell: Networks, y: str) -> np.ndarray:
    """Return the values of a cell as (networks, orders), nan for a run that is missing, or that ended before."""
    table = frame[frame["cell"] == cell.name].pivot(index="network", columns="order", values=y)
    return table.reindex(index=range(cell.networks), columns=range(cell.orders)).to_numpy(dtype=float)
