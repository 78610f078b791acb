"""All that notebook 09 knows of its cells, computed once, so that figures, tables and sentences agree."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pandas as pd

from randsparse.comparison.campaign import Networks
from randsparse.comparison.cells import Pair
from randsparse.comparison.design import TICKET
from randsparse.comparison.evidence import MaskedCells
from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.plots import percent_text
from randsparse.runs.config import RunConfig

CLAIMED = (0.9, 0.95)
"""The sparsities that the primary claim is a mean over."""
SIGNED = "signed-constant"
SAME, DENSE = "uniform", "dense source"
RULES = {"er": "ER", "erk": "ERK"}
"""The names of rules, where they are not those of their code."""


def describe_source(point: RunConfig) -> str:
    """Return the source of a ticket in words; a ticket keeps the same share of it in every layer."""
    if not point.source_sparsity:
        return DENSE
    return f"{RULES.get(point.source_rule, point.source_rule)} source, {percent_text(1 - point.source_sparsity)} %"


def describe_layers(point: RunConfig) -> str:
    """Return the rule by which the layers of a network have their densities: that of its mask, or of its source."""
    if point.method != TICKET:
        return point.rule
    return point.source_rule if point.source_sparsity else SAME


def label(point: RunConfig) -> str:
    """Return what a network of notebook 09 is called."""
    if point.method != TICKET:
        return f"trained {RULES.get(point.rule, point.rule)} mask" if point.sparsity else "dense"
    name = f"ticket of {describe_source(point)}"
    name += "" if point.frozen_weights == SIGNED else ", normal weights"
    return f"{name}, retrained" if point.fine_tune_epochs else name


class Tickets(MaskedCells):
    """What notebook 09 shows: tickets of random and of dense sources, and random masks that are trained as long."""

    def tickets(self, retrained: bool = False, weights: str = SIGNED) -> list[Networks]:
        """Return the cells of tickets, as they are chosen or after their weights are trained, from the least sparse."""
        tickets = self.find(method=TICKET, frozen_weights=weights)
        found = [cell for cell in tickets if bool(cell.point.fine_tune_epochs) == retrained]
        return sorted(found, key=lambda cell: (cell.point.sparsity, cell.point.source_sparsity))

    @cached_property
    def dense(self) -> Networks | None:
        """The cell of dense networks that are trained for as many epochs as edges are chosen."""
        return self.dense_of(self.tickets()[0].point.epochs) if self.tickets() else super().dense

    def dense_of(self, epochs: int) -> Networks | None:
        """Return the cell of dense networks that are trained for so many epochs; None without it."""
        return next(iter(self.find(sparsity=0.0, epochs=epochs)), None)

    def dense_level(self, cells: list[Networks]) -> pd.DataFrame:
        """Return the accuracy of dense networks that are trained as long as these cells; empty without them."""
        found = self.dense_of(cells[0].point.epochs) if cells else None
        return self.levels([found] if found else [], label)

    @cached_property
    def sources(self) -> dict[tuple[str, float], Pair]:
        """Tickets of each random source and of the dense one, by source and sparsity."""
        tickets = self.tickets()
        starts = {cell.point.sparsity: cell for cell in tickets if not cell.point.source_sparsity}
        return {
            (describe_source(cell.point), cell.point.sparsity): (cell, starts[cell.point.sparsity])
            for cell in sorted(
                tickets, key=lambda cell: (describe_layers(cell.point) != SAME, cell.point.source_sparsity)
            )
            if cell.point.source_sparsity and cell.point.sparsity in starts
        }

    @property
    def equal(self) -> dict[float, Pair]:
        """The pairs of `sources` with the same layer densities, by sparsity; of several sources the densest."""
        found: dict[float, Pair] = {}
        for (_, sparsity), pair in self.sources.items():
            if describe_layers(pair[0].point) == SAME:
                found.setdefault(sparsity, pair)
        return found

    @property
    def unequal(self) -> dict[str, list[Pair]]:
        """The pairs of `sources` whose layer densities differ, by source, over sparsities."""
        found: dict[str, list[Pair]] = {}
        for (source, _), pair in self.sources.items():
            if describe_layers(pair[0].point) != SAME:
                found.setdefault(source, []).append(pair)
        return found

    @property
    def claim(self) -> Estimate | None:
        """Ticket of the random source − of the dense one, mean over 90 and 95 %; None unless both are there."""
        return self.mean_difference(self.equal, CLAIMED)

    def beside(self, cell: Networks) -> Networks | None:
        """Return the random mask of a ticket's layer densities and sparsity that is trained as long, ERK for ER."""
        rules = {"er": ("er", "erk")}.get(describe_layers(cell.point), (describe_layers(cell.point),))
        like = {"method": "static", "sparsity": cell.point.sparsity, "epochs": cell.point.epochs}
        return next((other for rule in rules for other in self.find(rule=rule, **like)), None)

    def trained(self, retrained: bool) -> dict[str, list[Pair]]:
        """Return tickets and the random masks that are trained as long, by source, over sparsities."""
        found: dict[str, list[Pair]] = {}
        for cell in self.tickets(retrained):
            other = self.beside(cell)
            if other and (retrained or describe_layers(cell.point) == describe_layers(other.point)):
                found.setdefault(describe_source(cell.point), []).append((cell, other))
        return found

    @cached_property
    def weights(self) -> list[Pair]:
        """Tickets of signed constants and of normal weights, in the same source."""
        normal = {(describe_source(c.point), c.point.sparsity): c for c in self.tickets(weights="kaiming-normal")}
        keys = ((describe_source(cell.point), cell.point.sparsity) for cell in self.tickets())
        return [(cell, normal[key]) for cell, key in zip(self.tickets(), keys, strict=True) if key in normal]

    @cached_property
    def source_forest(self) -> pd.DataFrame:
        """One row per source and sparsity: ticket of a random source − of the dense one."""
        return self.forest({name_row(*key): pair for key, pair in self.sources.items()}, pooled=not self.unequal)

    @cached_property
    def trained_forest(self) -> pd.DataFrame:
        """One row per source and sparsity: ticket − random mask trained as long, for both stages."""
        tickets = [("ticket", *each) for each in self.trained(False).items()]
        retrained = [("retrained", *each) for each in self.trained(True).items()]
        return self.forest(
            {
                f"{stage}, {name_row(source, pair[0].point.sparsity)}": pair
                for stage, source, pairs in (*tickets, *retrained)
                for pair in pairs
            }
        )

    def accuracies(self, retrained: bool) -> pd.DataFrame:
        """Return the accuracy of tickets of one stage, and of the random masks that are trained as long."""
        tickets = self.tickets(retrained)
        epochs = {cell.point.epochs for cell in tickets}
        static = [cell for cell in self.find(method="static") if cell.point.sparsity and cell.point.epochs in epochs]
        return self.levels([*tickets, *static], label)

    @cached_property
    def restart(self) -> tuple[float, float] | None:
        """Mean validation accuracy of retrained tickets before and after the first epoch that trains their weights."""
        accuracies = []
        for cell in self.tickets(retrained=True):
            chosen = cell.point.epochs - cell.point.fine_tune_epochs
            for record in self.store.load(cell.wanted(self.store)).values():
                curve = {point["epoch"]: point["val_accuracy"] for point in record["curve"]}
                if {chosen, chosen + 1} <= curve.keys():
                    accuracies.append((curve[chosen], curve[chosen + 1]))
        return tuple(np.mean(accuracies, axis=0).tolist()) if accuracies else None


def name_row(source: str, sparsity: float) -> str:
    """Return the name of the row of a source at a sparsity."""
    return f"{source}: {percent_text(sparsity)} % sparsity"
