"""What the study says of itself: how far the runs of a profile have come, and how long the rest takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from randsparse.runs.config import RunConfig
    from randsparse.study.profile import Study


def show(study: Study) -> None:
    """Say how many runs each notebook has, needs next and lost, how long the rest takes here, and what is current.

    Then how far the evaluations of runs have come.
    """
    from randsparse.study import evaluating

    stale = study.stale()
    rows = []
    for name in study.parameters:
        records = study.store.load(study.shown(name))
        failed = [key for key, record in records.items() if record["status"] in ("failed", "diverged")]
        rows.append((name, set(records), study.needed([name], study.store), set(failed)))
    study.say(f"{'notebook':<28}{'have':>7}{'missing':>9}{'failed':>8}{'time left':>19}   outputs")
    for name, have, missing, failed in rows:
        outputs = "to be made" if name in stale else "up to date"
        study.say(_status_line(study, name, have, missing, failed) + outputs)
    everything = list(dict.fromkeys(config for row in rows for config in row[2]))
    have, failed = (set().union(*(row[column] for row in rows)) for column in (1, 3))
    study.say(_status_line(study, "all, each run once", have, everything, failed).rstrip())
    for name in study.parameters:
        if line := evaluating.line(study, name):
            study.say(line)
    if any(config.stop_epoch for config in everything):
        study.say("a search is under way: its next stages, not counted here, follow when these runs are in the store")


def _status_line(study: Study, name: str, have: set[str], missing: Sequence[RunConfig], failed: set[str]) -> str:
    time = (time_of(study, missing) or "unknown") if missing else "-"
    return f"{name:<28}{len(have):>7}{len(missing):>9}{len(failed):>8}{time:>19}   "


def announcement(study: Study, missing: Sequence[RunConfig]) -> str:
    """Return how many runs are to be trained now, and about how long that takes by runs like them in the store.

    A search decides its next runs when these are in, so that there may be more later.
    """
    time = time_of(study, missing)
    if time is None:
        return f"{len(missing)} runs to train; the bar tells how long that takes, once the first is finished"
    return f"{len(missing)} runs to train, {time}{' on one worker' if study.cluster else ''}"


def time_of(study: Study, configs: Sequence[RunConfig]) -> str | None:
    """Return about how long runs take here, in words (of a cluster, on one worker); None if that is unknown."""
    import joblib

    from randsparse.sweeps.budget import in_words

    workers = 1 if study.cluster else study.workers or (1 if study.device == "cuda" else joblib.cpu_count())
    seconds = study.estimator.makespan(configs, workers)
    return None if seconds is None else f"about {in_words(seconds)}"
