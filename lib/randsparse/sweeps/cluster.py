"""Runs on a Dask cluster, whose workers may come, go and die."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

from randsparse.errors import StudyError
from randsparse.sweeps.tasks import Outcome
from randsparse.training.engines.programs import Unit

CONNECT_SECONDS = 15.0
"""How long a scheduler may take to answer."""
WORKER_SECONDS = 60.0
"""How long the first worker may take to come; a scheduler may have to ask another one for it."""

# distributed is imported where it is used: that takes a second, and most sweeps are local.


@contextlib.contextmanager
def connect(address: str, device: str | None = None) -> Iterator[Cluster]:
    """Give the workers of the scheduler at `address`, such as tcp://host:8786; the connection ends with it.

    With device "cuda" each run takes one of its worker's resource GPU. Raises StudyError if no scheduler answers
    within CONNECT_SECONDS, or no worker that can take a run within WORKER_SECONDS.
    """
    import dask
    from distributed import Client

    client, reason = None, ""
    with dask.config.set({"distributed.comm.timeouts.connect": f"{CONNECT_SECONDS}s"}):
        try:
            client = Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            reason = _line(error)
    if client is None:
        gc.collect()  # ends the client that failed: if that happened while another one starts, both would wait
        raise StudyError(
            f"no Dask scheduler answers at {address!r} ({reason}): give the address that "
            "`dask scheduler` shows, such as tcp://host:8786"
        )
    with client:
        workers = Cluster(client, {"GPU": 1} if device == "cuda" else {})
        workers.wait_for_worker(WORKER_SECONDS)
        yield workers


class Cluster:
    """The workers of a cluster, to which no more units are sent than there are, so that a death blames only its own.

    A unit whose workers died more often than the scheduler allows (distributed.scheduler.allowed-failures) has that
    many deaths; the scheduler starts it again until then, and all others go on.
    """

    shared, patience = False, 5.0

    def __init__(self, client: Any, resources: dict[str, float]) -> None:
        self.client, self.resources = client, resources
        self._executor = client.get_executor(pure=False, resources=resources or None)

    @property
    def slots(self) -> int:
        """How many runs the cluster can train side by side now."""
        workers = self.client.scheduler_info(n_workers=-1).get("workers", {}).values()
        able = [worker["resources"] for worker in workers]
        needs = self.resources.items()
        return sum(int(min([1, *(has.get(name, 0) // count for name, count in needs)])) for has in able)

    @property
    def size(self) -> int:
        """How many units are sent now: one waits for the first worker. One, too, when the scheduler is gone."""
        try:
            return max(1, self.slots)
        except OSError:
            return 1

    def wait_for_worker(self, seconds: float) -> None:
        """Raise StudyError unless a worker takes a call within `seconds`."""
        import distributed

        probe = self.client.submit(int, pure=False, resources=self.resources or None)
        try:
            probe.result(timeout=seconds)
        except (TimeoutError, distributed.TimeoutError):
            gpu = " --resources GPU=1" if self.resources else ""
            raise StudyError(
                f"the scheduler at {self.client.scheduler.address} has had no worker for a run for {seconds:.0f} s: "
                f"start some with dask worker --nthreads 1{gpu}"
            ) from None

    def submit(self, job: Callable[[Unit], Outcome], unit: Unit) -> Future:
        """Send a unit to the cluster."""
        return self._executor.submit(job, unit)

    def outcome(self, future: Future, unit: Unit) -> Outcome:
        """Return what became of a unit, or the error of a cluster that could not do it."""
        from distributed import CancelledError, KilledWorker

        try:
            return future.result()
        except KilledWorker as error:
            return Outcome(unit, [], deaths=error.allowed_failures + 1)
        except (Exception, CancelledError) as error:
            reason = f"the cluster did not train run {unit[0].key} ({_line(error)}): finished runs are stored"
            return Outcome(unit, [], error=StudyError(f"{reason}; workers need the same environment as here"))

    def stop(self) -> None:
        """Cancel what is under way; a run that a worker has begun it trains to its end, for nothing."""
        self._executor.shutdown(wait=False)


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]
