"""One sweep for each store: who comes second waits, and the lock of a process that has died is none."""

from __future__ import annotations

import contextlib
import logging
import os
import platform
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from randsparse.errors import StudyError

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Hold the lock file `path`, after waiting for the process that holds it, which a line of the log names.

    The system releases it when the process ends, however that happens. Where files cannot be locked, the log says so.
    """
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
        with contextlib.suppress(OSError):  # a full disk: the lock holds, only its note is missing
            path.write_text(f"process {os.getpid()} on {platform.node()}")
        yield


def _wait_for(lock: FileLock, path: Path) -> None:
    try:
        lock.acquire(blocking=False)
    except Timeout:
        holder = path.read_text(errors="replace")[:200] or "another process"
        logger.warning("waiting for the sweep of %s, which is training runs of %s", holder, path.parent)
        lock.acquire(poll_interval=0.5)
