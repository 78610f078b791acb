"""One profile of the study: its parameters, runs, notebooks and pages, and how each is made."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from randsparse import questions
from randsparse.errors import StudyError
from randsparse.runs.config import RunConfig
from randsparse.runs.evaluations import Evaluation, Unit
from randsparse.runs.records import WITHOUT_WEIGHTS
from randsparse.runs.store import Record, Store
from randsparse.study import freshness, parameters
from randsparse.sweeps import locks
from randsparse.sweeps.budget import SAMPLE, Budget, Estimator, format_duration, parse_duration
from randsparse.sweeps.bundles import Bundle
from randsparse.training import weights

FAILURES = 20
"""How many failed runs are named; the rest is counted."""


@dataclass(frozen=True)
class Study:
    """One profile of the study and where its parts are.

    Attributes:
        workers, cluster, device: as `sweep.sweep` has them.
        budget: the time that the command may take, such as 25m, since it was `started`.
        out: a file to which each record that is trained is also written.
        part: the parts of a campaign that the command is for, separated by commas; None for all.
        why: whether `status` says why a notebook is to be made anew.
        retry: whether runs that failed are tried again.
        source: the bundles to merge: a file, a folder or a pattern.
        between: called whenever a run is finished; the runs of `train` are then not announced.
    """

    profile: str
    root: Path
    results: Path
    data_dir: Path
    workers: int | None = None
    say: Callable[[str], None] = print
    cluster: str | None = None
    device: str | None = None
    budget: str | None = None
    out: Path | None = None
    source: str | None = None
    part: str | None = None
    why: bool = False
    retry: bool = False
    started: float = field(default_factory=time.monotonic)
    between: Callable[[], None] | None = None

    @property
    def folder(self) -> Path:
        """Where the profile's results are."""
        return self.results / self.profile

    @functools.cached_property
    def store(self) -> Store:
        """The store of all runs."""
        return Store(self.results)

    @functools.cached_property
    def parameters(self) -> dict[str, dict[str, object]]:
        """The parameters of each notebook in this profile, all of them checked."""
        names = freshness.list_names(self.root)
        return {name: parameters.read_parameters(name, self.profile, self.root) for name in names}

    def stale(self) -> list[str]:
        """Return the notebooks whose outputs are missing, or made from other than what is there now."""
        return [name for name in self.parameters if self.why_stale(name)]

    def say_edited(self) -> None:
        """Say which notebooks differ from their committed form; profiles keep the parameters that their files name."""
        if names := parameters.list_edited(self.root):
            verb = "differs" if len(names) == 1 else "differ"
            self.say(
                f"{', '.join(names)} {verb} from the committed form; parameters of profiles are those of their files"
            )

    def why_stale(self, name: str) -> list[str]:
        """Return why a notebook is to be made anew, one reason per parameter or file that differs; [] if it is not."""
        return freshness.explain_stale(name, self.profile, self.root, self.results, self._files(name))

    def needed(self, names: Sequence[str], store: Store) -> list[RunConfig]:
        """Return the runs that notebooks need next, each once: the plan of them all."""
        return list(dict.fromkeys(run for name in names for run in questions.plan(name, self.checked(name), store)))

    def planned(self, names: Sequence[str]) -> list[RunConfig]:
        """Return all runs that notebooks lack, each once, also those whose settings depend on others: for estimates."""
        runs = (run for name in names for run in questions.plan_runs(name, self.checked(name), self.store))
        return list(dict.fromkeys(runs))

    def checked(self, name: str) -> dict[str, object]:
        """Return the parameters of a notebook; raises StudyError, which names the file, for impossible ones."""
        try:
            questions.plan_evaluations(name, self.parameters[name])
            questions.compare(name, self.parameters[name])
        except StudyError as error:
            path = Path("notebooks") / "profiles" / self.profile / f"{name}.yaml"
            where = path if (self.root / path).is_file() else f"notebook {name}, profile {self.profile}"
            raise StudyError(f"{where}: {error}") from None
        return self.parameters[name]

    def shown(self, name: str) -> list[RunConfig]:
        """Return the runs that a notebook shows and the store has."""
        return questions.find_used(name, self.checked(name), self.store)

    def prepare(self, names: Sequence[str]) -> bool:
        """Train and evaluate what notebooks need; return whether all is there.

        Runs of a cluster leave no weights here: those that are evaluated are trained again, unless there is a budget.
        """
        if self.retry:
            self.try_again(config for name in names for config in self.shown(name))
        trained = self.train(functools.partial(self.needed, names))
        return trained and all([self.evaluate(name) for name in names])

    def train(self, plan: Callable[[Store], list[RunConfig]]) -> bool:
        """Train the runs of a plan, after saying how many and about how long; return whether all are there.

        With a budget some may be left, and it says how many.
        """
        missing = plan(self.store)
        if not missing:
            return True
        budget, finished = self.spending(), self.bundling()
        if self.between is None:
            self.say(self.announcement(missing))
        self.sweep(plan, budget=budget, finished=finished)
        left = plan(self.store) if budget else []
        if left:
            rest = self.time_of(left) or "time unknown"
            self.say(f"the time is up: {budget.finished} runs finished, {len(left)} are left, {rest}")
        return not left

    def sweep(self, plan: Any, **options: Any) -> None:
        """Carry out a plan as `sweep.sweep` does, with its options.

        Final weights are kept, so that what is evaluated later need not be trained again; a cluster leaves none here.
        """
        from randsparse.sweeps import sweep
        from randsparse.training import train

        if not self.cluster:
            options["train"] = functools.partial(train.train, weights_root=self.store.root)
        where = {"workers": self.workers, "cluster": self.cluster, "device": self.device, "data_dir": self.data_dir}
        sweep.sweep(plan, self.store, **where, **options)

    def try_again(self, configs: Iterable[RunConfig]) -> None:
        """Train once more those of `configs` whose record says that they failed, after saying how many they are."""
        configs = {config.key: config for config in configs}
        records = self.store.load(configs.values())
        if failed := [configs[key] for key, record in records.items() if record["status"] == "failed"]:
            self.say(f"{len(failed)} runs that failed are tried again")
            self.sweep(failed, retry_failed=True, budget=self.spending(), finished=self.bundling())

    def say_failures(self, records: Iterable[Record]) -> None:
        """Say of each failed or diverged run what it was and why it ended."""
        failed = {record["key"]: record for record in records if record["status"] in WITHOUT_WEIGHTS}
        for key, record in list(failed.items())[:FAILURES]:
            self.say(f"{record['status']}: run {key} ({record['config'].get('dataset', 'digits')}): {record['reason']}")
        if len(failed) > FAILURES:
            self.say(f"and {len(failed) - FAILURES} more")
        if any(record["status"] == "failed" for record in failed.values()):
            self.say(f"make runs PROFILE={self.profile} RETRY=1 tries failed runs again")

    def announcement(self, missing: Sequence[RunConfig]) -> str:
        """Return how many runs are to be trained now, and about how long that takes by runs like them in the store.

        A search decides its next runs when these are in, so that there may be more later.
        """
        time = self.time_of(missing)
        if time is None:
            return f"{len(missing)} runs to train; the bar tells how long that takes, once the first is finished"
        return f"{len(missing)} runs to train, {time}{' on one worker' if self.cluster else ''}"

    def time_of(self, configs: Sequence[RunConfig]) -> str | None:
        """Return about how long runs take here, in words (of a cluster, on one worker); None if that is unknown."""
        seconds = self.seconds_of(configs)
        return None if seconds is None else f"about {format_duration(seconds)}"

    def seconds_of(self, configs: Sequence[RunConfig]) -> float | None:
        """Return about how long runs take here (of a cluster, on one worker); None if that is unknown."""
        import joblib

        workers = 1 if self.cluster else self.workers or (1 if self.device == "cuda" else joblib.cpu_count())
        return self.estimator.makespan(configs, workers)

    def evaluations_missing(self, name: str) -> list[Unit]:
        """Return the evaluations of a notebook that the store does not have."""
        return questions.find_missing(name, self.parameters[name], self.store)

    def evaluate(self, name: str) -> bool:
        """Make the evaluations that a notebook lacks, as `measure` does; return whether all are there."""
        groups = questions.group_evaluations(name, self.parameters[name], self.store)
        return self.measure(groups, self.evaluations_missing(name), f"{name}: ")

    def measure(
        self, groups: Iterable[tuple[Sequence[RunConfig], Sequence[Evaluation]]], missing: Sequence[Unit], of: str = ""
    ) -> bool:
        """Make evaluations of groups of runs, after saying how many are missing; return whether all are there.

        Runs without weights are trained for them. A budget is for runs alone: it says what is left.
        """
        if missing:
            later = ", by the same command without a budget" if self.budget else ""
            self.say(f"{of}{self.evaluations_left(missing)}{later}")
        if not missing or self.budget:
            return not missing
        from randsparse.sweeps import measuring

        where = {"workers": self.workers, "device": self.device or "cpu", "data_dir": self.data_dir}
        for runs, wanted in groups:
            measuring.evaluate(runs, wanted, self.store, **where)
        return True

    def evaluations_left(self, units: Sequence[Unit]) -> str:
        """Return how many evaluations are to be made, and for how many runs' weights one has to train."""
        runs = dict.fromkeys(unit.run for unit in units)
        bare = [run for run in runs if not weights.has(run, self.store.root)]
        count = sum(len(unit.evaluations) for unit in units)
        more = f"; {len(bare)} are trained for their weights ({self.time_of(bare) or 'time unknown'})" if bare else ""
        return f"{count} evaluations to be made of {len(runs)} runs{more}"

    @functools.cached_property
    def estimator(self) -> Estimator:
        """What runs take on this machine, by the store, of which a sample is read if it is large."""
        return Estimator(self.store.costs(SAMPLE), self.device or "cpu")

    def spending(self) -> Budget | None:
        """Return what is left of the budget, None without one."""
        if not self.budget:
            return None
        return Budget(parse_duration(self.budget) - (time.monotonic() - self.started), self.estimator)

    def bundling(self) -> Callable[[dict], None] | None:
        """Return what adds a record to the file `out`, None without one.

        Raises StudyError if it cannot be written, before training. Without a file it calls `between`, if given.
        """
        if between := self.between:
            return lambda record: between()
        if not self.out:
            return None
        bundle = Bundle(self.out)
        bundle.check()
        return bundle.append

    def remember(self, name: str) -> None:
        """Note what a notebook that was just executed was made from."""
        freshness.remember(name, self.profile, self.root, self.results, self._files(name))

    def alone(self) -> AbstractContextManager[None]:
        """Return what holds the store for this process: another one that works on it is waited for."""
        return locks.hold_lock(self.results / locks.LOCK)

    def _files(self, name: str) -> list[Path]:
        """Return the record files, of runs and evaluations, that what a notebook shows can have come from."""
        paths = {path for config in self.shown(name) for path in self.store.paths(config)}
        paths.update(questions.list_paths(name, self.parameters[name], self.store))
        return [path for path in paths if path.is_file()]

    def write_html(self) -> Path:
        """Write the book unless it is current, and return its first page."""
        place = (self.profile, self.root, self.results)
        if not freshness.book_is_current(*place):
            from randsparse.study.book import write_book

            with self.alone():
                if not freshness.book_is_current(*place):  # nobody else has written it meanwhile
                    write_book(self.profile, self.root, self.folder)
                    freshness.remember_book(*place)
        return self.folder / "html" / "index.html"
