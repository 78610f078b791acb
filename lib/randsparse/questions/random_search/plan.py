"""The runs of notebooks 02 and 03: random search beside its controls (Farahani 2024)."""

from __future__ import annotations

from randsparse.comparison import search
from randsparse.comparison.design import (
    CONTROLS,
    SEARCHED,
    Comparison,
    Infeasible,
    Parameters,
    Search,
    base_config,
    compare,
    control_points,
    join,
    masked_points,
)
from randsparse.data import catalogue
from randsparse.errors import unknown
from randsparse.runs import feasibility
from randsparse.runs.config import RunConfig

ARMS = (*CONTROLS, SEARCHED)


def comparison(parameters: Parameters) -> Comparison:
    """Return the comparison of random search with its controls (Farahani 2024) at every structure and sparsity.

    Arms: the dense parent; random networks, drawn outside the populations; small dense networks with as many weights
    (structure "weight") or nodes per layer (structure "node"), with the parent's init scale and with their own;
    networks that were searched. Raises StudyError for an arm that is none of ARMS.
    """
    for name in parameters["arms"]:
        if name not in ARMS:
            raise unknown("arm", name, ARMS)
    parts = []
    for structure, sparsity, point in masked_points(parameters):
        points = control_points(structure, sparsity, point, parameters["arms"])
        parts.append(compare(points, parameters["seeds"]))
        if SEARCHED in parameters["arms"]:
            parts.append(_searches(structure, sparsity, point, parameters))
    return join(parts)


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


def _searches(structure: str, sparsity: float, point: RunConfig, parameters: Parameters) -> Comparison:
    """Return the searches of all populations at a point."""
    if reason := feasibility.infeasible(point, *catalogue.shape(point.dataset)):
        return Comparison((), (), (Infeasible(SEARCHED, structure, sparsity, reason, point.model),))
    found = [_search(point, structure, sparsity, index, parameters) for index in range(parameters["populations"])]
    return Comparison((), tuple(found), ())


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
