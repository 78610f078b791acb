"""All that notebook 12 knows of its cells, computed once, so that figures, tables and sentences agree."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import pandas as pd
import torch

from randsparse.comparison import candidates
from randsparse.comparison.contrasts import contrast_of, levels, regime
from randsparse.comparison.crossed import Crossed
from randsparse.comparison.design import Parameters
from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.inference.search_value import best_gain, by_cell, search_gain
from randsparse.comparison.inference.simultaneous import simultaneous_intervals
from randsparse.comparison.wording import number
from randsparse.data import catalogue
from randsparse.errors import StudyError
from randsparse.networks import registry
from randsparse.runs.config import RunConfig
from randsparse.runs.feasibility import small_widths
from randsparse.runs.store import Store

POOLED = "all cells"
GAIN = ["cell", "mean", "low", "high", "n", "runs"]
DIFFERENCE = ["a", "b", "mean", "low", "high", "n"]


@dataclass(frozen=True)
class Evidence:
    """What the finished runs of a notebook's cells say.

    Attributes:
        design: the cells.
        parameters: those of the notebook; `candidates` names cells, `controls` and `sources` hold pairs of names.
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
        """The share of training after which a search chooses."""
        return float(self.parameters["phase"])

    @property
    def regime(self) -> str:
        """Networks, data and training in words, for each cell of candidates, with the dense parents of its network."""
        cells = {cell.name: cell.point for cell in self.design.networks}
        texts = []
        for name in self.parameters["candidates"]:
            alike = [each for each, point in cells.items() if (point.dataset, point.model) == _of(cells[name])]
            texts.append(regime(self.design, self.store, [name, *alike]).replace("images", "samples"))
        return "; ".join(texts)

    @cached_property
    def results(self) -> pd.DataFrame:
        """One row per finished run."""
        return candidates.results(self.design, self.store)

    @cached_property
    def looks(self) -> list[candidates.Early]:
        """Each cell of candidates as a search sees it."""
        curves = candidates.curves(self.design, self.store)
        return candidates.looks(curves[curves["cell"].isin(self.parameters["candidates"])], self.phase)

    @property
    def gain(self) -> Estimate | None:
        """The winner minus the mean of its subset in final test accuracy, over all cells; None with too few runs."""
        try:
            return search_gain([(each.early, each.final) for each in self.looks], self.size)
        except StudyError:
            return None

    @cached_property
    def gains(self) -> pd.DataFrame:
        """Searched minus random, cell by cell and over all cells: columns GAIN.

        Intervals of cells are simultaneous 95 % intervals, that of POOLED is a 95 % interval.
        """
        pairs = [(each.early, each.final) for each in self.looks]
        found = [
            (each.cell, gain) for each, gain in zip(self.looks, by_cell(search_gain, pairs, self.size), strict=True)
        ]
        rows = _rows([(name, gain) for name, gain in found if gain is not None])
        if (whole := self.gain) is not None:
            rows.append((POOLED, whole.value, *whole.interval(), whole.n, whole.runs))
        return pd.DataFrame(rows, columns=GAIN)

    @property
    def best(self) -> Estimate | None:
        """What the best of the subset gains: the most that a search could."""
        try:
            return best_gain([(each.early, each.final) for each in self.looks], self.size)
        except StudyError:
            return None

    def difference(self, a: str, b: str) -> Estimate | None:
        """Return cell a minus cell b in test accuracy, None as long as there are too few runs."""
        return contrast_of(self.design, self.results, {a: 1.0, b: -1.0})

    @cached_property
    def differences(self) -> pd.DataFrame:
        """All pairs of controls and sources with enough runs: columns DIFFERENCE, simultaneous 95 % intervals."""
        pairs = [tuple(pair) for group in ("controls", "sources") for pair in self.parameters[group]]
        found = [(pair, self.difference(*pair)) for pair in pairs]
        known = [(pair, each) for pair, each in found if each is not None]
        limits = simultaneous_intervals([each for _, each in known])
        rows = [(*pair, each.value, *ends, each.n) for (pair, each), ends in zip(known, limits, strict=True)]
        return pd.DataFrame(rows, columns=DIFFERENCE)

    @property
    def cell_table(self) -> pd.DataFrame:
        """One row per cell: test accuracy, runs, learning rate, and what is left of all parameters.

        Masked weights are those of linear layers; embeddings, norms and biases stay dense.
        """
        means = levels(self.design, self.results).set_index("cell")
        first = self.results.drop_duplicates("cell").set_index("cell")
        counts = {cell.name: count_parameters(cell.point) for cell in self.design.networks}
        whole: dict[str, int] = {}
        for cell in self.design.networks:
            dataset = cell.point.dataset
            whole[dataset] = max(whole.get(dataset, 0), counts[cell.name][0])
        rows = []
        for cell in self.design.networks:
            left = counts[cell.name]
            there = cell.name in means.index
            rows.append(
                {
                    "cell": cell.name,
                    "test accuracy (%)": _text(means.loc[cell.name]) if there else "",
                    "runs": f"{means.loc[cell.name, 'runs'] if there else 0:.0f} of {len(cell.planned(self.store))}",
                    "lr": first["lr"].get(cell.name),
                    "weights that a mask covers": left[1],
                    "all parameters": left[0],
                    "of the largest network's (%)": 100 * left[0] / whole[cell.point.dataset],
                }
            )
        return pd.DataFrame(rows)

    @property
    def data_table(self) -> pd.DataFrame:
        """One row per dataset: what it is, how many samples its parts have, and classes and inputs."""
        return pd.DataFrame(map(_described, dict.fromkeys(cell.point.dataset for cell in self.design.networks)))


def count_parameters(config: RunConfig) -> tuple[int, int]:
    """Return how many parameters a network has that are not removed, and how many of them a mask covers."""
    image = catalogue.shape(config.dataset)
    widths = small_widths(config, *image) if config.method == "small-dense" and config.sparsity else None
    with torch.device("meta"):
        model = registry.build(config.model, *image, widths)
    covered = sum(math.prod(shape) for shape in registry.shapes(config.model, *image, widths).values())
    kept = covered if widths else round(config.density * covered)
    return sum(parameter.numel() for parameter in model.parameters()) - covered + kept, kept


def _of(config: RunConfig) -> tuple[str, str]:
    return config.dataset, config.model


def _described(dataset: str) -> dict[str, object]:
    described = catalogue.source(dataset)
    classes, inputs, length = described.shape
    return {
        "dataset": dataset,
        "kind": described.kind,
        "training": described.samples - described.val - described.test,
        "validation": described.val,
        "test": described.test,
        "classes": classes,
        "features or vocabulary": inputs,
        "words of a text": length if described.kind == "text" else None,
    }


def _rows(found: Iterable[tuple[str, Estimate]]) -> list[tuple]:
    found = list(found)
    limits = simultaneous_intervals([each for _, each in found])
    return [(name, each.value, *ends, each.n, each.runs) for (name, each), ends in zip(found, limits, strict=True)]


def _text(row: pd.Series) -> str:
    mean, low, high = (number(100 * row[name]) for name in ("mean", "low", "high"))
    return f"{mean} [{low}, {high}]"
