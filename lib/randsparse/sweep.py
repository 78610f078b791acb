"""Many runs: what the store lacks is trained side by side, and is in the store as soon as it is finished."""

from __future__ import annotations

import contextlib
import errno
import logging
import os
import sys
import threading
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import torch
from joblib.externals.loky.process_executor import TerminatedWorkerError
from threadpoolctl import threadpool_limits
from tqdm import tqdm

from randsparse import training
from randsparse.config import SCHEMA, RunConfig
from randsparse.errors import StudyError
from randsparse.files import check_folder
from randsparse.runs import COSTS, DENSITIES, Record, Store

Plan = Iterable[RunConfig] | Callable[[Store], Iterable[RunConfig]]
Train = Callable[..., Record]
Result = tuple[RunConfig, Record | StudyError]

logger = logging.getLogger(__name__)
_NO_PLACE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}


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
) -> list[Record]:
    """Train the runs of `plan` that `store` lacks, and return the records of all, each once, in plan order.

    Args:
        plan: the runs, or a function of the store that gives the runs wanted next, called until none of them
            is missing.
        workers: processes side by side, one compute thread each; None for one a core, 1 for this process
            only. The records are the same in all but cost and environment.
        train: called as `train(config, data_dir=..., checkpoint_dir=...)`, returns the record.
        retries: how often a run is started again after the process that trained it has died.
        checkpoints: folder of checkpoints, by default that of the store.
        retry_failed: whether runs whose record says "failed" are trained again, once.

    Can be killed at any moment: each record is on disk when its run is finished, and the next call goes on
    with what is missing. A run that raises an exception is recorded as failed, with the reason. Raises
    StudyError for what concerns all runs (no data; a folder that cannot be written, before anything is
    trained), and at the end for runs whose processes died more than `retries` times.
    """
    if workers is not None and workers < 1:
        raise StudyError(f"workers={workers} is not possible: it must be None (one a core) or at least 1")
    workers = workers or joblib.cpu_count()
    folder = Path(checkpoints) if checkpoints else store.root / "checkpoints"
    task = _Task(train, data_dir, folder, os.getpid())
    configs = plan if callable(plan) else list(plan)
    wanted: dict[str, RunConfig] = {}
    retry: set[str] = set()
    while True:
        asked = {config.key: config for config in (configs(store) if callable(configs) else configs)}
        have = store.load(asked.values())
        failed = {key for key, record in have.items() if record["status"] == "failed"}
        if retry_failed:
            retry |= failed - wanted.keys()
        wanted |= asked
        missing = [config for key, config in asked.items() if key not in have or key in failed & retry]
        if not missing:
            records = store.load(wanted.values())
            return [records[key] for key in wanted]
        missing = _longest(missing)
        store.check_writable(*(config.dataset for config in missing))
        check_folder(folder)
        finished = contextlib.closing(_finished(missing, task, workers, retries))
        with finished as results, _progress_bar(progress, missing, len(wanted) - len(missing)) as bar:
            for config, record in results:
                store.put(record)
                retry.discard(config.key)
                if record["status"] == "failed":
                    logger.warning("run %s failed: %s", config.key, record["reason"])
                bar.update(config.last_epoch)


@dataclass(frozen=True)
class _Task:
    """What a worker does: one run, with one compute thread, that ends in a record whatever happens."""

    train: Train
    data_dir: str | Path | None
    checkpoints: Path
    coordinator: int

    def __call__(self, config: RunConfig) -> Result:
        _end_with(self.coordinator)
        started = time.perf_counter()
        try:
            with one_thread():
                return config, self.train(config, data_dir=self.data_dir, checkpoint_dir=self.checkpoints)
        except StudyError as error:
            return config, error
        except Exception as error:
            if isinstance(error, OSError) and error.errno in _NO_PLACE:
                return config, StudyError(f"run {config.key} stopped: {error}; finished runs are stored")
            return config, failure(config, error, time.perf_counter() - started)


@contextlib.contextmanager
def one_thread() -> Iterator[None]:
    """Compute with one thread: runs use cores better side by side, and their sums are in one order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)


def failure(config: RunConfig, error: Exception, seconds: float) -> Record:
    """Return the record of a run that ended with `error`."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    text = " ".join(str(error).split())[:500]
    return {
        "schema": SCHEMA,
        "key": config.key,
        "config": config.to_dict(),
        "status": "failed",
        "reason": f"{type(error).__name__}: {text} ({Path(place.filename).name}, line {place.lineno})",
        "curve": [],
        "test": None,
        "density": dict.fromkeys(DENSITIES) | {"asked": config.density, "layers": {}, "empty_layers": []},
        "cost": dict.fromkeys(COSTS) | {"seconds": seconds, "epochs": 0},
        "environment": training.environment(torch.device("cpu")),
    }


def _longest(missing: list[RunConfig]) -> list[RunConfig]:
    """Return the longest run of each trajectory: its curve answers for the others."""
    longest: dict[str, RunConfig] = {}
    for config in sorted(missing, key=lambda config: -config.last_epoch):
        longest.setdefault(config.trajectory.key, config)
    return [config for config in missing if longest[config.trajectory.key] is config]


def _finished(configs: list[RunConfig], task: _Task, workers: int, retries: int) -> Iterator[Result]:
    """Yield each run as it is finished; what a dead worker leaves is started again, `retries` times."""
    waiting = {config.key: config for config in configs}
    workers = min(workers, len(configs))  # of all: what killed a worker shall not run in this process
    deaths: Counter[str] = Counter()
    fruitless = 0
    while left := [config for key, config in waiting.items() if deaths[key] <= retries]:
        if fruitless > 2 * retries + 1:
            break
        under_way: set[str] = set()
        try:
            with contextlib.closing(_results(left, task, workers, under_way)) as results:
                for config, record in results:
                    if isinstance(record, StudyError):
                        raise record
                    del waiting[config.key]
                    under_way.discard(config.key)
                    fruitless = 0
                    yield config, record
        except TerminatedWorkerError:
            deaths.update(under_way)
            fruitless += 1
            logger.warning("a worker died: starting %s again", ", ".join(sorted(under_way)))
    if waiting:
        suspects = [key for key in waiting if deaths[key]]
        raise StudyError(
            f"worker processes died again and again while they trained {', '.join(suspects)}: finished runs "
            f"are stored, {len(waiting)} are missing; is memory short? use fewer workers"
        )


def _results(configs: list[RunConfig], task: _Task, workers: int, under_way: set[str]) -> Iterator[Result]:
    """Yield what `task` gives for each config, in any order; `under_way` gets the keys of those started."""

    def calls() -> Iterator[Any]:
        for config in configs:
            under_way.add(config.key)
            yield joblib.delayed(task)(config)

    if workers == 1:
        yield from (task(config) for config in configs)
        return
    with joblib.parallel_config(backend="loky", inner_max_num_threads=1):
        # One run a message and none in advance: runs are long, and a death costs only those under way.
        parallel = joblib.Parallel(
            workers, return_as="generator_unordered", batch_size=1, pre_dispatch="n_jobs", max_nbytes=None
        )
    results = parallel(calls())
    try:
        for result in results:  # noqa: UP028, `yield from` would close it before the filter below
            yield result
    finally:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # that runs were cancelled: they are still missing
            results.close()


def _end_with(coordinator: int) -> None:
    """Let this worker end when its coordinator is killed, lest two sweeps train the same run."""
    name = "end with coordinator"
    if os.getppid() != coordinator or name in {thread.name for thread in threading.enumerate()}:
        return

    def watch() -> None:
        while os.getppid() == coordinator:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, name=name, daemon=True).start()


def _progress_bar(shown: bool, missing: list[RunConfig], have: int) -> tqdm:
    """Return a bar in epochs: a widget in a live notebook, else text, and seldom where no one watches."""
    style: Any = tqdm
    if "JPY_SESSION_NAME" in os.environ:  # set by a Jupyter server for its kernels, not by papermill
        from tqdm.auto import tqdm as style
    watched = style is not tqdm or sys.stderr.isatty()
    return style(
        desc=f"{len(missing)} runs, {have} in the store",
        total=sum(config.last_epoch for config in missing),
        unit=" epochs",
        file=sys.stderr,
        mininterval=0.1 if watched else 30,
        disable=not shown,
    )
