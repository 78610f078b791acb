"""What is left to evaluate, in the units in which it is measured."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from randsparse.runs import evaluations
from randsparse.runs.config import RunConfig
from randsparse.runs.evaluations import Evaluation
from randsparse.runs.store import Store
from randsparse.training.weights import WITHOUT_WEIGHTS


class Unit(NamedTuple):
    """The evaluations of one kind of one run, which share what they compute."""

    run: RunConfig
    evaluations: tuple[Evaluation, ...]


def missing(runs: Iterable[RunConfig], wanted: Iterable[Evaluation], store: Store) -> list[Unit]:
    """Return what `measuring.evaluate` would measure now; raises as `evaluations.load`.

    Runs that are recorded as diverged or failed have no weights and are left out.
    """
    runs, wanted = list(dict.fromkeys(runs)), list(dict.fromkeys(wanted))
    records = store.load(runs)
    have = evaluations.load(runs, wanted, store)
    groups: dict[tuple[RunConfig, str], list[Evaluation]] = {}
    for run in runs:
        if records.get(run.key, {}).get("status") in WITHOUT_WEIGHTS:
            continue
        for each in wanted:
            if (run, each) not in have:
                groups.setdefault((run, each.kind), []).append(each)
    return [Unit(run, tuple(group)) for (run, _), group in groups.items()]
