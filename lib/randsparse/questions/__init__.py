"""The questions of the study, one room each, and what each notebook needs: its runs, and evaluations of them.

`plan` is a pure function: parameters and store in, the runs that are still needed out. Notebooks, `make runs` and
`make status` iterate it. What a notebook compares is a Comparison of single runs at every structure and sparsity, or
the cells of a campaign; where learning rates are chosen, the next runs depend on the store.

A room is imported when one of its notebooks is asked for. No plan needs torch or pandas, whose import takes seconds.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any

from randsparse.comparison.crossed import Crossed, select_cells
from randsparse.comparison.design import Comparison, Parameters
from randsparse.runs import evaluations
from randsparse.runs.config import RunConfig
from randsparse.runs.evaluations import Evaluation
from randsparse.runs.store import Store

ROOMS = {
    "01_masks_and_densities": "masks_and_densities",
    "02_random_search": "random_search",
    "03_sparsity_vs_accuracy": "random_search",
    "04_size": "size",
    "05_layerwise_density": "layerwise_density",
    "06_beyond_accuracy": "beyond_accuracy",
    "07_theory": "theory",
    "08_sparse_to_sparse": "sparse_to_sparse",
    "09_strong_tickets": "strong_tickets",
    "10_early_and_late": "early_and_late",
    "11_search_cost": "search_cost",
    "12_beyond_images": "beyond_images",
}
"""The room of each notebook, a folder beside this file; a notebook that is not here asks no question of its own."""
COMPARISONS = {
    "01_masks_and_densities": "make_comparison",
    "02_random_search": "search",
    "03_sparsity_vs_accuracy": "sparsities",
    "04_size": "sizes",
    "06_beyond_accuracy": "networks",
    "07_theory": "cells",
    "10_early_and_late": "cells",
    "11_search_cost": "search_cost",
    "12_beyond_images": "cells",
}
"""The function in the plan of its room that makes the comparison of a notebook.

Others with a room compare the cells that their parameter `cells` names, and need no plan.
"""
FILES = {"11_search_cost": "bench_files"}
"""The function in the plan of its room that lists other files of results which a notebook reads; most read none."""
PLANS = {"06_beyond_accuracy": "evaluations"}
"""The function in the plan of its room that lists the evaluations which a notebook needs; others need none."""
GROUPS = {"10_early_and_late": "plan_measurements"}
"""The function in the plan of its room that lists runs with their evaluations, where these differ from run to run."""


def compare(name: str, parameters: Parameters) -> Comparison | Crossed:
    """Return the comparison of notebook `name`, which is one with nothing in it for a notebook that needs no runs."""
    return _compared(name, json.dumps(dict(parameters)))


@lru_cache(maxsize=32)
def _compared(name: str, parameters: str) -> Comparison | Crossed:
    values = json.loads(parameters)
    if name in COMPARISONS:
        return _planner(name, COMPARISONS)(values)
    return select_cells(values, values["cells"]) if "cells" in values else Comparison((), ())


def _planner(name: str, functions: dict[str, str]) -> Callable[[Parameters], Any]:
    """Return the function of a notebook in the plan of its room."""
    return getattr(import_module(f"{__name__}.{ROOMS[name]}.plan"), functions[name])


def plan(name: str, parameters: Parameters, store: Store) -> list[RunConfig]:
    """Return the runs that notebook `name` needs next, [] when there is nothing left (partial(plan, ...) is a Plan)."""
    return compare(name, parameters).needed(store)


def plan_runs(name: str, parameters: Parameters, store: Store) -> list[RunConfig]:
    """Return all runs that notebook `name` lacks, as far as they are known, also those that cannot be trained yet."""
    return compare(name, parameters).planned(store)


def find_used(name: str, parameters: Parameters, store: Store) -> list[RunConfig]:
    """Return the runs that notebook `name` shows, as far as the store has them: what its figures depend on."""
    return compare(name, parameters).used(store)


def plan_evaluations(name: str, parameters: Parameters) -> list[Evaluation]:
    """Return the evaluations that notebook `name` needs of each run; raises StudyError for impossible values."""
    return _planner(name, PLANS)(parameters) if name in PLANS else []


def list_evaluated(name: str, parameters: Parameters, store: Store) -> list[RunConfig]:
    """Return the runs that notebook `name` evaluates, those of arms whose settings are known, stored or not."""
    if not plan_evaluations(name, parameters):
        return []
    return list(dict.fromkeys(arm.config for arm in compare(name, parameters).singles(store)))


def group_evaluations(
    name: str, parameters: Parameters, store: Store
) -> list[tuple[list[RunConfig], list[Evaluation]]]:
    """Return the runs that notebook `name` evaluates, in groups, each with the evaluations of its runs."""
    if name in GROUPS:
        return [group for group in _planner(name, GROUPS)(parameters, store) if group[0]]
    plan = plan_evaluations(name, parameters)
    return [(list_evaluated(name, parameters, store), plan)] if plan else []


def find_missing(name: str, parameters: Parameters, store: Store) -> list[evaluations.Unit]:
    """Return what `store` lacks of the evaluations of notebook `name`, [] where a campaign makes them.

    Raises as `evaluations.load`.
    """
    if not parameters.get("train_missing", True):
        return []
    return [
        unit for group in group_evaluations(name, parameters, store) for unit in evaluations.find_missing(*group, store)
    ]


def list_paths(name: str, parameters: Parameters, store: Store) -> list[Path]:
    """Return the files of results, other than records, that notebook `name` shows, as far as they are there."""
    pairs = (
        (run, each) for group, plan in group_evaluations(name, parameters, store) for run in group for each in plan
    )
    own = [evaluations.find_path(run, each, store) for run, each in pairs]
    own += _planner(name, FILES)(store) if name in FILES else []
    return [path for path in own if path.is_file()]
