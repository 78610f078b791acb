"""The command line of the study: `python -m randsparse all`, which `make` calls."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from randsparse.comparison.campaign import Campaign
from randsparse.errors import StudyError
from randsparse.study import campaign, parameters, status
from randsparse.study.profile import Study
from randsparse.study.settings import (
    find_data_folder,
    find_results_folder,
    read_cluster,
    read_device,
    read_worker_count,
)
from randsparse.sweeps import merging
from randsparse.sweeps.budget import parse_duration


def make_all(study: Study) -> None:
    """Train what is missing, execute what is stale, write the pages, and say where to look."""
    _make(study, train=True)


def make_notebooks(study: Study) -> None:
    """Execute the stale notebooks from the runs that the store has; raise StudyError if some are missing."""
    _make(study, train=False)


def _make(study: Study, train: bool) -> None:
    study.say_edited()
    if study.stale():
        from randsparse.study import making

        with study.alone():
            stale = study.stale()
            if not train:
                _check_complete(study, stale)
            making.make(study, stale, train)
    look(study)


def _check_complete(study: Study, names: list[str]) -> None:
    """Raise StudyError unless all is there that notebooks show."""
    runs = len(study.needed(names, study.store))
    evaluations = sum(len(unit.evaluations) for name in names for unit in study.evaluations_missing(name))
    for missing, what, how in ((runs, "runs", "train"), (evaluations, "evaluations", "make")):
        if missing:
            raise StudyError(f"{missing} {what} are missing: {how} them with make runs PROFILE={study.profile}")


def make_runs(study: Study) -> None:
    """Train the runs of all notebooks, or of a campaign, that the store does not have, or that fit into the budget."""
    asked = _campaign(study)
    if campaign.train(study, asked) if asked else study.prepare(list(study.parameters)):
        study.say(f"all runs of this {'campaign' if asked else 'profile'} are in the store")


def show_status(study: Study) -> None:
    """Say how far runs and evaluations are, how long the rest takes here, what failed, and what is current."""
    if asked := _campaign(study):
        campaign.show(study, asked)
    else:
        status.show(study)


def _campaign(study: Study) -> Campaign | None:
    """Return the campaign that the study's profile is, or the parts of it that were asked for; None if it is none."""
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
    merged = merging.merge(study.source, study.store)
    study.say(str(merged))
    return 1 if merged.conflicts or merged.damaged else 0


def export(study: Study) -> None:
    """Write all records as Parquet, with a data card, for those who do not have this library."""
    from randsparse.study import export as exporting

    study.say(f"All records as Parquet: {exporting.export(study.store)}")


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
ARGUMENTS: dict[str, dict[str, Any]] = {
    "--profile": {"default": parameters.DEFAULT_PROFILE, "help": "%(default)s unless given"},
    "--results": {"type": Path, "help": "folder of results (RANDSPARSE_RESULTS, or results/)"},
    "--data-dir": {"type": Path, "help": "folder of datasets (DATA_DIR, or data/)"},
    "--workers": {"help": "runs side by side (RANDSPARSE_WORKERS, or one for each core)"},
    "--cluster": {"metavar": "ADDRESS", "help": "Dask scheduler whose workers train, as tcp://host:8786"},
    "--device": {"help": "cpu (the default) or cuda"},
    "--budget": {"metavar": "TIME", "help": "start no run that would not end within it, such as 25m"},
    "--out": {"metavar": "FILE", "type": Path, "help": "also write each finished record to this one file"},
    "--part": {"metavar": "NAMES", "help": "of a campaign: only these parts, separated by commas"},
    "--why": {"action": "store_true", "help": "of status: why a notebook is to be made anew"},
    "--retry": {"action": "store_true", "help": "try runs again that failed"},
    "--from": {
        "metavar": "PATH",
        "dest": "source",
        "help": "what to merge: a file, another folder of results, or a pattern",
    },
}
"""What the parser is told of each option."""


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

    bench.main(arguments, find_results_folder(parameters.find_root()))


def _recipe(arguments: Sequence[str]) -> int:
    """Train the runs of a recipe file, by one process or by several."""
    from randsparse.study import recipes

    return recipes.main(arguments)


OTHERS: dict[str, Callable[[Sequence[str]], int | None]] = {"bench": _bench, "recipe": _recipe}
"""Commands with options of their own (--help says which)."""


def _options(arguments: list[str]) -> argparse.Namespace:
    commands = {**COMMANDS, **OTHERS}
    about = [f"{name}: {(command.__doc__ or '').split('.')[0]}" for name, command in commands.items()]
    parser = argparse.ArgumentParser("randsparse", description=__doc__)
    parser.add_argument("command", choices=commands, help="; ".join(about))
    for name, described in ARGUMENTS.items():
        parser.add_argument(name, **described)
    return parser.parse_args(arguments)


def _say(line: str) -> None:
    """Print a line, above the bar of what is under way."""
    from tqdm import tqdm

    tqdm.write(line)
    sys.stdout.flush()


def _study(options: argparse.Namespace, started: float) -> Study:
    root = parameters.find_root()
    if options.profile not in parameters.list_profiles(root):
        parameters.read_overrides("", options.profile, root)
    if options.command not in OF_CAMPAIGNS and parameters.is_campaign(options.profile, root):
        raise StudyError(
            f"the profile {options.profile} is a campaign and has no notebooks: use {', '.join(OF_CAMPAIGNS)}"
        )
    for name in ("workers", "device", "cluster"):  # for notebooks, too
        if value := getattr(options, name):
            os.environ[f"RANDSPARSE_{name.upper()}"] = value
    for name in ("results", "data_dir", "out"):
        if getattr(options, name) == Path():
            raise StudyError(f"--{name.replace('_', '-')} is empty, or the current folder: name a folder or file")
    chosen = {name: getattr(options, name) for names in OPTIONS.values() for name in names}
    for name, value in chosen.items():
        if value and name not in OPTIONS.get(options.command, ()):
            commands = " or ".join(command for command, names in OPTIONS.items() if name in names)
            raise StudyError(f"--{name.replace('source', 'from')} is of no use to {options.command}: use {commands}")
    chosen |= {
        "device": read_device(),
        "cluster": read_cluster(),
    }  # as the environment has them; raises for what is none
    if options.budget:
        parse_duration(options.budget)
    results = (options.results or find_results_folder(root)).resolve()
    data_dir = (options.data_dir or find_data_folder(root)).resolve()
    return Study(options.profile, root, results, data_dir, read_worker_count(), _say, **chosen, started=started)
