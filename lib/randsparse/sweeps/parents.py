"""Processes that work for another one: they end with it, and leave Ctrl-C to it."""

from __future__ import annotations

import os
import signal
import threading
import time


def work_for(coordinator: int) -> None:
    """Let this process end when its coordinator does, however that happens, and take no notice of Ctrl-C meanwhile.

    The coordinator hears Ctrl-C, too, says so in one line and ends its workers.
    """
    if os.getpid() != coordinator:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
    end_with(coordinator)


def end_with(coordinator: int) -> None:
    """Let this worker end when its coordinator is killed, lest two sweeps train the same run."""
    if os.getpid() == coordinator:
        return
    name = "end with coordinator"
    if os.getppid() != coordinator:  # it was killed before this unit began
        os._exit(1)
    if name in {thread.name for thread in threading.enumerate()}:
        return

    def watch() -> None:
        while os.getppid() == coordinator:
            time.sleep(0.5)
        os._exit(1)

    threading.Thread(target=watch, name=name, daemon=True).start()
