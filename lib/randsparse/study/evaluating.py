"""The evaluations of a whole profile: made before its notebooks are executed, and counted."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from randsparse.questions.beyond_accuracy import plan
from randsparse.runs.evaluations import Unit
from randsparse.study import status
from randsparse.training import weights

if TYPE_CHECKING:
    from randsparse.study.profile import Study


def missing(study: Study, name: str) -> list[Unit]:
    """Return the evaluations of a notebook that the store does not have."""
    return plan.missing(name, study.parameters[name], study.store)


def evaluate(study: Study, names: Sequence[str]) -> bool:
    """Make the evaluations that notebooks lack, after saying how many; return whether all are there.

    A budget is for runs alone: it says what is left.
    """
    complete = True
    for name in names:
        if not (units := missing(study, name)):
            continue
        if study.budget:
            study.say(f"{name}: {left(study, units)}, by the same command without a budget")
            complete = False
            continue
        study.say(f"{name}: {left(study, units)}")
        values, where = study.parameters[name], {"data_dir": study.data_dir, "device": study.device or "cpu"}
        from randsparse.sweeps import measuring

        runs, wanted = plan.runs(name, values, study.store), plan.wanted(name, values)
        measuring.evaluate(runs, wanted, study.store, workers=study.workers, **where)
    return complete


def left(study: Study, units: Sequence[Unit]) -> str:
    """Return how many evaluations are to be made, and for how many runs' weights one has to train."""
    runs = dict.fromkeys(unit.run for unit in units)
    bare = [run for run in runs if not weights.has(run, study.store.root)]
    count = sum(len(unit.evaluations) for unit in units)
    text = f"{count} evaluations to be made of {len(runs)} runs"
    if not bare:
        return text
    return f"{text}; {len(bare)} are trained for their weights ({status.time_of(study, bare) or 'time unknown'})"


def line(study: Study, name: str) -> str | None:
    """Return what a notebook has and lacks of its evaluations, in words; None if it needs none."""
    if not plan.wanted(name, study.parameters[name]):
        return None
    have, units = len(plan.paths(name, study.parameters[name], study.store)), missing(study, name)
    return f"{name}: {have} evaluations there" + (f", {left(study, units)}" if units else "")
