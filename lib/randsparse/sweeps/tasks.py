"""The unit of work of a sweep: runs that are trained in one call, and what a worker does with them."""

from __future__ import annotations

import contextlib
import errno
import re
import time
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

import torch
from threadpoolctl import threadpool_limits

from randsparse.errors import StudyError
from randsparse.runs.config import SCHEMA, RunConfig
from randsparse.runs.store import COSTS, DENSITIES, Record
from randsparse.sweeps.parents import end_with
from randsparse.training import train as training
from randsparse.training.engines.programs import Unit
from randsparse.training.environment import describe_environment

Train = Callable[..., Record]

_NO_PLACE = {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EPERM}
_NO_MEMORY = re.compile(
    "out of memory|(cannot|can't|could not) allocate|not enough memory|std::bad_alloc|failed to map segment",
    re.IGNORECASE,
)


def train_unit(unit: Unit, train: Train, **options: object) -> list[Record]:
    """Train the runs of a unit and return their records, in order; `options` are those of `training.train`."""
    if isinstance(train, partial):
        return train_unit(unit, train.func, **train.keywords, **options)
    if train is training.train:
        return training.train_together(unit, **options)
    return [train(config, **options) for config in unit]


class Outcome(NamedTuple):
    """What became of a unit: its records, an error that concerns all of them, or how many workers died of it."""

    unit: Any
    records: list[Record]
    seconds: float = 0.0
    error: StudyError | None = None
    deaths: int = 0


@dataclass(frozen=True)
class Task:
    """What a worker does: one unit, with one compute thread, that ends in records whatever happens.

    `coordinator` is the process whose end is also the worker's, or None for a cluster's worker, which has its data
    where its own DATA_DIR says and uses the folder of checkpoints only if its machine has it, too.
    """

    train: Train
    data_dir: str | Path | None
    checkpoints: Path
    coordinator: int | None
    device: str | None = None

    done: ClassVar[str] = "trained"

    def keys(self, unit: Unit) -> list[str]:
        """Return the keys of a unit's runs."""
        return [config.key for config in unit]

    def __call__(self, unit: Unit) -> Outcome:
        started = time.perf_counter()
        try:
            self._check_worker()
            with use_one_thread():
                records = train_unit(unit, self.train, **self._options())
        except StudyError as error:
            return Outcome(unit, [], error=error)
        except Exception as error:
            if lack := find_lack(error):
                text = " ".join(str(error).split())[:200] or type(error).__name__
                stopped = f"run {unit[0].key} stopped: {text}; finished runs are stored, {lack}"
                return Outcome(unit, [], error=StudyError(stopped))
            if len(unit) > 1:  # one of them is to blame, and the others shall not be lost
                return self._apart(unit)
            records = [make_failure(unit[0], error, time.perf_counter() - started)]
        return Outcome(unit, records, time.perf_counter() - started)

    def _check_worker(self) -> None:
        if self.coordinator is None:
            _check_threads()
        else:
            end_with(self.coordinator)
        if self.device == "cuda" and not torch.cuda.is_available():
            raise StudyError("device 'cuda': no usable GPU here; use another machine, or device cpu")

    def _options(self) -> dict[str, object]:
        folder = self.checkpoints if self.checkpoints.is_dir() else None
        data_dir = None if self.coordinator is None else self.data_dir
        device = {"device": self.device} if self.device else {}
        return {"data_dir": data_dir, "checkpoint_dir": folder, **device}

    def _apart(self, unit: Unit) -> Outcome:
        outcomes = [self((config,)) for config in unit]
        errors = [outcome.error for outcome in outcomes if outcome.error]
        records = [record for outcome in outcomes for record in outcome.records]
        seconds = sum(outcome.seconds for outcome in outcomes)
        return Outcome(unit, [] if errors else records, seconds, *errors[:1])


@contextlib.contextmanager
def use_one_thread() -> Iterator[None]:
    """Compute with one thread: runs use cores better side by side, and their sums are in one order."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        with threadpool_limits(1):
            yield
    finally:
        torch.set_num_threads(before)


def make_failure(config: RunConfig, error: Exception, seconds: float) -> Record:
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
        "environment": describe_environment(torch.device("cpu")),
    }


def _check_threads() -> None:
    """Raise StudyError in a worker with several threads: runs side by side in one process share its limits."""
    from distributed import get_worker

    worker = get_worker()
    if worker.state.nthreads != 1:
        raise StudyError(
            f"worker {worker.address} has {worker.state.nthreads} threads: start it with --nthreads 1, and as many "
            "workers as runs side by side (--nworkers)"
        )


def find_lack(error: BaseException | None) -> str | None:
    """Return what to do where memory or a disk is behind `error`, which says nothing about the run; None otherwise."""
    while error is not None:
        if (
            isinstance(error, MemoryError)
            or getattr(error, "errno", None) == errno.ENOMEM
            or _NO_MEMORY.search(str(error))
        ):
            return "memory is short: run the same command again with fewer workers (WORKERS=1)"
        if isinstance(error, OSError) and error.errno in _NO_PLACE:
            return "run the same command again when there is room to write"
        error = error.__cause__ or error.__context__
    return None
