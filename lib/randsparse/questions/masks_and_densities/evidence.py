"""All that notebook 01 draws and counts, once, so that figures, tables and sentences agree."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import pandas as pd
from scipy.stats import sem

from randsparse.comparison import stats
from randsparse.comparison.design import Parameters
from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.wording import format_model
from randsparse.networks.residual import ResidualNetwork
from randsparse.questions.masks_and_densities import survey, verdicts
from randsparse.sparsity import densities, masks
from randsparse.sparsity.layers import maskable
from randsparse.sparsity.masks import Mask

FEWEST = 3
"""Masks without which there is no estimate."""


@dataclass(frozen=True)
class Evidence:
    """What masks of a network say, drawn with the parameters of a notebook; nothing is trained."""

    parameters: Parameters

    @cached_property
    def network(self) -> ResidualNetwork:
        """The network that is masked."""
        return survey.network(self.parameters["model"], self.parameters["dataset"])

    def _given(self, *names: str) -> list[Any]:
        return [self.parameters[name] for name in names]

    @property
    def shapes(self) -> densities.Shapes:
        """The shapes of the weights that a mask covers."""
        return maskable(self.network)

    @property
    def mask(self) -> Mask:
        """One random mask by ERK."""
        counts = densities.allocate(self.shapes, 1 - self.parameters["sparsity"], "erk")
        return masks.draw(self.shapes, counts, seed=0)

    @cached_property
    def pictures(self) -> dict:
        """One mask of a layer for each way to draw it."""
        return survey.pictures(self.network, *self._given("layer", "sparsity"), seed=0)

    @cached_property
    def draws(self) -> pd.DataFrame:
        """How many weights and inputs each way leaves, one row per way and seed."""
        return survey.draws(self.network, *self._given("layer", "sparsity", "seeds"))

    @cached_property
    def layers(self) -> pd.DataFrame:
        """The density of each layer under each rule."""
        return survey.layers(self.network, *self._given("rules", "shown_sparsities"))

    @cached_property
    def unreachable(self) -> pd.DataFrame:
        """The sparsities that rules cannot reach, and why."""
        return survey.list_unreachable(self.network, *self._given("rules", "sparsities"))

    @cached_property
    def allocated(self) -> pd.DataFrame:
        """Requested and realised density of whole networks, allocated exactly and clipped."""
        given = self.parameters
        networks = {name: survey.network(name, given["allocated_dataset"]) for name in given["allocated_models"]}
        steps = given["asked_densities"] + 1
        asked = [step / steps for step in range(1, steps)]
        return survey.allocations(networks, dict.fromkeys([*given["rules"], *survey.CLIPPING]), asked)

    @cached_property
    def paths(self) -> pd.DataFrame:
        """The share of kept weights on a path from input to classes, one row per mask."""
        found = survey.effective(self.network, *self._given("rules", "sparsities", "kinds", "seeds"))
        return found.assign(panel=found["draw"].str.capitalize() + " draw")

    @cached_property
    def gaps(self) -> pd.DataFrame:
        """From which sparsity on effective density is lower than density, by draw and rule."""
        return verdicts.gaps(self.paths, self.parameters["gap"])

    @cached_property
    def pairs(self) -> pd.DataFrame:
        """What two masks of different seeds share, beside chance."""
        return survey.pairs(self.network, *self._given("rules", "sparsities", "pairs"))

    @cached_property
    def nested(self) -> pd.DataFrame:
        """Whether the sparser of two masks of one seed lies in the denser."""
        return survey.measure_nesting(self.network, *self._given("rules", "sparsities", "seeds"))

    @property
    def overlap(self) -> pd.DataFrame:
        """What pairs share compared with chance, by rule and sparsity."""
        compared = self.pairs.dropna().melt(["rule", "sparsity"], ["jaccard", "expected"], "arm", "overlap")
        compared = compared.rename(columns={"rule": "structure"})
        return stats.comparisons(compared, "jaccard", "expected", y="overlap", margin=self.parameters["margin"])

    def on_path(self, rule: str, sparsity: float) -> Estimate | None:
        """Return the share of kept weights on a path, in percent, of exact masks; None with fewer than three."""
        own = self.paths.query("rule == @rule and draw == 'exact' and sparsity == @sparsity")["share"].dropna()
        if len(own) < FEWEST:
            return None
        return Estimate(100 * own.mean(), 100 * float(sem(own)), len(own) - 1.0, len(own), len(own))

    @property
    def regime(self) -> str:
        """The network in words."""
        weights = sum(map(math.prod, self.shapes.values()))
        model = format_model(self.parameters["model"])
        return f"{model} for {self.parameters['dataset']}, {weights:,} weights, not trained"
