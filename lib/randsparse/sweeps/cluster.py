"""Runs on a Dask cluster: a backend of joblib that survives the death of the cluster's workers."""

from __future__ import annotations

import contextlib
import gc
import threading
import uuid
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from joblib.parallel import ParallelBackendBase

from randsparse.errors import StudyError

CONNECT_SECONDS = 15.0
"""How long a scheduler may take to answer."""
WORKER_SECONDS = 60.0
"""How long the first worker may take to come; a scheduler may have to ask another one for it."""

# distributed is imported where it is used: that takes a second, and most sweeps are local.


@contextlib.contextmanager
def connected(address: str, device: str | None = None) -> Iterator[Backend]:
    """Give the joblib backend of the scheduler at `address`, such as tcp://host:8786; the connection ends with it.

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
        backend = Backend(client, {"GPU": 1} if device == "cuda" else {})
        backend.wait_for_worker(WORKER_SECONDS)
        yield backend


def check_worker() -> None:
    """Raise StudyError in a worker with several threads: runs side by side in one process share its limits."""
    from distributed import get_worker

    worker = get_worker()
    if worker.state.nthreads != 1:
        raise StudyError(
            f"worker {worker.address} has {worker.state.nthreads} threads: start it with --nthreads 1, and as many "
            "workers as runs side by side (--nworkers)"
        )


class Backend(ParallelBackendBase):
    """Sends each call to a cluster, and to no more workers than it has, so that a death blames only what ran there.

    A task whose workers died more often than the scheduler allows (distributed.scheduler.allowed-failures) gives
    `task.died(deaths)`, and all others go on; joblib's own backend for Dask waits for such a task for ever.
    """

    supports_retrieve_callback = True

    def __init__(self, client: Any, resources: dict[str, float]) -> None:
        super().__init__(nesting_level=0)
        self.client, self.resources = client, resources
        self._waiting: deque[tuple[Any, Callable]] = deque()
        self._calls: dict[str, tuple[Any, Any]] = {}
        self._lock = threading.RLock()

    @property
    def slots(self) -> int:
        """How many runs the cluster can train side by side now."""
        workers = self.client.scheduler_info(n_workers=-1).get("workers", {}).values()
        able = [worker["resources"] for worker in workers]
        needs = self.resources.items()
        return sum(int(min([1, *(has.get(name, 0) // count for name, count in needs)])) for has in able)

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

    def effective_n_jobs(self, n_jobs: int) -> int:
        """Return the number of slots, at least two: joblib runs a single one in its own process."""
        return max(2, self.slots)

    def submit(self, func: Any, callback: Callable | None = None) -> None:
        """Take a call of joblib's; it is sent as soon as a worker is free for it."""
        ((task, (unit,), _),) = func.items  # a batch of one
        with self._lock:
            self._waiting.append(((task, unit), callback))
            self._fill()

    def _fill(self) -> None:
        with self._lock:
            while self._waiting and len(self._calls) < max(1, self.slots):
                (task, unit), callback = self._waiting.popleft()
                name = f"{unit[0].key}-{uuid.uuid4().hex}"
                future = self.client.submit(task, unit, key=name, pure=False, resources=self.resources or None)
                self._calls[name] = (unit, future)
                future.add_done_callback(callback)

    def retrieve_result_callback(self, future: Any) -> list[Any]:
        """Return what a call gave, as a batch of one."""
        from distributed import CancelledError, KilledWorker

        from randsparse.sweeps.tasks import Outcome

        unit, _ = self._calls[future.key]
        try:
            outcome = future.result()
        except KilledWorker as error:
            outcome = Outcome(unit, [], deaths=error.allowed_failures + 1)
        except (Exception, CancelledError) as error:
            reason = f"the cluster did not train run {unit[0].key} ({_line(error)}): finished runs are stored"
            return [Outcome(unit, [], error=StudyError(f"{reason}; workers need the same environment as here"))]
        with self._lock:
            del self._calls[future.key]
            self._fill()
        return [outcome]

    def abort_everything(self, ensure_ready: bool = True) -> None:
        """Forget what waits and cancel what runs; a run that a worker has begun it trains to its end, for nothing."""
        with self._lock:
            self._waiting.clear()
            self.client.cancel([future for _, future in self._calls.values()])
            self._calls.clear()


def _line(error: BaseException) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"[:200]
