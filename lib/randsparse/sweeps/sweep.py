"""Many runs: what the store lacks is trained side by side, and is in the store as soon as it is finished."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, TextIO

import joblib
from tqdm import tqdm

from randsparse import files
from randsparse.errors import StudyError
from randsparse.runs.config import RunConfig
from randsparse.runs.store import Record, Store
from randsparse.sweeps import cluster as clusters
from randsparse.sweeps import locks
from randsparse.sweeps.budget import Budget
from randsparse.sweeps.pool import Pool
from randsparse.sweeps.tasks import Task, Train
from randsparse.training import train as training
from randsparse.training import weights
from randsparse.training.engines.programs import group_runs

Plan = Iterable[RunConfig] | Callable[[Store], Iterable[RunConfig]]

logger = logging.getLogger(__name__)


def sweep(
    plan: Plan,
    store: Store,
    *,
    workers: int | None = None,
    train: Train = training.train,
    data_dir: str | Path | None = None,
    progress: bool = True,
    retries: int = 3,
    checkpoints: str | Path | None = None,
    retry_failed: bool = False,
    cluster: str | None = None,
    device: str | None = None,
    budget: Budget | None = None,
    finished: Callable[[Record], None] | None = None,
) -> list[Record]:
    """Train the runs of `plan` that `store` lacks, and return the records of all, each once, in plan order.

    Args:
        plan: the runs, or a function of the store that gives the runs wanted next, called until none of them
            is missing.
        workers: processes side by side, one compute thread each; None for one a core (one in all on a GPU), 1 for
            this process only. The records are the same in all but cost and environment.
        train: called as `train(config, data_dir=..., checkpoint_dir=...)`, returns the record.
        retries: how often a run is started again after the process that trained it has died.
        checkpoints: folder of checkpoints, by default that of the store.
        retry_failed: whether runs whose record says "failed" are trained again, once.
        cluster: address of a Dask scheduler whose workers train instead. They take data from their own DATA_DIR,
            and use the folder of checkpoints if they see it; records are written here.
        device: passed to `train` if given; "cuda" takes one of a cluster worker's resource GPU.
        budget: what does not fit into it is not started, so that records may be missing at the end.
        finished: called with each record that is trained, before it is in the store.

    Can be killed at any moment: each record is on disk when its run is finished, and the next call goes on
    with what is missing. A second sweep on one store waits for the first, if it has anything to train. A run that
    raises an exception is recorded as failed, with the reason. Raises StudyError for what concerns all runs (no
    data; no scheduler; a full disk; a folder that cannot be written, before anything is trained), and at the end
    for runs whose processes died more than `retries` times.
    """
    if workers is not None and workers < 1:
        raise StudyError(f"workers={workers} is not possible: it must be None (one a core) or at least 1")
    workers = workers or (1 if device == "cuda" else joblib.cpu_count())
    folder = Path(checkpoints) if checkpoints else store.root / "checkpoints"
    configs = plan if callable(plan) else list(plan)
    wanted: dict[str, RunConfig] = {}
    retry: set[str] = set()
    pool: Pool | None = None
    with contextlib.ExitStack() as stack:
        while True:
            asked = {config.key: config for config in (configs(store) if callable(configs) else configs)}
            have = store.load(asked.values())
            failed = {key for key, record in have.items() if record["status"] == "failed"}
            if retry_failed:
                retry |= failed - wanted.keys()
            wanted |= asked
            missing = [config for key, config in asked.items() if key not in have or key in failed & retry]
            if not missing or (budget and budget.spent):
                records = store.load(wanted.values())
                return [records[key] for key in wanted if key in records]
            store.check_writable(*(config.dataset for config in missing))
            store.check_free(missing)
            files.check_folder(folder)
            if pool is None:  # the first time: what another sweep trains meanwhile is not missing any more
                stack.enter_context(locks.hold_lock(store.root / locks.LOCK))
                for each in (folder, store.root / weights.FOLDER):
                    files.clean(each)
                    stack.callback(files.clean, each)  # of workers that died meanwhile
                there = stack.enter_context(clusters.connect(cluster, device)) if cluster else None
                task = Task(train, data_dir, folder.absolute(), None if cluster else os.getpid(), device)
                pool = Pool(task, workers, retries, there)
                continue
            missing = _longest(missing)
            outcomes = contextlib.closing(pool.finished(group_runs(missing), budget and budget.choose))
            with outcomes as results, _progress_bar(progress, missing) as bar:
                for outcome in results:
                    for config, record in zip(outcome.unit, outcome.records, strict=True):
                        if finished:
                            finished(record)
                        store.put(record)
                        retry.discard(config.key)
                        if record["status"] == "failed":
                            logger.warning("run %s failed: %s", config.key, record["reason"])
                        bar.update(config.last_epoch)
                    if budget:
                        budget.learn(outcome.unit, outcome.records, outcome.seconds)


def _longest(missing: list[RunConfig]) -> list[RunConfig]:
    """Return the longest run of each trajectory: its curve answers for the others."""
    longest: dict[str, RunConfig] = {}
    for config in sorted(missing, key=lambda config: -config.last_epoch):
        longest.setdefault(config.trajectory.key, config)
    return [config for config in missing if longest[config.trajectory.key] is config]


def _progress_bar(shown: bool, missing: list[RunConfig]) -> tqdm:
    """Return a bar in epochs: a widget in a live notebook, else text, and seldom where no one watches."""
    style: Any = tqdm
    if "JPY_SESSION_NAME" in os.environ:  # set by a Jupyter server for its kernels, not by papermill
        from tqdm.auto import tqdm as style
    file = _terminal()
    watched = style is not tqdm or file.isatty()
    return style(
        desc=f"training {len(missing)} runs",
        total=sum(config.last_epoch for config in missing),
        unit=" epochs",
        file=file,
        mininterval=0.1 if watched else 30,
        disable=not shown,
    )


def _terminal() -> TextIO:
    """Return where a bar is seen: of a kernel that papermill started, that is papermill's terminal and not the cell."""
    of_kernel = getattr(sys.stderr, "_original_stdstream_copy", None)  # what a kernel had before its cells had it
    if of_kernel is None or "JPY_SESSION_NAME" in os.environ or not os.isatty(of_kernel):
        return sys.stderr
    return os.fdopen(os.dup(of_kernel), "w")
