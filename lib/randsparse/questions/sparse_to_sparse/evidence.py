"""All that notebook 08 knows of its cells, computed once, so that figures, tables and sentences agree."""

from __future__ import annotations

import math
from functools import cached_property
from itertools import pairwise

import numpy as np
import pandas as pd

from randsparse.comparison.campaign import Networks
from randsparse.comparison.cells import FOREST, Pair
from randsparse.comparison.evidence import MaskedCells, known_limits
from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.plots import percent_text
from randsparse.runs import methods
from randsparse.runs.config import RunConfig

NAMES = {"set": "SET", "rigl": "RigL", "granet": "GraNet", "gmp": "GMP", "imp": "IMP", "str": "STR"}
CLAIMED = [(method, sparsity) for sparsity in (0.9, 0.98) for method in ("rigl", "gmp")]
"""The methods and sparsities that the primary claim is a mean over."""
STATIC, SMALL, DENSE = "static ERK mask", "small dense", "dense"
INSIDE, FROM_DENSE = "in a source", "from dense"
SAVINGS = ["method", "sparsity (%)", "in a source (%)", "from dense (%)", "saved (%)"]
POINT = ["sparsity", "cell", "arm", "start", "epochs", "cost", "mean", "low", "high", "n", "front"]


def label(point: RunConfig) -> str:
    """Return what a network of notebook 08 is called."""
    if point.sparsity == 0:
        return DENSE
    if point.method in methods.DYNAMIC:
        return f"{NAMES.get(point.method, point.method)} {INSIDE if point.source_sparsity else FROM_DENSE}"
    return STATIC if point.method == "static" else SMALL


class Methods(MaskedCells):
    """What notebook 08 shows: methods in a source against themselves, against static masks, and against their cost."""

    @cached_property
    def pairs(self) -> dict[tuple[str, float], Pair]:
        """Each method in a source and from dense networks, by method and sparsity."""
        dynamic = [cell for cell in self.design.networks if cell.point.method in methods.DYNAMIC]
        starts = {_place(cell): cell for cell in reversed(dynamic) if not cell.point.source_sparsity}
        inside = [cell for cell in dynamic if cell.point.source_sparsity and _place(cell) in starts]
        pairs = {_place(cell): (cell, starts[_place(cell)]) for cell in inside}
        return dict(sorted(pairs.items(), key=lambda item: (item[0][1], list(NAMES).index(item[0][0]))))

    @property
    def claim(self) -> Estimate | None:
        """In a source − from dense, the mean over RigL and GMP at 90 and 98 %; None unless all four are there."""
        return self.mean_difference(self.pairs, CLAIMED)

    @property
    def methods(self) -> list[str]:
        """The methods that there are in sources and from dense networks."""
        return [method for method in NAMES if self.of_method(method)]

    def of_method(self, method: str) -> list[Pair]:
        """Return the pairs of one method, over its sparsities."""
        return [pair for (name, _), pair in self.pairs.items() if name == method]

    def over_static(self, method: str) -> list[Pair]:
        """Return a method in a source and static ERK masks that are trained as long, over sparsities that have both."""
        pairs = ((inside, self.control(inside.point.sparsity, STATIC)) for inside, _ in self.of_method(method))
        return [(a, static) for a, static in pairs if static and static.point.epochs == a.point.epochs]

    def control(self, sparsity: float, name: str) -> Networks | None:
        """Return the cell of static ERK masks or small dense networks (STATIC or SMALL) at a sparsity."""
        rules = {} if name == SMALL else {"rule": "erk"}
        found = self.find(sparsity=sparsity, **rules)
        return next((cell for cell in found if label(cell.point) == name), None)

    @cached_property
    def source_forest(self) -> pd.DataFrame:
        """One row per method and sparsity, and their mean: in a source − from dense."""
        return self.forest({name_row(*key): pair for key, pair in self.pairs.items()}, pooled=True)

    @cached_property
    def static_forest(self) -> pd.DataFrame:
        """One row per method and sparsity: in a source − static ERK mask."""
        found = [pair for method in self.methods for pair in self.over_static(method)]
        return self.forest({name_row(a.point.method, a.point.sparsity): (a, b) for a, b in found})

    @cached_property
    def costs(self) -> dict[str, float]:
        """The mean training FLOPs on kept weights of each cell, as a share of those of the dense cell."""
        found = {cell.name: self.store.load(cell.wanted(self.store)).values() for cell in self.design.networks}
        costs = {name: [record["cost"]["sparse_flops"] for record in records] for name, records in found.items()}
        flops = {name: float(np.mean(own)) for name, own in costs.items() if own}
        dense = flops.get(self.dense.name) if self.dense else None
        return {name: value / dense for name, value in flops.items()} if dense else {}

    @cached_property
    def line(self) -> list[tuple[float, Networks]]:
        """Dense networks that are trained as long as the dense one, by cost: small dense ones, then the dense one."""
        cells = [self.dense, *self.find(method="small-dense", epochs=self.dense.point.epochs)] if self.dense else []
        found = [(self.costs[cell.name], cell) for cell in cells if cell.name in self.costs]
        return sorted(found, key=lambda item: item[0])

    def equal_cost(self, cell: Networks) -> dict[Networks, float] | None:
        """Return the dense networks next to a cell in training cost, with weights that add up to 1.

        The weights interpolate linearly in the logarithm of cost; beyond the dense network it stands alone. None where
        no dense network costs as little.
        """
        cost = self.costs.get(cell.name)
        if cost is None or not self.line or cost < self.line[0][0]:
            return None
        if cost >= self.line[-1][0]:
            return {self.line[-1][1]: 1.0}
        (low, one), (high, other) = next((a, b) for a, b in pairwise(self.line) if b[0] > cost)
        share = math.log(cost / low) / math.log(high / low)
        return {one: 1 - share, other: share}

    def over_equal_cost(self, cells: list[Networks]) -> Estimate | None:
        """Return the mean over cells of a cell − dense networks of equal training cost, over those that have them."""
        opponents = {cell: self.equal_cost(cell) for cell in cells}
        there = {cell: weights for cell, weights in opponents.items() if weights}
        total: dict[Networks, float] = {}
        for cell, weights in there.items():
            total[cell] = 1 / len(there)
            for other, weight in weights.items():
                total[other] = total.get(other, 0.0) - weight / len(there)
        return self.contrast(total) if total else None

    @cached_property
    def cost_forest(self) -> pd.DataFrame:
        """One row per method and sparsity: in a source − dense networks of equal cost, as `Cells.forest`."""
        estimates = {key: self.over_equal_cost([inside]) for key, (inside, _) in self.pairs.items()}
        rows = [
            (name_row(*key), self.pairs[key][0].name, "", each.value, *limits, each.n, each.runs, np.nan)
            for key, each, limits in known_limits(estimates)
        ]
        return pd.DataFrame(rows, columns=FOREST)

    @cached_property
    def accuracies(self) -> pd.DataFrame:
        """The accuracy of each sparse cell, methods before their controls."""
        order = [*(f"{name} {start}" for name in NAMES.values() for start in (FROM_DENSE, INSIDE)), STATIC, SMALL]
        sparse = [cell for cell in self.design.networks if cell.point.sparsity]
        return self.levels(sorted(sparse, key=lambda cell: order.index(label(cell.point))), label)

    @cached_property
    def dense_level(self) -> pd.DataFrame:
        """The accuracy of the dense networks."""
        return self.levels([self.dense] if self.dense else [], label)

    @cached_property
    def points(self) -> pd.DataFrame:
        """Accuracy against training cost: the sparse cells of each sparsity, dense networks with each. Columns POINT.

        `front`: no other cell of that sparsity is at least as accurate at no higher cost (the Pareto front).
        """
        of_cell = {cell.name: cell for cell in self.design.networks}
        whole = self.levels(self.design.networks, label)
        whole = whole.assign(cost=whole["cell"].map(self.costs)).dropna(subset=["cost"])
        points = [of_cell[name].point for name in whole["cell"]]
        whole = whole.rename(columns={"row": "start"}).assign(
            arm=[point.method if point.method in methods.DYNAMIC else label(point) for point in points],
            epochs=[point.epochs for point in points],
        )
        parts = []
        for sparsity in sorted(set(whole["sparsity"]) - {0.0}):
            own = whole[whole["sparsity"].isin([0.0, sparsity])].sort_values(["cost", "mean"], ascending=[True, False])
            ahead = own["mean"].cummax().shift(fill_value=-np.inf)
            parts.append(own.assign(sparsity=sparsity, front=own["mean"] > ahead))
        return pd.concat(parts)[POINT] if parts else pd.DataFrame(columns=POINT)

    @property
    def cost_table(self) -> pd.DataFrame:
        """What each method costs from dense and in a source, in percent of the dense network's training, and saves."""
        costs = {key: [self.costs.get(cell.name, np.nan) for cell in pair] for key, pair in self.pairs.items()}
        rows = [
            (NAMES[method], 100 * sparsity, 100 * cost, 100 * other, 100 - 100 * cost / other)
            for (method, sparsity), (cost, other) in costs.items()
        ]
        return pd.DataFrame(rows, columns=SAVINGS).dropna(ignore_index=True)


def _place(cell: Networks) -> tuple[str, float]:
    return cell.point.method, cell.point.sparsity


def name_row(method: str, sparsity: float) -> str:
    """Return the name of the row of a method at a sparsity."""
    return f"{NAMES.get(method, method)}, {percent_text(sparsity)} %"
