"""One plan per notebook: parameters and store in, the runs that are still needed out.

`plan` is a pure function; notebooks, `make runs` and `make status` iterate it. What a notebook compares is a
Comparison: arms at every structure and sparsity, of single runs and of searches, whose next runs depend on the store.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from randsparse import data, networks, search
from randsparse.config import DEFAULTS, RunConfig
from randsparse.errors import unknown
from randsparse.runs import Store

Parameters = Mapping[str, Any]

DENSE, RANDOM, SEARCHED = "dense", "random", "searched"
SMALL_PARENT, SMALL_OWN = "small dense (parent's scale)", "small dense (own scale)"
ARMS = (DENSE, RANDOM, SEARCHED, SMALL_PARENT, SMALL_OWN)


@dataclass(frozen=True)
class Arm:
    """One run of a comparison and what it stands for; replicates of one arm differ in all three seeds."""

    arm: str
    structure: str
    sparsity: float
    replicate: int
    config: RunConfig


@dataclass(frozen=True)
class Search:
    """One independent population of a comparison, and the rounds that weed it out."""

    structure: str
    sparsity: float
    replicate: int
    candidates: tuple[RunConfig, ...]
    rounds: search.Rounds

    @property
    def early_epochs(self) -> int:
        """The epoch at which the last candidates are weeded out."""
        return self.rounds[-1][0]


@dataclass(frozen=True)
class Infeasible:
    """A point that a structure or rule cannot reach, and why."""

    arm: str
    structure: str
    sparsity: float
    reason: str


@dataclass(frozen=True)
class Comparison:
    """All arms, searches and infeasible points of a notebook."""

    arms: tuple[Arm, ...]
    searches: tuple[Search, ...]
    infeasible: tuple[Infeasible, ...]

    def needed(self, store: Store) -> list[RunConfig]:
        """Return the runs that are missing now; those of a later stage of a search follow when this one is stored."""
        wanted = [arm.config for arm in self.arms]
        for each in self.searches:
            wanted += search.needed(each.candidates, each.rounds, store)
        return [config for config in longest(wanted) if not store.has(config)]

    def used(self, store: Store) -> list[RunConfig]:
        """Return every run of the comparison that the store has, candidates as far as they were trained."""
        wanted = [arm.config for arm in self.arms]
        for each in self.searches:
            wanted += [config.replace(stop_epoch=epoch) for config in each.candidates for epoch, _ in each.rounds]
            wanted += each.candidates
        return [config for config in dict.fromkeys(wanted) if store.has(config)]

    def finished(self, store: Store) -> list[Arm]:
        """Return all arms, with the network that each finished search chose as arm "searched"."""
        return [*self.arms, *(found(each, store) for each in self.searches)]

    def after(self, early_epochs: int) -> Comparison:
        """Return the comparison with those searches only that chose after `early_epochs` epochs."""
        searches = tuple(each for each in self.searches if each.early_epochs == early_epochs)
        return replace(self, searches=searches)

    @property
    def unreachable(self) -> list[tuple[str, float, str]]:
        """The infeasible points as charts take them: structure, sparsity, arm."""
        return [(point.structure, point.sparsity, point.arm) for point in self.infeasible]


def base_config(parameters: Parameters) -> RunConfig:
    """Return the config made of those parameters that are fields of RunConfig."""
    return RunConfig(**{name: value for name, value in parameters.items() if name in DEFAULTS})


def longest(configs: Iterable[RunConfig]) -> list[RunConfig]:
    """Return one config a trajectory, the one that trains longest: its curve answers for the others."""
    found: dict[RunConfig, RunConfig] = {}
    for config in configs:
        known = found.get(config.trajectory)
        if known is None or (known.stop_epoch and config.last_epoch > known.last_epoch) or not config.stop_epoch:
            found[config.trajectory] = config
    return list(found.values())


def found(each: Search, store: Store) -> Arm:
    """Return the network that a finished search found: of its survivors the fittest on validation at the end."""
    survivors = list(search.outcome(each.candidates, each.rounds, store).survivors)
    records = [store.get(config) for config in survivors]
    best = search.weed_out(survivors, records, survivors[0].epochs, 1)[0]
    return Arm(SEARCHED, each.structure, each.sparsity, each.replicate, best)


def comparison(parameters: Parameters) -> Comparison:
    """Return the comparison of random search with its controls (Farahani 2024) at every structure and sparsity.

    Arms: the dense parent; random networks, drawn outside the populations; small dense networks with as many weights
    (structure "weight") or nodes a layer (structure "node"), with the parent's init scale and with their own.
    """
    base = base_config(parameters)
    shape = data.shape(base.dataset)
    for name in parameters["arms"]:
        if name not in ARMS:
            raise unknown("arm", name, ARMS)
    arms, searches, infeasible = [], [], []
    for structure in parameters["structures"]:
        for sparsity in parameters["sparsities"]:
            point = base.replace(sparsity=sparsity, structure=structure)
            if structure == "node":
                point = point.replace(engine=parameters["node_engine"])
            for name, config in _controls(point).items():
                if name not in parameters["arms"]:
                    continue
                if reason := networks.infeasible(config, *shape):
                    infeasible.append(Infeasible(name, structure, sparsity, reason))
                    continue
                for seed in range(parameters["seeds"]):
                    seeded = config.replace(mask_seed=seed, init_seed=seed, data_seed=seed)
                    arms.append(Arm(name, structure, sparsity, seed, seeded))
            if SEARCHED not in parameters["arms"]:
                continue
            if reason := networks.infeasible(point, *shape):
                infeasible.append(Infeasible(SEARCHED, structure, sparsity, reason))
                continue
            searches += [
                _search(point, structure, sparsity, index, parameters) for index in range(parameters["populations"])
            ]
    return Comparison(tuple(arms), tuple(searches), tuple(infeasible))


def early_phases(parameters: Parameters) -> Comparison:
    """Return the searches of one set of populations with each early phase, beside random controls.

    `early_phases` are fractions of training; the same candidates are looked at after each.
    """
    epochs = base_config(parameters).epochs
    parts = [
        comparison({**parameters, "early_epochs": max(1, round(phase * epochs)), "keep": 1})
        for phase in parameters["early_phases"]
    ]
    searches = tuple(each for part in parts for each in part.searches)
    return Comparison(parts[0].arms, searches, parts[0].infeasible)


def _controls(point: RunConfig) -> dict[str, RunConfig]:
    """Return the arms of a point that are single runs, by name; at sparsity 0 that is the dense parent alone."""
    if point.sparsity == 0:
        return {DENSE: point}
    small = point.replace(method="small-dense")
    return {RANDOM: point, SMALL_PARENT: small, SMALL_OWN: small.replace(init_scale="own")}


def _search(point: RunConfig, structure: str, sparsity: float, index: int, parameters: Parameters) -> Search:
    """Return the search of population `index`; it shares the data order of random control `index`."""
    size, epochs = parameters["population_size"], point.epochs
    if rate := parameters.get("halving_rate", 0):
        rounds = search.halving(parameters["early_epochs"], size, rate)
    else:
        rounds = search.one_round(parameters["early_epochs"], parameters["keep"])
    search.check_rounds(rounds, size, epochs)
    base = point.replace(data_seed=index, init_seed=index)
    candidates = search.population(base, index, size, parameters["vary"])
    return Search(structure, sparsity, index, tuple(candidates), rounds)


COMPARISONS: dict[str, Callable[[Parameters], Comparison]] = {
    "02_random_search": early_phases,
    "03_sparsity_vs_accuracy": comparison,
}
"""The comparison that each notebook shows, by the notebook's name; a notebook that is not here needs no runs."""


def compared(name: str, parameters: Parameters) -> Comparison:
    """Return the comparison of notebook `name`, which is one with nothing in it for a notebook that needs no runs."""
    return _compared(name, json.dumps(dict(parameters), sort_keys=True))


@lru_cache(maxsize=32)
def _compared(name: str, parameters: str) -> Comparison:
    return COMPARISONS[name](json.loads(parameters)) if name in COMPARISONS else Comparison((), (), ())


def plan(name: str, parameters: Parameters, store: Store) -> list[RunConfig]:
    """Return the runs that notebook `name` needs next, [] when there is nothing left (partial(plan, ...) is a Plan)."""
    return compared(name, parameters).needed(store)


def used(name: str, parameters: Parameters, store: Store) -> list[RunConfig]:
    """Return the runs that notebook `name` shows, as far as the store has them: what its figures depend on."""
    return compared(name, parameters).used(store)
