"""Reading the file of a campaign, training its runs, and saying how far it is."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from randsparse import questions
from randsparse.comparison import campaign as campaigns
from randsparse.comparison.campaign import Campaign, Rates
from randsparse.errors import StudyError, unknown
from randsparse.runs import evaluations
from randsparse.study.parameters import campaign_content, campaign_path, is_campaign, profile_parameters, profiles

if TYPE_CHECKING:
    from randsparse.runs.config import RunConfig
    from randsparse.runs.evaluations import Evaluation, Unit
    from randsparse.study.profile import Study

    Group = tuple[list[RunConfig], list[Evaluation]]


def load(profile: str, root: Path) -> Campaign | None:
    """Return the campaign that a profile is, or None for a profile of notebooks.

    Raises StudyError, in one line that names file and cell, for a file that is not as `comparison.campaign` says.
    """
    if not is_campaign(profile, root):
        return None
    content = campaign_content(profile, root)
    try:
        found = campaigns.parse(content)
        if found.evaluations_of is not None and found.evaluations_of not in profiles(root):
            raise unknown("profile of evaluations_of", found.evaluations_of, profiles(root))
    except StudyError as error:
        raise StudyError(f"{campaign_path(profile, root).relative_to(root)}: {error}") from None
    return found


def groups_to_evaluate(study: Study, campaign: Campaign) -> list[Group]:
    """Return the finished runs of a campaign that are measured beyond accuracy, in groups, each with its evaluations.

    They are those that the notebooks of the profile `evaluations_of` show: the runs of cells with `evaluated` as
    notebook 06 has it, and all that notebooks with groups of their own measure of the campaign.
    """
    if campaign.evaluations_of is None:
        return []

    def parameters(name: str) -> dict[str, object]:
        return profile_parameters(name, str(campaign.evaluations_of), study.root)

    beyond = "06_beyond_accuracy"
    found = [(campaign.to_evaluate(study.store), questions.wanted(beyond, parameters(beyond)))]
    for name in questions.GROUPS:
        found += questions.groups(name, parameters(name), study.store)
    known = {config.trajectory for cell in campaign.cells for config in cell.wanted(study.store)}
    return [([run for run in runs if run.trajectory in known], wanted) for runs, wanted in found]


def train(study: Study, campaign: Campaign) -> bool:
    """Train and evaluate what the store lacks of a campaign, step by step; return whether all is there.

    A step ends where learning rates are to be chosen. The final weights of all runs are kept below the results folder,
    so that what is evaluated need not be trained again. A budget is for runs alone.
    """
    from randsparse.sweeps.sweep import sweep

    budget, finished = study.spending(), study.bundling()
    if study.retry:
        study.try_again(
            [config for cell in campaign.cells for config in cell.wanted(study.store) if study.store.has(config)]
        )
    while missing := campaign.needed(study.store):
        study.say(study.announcement(missing))
        options = {"budget": budget, "finished": finished, "data_dir": study.data_dir, **study.keeping, **study.where}
        sweep(missing, study.store, **options)
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
    for runs, wanted in groups_to_evaluate(study, campaign):
        study.measure(runs, wanted)
    return True


def show(study: Study, campaign: Campaign) -> None:
    """Say of each part and cell how many runs there are, are missing and failed, and how long the rest takes here."""
    rows, shown, store = [], {}, study.store
    for cell in campaign.cells:
        planned = cell.planned(store)
        records = store.load(planned)
        shown |= records
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
    study.say_failures(shown.values())
    if groups := groups_to_evaluate(study, campaign):
        there = sum(len(evaluations.load(*group, store)) for group in groups)
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
    return [unit for group in groups_to_evaluate(study, campaign) for unit in evaluations.missing(*group, study.store)]
