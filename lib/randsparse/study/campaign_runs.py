"""Training a campaign and saying how far it is."""

from __future__ import annotations

import functools
from collections.abc import Iterable
from typing import TYPE_CHECKING

from randsparse.runs import evaluations
from randsparse.study.campaign import Campaign, Rates

if TYPE_CHECKING:
    from randsparse.runs.evaluations import Unit
    from randsparse.study.profile import Study


def train(study: Study, campaign: Campaign) -> bool:
    """Train and evaluate what the store lacks of a campaign, step by step; return whether all is there.

    A step ends where learning rates are to be chosen. The final weights of all runs are kept below the results folder,
    so that what is evaluated need not be trained again. A budget is for runs alone.
    """
    from randsparse.sweeps.sweep import sweep
    from randsparse.training import train as training

    keep = {} if study.cluster else {"train": functools.partial(training.train, weights_root=study.store.root)}
    budget, finished = study.spending(), study.bundling()
    while missing := campaign.needed(study.store):
        study.say(study.announcement(missing))
        sweep(missing, study.store, budget=budget, finished=finished, data_dir=study.data_dir, **study.where, **keep)
        if budget and campaign.needed(study.store):
            study.say(f"the time is up: {budget.finished} runs finished")
            return False
        evaluate(study, campaign)
    return evaluate(study, campaign)


def evaluate(study: Study, campaign: Campaign) -> bool:
    """Make the evaluations that finished runs lack; return whether all are there. There are none within a budget."""
    if not (left := _to_measure(study, campaign)):
        return True
    study.say(study.evaluations_left(left))
    if study.budget:
        return False
    study.measure(campaign.to_evaluate(study.store), campaign.evaluations(study.root))
    return True


def show(study: Study, campaign: Campaign) -> None:
    """Say of each part and cell how many runs there are, are missing and failed, and how long the rest takes here."""
    rows, store = [], study.store
    for cell in campaign.cells:
        planned = cell.planned(store)
        records = store.load(planned)
        failed = [key for key, record in records.items() if record["status"] in ("failed", "diverged")]
        missing = [config for config in planned if config.key not in records]
        rows.append((cell.part, cell.name, len(records), missing, len(failed), _note(study, cell)))
    width = max(len(name) for _, name, *_ in rows) + 2
    study.say(f"{'part':<6}{'cell':<{width}}{'have':>6}{'missing':>9}{'failed':>8}{'time left':>19}")
    for part, name, have, missing, failed, note in rows:
        study.say(f"{part:<6}{name:<{width}}{have:>6}{_rest(study, missing, failed)}{note}")
    everything = [config for row in rows for config in row[3]]
    have, failed = (sum(row[index] for row in rows) for index in (2, 4))
    study.say(f"{'all':<{6 + width}}{have:>6}{_rest(study, everything, failed)}")
    runs, wanted = campaign.to_evaluate(store), campaign.evaluations(study.root)
    if wanted:
        there = len(evaluations.load(runs, wanted, store))
        left = _to_measure(study, campaign)
        study.say(f"evaluations: {there} there" + (f", {study.evaluations_left(left)}" if left else ""))


def _rest(study: Study, missing: list, failed: int) -> str:
    time = (study.time_of(missing) or "unknown") if missing else "-"
    return f"{len(missing):>9}{failed:>8}{time:>19}"


def _note(study: Study, cell: object) -> str:
    """Return the learning rate that a cell has chosen, in words."""
    rate = cell.chosen(study.store) if isinstance(cell, Rates) else None
    return "" if rate is None else f"   chosen: {rate:g}"


def _to_measure(study: Study, campaign: Campaign) -> list[Unit]:
    wanted: Iterable = campaign.evaluations(study.root)
    return evaluations.missing(campaign.to_evaluate(study.store), wanted, study.store)
