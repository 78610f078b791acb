"""One plan per notebook: parameters and store in, the runs that are still needed out.

`plan` is a pure function; notebooks, `make runs` and `make status` iterate it. What a notebook compares is a
Comparison: arms at every structure and sparsity, of single runs and of searches, whose next runs depend on the store.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from functools import lru_cache

from randsparse.comparison import search
from randsparse.comparison.design import (
    DENSE,
    RANDOM,
    SEARCHED,
    SMALL_OWN,
    SMALL_PARENT,
    Arm,
    Comparison,
    Infeasible,
    Parameters,
    Search,
    Tuning,
    base_config,
    replicates,
)
from randsparse.data import catalogue
from randsparse.errors import unknown
from randsparse.questions.beyond_images import plan as beyond_images_runs
from randsparse.questions.sparse_to_sparse import plan as sparse_training_runs
from randsparse.questions.theory import plan as theory_runs
from randsparse.runs import feasibility
from randsparse.runs.config import RunConfig
from randsparse.runs.flops import narrow_at_equal_flops
from randsparse.runs.store import Store

SMALL_FLOPS = "small dense (equal FLOPs)"
ARMS = (DENSE, RANDOM, SEARCHED, SMALL_PARENT, SMALL_OWN)
NO_NARROWER = "a network of one node a group has more FLOPs"
NEW_INIT = 1000
"""What is added to a replicate's seed for initial weights that are scored and not trained."""


def comparison(parameters: Parameters) -> Comparison:
    """Return the comparison of random search with its controls (Farahani 2024) at every structure and sparsity.

    Arms: the dense parent; random networks, drawn outside the populations; small dense networks with as many weights
    (structure "weight") or nodes a layer (structure "node"), with the parent's init scale and with their own.
    """
    base = base_config(parameters)
    shape = catalogue.shape(base.dataset)
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
                if reason := feasibility.infeasible(config, *shape):
                    infeasible.append(Infeasible(name, structure, sparsity, reason, config.model))
                    continue
                arms += replicates(name, structure, sparsity, config, parameters["seeds"])
            if SEARCHED not in parameters["arms"]:
                continue
            if reason := feasibility.infeasible(point, *shape):
                infeasible.append(Infeasible(SEARCHED, structure, sparsity, reason, point.model))
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


def sizes(parameters: Parameters) -> Comparison:
    """Return the comparison of networks of several depths and widths at every sparsity, dense ones among them.

    Arms of each of `models`: dense and random; of those that are also in `narrow`, small dense networks with as many
    weights as the random one, and with as many FLOPs. The learning rate of each sparsity is one of `lrs`, chosen on
    validation with the first of `models` that can have it; small dense networks have that of the dense ones.
    """
    base, seeds = base_config(parameters), parameters["seeds"]
    sparsities = sorted({0.0, *parameters["sparsities"]})
    tuned: dict[float, list[Arm]] = {sparsity: [] for sparsity in sparsities}
    infeasible = []
    for model in parameters["models"]:
        for sparsity in sparsities:
            point = base.replace(model=model, sparsity=sparsity)
            for name, config in _of_size(point, narrow=model in parameters["narrow"]).items():
                reason = feasibility.infeasible(config, *catalogue.shape(base.dataset)) if config else NO_NARROWER
                if reason:
                    infeasible.append(Infeasible(name, "weight", sparsity, reason, model))
                    continue
                like = sparsity if name == RANDOM else 0.0
                tuned[like] += replicates(name, "weight", sparsity, config, seeds)
    tunings = [
        Tuning(sparsity, _trials(arms[0], parameters["lrs"], seeds), tuple(arms))
        for sparsity, arms in tuned.items()
        if arms
    ]
    return Comparison((), (), tuple(infeasible), tuple(tunings))


def layers(parameters: Parameters) -> Comparison:
    """Return the comparison of rules at every sparsity, and of score masks with what is left of them.

    Arms: the dense network; random masks by each of `rules`, named so; and at each of `mask_sparsities`, for each of
    `criteria`, the mask of the highest scores ("snip mask"), that mask around other initial weights than the scored
    ones ("snip mask, new init"), and the random mask with its counts of weights a layer ("snip"): its shuffled version.
    """
    base, seeds = base_config(parameters), parameters["seeds"]
    configs = {(DENSE, 0.0): base}
    for sparsity in parameters["sparsities"]:
        configs |= {(rule, sparsity): base.replace(sparsity=sparsity, rule=rule) for rule in parameters["rules"]}
    for sparsity in parameters["mask_sparsities"]:
        for score in parameters["criteria"]:
            configs[score, sparsity] = base.replace(sparsity=sparsity, rule=score)
            configs[score_mask(score), sparsity] = base.replace(sparsity=sparsity, rule=score, criterion=score)
    arms, infeasible = [], []
    for (name, sparsity), config in configs.items():
        if reason := feasibility.infeasible(config, *catalogue.shape(base.dataset)):
            infeasible.append(Infeasible(name, "weight", sparsity, reason, config.model))
            continue
        own = replicates(name, "weight", sparsity, config, seeds)
        arms += own
        if config.criterion != "random":
            arms += [_scored_elsewhere(arm) for arm in own]
    return Comparison(tuple(arms), (), tuple(infeasible))


def score_mask(score: str, new_init: bool = False) -> str:
    """Return the name of the arm that keeps the highest scores, of its own initial weights or of others."""
    return f"{score} mask, new init" if new_init else f"{score} mask"


def _scored_elsewhere(arm: Arm) -> Arm:
    """Return the arm whose mask was scored on other initial weights than those that are trained."""
    config = arm.config.replace(score_init_seed=arm.config.init_seed + NEW_INIT)
    return replace(arm, arm=score_mask(config.criterion, new_init=True), config=config)


def _of_size(point: RunConfig, narrow: bool) -> dict[str, RunConfig | None]:
    """Return the arms of one model and sparsity; None where no narrower network has as few FLOPs."""
    if point.sparsity == 0:
        return {DENSE: point}
    if not narrow:
        return {RANDOM: point}
    small = point.replace(method="small-dense", init_scale="own")
    feasible = not feasibility.infeasible(point, *catalogue.shape(point.dataset))
    return {RANDOM: point, SMALL_OWN: small} | ({SMALL_FLOPS: narrow_at_equal_flops(point)} if feasible else {})


def _trials(arm: Arm, rates: list[float], seeds: int) -> tuple[RunConfig, ...]:
    """Return the runs, replicates of an arm at each of `rates`, by which one of these is chosen."""
    trials = [each for lr in rates for each in replicates("", "", 0.0, arm.config.replace(lr=lr), seeds)]
    return tuple(each.config for each in trials)


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
    "04_size": sizes,
    "05_layerwise_density": layers,
    "06_beyond_accuracy": comparison,
    "07_theory": theory_runs.comparison,
    "08_sparse_to_sparse": sparse_training_runs.sparse_to_sparse,
    "09_strong_tickets": sparse_training_runs.strong_tickets,
    "12_beyond_images": beyond_images_runs.comparison,
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
