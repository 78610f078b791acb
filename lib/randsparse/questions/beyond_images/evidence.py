"""All that notebook 12 knows of its cells, computed once, so that figures, tables and sentences agree."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cached_property

import pandas as pd
import torch

from randsparse.comparison import candidates
from randsparse.comparison.contrasts import describe_regime
from randsparse.comparison.evidence import NamedCells, known_limits
from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.inference.search_value import best_gain, estimate_by_cell, search_gain
from randsparse.data import catalogue
from randsparse.errors import StudyError
from randsparse.networks import registry
from randsparse.runs.config import RunConfig
from randsparse.runs.feasibility import find_small_widths

POOLED = "all cells"
GAIN = ["cell", "mean", "low", "high", "n", "runs"]
DIFFERENCE = ["a", "b", "mean", "low", "high", "n"]


class Evidence(NamedCells):
    """What the finished runs of a notebook's cells say.

    Of the parameters, `candidates` names cells, and `controls` and `sources` hold pairs of names.
    """

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
        kinds = {name: (point.dataset, point.model) for name, point in self.points.items()}
        texts = []
        for name in self.parameters["candidates"]:
            alike = [each for each, kind in kinds.items() if kind == kinds[name]]
            texts.append(describe_regime(self.design, self.store, [name, *alike]).replace("images", "samples"))
        return "; ".join(texts)

    @cached_property
    def looks(self) -> list[candidates.Early]:
        """Each cell of candidates as a search sees it."""
        curves = candidates.curves(self.design, self.store)
        return candidates.look_after(curves[curves["cell"].isin(self.parameters["candidates"])], self.phase)

    @property
    def gain(self) -> Estimate | None:
        """The winner minus the mean of its subset in final test accuracy, over all cells; None with too few runs."""
        return self._known(search_gain)

    @cached_property
    def gains(self) -> pd.DataFrame:
        """Searched minus random, cell by cell and over all cells: columns GAIN.

        Intervals of cells are simultaneous 95 % intervals, that of POOLED is a 95 % interval.
        """
        pairs = [(each.early, each.final) for each in self.looks]
        names = [each.cell for each in self.looks]
        found = known_limits(dict(zip(names, estimate_by_cell(search_gain, pairs, self.size), strict=True)))
        if self.gain is not None:
            found.append((POOLED, self.gain, self.gain.interval()))
        rows = [(name, each.value, *ends, each.n, each.runs) for name, each, ends in found]
        return pd.DataFrame(rows, columns=GAIN)

    @property
    def best(self) -> Estimate | None:
        """What the best of the subset gains: the most that a search could."""
        return self._known(best_gain)

    def _known(self, gain: Callable[..., Estimate]) -> Estimate | None:
        try:
            return gain([(each.early, each.final) for each in self.looks], self.size)
        except StudyError:
            return None

    @cached_property
    def differences(self) -> pd.DataFrame:
        """All pairs of controls and sources with enough runs: columns DIFFERENCE, simultaneous 95 % intervals."""
        pairs = [tuple(pair) for group in ("controls", "sources") for pair in self.parameters[group]]
        found = known_limits({pair: self.difference(*pair) for pair in pairs})
        return pd.DataFrame([(*pair, each.value, *ends, each.n) for pair, each, ends in found], columns=DIFFERENCE)

    @property
    def cell_table(self) -> pd.DataFrame:
        """One row per cell: test accuracy, runs, learning rate, and what is left of all parameters.

        Masked weights are those of linear layers; embeddings, norms and biases stay dense.
        """
        points = self.points.values()
        left, covered = zip(*map(count_parameters, points), strict=True)
        found = self.accuracies[["cell", "test accuracy (%)", "runs", "lr"]]
        found = found.assign(**{"weights that a mask covers": covered, "all parameters": left})
        largest = found.groupby([point.dataset for point in points])["all parameters"].transform("max")
        return found.assign(**{"of the largest network's (%)": 100 * found["all parameters"] / largest})

    @property
    def data_table(self) -> pd.DataFrame:
        """One row per dataset: what it is, how many samples its parts have, and classes and inputs."""
        return pd.DataFrame(map(_described, dict.fromkeys(point.dataset for point in self.points.values())))


def count_parameters(config: RunConfig) -> tuple[int, int]:
    """Return how many parameters a network has that are not removed, and how many of them a mask covers."""
    image = catalogue.shape(config.dataset)
    widths = find_small_widths(config, *image) if config.method == "small-dense" and config.sparsity else None
    with torch.device("meta"):
        model = registry.build(config.model, *image, widths)
    covered = sum(math.prod(shape) for shape in registry.shapes(config.model, *image, widths).values())
    kept = covered if widths else round(config.density * covered)
    return sum(parameter.numel() for parameter in model.parameters()) - covered + kept, kept


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
