"""All that notebook 07 computes of sources, tickets and runs, once, so that figures, tables and sentences agree."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd

from randsparse.comparison.cells import Cells
from randsparse.comparison.contrasts import describe_regime, estimate_contrast
from randsparse.comparison.design import Parameters
from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.inference.simultaneous import simultaneous_intervals
from randsparse.questions.theory import containment, predictions, subset_sums, verdicts
from randsparse.questions.theory.plan import find_width, width_factor

GAP = ["cell", "sparsity", "width", "asked", "weights_ratio", "mean", "low", "high", "n"]


@dataclass(frozen=True)
class Evidence(Cells):
    """What the sources and tickets that a notebook draws say, and the finished runs of its cells.

    Attributes:
        parameters: those of the notebook.
    """

    parameters: Parameters

    @cached_property
    def targets(self) -> list[predictions.Target]:
        """The networks that are to be contained, the one of the lower bound last."""
        given = self.parameters
        return [predictions.draw_target(each, given["seed"]) for each in [*given["targets"], given["needing"]]]

    @cached_property
    def contained(self) -> pd.DataFrame:
        """How many random sources contain a target, by target, sparsity and width."""
        names = ("sparsities", "fractions", "masks", "checked", "failure", "seed")
        return containment.count_containing(self.targets, *self._given(*names))

    @cached_property
    def ends(self) -> pd.DataFrame:
        """In how many sources no end is cut off."""
        names = ("sparsities", "end_fractions", "masks", "failure", "seed")
        return containment.count_connected(self.targets[-1], *self._given(*names))

    @cached_property
    def needed(self) -> pd.DataFrame:
        """The width at which sources contain their target with the probability that is asked for."""
        return verdicts.find_widths_needed(pd.concat([self.contained, self.ends]), self.parameters["failure"])

    @cached_property
    def bounds(self) -> pd.DataFrame:
        """The widths that are sufficient and necessary."""
        return containment.find_bounds(self.targets, self.targets[-1], *self._given("sparsities", "failure"))

    @cached_property
    def slopes(self) -> pd.DataFrame:
        """The exponents of the width over 1/log(1/s)."""
        return verdicts.fit_exponents(self.needed)

    @cached_property
    def weights(self) -> pd.DataFrame:
        """The error of one weight as a sum of frozen ones."""
        names = ("ticket_densities", "ticket_copies", "ticket_draws", "scale", "seed")
        return subset_sums.survey(*self._given(*names))

    @cached_property
    def networks(self) -> pd.DataFrame:
        """The errors of whole networks of frozen weights."""
        shared = self._given("ticket_densities", "network_copies", "network_draws", "scale", "seed")
        widths = self.parameters["ticket_networks"]
        return pd.concat([subset_sums.survey(*shared, each) for each in widths], ignore_index=True)

    @cached_property
    def rates(self) -> pd.DataFrame:
        """The bits of error that each copy left takes away: of one weight, then of whole networks."""
        fewest = self.parameters["fewest_left"]
        return pd.concat([subset_sums.rates(each, fewest) for each in (self.weights, self.networks)], ignore_index=True)

    @cached_property
    def gaps(self) -> pd.DataFrame:
        """Random masks of wider networks minus the dense one in test accuracy, one row per cell with enough runs.

        Columns GAP: width in that of the dense network, asked (1/log(1/s), the same of a source that contains it),
        weights_ratio (weights kept over those of the dense network), and simultaneous 95 % intervals.
        """
        cells = {cell.name: cell.point for cell in self.design.networks}
        found = {name: self.gap(name) for name in self.parameters["wider"]}
        known = {name: each for name, each in found.items() if each is not None}
        rows = []
        for (name, each), ends in zip(known.items(), simultaneous_intervals(list(known.values())), strict=True):
            point, width = (
                cells[name],
                find_width(cells[name].model) / find_width(cells[self.parameters["dense"]].model),
            )
            ratio = (1 - point.sparsity) * width**2
            rows.append((name, point.sparsity, width, width_factor(point.sparsity), ratio, each.value, *ends, each.n))
        return pd.DataFrame(rows, columns=GAP)

    def gap(self, cell: str) -> Estimate | None:
        """Return one of these differences, None as long as there are too few runs."""
        return estimate_contrast(self.design, self.results, {cell: 1.0, self.parameters["dense"]: -1.0})

    @property
    def regime(self) -> str:
        """Networks, images and training in words."""
        return describe_regime(self.design, self.store, [self.parameters["dense"], *self.parameters["wider"]])

    def _given(self, *names: str) -> list[Any]:
        return [self.parameters[name] for name in names]
