"""The cells that a notebook names: what each is by its config, its runs, and differences of test accuracy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from randsparse.comparison import candidates, contrasts
from randsparse.comparison.campaign import Networks
from randsparse.comparison.crossed import Crossed
from randsparse.comparison.inference.dominance import dominance
from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.inference.simultaneous import simultaneous_intervals
from randsparse.comparison.wording import convert_to_percent
from randsparse.errors import StudyError
from randsparse.runs.config import RunConfig
from randsparse.runs.store import Store

Pair = tuple[Networks, Networks]
POOLED = "all"
"""The row of a frame that is the mean over all rows before it."""
FOREST = ["row", "a", "b", "mean", "low", "high", "n", "runs", "above"]
LEVELS = ["sparsity", "row", "cell", "mean", "low", "high", "n"]


def count_runs(design: Crossed, store: Store) -> pd.DataFrame:
    """Return one row per cell: cell, epochs, runs (those that are there) and planned."""
    rows = [
        (cell.name, cell.point.epochs, len(store.load(cell.wanted(store))), len(cell.planned(store)))
        for cell in design.networks
    ]
    return pd.DataFrame(rows, columns=["cell", "epochs", "runs", "planned"])


@dataclass(frozen=True)
class Runs:
    """The finished runs of a notebook's cells.

    Attributes:
        design: the cells of the notebook.
    """

    design: Crossed
    store: Store

    @cached_property
    def results(self) -> pd.DataFrame:
        """One row per finished run, as `candidates.results`."""
        return candidates.results(self.design, self.store)

    @cached_property
    def rates(self) -> pd.DataFrame:
        """One row per cell that chooses a learning rate, and rate."""
        return candidates.rates(self.design, self.store)

    @cached_property
    def cells(self) -> pd.DataFrame:
        """One row per cell: epochs, runs that are there, planned and diverged, rate, weights left, mean accuracy."""
        return pd.DataFrame(map(self._described, self.design.networks))

    def _described(self, cell: Networks) -> dict[str, object]:
        """Return the row of a cell in `cells`."""
        own = self.results[self.results["cell"] == cell.name]
        return {
            "cell": cell.name,
            "epochs": cell.point.epochs,
            "runs": len(own),
            "planned": len(cell.planned(self.store)),
            "diverged": int(own["test_accuracy"].isna().sum()),
            "lr": own["lr"].max(),
            "weights_kept": own["weights_kept"].mean(),
            "test_accuracy": own["test_accuracy"].mean(),
        }

    @property
    def cell_table(self) -> pd.DataFrame:
        """The cells as a table shows them, shares in percent."""
        return convert_to_percent(
            self.cells, {"weights_kept": "weights left (%)", "test_accuracy": "test accuracy (%)"}
        )


class Cells(Runs):
    """What the finished runs of cells say; what a cell stands for is read from its config, not from its name."""

    def find(self, **fields: object) -> list[Networks]:
        """Return the cells whose config has these values, such as sparsity=0.9 and method="rigl"."""
        return [
            cell
            for cell in self.design.networks
            if all(getattr(cell.point, name) == value for name, value in fields.items())
        ]

    def values(self, cell: Networks) -> np.ndarray:
        """Return the final test accuracy of each network, the mean over its orders of batches; nan without a run."""
        return contrasts.average_orders(self.design, self.results, cell.name)

    def contrast(self, weights: Mapping[Networks, float]) -> Estimate | None:
        """Return the weighted sum of the mean test accuracies of cells; None where there are too few runs."""
        return contrasts.weighted_sum(self.design, self.results, {cell.name: each for cell, each in weights.items()})

    def difference(self, pairs: Sequence[Pair]) -> Estimate | None:
        """Return the mean over pairs of cells of a - b in test accuracy; None where there are too few runs."""
        return contrasts.mean_difference(self.design, self.results, [(a.name, b.name) for a, b in pairs])

    def above(self, a: Networks, b: Networks) -> float:
        """Return P(A > B), how often a run of one cell is above one of the other (of the same seed); nan too early."""
        paired = (a.first_seed, a.order_seed) == (b.first_seed, b.order_seed)
        try:
            return dominance(self.values(a), self.values(b), paired).value
        except StudyError:
            return np.nan

    def forest(self, pairs: Mapping[str, Pair], pooled: bool = False) -> pd.DataFrame:
        """Return one row per pair of cells that has enough runs: a - b with simultaneous 95 % intervals.

        Args:
            pairs: by the name of their row.
            pooled: whether the mean over all pairs is the last row, with its 95 % interval.

        Columns of FOREST, in fractions; above is P(A > B) of single runs.
        """
        found = {row: self.difference([pair]) for row, pair in pairs.items()}
        there = {row: estimate for row, estimate in found.items() if estimate is not None}
        rows = []
        for (row, each), limits in zip(there.items(), simultaneous_intervals(list(there.values())), strict=True):
            a, b = pairs[row]
            rows.append((row, a.name, b.name, each.value, *limits, each.n, each.runs, self.above(a, b)))
        if pooled and len(there) > 1 and (whole := self.difference([pairs[row] for row in there])):
            rows.append((POOLED, "", "", whole.value, *whole.interval(), whole.n, whole.runs, np.nan))
        return pd.DataFrame(rows, columns=FOREST)

    def levels(self, cells: Sequence[Networks], label: Callable[[RunConfig], str]) -> pd.DataFrame:
        """Return the mean test accuracy of cells with its 95 % interval over networks.

        Args:
            label: the name of a cell's row, by its config.

        Columns of LEVELS; cells without a run are left out.
        """
        named = [(cell.point.sparsity, label(cell.point), cell.name) for cell in cells]
        means = contrasts.levels(self.design, self.results).drop(columns="runs")
        return pd.DataFrame(named, columns=LEVELS[:3]).merge(means, on="cell")

    @cached_property
    def dense(self) -> Networks | None:
        """The cell of dense networks that are trained as long as most cells."""
        epochs = [cell.point.epochs for cell in self.design.networks]
        found = self.find(sparsity=0.0, epochs=max(set(epochs), key=epochs.count))
        return found[0] if found else None

    @cached_property
    def regime(self) -> str:
        """Network, dataset, training and dense accuracy in words: for what a verdict holds."""
        return contrasts.describe_regime(self.design, self.store, [(self.dense or self.design.networks[0]).name])
