"""Units of work side by side, in this process, in others or on a cluster, whatever becomes of the workers."""

from __future__ import annotations

import contextlib
import logging
import warnings
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import joblib
from joblib.externals.loky.process_executor import TerminatedWorkerError

from randsparse.errors import StudyError
from randsparse.sweeps.cluster import Backend
from randsparse.sweeps.tasks import Outcome, Task, Unit

Choose = Callable[[list[Unit], int], Iterable[Unit]]

IDLE_SECONDS = 60
"""After how long without work a process ends, also one that had none yet when its coordinator was killed."""

logger = logging.getLogger(__name__)


@dataclass
class Pool:
    """Workers side by side.

    Attributes:
        task: what a worker does with a unit.
        workers: processes of this machine; 1 is this process alone.
        retries: how often a unit is started again after a worker that trained it has died.
        cluster: the workers are its own, if given.
    """

    task: Task
    workers: int
    retries: int
    cluster: Backend | None = None

    @property
    def size(self) -> int:
        """How many units are trained side by side now."""
        return max(1, self.cluster.slots) if self.cluster else self.workers

    def finished(self, units: list[Unit], choose: Choose | None = None) -> Iterator[Outcome]:
        """Yield each unit as it is finished, in any order; what a dead worker leaves is started again.

        `choose(units, size)` gives those of the units left that are to be started, one whenever a worker is free,
        until it gives none; without it all are. A pool dies with one worker, so that a unit beside a deadly one dies
        with it: those that died more than `retries` times are tried once more, each alone, when all others are
        finished. Raises the StudyError of a unit, and one for units whose workers died alone, too.
        """
        waiting = dict.fromkeys(units)
        workers = min(self.workers, len(units))  # of all: what killed a worker shall not run in this process
        deaths: Counter[Unit] = Counter()
        deadly: set[Unit] = set()
        fruitless = 0
        while left := self._next(waiting, deaths, deadly):
            if fruitless > 2 * self.retries + 1:
                break
            alone = deaths[left[0]] > self.retries
            under_way: set[Unit] = set()
            started = _Started(choose(left, self.size) if choose else left, under_way)
            try:
                with contextlib.closing(self._outcomes(started, workers, choose is not None)) as outcomes:
                    for outcome in outcomes:
                        under_way.discard(outcome.unit)
                        if outcome.error:
                            raise outcome.error
                        if outcome.deaths:
                            deaths[outcome.unit] += outcome.deaths
                            deadly |= {outcome.unit} if deaths[outcome.unit] > self.retries else set()
                            _report({outcome.unit}, deadly)
                            continue
                        del waiting[outcome.unit]
                        fruitless = 0
                        yield outcome
            except TerminatedWorkerError:
                deaths.update(under_way)
                deadly |= under_way if alone else set()
                fruitless += not alone
                _report(under_way, deadly)
            if choose and not started.any:
                break
        guilty = deadly if fruitless <= 2 * self.retries + 1 else set(deaths)
        if suspects := [config.key for unit in waiting if unit in guilty for config in unit]:
            raise StudyError(
                f"worker processes died again and again while they trained {', '.join(suspects)}: finished runs "
                f"are stored, {sum(map(len, waiting))} are missing; is memory short? use fewer workers"
            )

    def _next(self, waiting: Iterable[Unit], deaths: Counter[Unit], deadly: set[Unit]) -> list[Unit]:
        """Return the units to start side by side: those that may be, or else one that is to be tried alone."""
        together = [unit for unit in waiting if deaths[unit] <= self.retries]
        return together or [unit for unit in waiting if unit not in deadly][:1]

    def _outcomes(self, units: Iterable[Unit], workers: int, choosing: bool) -> Iterator[Outcome]:
        if self.cluster is None and workers == 1:
            yield from map(self.task, units)
            return
        if self.cluster:
            place: dict[str, Any] = {"backend": self.cluster}
        else:
            place = {"backend": "loky", "inner_max_num_threads": 1, "idle_worker_timeout": IDLE_SECONDS}
        # One unit a message and none in advance: runs are long, and a death costs only those under way. A cluster is
        # given all unless they are chosen one by one: it may grow, and `Backend` holds back what has no worker.
        advance = "all" if self.cluster and not choosing else "n_jobs"
        with joblib.parallel_config(**place):
            parallel = joblib.Parallel(
                workers, return_as="generator_unordered", batch_size=1, pre_dispatch=advance, max_nbytes=None
            )
        results = parallel(joblib.delayed(self.task)(unit) for unit in units)
        try:
            for result in results:  # noqa: UP028, `yield from` would close it before the filter below
                yield result
        finally:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", UserWarning)  # that runs were cancelled: they are still missing
                results.close()


def _report(died: set[Unit], deadly: set[Unit]) -> None:
    keys = ", ".join(sorted(config.key for unit in died for config in unit))
    logger.warning("a worker died: %s %s", "giving up" if died <= deadly else "starting again", keys)


class _Started:
    """Iterates units and remembers those that were handed out."""

    def __init__(self, units: Iterable[Unit], under_way: set[Unit]) -> None:
        self._units, self._under_way, self.any = iter(units), under_way, False

    def __iter__(self) -> Iterator[Unit]:
        return self

    def __next__(self) -> Unit:
        unit = next(self._units)
        self._under_way.add(unit)
        self.any = True
        return unit
