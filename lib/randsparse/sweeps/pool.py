"""Units of work side by side, in this process, in others or on a cluster, whatever becomes of the workers."""

from __future__ import annotations

import contextlib
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, wait
from dataclasses import dataclass
from typing import Any, Protocol

from joblib.externals.loky import get_reusable_executor
from joblib.externals.loky.process_executor import TerminatedWorkerError

from randsparse.errors import StudyError
from randsparse.sweeps.cluster import Cluster
from randsparse.sweeps.tasks import Outcome

Choose = Callable[[list[Any], int], Iterable[Any]]

IDLE_SECONDS = 60
"""After how long without work a process ends, also one that had none yet when its coordinator was killed."""
ONE_THREAD = {
    **{f"{name}_NUM_THREADS": "1" for name in ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMBA", "NUMEXPR")},
    "VECLIB_MAXIMUM_THREADS": "1",
}
"""The environment of a process that computes beside others."""

logger = logging.getLogger(__name__)


class Job(Protocol):
    """What workers do with units, of which each is done whole, and how messages name it."""

    done: str
    """What was done with a unit: "trained"."""

    def __call__(self, unit: Any) -> Outcome:
        """Do a unit; runs where the worker is."""

    def keys(self, unit: Any) -> list[str]:
        """Return the names of the records that a unit gives."""


class Workers(Protocol):
    """Who works, as `Here`, `Processes` and `Cluster` do.

    Attributes:
        size: how many units are done side by side now.
        shared: whether the death of one worker is that of all, so that nobody knows whose unit was to blame.
        patience: after how many seconds there may be more workers than before; None if there never are.
    """

    size: int
    shared: bool
    patience: float | None

    def submit(self, job: Job, unit: Any) -> Future:
        """Begin a unit."""

    def outcome(self, future: Future, unit: Any) -> Outcome:
        """Return what became of a unit that has ended; raises what no unit may raise."""

    def stop(self) -> None:
        """End what is under way, for good."""


class Here:
    """This process, which does one unit at a time."""

    size, shared, patience = 1, False, None

    def submit(self, job: Job, unit: Any) -> Future:
        """Do a unit, to its end."""
        future: Future = Future()
        future.set_result(job(unit))
        return future

    def outcome(self, future: Future, unit: Any) -> Outcome:
        """Return what became of a unit."""
        return future.result()

    def stop(self) -> None:
        """Do nothing: no unit is under way."""


class Processes:
    """Processes of this machine, with one compute thread each. They stay for the next units, unless one of them dies.

    Args:
        size: how many there are.
    """

    shared, patience = True, None

    def __init__(self, size: int) -> None:
        self.size = size
        self._executor = get_reusable_executor(max_workers=size, timeout=IDLE_SECONDS, env=ONE_THREAD)

    def submit(self, job: Job, unit: Any) -> Future:
        """Send a unit to a process."""
        try:
            return self._executor.submit(job, unit)
        except TerminatedWorkerError as error:  # a process that had nothing to do has died
            future: Future = Future()
            future.set_exception(error)
            return future

    def outcome(self, future: Future, unit: Any) -> Outcome:
        """Return what became of a unit; raises what a process could not send or receive."""
        try:
            return future.result()
        except TerminatedWorkerError:
            return Outcome(unit, [], deaths=1)

    def stop(self) -> None:
        """Kill the processes: what they had under way is still missing."""
        self._executor.shutdown(wait=True, kill_workers=True)


@dataclass
class Pool:
    """Workers side by side.

    Attributes:
        job: what a worker does with a unit.
        workers: processes of this machine; 1 is this process alone.
        retries: how often a unit is started again after a worker that did it has died.
        cluster: the workers are its own, if given.
    """

    job: Job
    workers: int
    retries: int
    cluster: Cluster | None = None

    def finished(self, units: list[Any], choose: Choose | None = None) -> Iterator[Outcome]:
        """Yield each unit as it is finished, in any order; what a dead worker leaves is started again.

        `choose(units, size)` gives those of the units left that are to be started, one whenever a worker is free,
        until it gives none; without it all are. Processes die together, so that a unit beside a deadly one dies with
        it: those that died more than `retries` times are tried once more, each alone, when all others are finished.
        Raises the StudyError of a unit, and one for units whose workers died alone, too.
        """
        waiting = dict.fromkeys(units)
        many = min(self.workers, len(units))  # of all: what killed a worker shall not be done in this process
        deaths: Counter[Any] = Counter()
        given_up: set[Any] = set()
        in_vain = 0  # how often in a row processes died before any unit was finished
        while in_vain <= 2 * self.retries + 1 and (left := self._next(waiting, deaths, given_up)):
            workers = self.cluster or (Processes(many) if many > 1 else Here())
            alone = deaths[left[0]] > self.retries
            started = died = False
            with contextlib.closing(self._outcomes(workers, choose(left, workers.size) if choose else left)) as ended:
                for outcome in ended:
                    started = True
                    if outcome.error:
                        raise outcome.error
                    if outcome.deaths:
                        died = True
                        deaths[outcome.unit] += outcome.deaths
                        if deaths[outcome.unit] > self.retries and (alone or not workers.shared):
                            given_up.add(outcome.unit)
                        again = "giving up" if outcome.unit in given_up else "starting again"
                        logger.warning("a worker died: %s %s", again, ", ".join(self.job.keys(outcome.unit)))
                        continue
                    del waiting[outcome.unit]
                    in_vain = 0
                    yield outcome
            in_vain += died and workers.shared and not alone
            if choose and not started:
                break
        blamed = given_up if in_vain <= 2 * self.retries + 1 else set(deaths)
        if guilty := [unit for unit in waiting if unit in blamed]:
            names = ", ".join(key for unit in guilty for key in self.job.keys(unit))
            missing = sum(len(self.job.keys(unit)) for unit in waiting)
            raise StudyError(
                f"worker processes died again and again while they {self.job.done} {names}: finished runs are stored, "
                f"{missing} are missing; is memory short? use fewer workers"
            )

    def _next(self, waiting: Iterable[Any], deaths: Counter[Any], given_up: set[Any]) -> list[Any]:
        """Return the units to start side by side: those that may be, or else one that is to be tried alone."""
        together = [unit for unit in waiting if deaths[unit] <= self.retries]
        return together or [unit for unit in waiting if unit not in given_up][:1]

    def _outcomes(self, workers: Workers, units: Iterable[Any]) -> Iterator[Outcome]:
        """Yield what becomes of units, of which no more are under way than there are workers.

        When processes die, no more are started. Whoever stops to iterate stops the workers, unless all units ended.
        """
        units = iter(units)
        under_way: dict[Future, Any] = {}
        broken = False
        try:
            while True:
                # None in advance: units are long, and a death costs only those under way.
                while not broken and len(under_way) < workers.size and (unit := next(units, None)) is not None:
                    under_way[workers.submit(self.job, unit)] = unit
                if not under_way:
                    return
                ended, _ = wait(under_way, workers.patience, FIRST_COMPLETED)
                for future in ended:
                    outcome = workers.outcome(future, under_way.pop(future))
                    broken = broken or (workers.shared and outcome.deaths > 0)
                    yield outcome
        finally:
            if under_way:
                workers.stop()
