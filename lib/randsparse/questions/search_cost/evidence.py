"""All that notebook 11 knows, computed once, so that figures, tables and sentences agree."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from randsparse.comparison.cells import Cells
from randsparse.comparison.design import Parameters
from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.wording import format_model
from randsparse.questions.search_cost import break_even, gains, strategies
from randsparse.questions.search_cost.charts import DIFFERENCE, LONGER, POOLED, SEARCH
from randsparse.questions.search_cost.measured import Measured, measure
from randsparse.questions.search_cost.speed import speeds


@dataclass(frozen=True)
class Evidence(Cells):
    """What the finished runs of a notebook's cells say, and the files of `make bench` beside them.

    Attributes:
        parameters: those of the notebook, which name the roles of cells.
    """

    parameters: Parameters

    @cached_property
    def groups(self) -> list[Measured]:
        """The cells of candidates, each with its controls."""
        return measure(self.design, self.parameters, self.store)

    @cached_property
    def strategies(self) -> pd.DataFrame:
        """One row per cell and way to spend epochs, as `strategies.compare`."""
        return strategies.compare(self.groups)

    @cached_property
    def regime(self) -> str:
        """Networks, dataset, training and dense accuracy in words: for what a verdict holds."""
        cells = {cell.name: cell for cell in self.design.networks}
        cell = cells[self.groups[0].cell]
        costs = [record["cost"] for record in self.store.load(cell.wanted(self.store)).values()]
        images = max((cost["images"] // cost["epochs"] for cost in costs), default=0)
        steps = f"{images:,} images, {cell.point.epochs} epochs of {-(-images // cell.point.batch_size):,} steps"
        own = self.cells[self.cells["cell"].isin(self.parameters["dense"])]
        reached = own["test_accuracy"].mean()
        dense = f"dense {100 * reached:.1f} %" if np.isfinite(reached) else "no dense run yet"
        return f"{format_model(cell.point.model)} on {cell.point.dataset}, {steps if images else 'no run yet'}, {dense}"

    @property
    def charges(self) -> pd.DataFrame:
        """`strategies` as a reader wants it: accuracy in percent, gains in points, without its indices."""
        table = self.strategies.assign(accuracy=100 * self.strategies["accuracy"])
        table[["mean", "low", "high"]] *= 100
        names = {"epochs": "epochs, winner trained anew", "epochs_going_on": "epochs, winner goes on"}
        names |= {"accuracy": "test accuracy (%)", "mean": "gain (points)", "n": "networks"}
        return table.drop(columns=["trainings"]).rename(columns=names)

    @cached_property
    def difference(self) -> Estimate | None:
        """The estimate of the primary claim over all cells, None unless each of them has enough runs."""
        return gains.search_minus_longer(self.groups)

    @cached_property
    def differences(self) -> pd.DataFrame:
        """One row per cell and measure: mean, low, high, n networks, runs, above (P(searched > longer)).

        Measures: gain of search, gain of longer training, and the difference, which is pooled over cells too.
        """
        rows = []
        for group in self.groups:
            above = gains.probability_of_search([group])
            rows += [
                (group.cell, SEARCH, *gains.numbers(gains.gain_of_search(group)), np.nan),
                (group.cell, LONGER, *gains.numbers(gains.gain_of_longer(group)), np.nan),
                (group.cell, DIFFERENCE, *gains.numbers(gains.search_minus_longer([group])), above),
            ]
        rows.append((POOLED, DIFFERENCE, *gains.numbers(self.difference), gains.probability_of_search(self.groups)))
        return pd.DataFrame(rows, columns=["cell", "measure", "mean", "low", "high", "n", "runs", "above"])

    @cached_property
    def map(self) -> pd.DataFrame:
        """What a search gains less what its epochs gain, as `break_even.map_of`."""
        return break_even.map_of(self.groups)

    @cached_property
    def needed(self) -> pd.DataFrame:
        """The correlations that there are and those that would be needed, as `break_even.make_table`."""
        return break_even.make_table(self.groups)

    @cached_property
    def speeds(self) -> pd.DataFrame:
        """How fast each sort of sparsity is, from `make bench`."""
        return speeds(self.store.root / "bench")
