"""Evaluating runs side by side: what is stored is not repeated, and what has weights is not trained."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import joblib
import torch
from joblib.externals.loky.process_executor import TerminatedWorkerError
from tqdm import tqdm

from randsparse.data import dataset as data
from randsparse.errors import StudyError
from randsparse.runs import evaluations
from randsparse.runs.config import RunConfig
from randsparse.runs.evaluation_tasks import Unit, missing
from randsparse.runs.evaluations import Evaluation, Subject
from randsparse.runs.store import Record, Store
from randsparse.sweeps import final_weights
from randsparse.sweeps.pool import IDLE_SECONDS
from randsparse.sweeps.tasks import one_thread
from randsparse.training.environment import environment


def evaluate(
    runs: Iterable[RunConfig],
    wanted: Iterable[Evaluation],
    store: Store,
    *,
    workers: int | None = None,
    data_dir: str | Path | None = None,
    device: str = "cpu",
    progress: bool = True,
) -> list[Record]:
    """Measure what `store` lacks of each run and evaluation; return the records of all, runs first.

    Runs without weights are trained first, as `trained.ensure` does; those that diverged or failed are left out.

    Args:
        workers: processes side by side, one compute thread each; None for one a core (one in all on a GPU).

    Can be killed at any moment: each record is on disk when its unit is finished. Raises StudyError for an evaluation
    that is not possible with the data, before anything is trained; as `evaluations.load` and `trained.ensure`.
    """
    runs, wanted = list(dict.fromkeys(runs)), list(dict.fromkeys(wanted))
    folder = Path(data_dir or os.environ.get("DATA_DIR") or "data").absolute()
    if workers is not None and workers < 1:
        raise StudyError(f"workers={workers} is not possible: it must be None (one a core) or at least 1")
    workers = workers or (1 if device == "cuda" else joblib.cpu_count())
    todo = missing(runs, wanted, store)
    for name in dict.fromkeys(unit.run.dataset for unit in todo):
        for each in dict.fromkeys(each for unit in todo if unit.run.dataset == name for each in unit.evaluations):
            each.check(data.load(name, folder), folder)
    final_weights.ensure((unit.run for unit in todo), store, workers=workers, data_dir=folder, device=device,
                   progress=progress)  # fmt: skip
    todo = missing(runs, wanted, store) if todo else []  # without the runs that diverged just now
    tasks = (joblib.delayed(_measure)(unit, store.root.absolute(), folder, device) for unit in todo)
    with joblib.parallel_config(backend="loky", inner_max_num_threads=1, idle_worker_timeout=IDLE_SECONDS):
        parallel = joblib.Parallel(
            min(workers, len(todo) or 1), return_as="generator_unordered", batch_size=1, pre_dispatch="n_jobs"
        )
    total = sum(len(unit.evaluations) for unit in todo)
    shown = progress and total > 0
    watched = {"file": sys.stderr, "mininterval": 0.1 if sys.stderr.isatty() else 30, "disable": not shown}
    try:
        with tqdm(desc="evaluations", total=total, **watched) as bar:
            for unit, values, environment in parallel(tasks):
                for each, value in zip(unit.evaluations, values, strict=True):
                    evaluations.save(unit.run, each, value, environment, store)
                bar.update(len(values))
    except TerminatedWorkerError:
        raise StudyError(
            "a process died while it evaluated runs: what was finished is stored, run the same command again; is "
            "memory short? use fewer workers"
        ) from None
    return list(evaluations.load(runs, wanted, store).values())


def _measure(unit: Unit, root: Path, data_dir: Path, device: str) -> tuple[Unit, list[dict[str, Any]], Record]:
    """Return the values of a unit's evaluations, in order, and where they were computed."""
    with one_thread():
        subject = subject_of(unit.run, Store(root, read_only=True), data_dir, device)
        values = [each.measure(subject) for each in unit.evaluations]
        return unit, values, environment(subject.dataset.test_x.device)


def subject_of(config: RunConfig, store: Store, data_dir: str | Path, device: str = "cpu") -> Subject:
    """Return a run with weights as the subject of evaluations; raises as `trained.network`."""
    model = final_weights.network(config, store, data_dir, device, train=False)
    dataset = data.load(config.dataset, data_dir, config.train_samples).to(device)
    return Subject(model, dataset, getattr(torch, config.precision), Path(data_dir), device)
