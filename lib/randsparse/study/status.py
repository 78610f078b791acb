"""What the study says of itself: how far the runs of a profile have come, and how long the rest takes."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

from randsparse import questions
from randsparse.runs.config import RunConfig
from randsparse.runs.evaluations import Unit
from randsparse.runs.records import WITHOUT_WEIGHTS
from randsparse.runs.store import Record
from randsparse.study.profile import Study

HEAD = f"{'have':>7}{'missing':>9}{'failed':>8}{'time left':>19}"
REASONS = 10
"""How many reasons per notebook are said; the rest is counted."""


def show(study: Study) -> None:
    """Say how many runs each notebook has, needs next and lost, how long the rest takes here, and what is current.

    Then how far the evaluations of runs have come, and, if asked, why a notebook is to be made anew.
    """
    study.say_edited()
    stale = study.stale()
    shown = {name: study.store.load(study.shown(name)) for name in study.parameters}
    needed = {name: study.needed([name], study.store) for name in shown}
    study.say(f"{'notebook':<28}{HEAD}   outputs")
    for name, records in shown.items():
        outputs = "to be made" if name in stale else "up to date"
        study.say(f"{name:<28}{counts(study, records, needed[name])}   {outputs}")
    together = {key: record for records in shown.values() for key, record in records.items()}
    missing = list(dict.fromkeys(itertools.chain.from_iterable(needed.values())))
    study.say(f"{'all, each run once':<28}{counts(study, together, missing)}")
    study.say_failures(together.values())
    for name, values in study.parameters.items():
        if questions.group_evaluations(name, values, study.store):
            there = len(questions.list_paths(name, values, study.store))
            study.say(f"{name}: {evaluated(study, there, study.evaluations_missing(name))}")
    if any(config.stop_epoch for config in missing):
        study.say("a search is under way: its next stages, not counted here, follow when these runs are in the store")
    for name in stale if study.why else ():
        reasons = study.why_stale(name)
        more = [f"and {len(reasons) - REASONS} more"] if len(reasons) > REASONS else []
        study.say(f"{name} is to be made anew: {'; '.join([*reasons[:REASONS], *more])}")


def counts(study: Study, records: Mapping[str, Record], missing: Sequence[RunConfig]) -> str:
    """Return how many runs there are, are missing and failed, and how long those missing take, below HEAD."""
    failed = sum(record["status"] in WITHOUT_WEIGHTS for record in records.values())
    time = (study.time_of(missing) or "unknown") if missing else "-"
    return f"{len(records):>7}{len(missing):>9}{failed:>8}{time:>19}"


def evaluated(study: Study, there: int, missing: Sequence[Unit]) -> str:
    """Return how many evaluations there are, and are missing, in words."""
    return f"{there} evaluations there" + (f", {study.evaluations_left(missing)}" if missing else "")
