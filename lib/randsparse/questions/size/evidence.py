"""All that notebook 04 knows of its cells, computed once, so that figures, tables and sentences agree."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from randsparse.comparison.contrasts import describe_regime, estimate_contrast
from randsparse.comparison.evidence import NamedCells, known_limits
from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.wording import convert_to_percent
from randsparse.data import catalogue
from randsparse.networks.registry import shapes
from randsparse.questions.size.plan import sparsities

PUBLISHED = "liu2022_cifar10_depth.csv"
"""Test accuracies of Liu et al. 2022, below results/reference of the study."""
GAP = ["cell", "baseline", "model", "sparsity", "weights", "mean", "low", "high", "n"]
WEIGHTS, FLOPS = "as many weights", "as many FLOPs"
EQUAL = {WEIGHTS: "equal_weights", FLOPS: "equal_flops"}
"""What a sparse and a narrow network have in common, with the parameter that names such pairs."""


@dataclass(frozen=True)
class Evidence(NamedCells):
    """What the finished runs of a notebook's cells say.

    Attributes:
        parameters: those of the notebook; `pairs`, `milder`, `equal_weights` and `equal_flops` name pairs of cells.
        root: the folder of the study, for what was published.
    """

    root: Path

    @property
    def regime(self) -> str:
        """Networks, dataset, training and dense accuracy in words."""
        return describe_regime(self.design, self.store, [dense for dense, _ in self.parameters["pairs"]])

    @property
    def sparsity(self) -> float | None:
        """The sparsity of `pairs`, None if they have several."""
        found = sparsities(self.design, self.parameters["pairs"])
        return found[0] if len(found) == 1 else None

    def weights(self, cell: str) -> int:
        """Return how many weights the network of a cell has before any is removed."""
        point = self.points[cell]
        return count_weights(point.model, *catalogue.shape(point.dataset))

    def slope(self, group: str = "pairs") -> Estimate | None:
        """Return the slope of sparse - dense over log2 of the number of weights, by least squares over sizes.

        All sizes count the same. None as long as a cell has fewer than three runs, and for one size.
        """
        pairs = self.parameters[group]
        x = np.log2([self.weights(dense) for dense, _ in pairs])
        if len(set(x)) < 2:
            return None
        return self._sum_of(pairs, (x - x.mean()) / ((x - x.mean()) ** 2).sum())

    @cached_property
    def gaps(self) -> pd.DataFrame:
        """Sparse minus dense of each size, columns GAP; intervals are simultaneous within a sparsity."""
        parts = [self._differences([(b, a) for a, b in self.parameters[name]]) for name in ("pairs", "milder")]
        return pd.concat(parts, ignore_index=True)

    @cached_property
    def against_narrow(self) -> pd.DataFrame:
        """Sparse and wide minus dense and narrow, columns GAP, equal (what is equal), weights_ratio and flops_ratio.

        Ratios are those of the sparse network's to the narrow dense one's.
        """
        parts = [self._differences(self.parameters[group]).assign(equal=equal) for equal, group in EQUAL.items()]
        found = pd.concat(parts, ignore_index=True)
        for name, of in (("weights_ratio", self._kept), ("flops_ratio", self._flops)):
            found[name] = found["cell"].map(of).astype(float) / found["baseline"].map(of).astype(float)
        return found

    @property
    def means_against_narrow(self) -> dict[str, Estimate | None]:
        """Sparse and wide minus dense and narrow, the mean over all pairs, by what is equal."""
        groups = {equal: [(b, a) for a, b in self.parameters[group]] for equal, group in EQUAL.items()}
        return {equal: self._sum_of(pairs, np.ones(len(pairs)) / len(pairs)) for equal, pairs in groups.items()}

    @property
    def slopes(self) -> dict[float, Estimate | None]:
        """The slope at each sparsity of which all sizes are there."""
        groups = {group: sparsities(self.design, self.parameters[group]) for group in ("pairs", "milder")}
        return {shown[0]: self.slope(group) for group, shown in groups.items() if len(shown) == 1}

    @property
    def cell_table(self) -> pd.DataFrame:
        """One row per cell with runs: weights left, learning rate, runs, and test accuracy with its interval."""
        found = self.accuracies
        shown = found[found["test accuracy (%)"] != ""].reset_index(drop=True)
        shown.insert(1, "weights left", [round(self._kept(cell)) for cell in shown["cell"]])
        return shown

    @property
    def narrow_table(self) -> pd.DataFrame:
        """`against_narrow` as a table shows it, in points."""
        names = {"mean": "sparse − narrow (points)", "low": "low", "high": "high"}
        shown = self.against_narrow.drop(columns=["model", "sparsity", "weights"])
        return convert_to_percent(shown, names).rename(columns={"baseline": "narrow dense", "cell": "sparse"})

    @property
    def published(self) -> pd.DataFrame:
        """What Liu et al. 2022 published of ERK on CIFAR-10, see `read_published_gaps`; nothing beside other images."""
        found = read_published_gaps(self.root)
        return found if self.design.networks[0].point.dataset == "cifar10" else found[:0]

    def _sum_of(self, pairs: Sequence[Sequence[str]], weights: Iterable[float]) -> Estimate | None:
        """Return the weighted sum of the differences of pairs, the second cell of a pair minus the first."""
        contrast: dict[str, float] = {}
        for (minus, plus), weight in zip(pairs, weights, strict=True):
            contrast |= {plus: weight, minus: -weight}
        return estimate_contrast(self.design, self.results, contrast)

    def _differences(self, pairs: Sequence[Sequence[str]]) -> pd.DataFrame:
        rows = [
            (a, b, self.points[a].model, self.points[a].sparsity, self.weights(a), each.value, *ends, each.n)
            for (a, b), each, ends in known_limits({(a, b): self.difference(a, b) for a, b in pairs})
        ]
        return pd.DataFrame(rows, columns=GAP)

    def _kept(self, cell: str) -> float:
        """Return the weights that a run of a cell keeps."""
        return float(self._record(cell)["density"]["weights"])

    def _flops(self, cell: str) -> float:
        """Return the forward FLOPs of one image on the weights that a run of a cell keeps."""
        cost = self._record(cell)["cost"]
        return cost["sparse_flops"] / (3 * cost["images"])

    def _record(self, cell: str) -> dict:
        found = next(each for each in self.design.networks if each.name == cell)
        return next(iter(self.store.load(found.wanted(self.store)).values()))


def count_weights(model: str, classes: int, channels: int, size: int) -> int:
    """Return how many weights of convolutions and linear layers a network has for images of some shape."""
    return sum(math.prod(shape) for shape in shapes(model, classes, channels, size).values())


def read_published_gaps(root: Path) -> pd.DataFrame:
    """Return what Liu et al. 2022 published of ERK on CIFAR-10, minus dense: model, sparsity, weights, mean."""
    frame = pd.read_csv(root / "results" / "reference" / PUBLISHED)
    dense = frame[frame["rule"] == "dense"].set_index("model")["test_accuracy_percent"]
    rows = frame[frame["rule"] == "ERK"].reset_index(drop=True)
    return rows[["model", "sparsity"]].assign(
        weights=[count_weights(model, *catalogue.shape("cifar10")) for model in rows["model"]],
        mean=(rows["test_accuracy_percent"] - rows["model"].map(dense)) / 100,
    )
