"""Crossed candidates: networks x orders of the training data, every run trained to its end, as a notebook needs them.

Any search among the networks of a cell is then a second look at these curves: candidates that share their order of
batches, the one with the best validation accuracy after an early phase, and what it is at the end.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from randsparse.comparison.campaign import Cell, Networks, Rates, parse
from randsparse.comparison.design import Arm, Parameters
from randsparse.errors import require
from randsparse.runs.config import RunConfig
from randsparse.runs.store import Store


@dataclass(frozen=True)
class Crossed:
    """The cells of a campaign that a notebook shows, with those that choose their learning rates.

    Attributes:
        cells: in the order of the campaign.
        train_missing: whether the notebook trains what is missing; if not, the campaign does, and the notebook shows
            what is there.
    """

    cells: tuple[Cell, ...]
    train_missing: bool

    @property
    def networks(self) -> list[Networks]:
        """The cells of networks."""
        return [cell for cell in self.cells if isinstance(cell, Networks)]

    @property
    def by_name(self) -> dict[str, Networks]:
        """The cells of networks by their names."""
        return {cell.name: cell for cell in self.networks}

    def needed(self, store: Store) -> list[RunConfig]:
        """Return all runs that can be trained now; [] where the campaign trains them.

        The runs that choose learning rates come first: the more cells choose at once, the more runs share a program.
        """
        cells = [*(cell for cell in self.cells if isinstance(cell, Rates)), *self.networks]
        return self._missing((config for cell in cells for config in cell.wanted(store)), store)

    def planned(self, store: Store) -> list[RunConfig]:
        """Return all runs that are missing, those of cells without a learning rate at the first one of its grid."""
        return self._missing((config for cell in self.cells for config in cell.planned(store)), store)

    def _missing(self, runs: Iterable[RunConfig], store: Store) -> list[RunConfig]:
        return [config for config in dict.fromkeys(runs) if not store.has(config)] if self.train_missing else []

    def used(self, store: Store) -> list[RunConfig]:
        """Return every run of these cells that the store has."""
        runs = dict.fromkeys(config for cell in self.cells for config in cell.wanted(store))
        return [config for config in runs if store.has(config)]

    def singles(self, store: Store) -> list[Arm]:
        """Return the finished runs, each with the name of its cell as its arm and its place in it as its replicate."""
        return [
            Arm(cell.name, cell.point.structure, cell.point.sparsity, place, config)
            for cell in self.networks
            for place, config in enumerate(cell.wanted(store))
            if store.has(config)
        ]


def select_cells(parameters: Parameters, names: Iterable[str]) -> Crossed:
    """Return the cells of a notebook's campaign that have these names, with those that choose their learning rates.

    Args:
        parameters: with `campaign`, the content of the file of a campaign, and `train_missing`.

    Raises StudyError for an unknown name.
    """
    campaign = parse(parameters["campaign"])
    named = campaign.named(names)
    rates = [cell.rates for cell in named if isinstance(cell.rates, Rates)]
    kept = tuple(cell for cell in campaign.cells if cell in named or cell in rates)
    return Crossed(kept, bool(parameters["train_missing"]))


def find_epoch(share: float, epochs: int) -> int:
    """Return the epoch after which an early phase ends that is a share of training: the nearest one, at least 1.

    Raises StudyError for a share outside (0, 1), and for a phase that is the whole training.
    """
    require(0 < share < 1, "early phase", share, "a share of training, above 0 and below 1")
    epoch = max(1, round(share * epochs))
    require(epoch < epochs, "early phase", share, f"a part of the {epochs} epochs")
    return epoch
