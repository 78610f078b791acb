"""Reading the file of a campaign, training its runs, and saying how far it is."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path

from randsparse import questions
from randsparse.comparison import campaign as campaigns
from randsparse.comparison.campaign import Campaign, Rates
from randsparse.errors import StudyError, unknown
from randsparse.runs import evaluations
from randsparse.runs.config import RunConfig
from randsparse.runs.store import Store
from randsparse.study import status
from randsparse.study.parameters import find_campaign, is_campaign, list_profiles, read_campaign, read_parameters
from randsparse.study.profile import Study

Group = tuple[list[RunConfig], list[evaluations.Evaluation]]


def load(profile: str, root: Path) -> Campaign | None:
    """Return the campaign that a profile is, or None for a profile of notebooks.

    Raises StudyError, in one line that names file and cell, for a file that is not as `comparison.campaign` says.
    """
    if not is_campaign(profile, root):
        return None
    content = read_campaign(profile, root)
    try:
        found = campaigns.parse(content)
        if found.evaluations_of is not None and found.evaluations_of not in list_profiles(root):
            raise unknown("profile of evaluations_of", found.evaluations_of, list_profiles(root))
    except StudyError as error:
        raise StudyError(f"{find_campaign(profile, root).relative_to(root)}: {error}") from None
    return found


def groups_to_evaluate(study: Study, campaign: Campaign) -> list[Group]:
    """Return the finished runs of a campaign that are measured beyond accuracy, in groups, each with its evaluations.

    They are those that the notebooks of the profile `evaluations_of` show: the runs of cells with `evaluated` as
    notebook 06 has it, and all that notebooks with groups of their own measure of the campaign.
    """
    if campaign.evaluations_of is None:
        return []

    def parameters(name: str) -> dict[str, object]:
        return read_parameters(name, str(campaign.evaluations_of), study.root)

    beyond = "06_beyond_accuracy"
    found = [(campaign.to_evaluate(study.store), questions.plan_evaluations(beyond, parameters(beyond)))]
    for name in questions.GROUPS:
        found += questions.group_evaluations(name, parameters(name), study.store)
    known = {config.trajectory for cell in campaign.cells for config in cell.wanted(study.store)}
    return [([run for run in runs if run.trajectory in known], wanted) for runs, wanted in found]


def train(study: Study, campaign: Campaign) -> bool:
    """Train and evaluate what the store lacks of a campaign, step by step; return whether all is there.

    A step ends where learning rates are to be chosen. The final weights of all runs are kept below the results folder,
    so that what is evaluated need not be trained again. A budget is for runs alone.
    """
    if study.retry:
        study.try_again(config for cell in campaign.cells for config in cell.wanted(study.store))
    while missing := campaign.needed(study.store):
        if not study.train(functools.partial(_lacking, missing)):
            return False
        evaluate(study, campaign)
    return evaluate(study, campaign)


def _lacking(configs: Sequence[RunConfig], store: Store) -> list[RunConfig]:
    return [config for config in configs if not store.has(config)]


def evaluate(study: Study, campaign: Campaign) -> bool:
    """Make the evaluations that finished runs lack; return whether all are there. There are none within a budget."""
    groups = groups_to_evaluate(study, campaign)
    return study.measure(groups, _to_measure(groups, study.store))


def show(study: Study, campaign: Campaign) -> None:
    """Say of each part and cell how many runs there are, are missing and failed, and how long the rest takes here."""
    store, width = study.store, max(len(cell.name) for cell in campaign.cells) + 1
    together, lacking = {}, []
    study.say(f"{'part':<6}{'cell':<{width}}{status.HEAD}")
    for cell in campaign.cells:
        planned = cell.planned(store)
        records = store.load(planned)
        missing = [config for config in planned if config.key not in records]
        rate = cell.chosen(store) if isinstance(cell, Rates) else None
        note = "" if rate is None else f"   chosen: {rate:g}"
        study.say(f"{cell.part:<6}{cell.name:<{width}}{status.counts(study, records, missing)}{note}")
        together |= records
        lacking += missing
    study.say(f"{'all':<{6 + width}}{status.counts(study, together, lacking)}")
    study.say_failures(together.values())
    if groups := groups_to_evaluate(study, campaign):
        there = sum(len(evaluations.load(*group, store)) for group in groups)
        study.say(f"evaluations: {status.evaluated(study, there, _to_measure(groups, store))}")


def _to_measure(groups: Sequence[Group], store: Store) -> list[evaluations.Unit]:
    return [unit for group in groups for unit in evaluations.find_missing(*group, store)]
