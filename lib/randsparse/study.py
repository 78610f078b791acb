"""The command line of the study: `python -m randsparse all`, which `make` calls, and its parts."""

from __future__ import annotations

import argparse
import concurrent.futures
import functools
import multiprocessing
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from randsparse import freshness, parameters
from randsparse.errors import StudyError
from randsparse.notebooks import data_folder, results_folder, worker_count

if TYPE_CHECKING:
    from randsparse.config import RunConfig
    from randsparse.runs import Store


@dataclass(frozen=True)
class Study:
    """One profile of the study and where its parts are."""

    profile: str
    root: Path
    results: Path
    data_dir: Path
    workers: int | None = None
    say: Callable[[str], None] = print

    @property
    def folder(self) -> Path:
        """Where the profile's results are."""
        return self.results / self.profile

    @functools.cached_property
    def store(self) -> Store:
        """The store of all runs."""
        from randsparse.runs import Store

        return Store(self.results)

    @functools.cached_property
    def parameters(self) -> dict[str, dict[str, object]]:
        """The parameters of each notebook in this profile, all of them checked."""
        names = freshness.names(self.root)
        return {name: parameters.profile_parameters(name, self.profile, self.root) for name in names}

    def stale(self) -> list[str]:
        """Return the notebooks whose outputs are missing, or made from other than what is there now."""
        place = (self.profile, self.root, self.results)
        return [name for name in self.parameters if not freshness.is_current(name, *place)]

    def needed(self, names: Sequence[str], store: Store) -> list[RunConfig]:
        """Return the runs that notebooks need next, each once: the plan of them all."""
        from randsparse import experiments

        wanted = [config for name in names for config in experiments.plan(name, self.parameters[name], store)]
        return list(dict.fromkeys(wanted))

    def shown(self, name: str) -> list[RunConfig]:
        """Return the runs that a notebook shows and the store has."""
        from randsparse import experiments

        return experiments.used(name, self.parameters[name], self.store)

    def train(self, names: Sequence[str]) -> None:
        """Train the runs that notebooks need, after saying how many and about how long it takes."""
        missing = self.needed(names, self.store)
        if not missing:
            return
        from randsparse.sweep import sweep

        self.say(announcement(missing, self.store, self.workers))
        plan = functools.partial(self.needed, names)
        sweep(plan, self.store, workers=self.workers, data_dir=self.data_dir)

    def execute(self, names: Sequence[str]) -> None:
        """Execute notebooks, two side by side, then the overview if they changed what it shows.

        What each was made from is noted. All are tried; the first error is raised at the end.
        """
        self._execute([name for name in names if name != freshness.OVERVIEW])
        self._execute([name for name in self.stale() if name == freshness.OVERVIEW])

    def _execute(self, names: Sequence[str]) -> None:
        errors = []
        for name, error in self._executed(names) if names else ():
            if error:
                errors.append(error)
                continue
            freshness.remember(name, self.profile, self.root, self.results, self._files(name))
            self.say(f"{name}: executed")
        if errors:
            raise errors[0]

    def _executed(self, names: Sequence[str]) -> list[tuple[str, StudyError | None]]:
        from randsparse.execution import execute

        place = (self.profile, self.root, self.results, self.data_dir)
        context = multiprocessing.get_context("spawn")
        with concurrent.futures.ProcessPoolExecutor(min(2, len(names)), mp_context=context) as pool:
            futures = {name: pool.submit(execute, name, *place) for name in names}
            return [(name, _study_error(future)) for name, future in futures.items()]

    def _files(self, name: str) -> list[Path]:
        """Return the record files that what a notebook shows can have come from."""
        paths = {path for config in self.shown(name) for path in self.store.paths(config)}
        return sorted(path for path in paths if path.is_file())

    def write_html(self) -> Path:
        """Write the HTML pages unless they are current, and return their index."""
        index = self.folder / "html" / "index.html"
        if not index.is_file() or not freshness.pages_are_current(self.profile, self.results):
            from randsparse.pages import write_pages

            write_pages(self.profile, self.folder)
            freshness.remember_pages(self.profile, self.results)
        return index


def _study_error(future: concurrent.futures.Future) -> StudyError | None:
    error = future.exception()
    if error is not None and not isinstance(error, StudyError):
        raise error
    return error


def announcement(missing: Sequence[RunConfig], store: Store, workers: int | None) -> str:
    """Return how many runs are to be trained now, and about how long that takes by runs like them in the store.

    A search decides its next runs when these are in, so that there may be more later.
    """
    costs: dict[tuple, list[float]] = {}
    for record in store.records():
        if record["curve"] and record["cost"].get("seconds"):
            costs.setdefault(_kind(record["config"]), []).append(record["cost"]["seconds"] / len(record["curve"]))
    seconds = 0.0
    for config in missing:
        like = costs.get(_kind(config.to_dict()))
        if not like:
            return f"{len(missing)} runs to train; the bar tells how long that takes, once the first is finished"
        seconds += config.last_epoch * sum(like) / len(like)
    minutes = seconds / (workers or len(os.sched_getaffinity(0))) / 60
    return f"{len(missing)} runs to train, about {_duration(minutes)}"


def _kind(config: dict[str, object]) -> tuple:
    return tuple(config.get(name) for name in ("dataset", "model", "train_samples"))


def _duration(minutes: float) -> str:
    if minutes < 1:
        return "a minute"
    return f"{minutes:.0f} minutes" if minutes < 90 else f"{minutes / 60:.1f} hours"


def make_all(study: Study) -> None:
    """Train what is missing, execute what is stale, write the pages, and say where to look."""
    stale = study.stale()
    if stale:
        study.train(stale)
        study.execute(stale)
    look(study)


def make_runs(study: Study) -> None:
    """Train the runs of all notebooks that the store does not have."""
    study.train(list(study.parameters))
    study.say("all runs of this profile are in the store")


def make_notebooks(study: Study) -> None:
    """Execute the stale notebooks from the runs that the store has; raise StudyError if some are missing."""
    stale = study.stale()
    if missing := len(study.needed(stale, study.store)) if stale else 0:
        raise StudyError(f"{missing} runs are missing: train them with make runs PROFILE={study.profile}")
    study.execute(stale)
    look(study)


def look(study: Study) -> None:
    """Write the pages and say where they are."""
    study.say(f"Figures, tables and notebooks: open {study.write_html()} in a browser")


def show_status(study: Study) -> None:
    """Say how many runs each notebook has, needs next and lost, and whether its outputs are current."""
    stale = study.stale()
    study.say(f"{'notebook':<28}{'have':>7}{'missing':>9}{'failed':>8}   outputs")
    for name in study.parameters:
        records = study.store.load(study.shown(name)).values()
        failed = sum(record["status"] in ("failed", "diverged") for record in records)
        missing = len(study.needed([name], study.store))
        outputs = "to be made" if name in stale else "up to date"
        study.say(f"{name:<28}{len(records):>7}{missing:>9}{failed:>8}   {outputs}")


COMMANDS: dict[str, Callable[[Study], None]] = {
    "all": make_all,
    "runs": make_runs,
    "notebooks": make_notebooks,
    "html": look,
    "status": show_status,
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out a command; an error that the user can mend is one line on stderr, and exit status 2."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    try:
        if arguments[:1] == ["bench"]:
            from randsparse import bench

            return bench.main(arguments[1:]) or 0
        options = _options(arguments)
        COMMANDS[options.command](_study(options))
    except StudyError as error:
        print(f"randsparse: {error}", file=sys.stderr)  # noqa: T201
        return 2
    except KeyboardInterrupt:
        print("randsparse: stopped; the same command goes on where this one was", file=sys.stderr)  # noqa: T201
        return 130
    return 0


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("randsparse", description=__doc__)
    parser.add_argument("command", choices=[*COMMANDS, "bench"], help="; ".join(_help_lines()))
    parser.add_argument("--profile", default=parameters.DEFAULT_PROFILE, help="%(default)s unless given")
    parser.add_argument("--results", type=Path, help="folder of results (RANDSPARSE_RESULTS, or results/)")
    parser.add_argument("--data-dir", type=Path, help="folder of datasets (DATA_DIR, or data/)")
    parser.add_argument("--workers", help="runs side by side (RANDSPARSE_WORKERS, or one for each core)")
    return parser.parse_args(arguments)


def _help_lines() -> list[str]:
    return [f"{name}: {(command.__doc__ or '').split('.')[0]}" for name, command in COMMANDS.items()]


def _study(options: argparse.Namespace) -> Study:
    root = parameters.find_root()
    if options.profile not in parameters.profiles(root):
        parameters.overrides("", options.profile, root)
    os.environ.update({"RANDSPARSE_WORKERS": options.workers} if options.workers else {})
    results = (options.results or results_folder(root)).resolve()
    data_dir = (options.data_dir or data_folder(root)).resolve()
    return Study(options.profile, root, results, data_dir, worker_count())
