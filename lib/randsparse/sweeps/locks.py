"""One sweep a store: who comes second waits, and the lock of a process that has died is none."""

from __future__ import annotations

import contextlib
import logging
import os
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from randsparse.errors import StudyError

try:
    import fcntl
except ImportError:  # not a Unix
    fcntl = None

logger = logging.getLogger(__name__)


@contextlib.contextmanager
def only_one(path: Path) -> Iterator[None]:
    """Hold the lock file `path`, after waiting for the process that holds it, which a line of the log names.

    The system releases it when the process ends, however that happens. Where files cannot be locked, the log says so.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = open(path, "a+")  # noqa: SIM115, closed below
    except OSError as error:
        raise StudyError(f"cannot write {path}: {error.strerror}; make its folder writable or use another") from error
    with file:
        _lock(file, path)
        with contextlib.suppress(OSError):  # a full disk: the lock holds, only its note is missing
            file.truncate(0)
            file.write(f"process {os.getpid()} on {platform.node()}")
            file.flush()
        yield


def _lock(file: IO[str], path: Path) -> None:
    try:
        if fcntl is None:
            raise OSError("this system has no flock")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read(200) or "another process"
            logger.warning("waiting for the sweep of %s, which is training runs of %s", holder, path.parent)
            fcntl.flock(file, fcntl.LOCK_EX)
    except OSError as error:
        logger.warning("cannot lock %s (%s): start no second sweep on this store", path, error)
