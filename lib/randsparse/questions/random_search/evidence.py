"""All that notebooks 02 and 03 know of their cells, computed once, so that figures, tables and sentences agree."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import pandas as pd

from randsparse.comparison import candidates, contrasts
from randsparse.comparison.campaign import Networks
from randsparse.comparison.candidates import Early
from randsparse.comparison.cells import Runs
from randsparse.comparison.design import Parameters
from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.inference.reliability import reliability
from randsparse.comparison.inference.search_value import attempt, search_gain, share_of_oracle
from randsparse.comparison.wording import convert_to_percent
from randsparse.errors import StudyError
from randsparse.questions.random_search import accuracies, gains
from randsparse.questions.random_search.plan import find_candidates


@dataclass(frozen=True)
class Evidence(Runs):
    """What the finished runs of a notebook's cells say.

    Attributes:
        design: the cells of the notebook.
        parameters: those of the notebook: `candidates`, `size`, and its early phases.
    """

    parameters: Parameters

    @property
    def size(self) -> int:
        """How many candidates one search has."""
        return int(self.parameters["size"])

    @property
    def phase(self) -> float:
        """The share of training after which the search of the primary claim chooses."""
        return float(self.parameters["phase"] if "phase" in self.parameters else self.parameters["phases"][0])

    @cached_property
    def all_curves(self) -> pd.DataFrame:
        """One row per finished run and epoch."""
        return candidates.curves(self.design, self.store)

    @cached_property
    def curves(self) -> pd.DataFrame:
        """The curves of the candidates alone, cell by cell in the order of the parameters."""
        return gains.select_cells(self.all_curves, self.parameters["candidates"])

    def _described(self, cell: Networks) -> dict[str, object]:
        """Return the row of a cell in `cells`, also with its network and with `reliability`.

        That is the share of the variance of test accuracy that is more than the choice of test images.
        """
        first = {"cell": cell.name, "model": cell.point.model}
        return first | super()._described(cell) | {"reliability": self._reliability(cell.name)}

    @property
    def cell_table(self) -> pd.DataFrame:
        """The cells as a table shows them, those of the parameters first and in their order."""
        names = dict.fromkeys([*self.parameters["candidates"], *self.cells["cell"]])
        return super().cell_table.set_index("cell").loc[list(names)].reset_index()

    def gain_after(self, phase: float) -> Estimate | None:
        """Return winner minus mean in final test accuracy over all cells, None as long as there are too few runs."""
        return self._searched(search_gain, candidates.look_after(self.curves, phase))

    def _searched(self, statistic: Callable[..., Estimate], looks: Iterable[Early]) -> Estimate | None:
        """Return a statistic of a search in cells, None as long as they have too few runs."""
        return attempt(statistic, [each.pair for each in looks], self.size)

    @property
    def regime(self) -> str:
        """Network, dataset, training and dense accuracy of the candidates in words."""
        return self.regime_of(self.parameters["candidates"])

    def regime_of(self, names: Sequence[str]) -> str:
        """Return network, dataset, training and dense accuracy of some cells in words."""
        return contrasts.describe_regime(self.design, self.store, names)

    def _reliability(self, cell: str) -> float:
        try:
            return reliability(candidates.correct_images(self.design, self.store, cell)).value
        except StudyError:
            return float("nan")


class SearchEvidence(Evidence):
    """What notebook 02 shows: the gains of a search after each early phase."""

    @cached_property
    def looked_at(self) -> pd.DataFrame:
        """The candidates after each early phase."""
        return gains.list_looks(self.curves, self.parameters["phases"], self.size)

    @cached_property
    def gains(self) -> pd.DataFrame:
        """What winners gain, early and at the end."""
        return gains.gains(self.curves, self.parameters["phases"], self.size)

    @cached_property
    def shares(self) -> pd.DataFrame:
        """The share of the oracle's gain that winners keep."""
        return gains.shares(self.curves, self.parameters["phases"], self.size)

    @cached_property
    def leads(self) -> pd.DataFrame:
        """How far winners lie above their subsets, epoch by epoch."""
        return gains.leads(self.curves, self.parameters["phases"], self.size)

    @cached_property
    def mean_leads(self) -> pd.DataFrame:
        """The mean of these leads over the epochs after the choice."""
        return gains.mean_leads(self.curves, self.parameters["phases"], self.size)

    @cached_property
    def others(self) -> pd.DataFrame:
        """Final gains in points, and shares of the oracle's gain, on other networks: not pooled with the first."""
        curves, phases = gains.select_cells(self.all_curves, self.parameters["others"]), self.parameters["phases"]
        final = gains.gains(curves, phases, self.size).query("measured == 'final'").drop(columns="measured")
        names = {"mean": "gain (points)", "low": "gain low", "high": "gain high"}
        kept = gains.shares(curves, phases, self.size).rename(columns={"mean": "share"}).drop(columns=["n", "runs"])
        both = convert_to_percent(final, names).merge(kept, on=["phase", "cell"])
        return both[both["cell"] != gains.POOLED]

    def share_after(self, phase: float, cells: str = "candidates") -> Estimate | None:
        """Return the share of the oracle's gain over all cells, None as long as there are too few runs.

        Args:
            cells: the parameter that names them, "candidates" or "others".
        """
        curves = gains.select_cells(self.all_curves, self.parameters[cells])
        return self._searched(share_of_oracle, candidates.look_after(curves, phase))

    def lead_after(self, phase: float) -> Estimate | None:
        """Return the mean lead over the epochs after the choice, over all cells; None as long as runs are too few."""
        return self._searched(search_gain, gains.look_at_mean(self.curves, phase))

    @cached_property
    def longer(self) -> Estimate | None:
        """Random networks that spend a search's epochs on longer training minus those that do not, over their cells."""
        there = set(self.results["cell"])
        pairs = [pair for pair in self._longer_and_not.items() if there.issuperset(pair)]
        return contrasts.mean_difference(self.design, self.results, pairs)

    @property
    def gain_of_longer(self) -> Estimate | None:
        """What the search gains over all cells that have a control of longer training."""
        names = set(self._longer_and_not.values())
        looks = candidates.look_after(self.curves, self.phase)
        return self._searched(search_gain, [each for each in looks if each.cell in names])

    @property
    def _longer_and_not(self) -> dict[str, str]:
        """The cells of longer training, each with the candidates whose networks it has."""
        cells = self.design.by_name
        searched = [cells[name] for name in self.parameters["candidates"]]
        return {name: find_candidates(cells[name], searched).name for name in self.parameters["longer"]}


class AccuracyEvidence(Evidence):
    """What notebook 03 shows: final accuracies, and what a search changes in them."""

    @cached_property
    def levels(self) -> pd.DataFrame:
        """The mean accuracy of each cell, and of the winners among its candidates."""
        means = contrasts.levels(self.design, self.results)
        looks = candidates.look_after(self.curves, self.phase)
        return accuracies.average_cells(means, self.results, looks, self.size)

    @cached_property
    def differences(self) -> pd.DataFrame:
        """Searched minus random, cell by cell and over all cells."""
        return gains.estimate_cells(candidates.look_after(self.curves, self.phase), search_gain, self.size)

    @property
    def control_table(self) -> pd.DataFrame:
        """The pairs as a table shows them, in percent and points."""
        names = {"weights_a": "weights left of a (%)", "weights_b": "of b (%)", "mean": "a − b (points)"}
        return convert_to_percent(self.controls, names | {"low": "low", "high": "high"})

    def difference(self, a: str, b: str) -> Estimate | None:
        """Return cell a minus cell b in test accuracy, None as long as there are too few runs."""
        return contrasts.mean_difference(self.design, self.results, [(a, b)])

    @cached_property
    def controls(self) -> pd.DataFrame:
        """Differences between pairs of cells."""
        found = {(a, b): self.difference(a, b) for a, b in self.parameters["pairs"]}
        return accuracies.compare_controls(self.results, found, accuracies.flops_per_image(self.design, self.store))
