"""All that notebook 04 knows of its cells, computed once, so that figures, tables and sentences agree."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from randsparse.comparison import candidates
from randsparse.comparison.contrasts import contrast_of, levels, regime
from randsparse.comparison.crossed import Crossed
from randsparse.comparison.design import Parameters
from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.inference.simultaneous import simultaneous_intervals
from randsparse.comparison.wording import in_percent, number
from randsparse.data import catalogue
from randsparse.networks.registry import shapes
from randsparse.questions.size.plan import sparsities
from randsparse.runs.store import Store

PUBLISHED = "liu2022_cifar10_depth.csv"
"""Test accuracies of Liu et al. 2022, below results/reference of the study."""
GAP = ["cell", "baseline", "model", "sparsity", "weights", "mean", "low", "high", "n"]
WEIGHTS, FLOPS = "as many weights", "as many FLOPs"


@dataclass(frozen=True)
class Evidence:
    """What the finished runs of a notebook's cells say.

    Attributes:
        design: the cells.
        parameters: those of the notebook; `pairs`, `milder`, `equal_weights` and `equal_flops` name pairs of cells.
        root: the folder of the study, for what was published.
    """

    design: Crossed
    store: Store
    parameters: Parameters
    root: Path

    @property
    def regime(self) -> str:
        """Networks, dataset, training and dense accuracy in words."""
        return regime(self.design, self.store, [dense for dense, _ in self.parameters["pairs"]])

    @cached_property
    def results(self) -> pd.DataFrame:
        """One row per finished run."""
        return candidates.results(self.design, self.store)

    @property
    def sparsity(self) -> float | None:
        """The sparsity of `pairs`, None if they have several."""
        found = sparsities(self.design, self.parameters["pairs"])
        return found[0] if len(found) == 1 else None

    def weights(self, cell: str) -> int:
        """Return how many weights the network of a cell has before any is removed."""
        point = next(each.point for each in self.design.networks if each.name == cell)
        return count_weights(point.model, *catalogue.shape(point.dataset))

    def slope(self, group: str = "pairs") -> Estimate | None:
        """Return the slope of sparse - dense over log2 of the number of weights, by least squares over sizes.

        All sizes count the same. None as long as a cell has fewer than three runs, and for one size.
        """
        pairs = self.parameters[group]
        x = np.log2([self.weights(dense) for dense, _ in pairs])
        if len(set(x)) < 2:
            return None
        factors = (x - x.mean()) / ((x - x.mean()) ** 2).sum()
        contrast: dict[str, float] = {}
        for (dense, sparse), factor in zip(pairs, factors, strict=True):
            contrast |= {sparse: factor, dense: -factor}
        return contrast_of(self.design, self.results, contrast)

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
        parts = []
        for equal, group in ((WEIGHTS, "equal_weights"), (FLOPS, "equal_flops")):
            own = self._differences(self.parameters[group]).assign(equal=equal)
            for name, of in (("weights_ratio", self._kept), ("flops_ratio", self._flops)):
                ratios = [of(row.cell) / of(row.baseline) for row in own.itertuples()]
                own[name] = np.array(ratios, dtype=float)
            parts.append(own)
        return pd.concat(parts, ignore_index=True)

    def mean_against_narrow(self, group: str) -> Estimate | None:
        """Return sparse and wide minus dense and narrow, the mean over all pairs of a group."""
        contrast: dict[str, float] = {}
        for sparse, narrow in self.parameters[group]:
            contrast |= {sparse: 1 / len(self.parameters[group]), narrow: -1 / len(self.parameters[group])}
        return contrast_of(self.design, self.results, contrast)

    @property
    def means_against_narrow(self) -> dict[str, Estimate | None]:
        """The mean over all pairs, by what is equal."""
        groups = {WEIGHTS: "equal_weights", FLOPS: "equal_flops"}
        return {equal: self.mean_against_narrow(group) for equal, group in groups.items()}

    @property
    def slopes(self) -> dict[float, Estimate | None]:
        """The slope at each sparsity of which all sizes are there."""
        groups = {group: sparsities(self.design, self.parameters[group]) for group in ("pairs", "milder")}
        return {shown[0]: self.slope(group) for group, shown in groups.items() if len(shown) == 1}

    @property
    def cell_table(self) -> pd.DataFrame:
        """One row per cell with runs: weights left, learning rate, runs, and test accuracy with its interval."""
        means = levels(self.design, self.results).set_index("cell")
        first = self.results.drop_duplicates("cell").set_index("cell")
        rows = [
            {
                "cell": cell.name,
                "weights left": round(self._kept(cell.name)),
                "lr": first.loc[cell.name, "lr"],
                "runs": f"{means.loc[cell.name, 'runs']:.0f} of {len(cell.planned(self.store))}",
                "test accuracy (%)": _text(means.loc[cell.name]),
            }
            for cell in self.design.networks
            if cell.name in means.index
        ]
        return pd.DataFrame(rows, columns=["cell", "weights left", "lr", "runs", "test accuracy (%)"])

    @property
    def narrow_table(self) -> pd.DataFrame:
        """`against_narrow` as a table shows it, in points."""
        names = {"mean": "sparse − narrow (points)", "low": "low", "high": "high"}
        shown = self.against_narrow.drop(columns=["model", "sparsity", "weights"])
        return in_percent(shown, names).rename(columns={"baseline": "narrow dense", "cell": "sparse"})

    @property
    def published(self) -> pd.DataFrame:
        """What Liu et al. 2022 published of ERK on CIFAR-10, as from `published_gaps`; nothing beside other images."""
        found = published_gaps(self.root)
        return found if self.design.networks[0].point.dataset == "cifar10" else found[:0]

    def _differences(self, pairs: Sequence[Sequence[str]]) -> pd.DataFrame:
        cells = {cell.name: cell.point for cell in self.design.networks}
        found = [(a, b, contrast_of(self.design, self.results, {a: 1.0, b: -1.0})) for a, b in pairs]
        known = [(a, b, each) for a, b, each in found if each is not None]
        limits = simultaneous_intervals([each for *_, each in known])
        rows = [
            (a, b, cells[a].model, cells[a].sparsity, self.weights(a), each.value, *ends, each.n)
            for (a, b, each), ends in zip(known, limits, strict=True)
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


def published_gaps(root: Path) -> pd.DataFrame:
    """Return what Liu et al. 2022 published of ERK on CIFAR-10, minus dense: model, sparsity, weights, mean."""
    frame = pd.read_csv(root / "results" / "reference" / PUBLISHED)
    dense = frame[frame["rule"] == "dense"].set_index("model")["test_accuracy_percent"]
    rows = frame[frame["rule"] == "ERK"]
    image = catalogue.shape("cifar10")
    return pd.DataFrame(
        {
            "model": rows["model"],
            "sparsity": rows["sparsity"],
            "weights": [count_weights(model, *image) for model in rows["model"]],
            "mean": (rows["test_accuracy_percent"] - rows["model"].map(dense)) / 100,
        }
    ).reset_index(drop=True)


def _text(row: pd.Series) -> str:
    mean, low, high = (number(100 * row[name]) for name in ("mean", "low", "high"))
    return f"{mean} [{low}, {high}]"
