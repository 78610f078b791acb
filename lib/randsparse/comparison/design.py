"""What a notebook compares: arms of single runs, and learning rates whose next runs depend on the store."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from randsparse.data import catalogue
from randsparse.runs import feasibility
from randsparse.runs.config import DEFAULTS, RunConfig
from randsparse.runs.store import Record, Store

Parameters = Mapping[str, Any]
Points = dict[tuple[str, str, float], RunConfig]
"""A config by arm, structure and sparsity; its seeds do not count."""

DENSE, RANDOM = "dense", "random"
"""Arms: the dense network, and static random masks."""
SMALL_PARENT, SMALL_OWN = "small dense (parent's scale)", "small dense (own scale)"
CONTROLS = (DENSE, RANDOM, SMALL_PARENT, SMALL_OWN)
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
class Tuning:
    """A learning rate that is chosen on validation data, and the arms that are trained with it.

    Attributes:
        trials: runs that differ in learning rate and seeds.
        arms: those of the comparison, with a learning rate that does not count.
    """

    sparsity: float
    trials: tuple[RunConfig, ...]
    arms: tuple[Arm, ...]

    def chosen(self, store: Store) -> float | None:
        """Return the rate with the highest mean validation accuracy at the end, the lowest if several; None too early.

        A rate of which a run diverged or failed is not chosen unless that holds for all.
        """
        records = store.load(self.trials)
        if len(records) < len(set(self.trials)):
            return None
        by_rate: dict[float, list[float]] = {}
        for trial in self.trials:
            by_rate.setdefault(trial.lr, []).append(_final_accuracy(records[trial.key]))
        return max(sorted(by_rate), key=lambda lr: sum(by_rate[lr]) / len(by_rate[lr]))

    def tuned(self, store: Store) -> list[Arm]:
        """Return the arms with the chosen learning rate; [] as long as it is not known."""
        lr = self.chosen(store)
        return [] if lr is None else [replace(arm, config=arm.config.replace(lr=lr)) for arm in self.arms]


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
    """All arms, learning rates to choose and infeasible points of a notebook."""

    arms: tuple[Arm, ...]
    infeasible: tuple[Infeasible, ...]
    tunings: tuple[Tuning, ...] = ()

    def singles(self, store: Store) -> list[Arm]:
        """Return the arms that are single runs, as far as their learning rates are known."""
        return [*self.arms, *(arm for each in self.tunings for arm in each.tuned(store))]

    def needed(self, store: Store) -> list[RunConfig]:
        """Return the runs that are missing now; those with a rate that is not chosen yet follow when it is."""
        return [config for config in longest(self._wanted(store)) if not store.has(config)]

    def planned(self, store: Store) -> list[RunConfig]:
        """Return `needed`: what follows is not known before."""
        return self.needed(store)

    def used(self, store: Store) -> list[RunConfig]:
        """Return every run of the comparison that the store has."""
        return [config for config in dict.fromkeys(self._wanted(store)) if store.has(config)]

    def finished(self, store: Store) -> list[Arm]:
        """Return all arms, as far as their learning rates are known."""
        return self.singles(store)

    def _wanted(self, store: Store) -> list[RunConfig]:
        return [config for each in self.tunings for config in each.trials] + [arm.config for arm in self.singles(store)]

    @property
    def unreachable(self) -> list[tuple[str, float, str]]:
        """The infeasible points as charts take them: structure, sparsity, arm."""
        return [(point.structure, point.sparsity, point.arm) for point in self.infeasible]


def base_config(parameters: Parameters) -> RunConfig:
    """Return the config made of those parameters that are fields of RunConfig."""
    return RunConfig(**{name: value for name, value in parameters.items() if name in DEFAULTS})


def replicates(name: str, structure: str, sparsity: float, config: RunConfig, seeds: int) -> list[Arm]:
    """Return the runs of an arm, which differ in all three seeds."""
    return [
        Arm(name, structure, sparsity, seed, config.replace(mask_seed=seed, init_seed=seed, data_seed=seed))
        for seed in range(seeds)
    ]


def compare(points: Points, seeds: int) -> Comparison:
    """Return the comparison of arms that are single runs: `seeds` replicates of each point, in the order of points.

    A point that a structure or rule cannot reach is one of `infeasible`, with the reason, and has no runs.
    """
    arms, infeasible = [], []
    for (name, structure, sparsity), config in points.items():
        if reason := feasibility.infeasible(config, *catalogue.shape(config.dataset)):
            infeasible.append(Infeasible(name, structure, sparsity, reason, config.model))
        else:
            arms += replicates(name, structure, sparsity, config, seeds)
    return Comparison(tuple(arms), tuple(infeasible))


def join(parts: Iterable[Comparison]) -> Comparison:
    """Return the comparison of all that is in several, in their order."""
    parts = list(parts)
    names = ("arms", "infeasible", "tunings")
    return Comparison(*(tuple(each for part in parts for each in getattr(part, name)) for name in names))


def trials(config: RunConfig, rates: Iterable[float], seeds: int) -> tuple[RunConfig, ...]:
    """Return the runs by which one of `rates` is chosen: `seeds` replicates of a config at each learning rate."""
    runs = [each for lr in rates for each in replicates("", "", 0.0, config.replace(lr=lr), seeds)]
    return tuple(each.config for each in runs)


def longest(configs: Iterable[RunConfig]) -> list[RunConfig]:
    """Return one config a trajectory, the one that trains longest: its curve answers for the others."""
    found: dict[RunConfig, RunConfig] = {}
    for config in configs:
        known = found.get(config.trajectory)
        if known is None or (known.stop_epoch and config.last_epoch > known.last_epoch) or not config.stop_epoch:
            found[config.trajectory] = config
    return list(found.values())


def _final_accuracy(record: Record) -> float:
    """Return validation accuracy at the end of a run, and -1 if it has none."""
    return record["curve"][-1]["val_accuracy"] if record["status"] == "done" else -1.0
