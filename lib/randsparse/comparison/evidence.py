"""What the evidence of several notebooks has in common: cells by their names, differences, tables, and findings."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import pandas as pd

from randsparse.comparison import conclusions, frames
from randsparse.comparison.cells import Cells, Pair, Runs
from randsparse.comparison.conclusions import convert_to_points
from randsparse.comparison.contrasts import estimate_contrast, levels
from randsparse.comparison.design import Parameters
from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.inference.simultaneous import simultaneous_intervals
from randsparse.comparison.primary import PrimaryClaim
from randsparse.comparison.wording import number
from randsparse.runs.config import RunConfig

Key = TypeVar("Key")
LIMITS = ["mean", "low", "high"]


@dataclass(frozen=True)
class NamedCells(Runs):
    """What the finished runs of cells say that the parameters of a notebook name, each with a role.

    Attributes:
        parameters: those of the notebook.
    """

    parameters: Parameters

    @property
    def points(self) -> dict[str, RunConfig]:
        """What each cell stands for, by its name: a config whose seeds do not count."""
        return {cell.name: cell.point for cell in self.design.networks}

    def difference(self, a: str, b: str) -> Estimate | None:
        """Return cell a minus cell b in test accuracy, None as long as there are too few runs."""
        return estimate_contrast(self.design, self.results, {a: 1.0, b: -1.0})

    @property
    def accuracies(self) -> pd.DataFrame:
        """One row per cell: cell, learning rate, how many runs there are of those planned, and test accuracy in words.

        A cell without an accuracy has 0 runs and an empty text.
        """
        means = levels(self.design, self.results).set_index("cell")
        rates = self.results.drop_duplicates("cell").set_index("cell")["lr"]
        rows = [
            {
                "cell": cell.name,
                "lr": rates.get(cell.name),
                "runs": f"{means['runs'].get(cell.name, 0):.0f} of {len(cell.planned(self.store))}",
                "test accuracy (%)": mean_text(*means.loc[cell.name, LIMITS]) if cell.name in means.index else "",
            }
            for cell in self.design.networks
        ]
        return pd.DataFrame(rows)

    def every_run(self) -> dict[str, Any]:
        """Return the row of the check that every planned run is finished."""
        planned = sum(len(cell.planned(self.store)) for cell in self.design.networks)
        there, diverged = len(self.results), int(self.results["test_accuracy"].isna().sum())
        told = f"{there} of {planned} runs are there, {diverged} of them diverged."
        holds = [there == planned and not diverged] if there else []
        return conclusions.check("Every planned run is finished.", holds, told) | {"n": there}


class MaskedCells(Cells):
    """Cells of masks whose weights are counted, beside those of dense networks."""

    @cached_property
    def matched(self) -> pd.DataFrame:
        """The realised densities at each sparsity of all masks; small dense networks have none."""
        small = [cell.name for cell in self.find(method="small-dense")]
        found = frames.layers(self.design, self.store)
        return frames.compare_densities(found[~found["arm"].isin(small)])

    def mean_difference(self, pairs: Mapping[Key, Pair], keys: Sequence[Key]) -> Estimate | None:
        """Return the mean of a - b in test accuracy over the pairs of these keys; None unless all of them are there."""
        return self.difference([pairs[key] for key in keys]) if pairs.keys() >= set(keys) else None

    def checks(self) -> list[dict[str, Any]]:
        """Return the rows of the checks that all runs are there, and that all masks of a sparsity are as dense."""
        return [conclusions.complete(self.cells, self.regime), conclusions.check_density(self.matched, self.regime)]

    def judge(
        self, claim: PrimaryClaim, pairs: Mapping[str, Sequence[Pair]], dominance: bool = False
    ) -> list[dict[str, Any]]:
        """Return the rows of further findings about differences, judged by unit, direction and margin of `claim`.

        Args:
            pairs: those whose mean difference decides, by the sentence that is claimed; without a pair there is no row.
            dominance: whether the evidence on a single pair tells P(A > B), too.
        """
        rows = []
        for sentence, own in pairs.items():
            above = self.above(*own[0]) if dominance and len(own) == 1 else math.nan
            if own:
                rows.append(
                    conclusions.conclude_like(
                        claim, sentence, convert_to_points(self.difference(own)), self.regime, above
                    )
                )
        return rows


def known_limits(estimates: Mapping[Key, Estimate | None]) -> list[tuple[Key, Estimate, tuple[float, float]]]:
    """Return each estimate that there is, by its key, with the limits of simultaneous 95 % intervals of all of them."""
    known = [(key, estimate) for key, estimate in estimates.items() if estimate is not None]
    limits = simultaneous_intervals([estimate for _, estimate in known])
    return [(*each, ends) for each, ends in zip(known, limits, strict=True)]


def mean_text(mean: float, low: float, high: float, scale: float = 100, digits: int = 2) -> str:
    """Return a mean with its limits, such as "1.54 [1.20, 1.90]", of fractions in percent."""
    shown, *limits = (number(scale * value, digits) for value in (mean, low, high))
    return f"{shown} [{', '.join(limits)}]"
