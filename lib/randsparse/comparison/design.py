"""What a notebook compares: arms of single runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from randsparse.data import catalogue
from randsparse.runs import feasibility
from randsparse.runs.config import DEFAULTS, RunConfig
from randsparse.runs.store import Store

Parameters = Mapping[str, Any]
Points = dict[tuple[str, str, float], RunConfig]
"""A config by arm, structure and sparsity; its seeds do not count."""

TICKET = "edge-popup"
"""The method that chooses strong tickets."""


@dataclass(frozen=True)
class Arm:
    """One run of a comparison and what it stands for; replicates of one arm differ in all three seeds."""

    arm: str
    structure: str
    sparsity: float
    replicate: int
    config: RunConfig


@dataclass(frozen=True)
class Infeasible:
    """A point that a structure or rule cannot reach, and why."""

    arm: str
    structure: str
    sparsity: float
    reason: str
    model: str = ""


@dataclass(frozen=True)
class Comparison:
    """All arms and infeasible points of a notebook."""

    arms: tuple[Arm, ...]
    infeasible: tuple[Infeasible, ...]

    def singles(self, store: Store) -> list[Arm]:
        """Return the arms; a comparison of cells has those whose runs are in the store."""
        return list(self.arms)

    def needed(self, store: Store) -> list[RunConfig]:
        """Return the runs that are missing now."""
        return [config for config in self._wanted if not store.has(config)]

    def planned(self, store: Store) -> list[RunConfig]:
        """Return `needed`: every run is known."""
        return self.needed(store)

    def used(self, store: Store) -> list[RunConfig]:
        """Return every run of the comparison that the store has."""
        return [config for config in self._wanted if store.has(config)]

    @property
    def _wanted(self) -> dict[RunConfig, None]:
        return dict.fromkeys(arm.config for arm in self.arms)


def make_config(parameters: Parameters) -> RunConfig:
    """Return the config made of those parameters that are fields of RunConfig."""
    return RunConfig(**{name: value for name, value in parameters.items() if name in DEFAULTS})


def compare(points: Points, seeds: int) -> Comparison:
    """Return the comparison of arms that are single runs: `seeds` replicates of each point, in the order of points.

    Replicates differ in all three seeds. A point that a structure or rule cannot reach is one of `infeasible`, with
    the reason, and has no runs.
    """
    arms, infeasible = [], []
    for (name, structure, sparsity), config in points.items():
        if reason := feasibility.explain_infeasible(config, *catalogue.shape(config.dataset)):
            infeasible.append(Infeasible(name, structure, sparsity, reason, config.model))
            continue
        for seed in range(seeds):
            own = config.replace(mask_seed=seed, init_seed=seed, data_seed=seed)
            arms.append(Arm(name, structure, sparsity, seed, own))
    return Comparison(tuple(arms), tuple(infeasible))
