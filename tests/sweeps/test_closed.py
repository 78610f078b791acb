"""The commands that docs/clusters.md gives for one machine listen on the loopback alone."""

from __future__ import annotations

import shlex
import socket
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from conftest import REPOSITORY
from made_up import environment

LOOPBACK = ("127.0.0.1", "::1")


def documented() -> list[list[str]]:
    text = (REPOSITORY / "docs" / "clusters.md").read_text().split("## On one machine")[1].split("```")[1]
    return [shlex.split(line.removesuffix("&")) for line in text.splitlines() if "/dask " in line]


def free_port() -> str:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return str(found.getsockname()[1])


def listening(process: subprocess.Popen) -> set[tuple[str, int]]:
    """Return the addresses at which a process and its children listen."""
    parent = psutil.Process(process.pid)
    found = set()
    for each in [parent, *parent.children(recursive=True)]:
        found |= {tuple(place.laddr) for place in each.net_connections("inet") if place.status == psutil.CONN_LISTEN}
    return found


@pytest.fixture
def started():
    processes: list[subprocess.Popen] = []

    def start(command: list[str], folder: Path) -> subprocess.Popen:
        dask = [sys.executable, "-m", "dask", *command[1:]]
        processes.append(subprocess.Popen(dask, cwd=folder, env=environment(), stderr=subprocess.DEVNULL))
        return processes[-1]

    yield start
    for process in reversed(processes):
        for each in [*psutil.Process(process.pid).children(recursive=True), process]:
            each.kill()
        process.wait()


def test_the_documented_commands_listen_on_the_loopback_only(started, tmp_path):
    scheduler, worker = documented()
    port, dashboard = free_port(), free_port()
    scheduler += ["--port", port]
    scheduler[scheduler.index("127.0.0.1:8787")] = f"127.0.0.1:{dashboard}"
    worker[worker.index("tcp://127.0.0.1:8786")] = f"tcp://127.0.0.1:{port}"
    one, two = started(scheduler, tmp_path), started(worker, tmp_path)
    end = time.monotonic() + 60
    while time.monotonic() < end and not (len(listening(one)) >= 2 and len(listening(two)) >= 4):
        time.sleep(0.5)
    time.sleep(1)
    places = listening(one) | listening(two)
    assert {int(port), int(dashboard)} <= {number for _, number in places} and len(places) >= 6
    assert {address for address, _ in places} <= set(LOOPBACK)
