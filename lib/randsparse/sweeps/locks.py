"""One process at a time works on a store: who comes second waits, and the lock of a process that has died is none.

Sweeps, evaluations and the execution of notebooks share the lock. A process that has it may take it again, and so may
those that work for it.
"""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import re
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from randsparse.errors import StudyError
from randsparse.files import is_alive

LOCK = "sweep.lock"
"""The lock of a store, below its folder of results."""
SHARED_MEMORY = Path("/dev/shm")
HELD_FOR_US = "RANDSPARSE_LOCKED"
"""The variable that names, in the environment of a process, the lock that another one holds for it."""

logger = logging.getLogger(__name__)
_held: set[Path] = set()


@contextlib.contextmanager
def hold_lock(path: Path) -> Iterator[None]:
    """Hold the lock file `path`, after waiting for the process that holds it, which a line of the log names.

    The system releases it when the process ends, however that happens. Where files cannot be locked, the log says so.
    """
    path = path.absolute()
    if path in _held or os.environ.get(HELD_FOR_US) == str(path):
        yield
        return
    lock = FileLock(path, fallback_to_soft=False)  # a soft lock would outlive the process that holds it
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    except OSError as error:
        raise StudyError(f"cannot write {path}: {error.strerror}; make its folder writable or use another") from error
    with contextlib.ExitStack() as stack:
        try:
            _wait_for(lock, path)
            stack.callback(lock.release)
        except OSError as error:
            logger.warning("cannot lock %s (%s): start no second sweep on this store", path, error)
        _tidy(path.read_text(errors="replace"))
        _held.add(path)
        stack.callback(_held.discard, path)
        with contextlib.suppress(OSError):  # a full disk: the lock holds, only its note is missing
            path.write_text(f"process {os.getpid()} on {platform.node()}")
        yield


def _tidy(note: str) -> None:
    """Remove the semaphores that the last process which held the lock left behind, if it was killed.

    Their names begin with the number of that process: those of others stay.
    """
    match = re.fullmatch(rf"process ([0-9]+) on {re.escape(platform.node())}", note)
    if match and not is_alive(int(match[1])):
        for path in SHARED_MEMORY.glob(f"sem.loky-{match[1]}-*"):
            with contextlib.suppress(OSError):
                path.unlink()


def _wait_for(lock: FileLock, path: Path) -> None:
    try:
        lock.acquire(blocking=False)
    except Timeout:
        holder = path.read_text(errors="replace")[:200] or "another process"
        logger.warning("waiting for %s, which is at work on %s", holder, path.parent)
        lock.acquire(poll_interval=0.5)
