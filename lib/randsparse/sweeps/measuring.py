"""Evaluating runs side by side: what is stored is not repeated, and what has weights is not trained."""

from __future__ import annotations

import contextlib
import functools
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import joblib
import torch
from tqdm import tqdm

from randsparse.data import dataset as data
from randsparse.data.place import data_folder
from randsparse.errors import StudyError
from randsparse.runs import evaluations
from randsparse.runs.config import RunConfig
from randsparse.runs.evaluations import Evaluation, Subject, Unit, find_missing
from randsparse.runs.store import Record, Store
from randsparse.sweeps import final_weights, locks
from randsparse.sweeps.parents import end_with
from randsparse.sweeps.pool import Pool
from randsparse.sweeps.tasks import Outcome, use_one_thread
from randsparse.training import metrics
from randsparse.training.environment import describe_environment


def evaluate(
    runs: Iterable[RunConfig],
    wanted: Iterable[Evaluation],
    store: Store,
    *,
    workers: int | None = None,
    data_dir: str | Path | None = None,
    device: str = "cpu",
    progress: bool = True,
    retries: int = 3,
) -> list[Record]:
    """Measure what `store` lacks of each run and evaluation; return the records of all, runs first.

    Runs without weights are trained first, as `final_weights.ensure` does; those that diverged or failed are left out.

    Args:
        workers: processes side by side, one compute thread each; None for one for each core (one in all on a GPU).
        retries: how often an evaluation is started again after the process that made it has died.

    Can be killed at any moment: each record is on disk when its unit is finished. Raises StudyError for an evaluation
    that is not possible with the data, before anything is trained; as `evaluations.load` and `final_weights.ensure`;
    at the end, for evaluations whose processes died more than `retries` times.
    """
    runs, wanted = list(dict.fromkeys(runs)), list(dict.fromkeys(wanted))
    folder = data_folder(data_dir)
    if workers is not None and workers < 1:
        raise StudyError(f"workers={workers} is not possible: it must be None (one a core) or at least 1")
    workers = workers or (1 if device == "cuda" else joblib.cpu_count())
    if todo := find_missing(runs, wanted, store):
        for name in dict.fromkeys(unit.run.dataset for unit in todo):
            for each in dict.fromkeys(each for unit in todo if unit.run.dataset == name for each in unit.evaluations):
                each.check(data.load(name, folder), folder)
        with locks.hold_lock(store.root / locks.LOCK):
            _measure(runs, wanted, store, workers, folder, device, progress, retries)
    return list(evaluations.load(runs, wanted, store).values())


def _measure(
    runs: list[RunConfig],
    wanted: list[Evaluation],
    store: Store,
    workers: int,
    folder: Path,
    device: str,
    progress: bool,
    retries: int,
) -> None:
    """Measure what the store lacks; see `evaluate`."""
    todo = find_missing(runs, wanted, store)
    needed = [run for unit in todo for run in unit.runs]
    final_weights.ensure(needed, store, workers=workers, data_dir=folder, device=device, progress=progress)
    todo = find_missing(runs, wanted, store)  # without the runs that diverged just now
    total = sum(len(unit.evaluations) for unit in todo)
    shown = progress and total > 0
    watched = {"file": sys.stderr, "mininterval": 0.1 if sys.stderr.isatty() else 30, "disable": not shown}
    pool = Pool(Measure(store.root.absolute(), folder, device, os.getpid()), workers, retries)
    with contextlib.closing(pool.finished(todo)) as outcomes, tqdm(desc="evaluations", total=total, **watched) as bar:
        for outcome in outcomes:
            for record in outcome.records:
                store.of(evaluations.EVALUATIONS).put(record)
            bar.update(len(outcome.records))


@dataclass(frozen=True)
class Measure:
    """What a worker does: the evaluations of one unit, with one compute thread.

    Attributes:
        root: the folder of results, which has the weights.
        coordinator: the process whose end is also the worker's.
    """

    root: Path
    data_dir: Path
    device: str
    coordinator: int

    done: ClassVar[str] = "evaluated"

    def keys(self, unit: Unit) -> list[str]:
        """Return the names of the records of a unit's evaluations."""
        return [f"{unit.run.key}-{each.key}" for each in unit.evaluations]

    def __call__(self, unit: Unit) -> Outcome:
        end_with(self.coordinator)
        try:
            with use_one_thread():
                subject = make_subject(unit.run, Store(self.root, read_only=True), self.data_dir, self.device)
                values = [each.measure(subject) for each in unit.evaluations]
                made = describe_environment(subject.dataset.test_x.device)
        except StudyError as error:
            return Outcome(unit, [], error=error)
        pairs = zip(unit.evaluations, values, strict=True)
        return Outcome(unit, [evaluations.record_of(unit.run, each, value, made) for each, value in pairs])


def make_subject(config: RunConfig, store: Store, data_dir: str | Path, device: str = "cpu") -> Subject:
    """Return a run with weights as the subject of evaluations; raises as `final_weights.load_network`."""
    model = final_weights.load_network(config, store, data_dir, device, train=False)
    dataset = data.load(config.dataset, data_dir, config.train_samples).to(device)
    others = functools.partial(final_weights.load_network, store=store, data_dir=data_dir, device=device, train=False)
    precision = getattr(torch, config.precision)
    return Subject(model, dataset, precision, Path(data_dir), metrics.logits, device, config, others)
