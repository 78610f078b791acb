"""All that notebooks 02 and 03 know of their cells, computed once, so that figures, tables and sentences agree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import pandas as pd

from randsparse.comparison import candidates, contrasts
from randsparse.comparison.candidates import Early
from randsparse.comparison.crossed import Crossed
from randsparse.comparison.design import Parameters
from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.inference.pooled import difference_of_own_seeds
from randsparse.comparison.inference.reliability import reliability
from randsparse.comparison.inference.search_value import search_gain, share_of_oracle
from randsparse.comparison.wording import in_percent
from randsparse.errors import StudyError
from randsparse.questions.random_search import accuracies, gains
from randsparse.questions.random_search.plan import candidates_of
from randsparse.runs.store import Store


@dataclass(frozen=True)
class Evidence:
    """What the finished runs of a notebook's cells say.

    Attributes:
        design: the cells of the notebook.
        parameters: those of the notebook: `candidates`, `size`, and its early phases.
    """

    design: Crossed
    store: Store
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
    def results(self) -> pd.DataFrame:
        """One row per finished run."""
        return candidates.results(self.design, self.store)

    @cached_property
    def all_curves(self) -> pd.DataFrame:
        """One row per finished run and epoch."""
        return candidates.curves(self.design, self.store)

    @cached_property
    def curves(self) -> pd.DataFrame:
        """The curves of the candidates alone, cell by cell in the order of the parameters."""
        return gains.only(self.all_curves, self.parameters["candidates"])

    @cached_property
    def cells(self) -> pd.DataFrame:
        """One row per cell: runs that are finished, planned and diverged, learning rate, weights, accuracy.

        `reliability` is the share of the variance of test accuracy that is more than the choice of test images.
        """
        rows = []
        for cell in self.design.networks:
            own = self.results[self.results["cell"] == cell.name]
            first = own.iloc[0] if len(own) else pd.Series(dtype=float)
            rows.append(
                {
                    "cell": cell.name,
                    "model": cell.point.model,
                    "epochs": cell.point.epochs,
                    "runs": len(own),
                    "planned": len(cell.planned(self.store)),
                    "diverged": int(own["test_accuracy"].isna().sum()),
                    "lr": first.get("lr"),
                    "weights_kept": first.get("weights_kept"),
                    "test_accuracy": own["test_accuracy"].mean(),
                    "reliability": self._reliability(cell.name),
                }
            )
        return pd.DataFrame(rows)

    @property
    def cell_table(self) -> pd.DataFrame:
        """The cells as a table shows them, shares in percent, those of the parameters first and in their order."""
        names = [*self.parameters["candidates"], *self.cells["cell"]]
        rows = self.cells.set_index("cell").loc[list(dict.fromkeys(names))].reset_index()
        return in_percent(rows, {"weights_kept": "weights left (%)", "test_accuracy": "test accuracy (%)"})

    @cached_property
    def rates(self) -> pd.DataFrame:
        """One row per cell that chooses a learning rate, and rate."""
        return candidates.rates(self.design, self.store)

    def gain_after(self, phase: float) -> Estimate | None:
        """Return winner minus mean in final test accuracy over all cells, None as long as there are too few runs."""
        return attempt(candidates.looks(self.curves, phase), partial(search_gain, size=self.size))

    @property
    def regime(self) -> str:
        """Network, dataset, training and dense accuracy of the candidates in words."""
        return self.regime_of(self.parameters["candidates"])

    def regime_of(self, names: Sequence[str]) -> str:
        """Return network, dataset, training and dense accuracy of some cells in words."""
        return contrasts.regime(self.design, self.store, names)

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
        return gains.looked_at(self.curves, self.parameters["phases"], self.size)

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
        curves, phases = gains.only(self.all_curves, self.parameters["others"]), self.parameters["phases"]
        final = gains.gains(curves, phases, self.size).query("measured == 'final'").drop(columns="measured")
        names = {"mean": "gain (points)", "low": "gain low", "high": "gain high"}
        kept = gains.shares(curves, phases, self.size).rename(columns={"mean": "share"}).drop(columns=["n", "runs"])
        both = in_percent(final, names).merge(kept, on=["phase", "cell"])
        return both[both["cell"] != gains.POOLED]

    def share_after(self, phase: float, cells: str = "candidates") -> Estimate | None:
        """Return the share of the oracle's gain over all cells, None as long as there are too few runs.

        Args:
            cells: the parameter that names them, "candidates" or "others".
        """
        curves = gains.only(self.all_curves, self.parameters[cells])
        return attempt(candidates.looks(curves, phase), partial(share_of_oracle, size=self.size))

    def lead_after(self, phase: float) -> Estimate | None:
        """Return the mean lead over the epochs after the choice, over all cells; None as long as runs are too few."""
        looks = gains.looks_at_mean(self.curves, phase)
        return attempt(looks, partial(search_gain, size=self.size))

    @cached_property
    def longer(self) -> Estimate | None:
        """Random networks that spend a search's epochs on longer training minus those that do not, over their cells."""
        cells = {cell.name: cell for cell in self.design.networks}
        searched = [cells[name] for name in self.parameters["candidates"]]
        strata = []
        for name in self.parameters["longer"]:
            pair = (name, candidates_of(cells[name], searched).name)
            if set(pair) <= set(self.results["cell"]):
                strata.append(tuple(accuracies.network_means(self.results, each) for each in pair))
        try:
            return difference_of_own_seeds(strata)
        except StudyError:
            return None

    @property
    def gain_of_longer(self) -> Estimate | None:
        """What the search gains over all cells that have a control of longer training."""
        cells = {cell.name: cell for cell in self.design.networks}
        searched = [cells[name] for name in self.parameters["candidates"]]
        names = {candidates_of(cells[name], searched).name for name in self.parameters["longer"]}
        looks = candidates.looks(self.curves, self.phase)
        return attempt([each for each in looks if each.cell in names], partial(search_gain, size=self.size))


class AccuracyEvidence(Evidence):
    """What notebook 03 shows: final accuracies, and what a search changes in them."""

    @cached_property
    def levels(self) -> pd.DataFrame:
        """The mean accuracy of each cell, and of the winners among its candidates."""
        return accuracies.levels(self.results, self.curves, self.parameters["candidates"], self.phase, self.size)

    @cached_property
    def differences(self) -> pd.DataFrame:
        """Searched minus random, cell by cell and over all cells."""
        return gains.estimates(candidates.looks(self.curves, self.phase), partial(search_gain, size=self.size))

    @property
    def control_table(self) -> pd.DataFrame:
        """The pairs as a table shows them, in percent and points."""
        names = {"weights_a": "weights left of a (%)", "weights_b": "of b (%)", "mean": "a − b (points)"}
        return in_percent(self.controls, names | {"low": "low", "high": "high"})

    def difference(self, a: str, b: str) -> Estimate | None:
        """Return cell a minus cell b in test accuracy, None as long as there are too few runs."""
        names = set(self.results["cell"])
        return accuracies.difference(self.results, a, b) if {a, b} <= names else None

    @cached_property
    def controls(self) -> pd.DataFrame:
        """Differences between pairs of cells."""
        cost = accuracies.flops_per_image(self.design, self.store)
        return accuracies.controls(self.results, self.parameters["pairs"], cost)


def attempt(looks: Iterable[Early], statistic: gains.Statistic) -> Estimate | None:
    """Return a statistic of cells, None as long as they have too few runs."""
    try:
        return statistic([(each.early, each.final) for each in looks])
    except StudyError:
        return None
