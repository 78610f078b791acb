"""What the study says of itself: how far the runs of a profile have come, and how long the rest takes."""

from __future__ import annotations

from collections.abc import Sequence

from randsparse import questions
from randsparse.runs.config import RunConfig
from randsparse.study.profile import Study

REASONS = 10
"""How many reasons per notebook are said; the rest is counted."""


def show(study: Study) -> None:
    """Say how many runs each notebook has, needs next and lost, how long the rest takes here, and what is current.

    Then how far the evaluations of runs have come, and, if asked, why a notebook is to be made anew.
    """
    study.say_edited()
    stale = study.stale()
    rows, everything_shown = [], {}
    for name in study.parameters:
        records = study.store.load(study.shown(name))
        everything_shown |= records
        failed = [key for key, record in records.items() if record["status"] in ("failed", "diverged")]
        rows.append((name, set(records), study.needed([name], study.store), set(failed)))
    study.say(f"{'notebook':<28}{'have':>7}{'missing':>9}{'failed':>8}{'time left':>19}   outputs")
    for name, have, missing, failed in rows:
        outputs = "to be made" if name in stale else "up to date"
        study.say(_status_line(study, name, have, missing, failed) + outputs)
    everything = list(dict.fromkeys(config for row in rows for config in row[2]))
    have, failed = (set().union(*(row[column] for row in rows)) for column in (1, 3))
    study.say(_status_line(study, "all, each run once", have, everything, failed).rstrip())
    study.say_failures(everything_shown.values())
    for name in study.parameters:
        if line := _evaluations_line(study, name):
            study.say(line)
    if any(config.stop_epoch for config in everything):
        study.say("a search is under way: its next stages, not counted here, follow when these runs are in the store")
    for name in stale if study.why else ():
        reasons = study.why_stale(name)
        more = [f"and {len(reasons) - REASONS} more"] if len(reasons) > REASONS else []
        study.say(f"{name} is to be made anew: {'; '.join([*reasons[:REASONS], *more])}")


def _status_line(study: Study, name: str, have: set[str], missing: Sequence[RunConfig], failed: set[str]) -> str:
    time = (study.time_of(missing) or "unknown") if missing else "-"
    return f"{name:<28}{len(have):>7}{len(missing):>9}{len(failed):>8}{time:>19}   "


def _evaluations_line(study: Study, name: str) -> str | None:
    """Return what a notebook has and lacks of its evaluations, in words; None if it needs none."""
    if not questions.groups(name, study.parameters[name], study.store):
        return None
    have, units = len(questions.paths(name, study.parameters[name], study.store)), study.evaluations_missing(name)
    return f"{name}: {have} evaluations there" + (f", {study.evaluations_left(units)}" if units else "")
