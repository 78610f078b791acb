"""The command line of the study: `python -m randsparse all`, which `make` calls."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from randsparse.errors import StudyError, unknown
from randsparse.study import parameters
from randsparse.study.profile import Study
from randsparse.study.settings import DEVICES, data_folder, results_folder, worker_count

if TYPE_CHECKING:
    from randsparse.comparison.campaign import Campaign


def make_all(study: Study) -> None:
    """Train what is missing, execute what is stale, write the pages, and say where to look."""
    study.say_edited()
    if study.stale():
        from randsparse.study import making

        with study.alone():
            making.make(study, study.stale())
    look(study)


def make_runs(study: Study) -> None:
    """Train the runs of all notebooks, or of a campaign, that the store does not have, or that fit into the budget."""
    if asked := _campaign(study):
        from randsparse.study import campaign

        if campaign.train(study, asked):
            study.say("all runs of this campaign are in the store")
    elif study.prepare(list(study.parameters)):
        study.say("all runs of this profile are in the store")


def show_status(study: Study) -> None:
    """Say how far runs and evaluations are, how long the rest takes here, what failed, and what is current."""
    if asked := _campaign(study):
        from randsparse.study import campaign

        campaign.show(study, asked)
    else:
        from randsparse.study import status

        status.show(study)


def _campaign(study: Study) -> Campaign | None:
    """Return the campaign that the study's profile is, or the parts of it that were asked for; None if it is none."""
    from randsparse.study import campaign

    found = campaign.load(study.profile, study.root)
    if study.part is None:
        return found
    if found is None:
        raise StudyError(f"--part is of no use to the profile {study.profile}: it is for a campaign")
    return found.of(part.strip() for part in study.part.split(","))


def merge(study: Study) -> int:
    """Take records from elsewhere into the store: none is overwritten, and the exit status tells of conflicts."""
    if not study.source:
        raise StudyError("merge: say where the records are, with make merge FROM=path, or --from path")
    from randsparse.sweeps import merging

    merged = merging.merge(study.source, study.store)
    study.say(str(merged))
    return 1 if merged.conflicts or merged.damaged else 0


def export(study: Study) -> None:
    """Write all records as Parquet, with a data card, for those who do not have this library."""
    from randsparse.study import export as exporting

    study.say(f"All records as Parquet: {exporting.export(study.store)}")


def make_notebooks(study: Study) -> None:
    """Execute the stale notebooks from the runs that the store has; raise StudyError if some are missing."""
    study.say_edited()
    if study.stale():
        with study.alone():
            _execute(study)
    look(study)


def _execute(study: Study) -> None:
    stale = study.stale()
    if missing := len(study.needed(stale, study.store)) if stale else 0:
        raise StudyError(f"{missing} runs are missing: train them with make runs PROFILE={study.profile}")
    if missing := sum(len(unit.evaluations) for name in stale for unit in study.evaluations_missing(name)):
        raise StudyError(f"{missing} evaluations are missing: make them with make runs PROFILE={study.profile}")
    from randsparse.study import making

    making.make(study, stale, train=False)


def look(study: Study) -> None:
    """Write the pages and say where they are."""
    study.say(f"Figures, tables and notebooks: open {study.write_html()} in a browser")


COMMANDS: dict[str, Callable[[Study], int | None]] = {
    "all": make_all,
    "runs": make_runs,
    "notebooks": make_notebooks,
    "html": look,
    "status": show_status,
    "merge": merge,
    "export": export,
}
OF_CAMPAIGNS = ("runs", "status", "merge", "export")
"""The commands for a profile that is a campaign, and has no notebooks."""
OPTIONS = {
    "all": ("cluster", "device", "retry"),
    "runs": ("cluster", "device", "budget", "out", "part", "retry"),
    "status": ("device", "part", "why"),
    "merge": ("source",),
}
"""The options of a command that not all have."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command; an error that the user can mend is one line on stderr, and exit status 2."""
    started = time.monotonic()
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    first = os.environ.get("LOCAL_RANK", "0") == "0"  # of processes that torchrun started
    try:
        if arguments[:1] and arguments[0] in OTHERS:
            return OTHERS[arguments[0]](arguments[1:]) or 0
        options = _options(arguments)
        return COMMANDS[options.command](_study(options, started)) or 0
    except StudyError as error:
        print(f"randsparse: {error}", file=sys.stderr)  # noqa: T201
        return 2
    except BrokenPipeError:  # who read the output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        if first:
            print("randsparse: stopped; the same command goes on where this one was", file=sys.stderr)  # noqa: T201
        return 130


def _bench(arguments: Sequence[str]) -> None:
    """What masking costs, and how fast training is."""
    from randsparse import bench

    bench.main(arguments, results_folder(parameters.find_root()))


def _recipe(arguments: Sequence[str]) -> int:
    """Train the runs of a recipe file, by one process or by several."""
    from randsparse.study import recipes

    return recipes.main(arguments)


OTHERS: dict[str, Callable[[Sequence[str]], int | None]] = {"bench": _bench, "recipe": _recipe}
"""Commands with options of their own (--help says which)."""


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("randsparse", description=__doc__)
    parser.add_argument("command", choices=[*COMMANDS, *OTHERS], help="; ".join(_help_lines()))
    parser.add_argument("--profile", default=parameters.DEFAULT_PROFILE, help="%(default)s unless given")
    parser.add_argument("--results", type=Path, help="folder of results (RANDSPARSE_RESULTS, or results/)")
    parser.add_argument("--data-dir", type=Path, help="folder of datasets (DATA_DIR, or data/)")
    parser.add_argument("--workers", help="runs side by side (RANDSPARSE_WORKERS, or one for each core)")
    parser.add_argument("--cluster", metavar="ADDRESS", help="Dask scheduler whose workers train, as tcp://host:8786")
    parser.add_argument("--device", help="cpu (the default) or cuda")
    parser.add_argument("--budget", metavar="TIME", help="start no run that would not end within it, such as 25m")
    parser.add_argument("--out", metavar="FILE", type=Path, help="also write each finished record to this one file")
    parser.add_argument("--part", metavar="NAMES", help="of a campaign: only these parts, separated by commas")
    parser.add_argument("--why", action="store_true", help="of status: why a notebook is to be made anew")
    parser.add_argument("--retry", action="store_true", help="try runs again that failed")
    what = "what to merge: a file, another folder of results, or a pattern"
    parser.add_argument("--from", metavar="PATH", dest="source", help=what)
    return parser.parse_args(arguments)


def _say(line: str) -> None:
    """Print a line, above the bar of what is under way."""
    from tqdm import tqdm

    tqdm.write(line)
    sys.stdout.flush()


def _help_lines() -> list[str]:
    commands = {**COMMANDS, **OTHERS}
    return [f"{name}: {(command.__doc__ or '').split('.')[0]}" for name, command in commands.items()]


def _study(options: argparse.Namespace, started: float) -> Study:
    root = parameters.find_root()
    if options.profile not in parameters.profiles(root):
        parameters.overrides("", options.profile, root)
    if options.command not in OF_CAMPAIGNS and parameters.is_campaign(options.profile, root):
        raise StudyError(
            f"the profile {options.profile} is a campaign and has no notebooks: use {', '.join(OF_CAMPAIGNS)}"
        )
    for name in ("workers", "device", "cluster"):  # for notebooks, too
        os.environ.update({f"RANDSPARSE_{name.upper()}": value} if (value := getattr(options, name)) else {})
    for name in ("results", "data_dir", "out"):
        if str(getattr(options, name) or ".") in ("", ".") and getattr(options, name) is not None:
            raise StudyError(f"--{name.replace('_', '-')} is empty, or the current folder: name a folder or file")
    results = (options.results or results_folder(root)).resolve()
    data_dir = (options.data_dir or data_folder(root)).resolve()
    names = ("cluster", "device", "budget", "out", "part", "why", "retry", "source")
    chosen = {name: getattr(options, name) for name in names}
    for name, value in chosen.items():
        if value and name not in OPTIONS.get(options.command, ()):
            commands = " or ".join(command for command, names in OPTIONS.items() if name in names)
            raise StudyError(f"--{name.replace('source', 'from')} is of no use to {options.command}: use {commands}")
    if options.device and options.device not in DEVICES:
        raise unknown("device", options.device, DEVICES)
    if options.budget:
        from randsparse.sweeps.budget import parse_duration

        parse_duration(options.budget)
    return Study(options.profile, root, results, data_dir, worker_count(), _say, **chosen, started=started)
