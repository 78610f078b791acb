"""The whole study, killed again and again at random moments, ends as if nothing had happened.

RANDSPARSE_KILLS says how many times: 60 unless given, which takes about an hour on two cores. Run by `make soak`.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from conftest import REPOSITORY
from made_up import environment
from randsparse.runs.store import Store
from randsparse.sweeps.locks import SHARED_MEMORY

KILLS = int(os.environ.get("RANDSPARSE_KILLS") or 60)
VICTIMS = ("group", "parent", "worker", "kernel")
MARKS = {"worker": "popen_loky", "kernel": "ipykernel_launcher"}
STARTED: set[int] = set()
"""The processes that were started, by number."""
pytestmark = pytest.mark.soak


def start(results: Path) -> subprocess.Popen:
    command = [sys.executable, "-m", "randsparse", "all", "--profile", "tiny", "--results", str(results)]
    log = open(results.with_name("log"), "ab")  # noqa: SIM115, it lives as long as the process
    process = subprocess.Popen(
        command, cwd=REPOSITORY, env=environment(), start_new_session=True, stdout=log, stderr=log
    )
    STARTED.add(process.pid)
    return process


def of_study(results: Path) -> list[psutil.Process]:
    """All processes that work on these results: they have the folder in their command line or environment."""
    found = []
    for process in psutil.process_iter():
        try:
            text = " ".join([*process.cmdline(), process.environ().get("RANDSPARSE_RESULTS", "")])
            tree = [process, *process.children(recursive=True)] if str(results) in text else []
        except psutil.Error:
            continue
        found += tree
    return list(dict.fromkeys(found))


def records(results: Path) -> dict[Path, tuple[int, bytes]]:
    paths = [*results.glob("runs/*/*.json"), *results.glob("evaluations/*/*.json")]
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in paths}


def kill(process: subprocess.Popen, victim: str, results: Path, draw: random.Random) -> str:
    """Kill the victim; return who it was: a worker and a kernel are not there at every moment."""
    if victim in MARKS:
        marked = []
        for each in of_study(results):
            try:
                if MARKS[victim] in " ".join(each.cmdline()):
                    marked.append(each)
            except psutil.Error:
                continue
        if marked:
            draw.choice(marked).kill()
            time.sleep(draw.uniform(0, 20))
    if victim == "parent":
        process.kill()
        return victim
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    return victim


def outputs(results: Path) -> dict[str, bytes]:
    folders = [results / "tiny" / name for name in ("figures", "tables")]
    return {path.name: path.read_bytes() for folder in folders for path in sorted(folder.iterdir())}


def test_sixty_kills_of_make_all(tmp_path):
    straight, killed = tmp_path / "straight", tmp_path / "killed"
    assert start(straight).wait() == 0
    draw, busy, known, kills, ends = random.Random(0), 0, {}, 0, 0
    while kills < KILLS:
        process = start(killed)
        until = time.monotonic() + draw.uniform(1, 90)
        while process.poll() is None and time.monotonic() < until:
            time.sleep(0.05)
        if process.poll() is not None:  # it came to its end: from the beginning again
            compare(killed, straight)
            shutil.rmtree(killed)
            known, ends = {}, ends + 1
            continue
        busy += len(of_study(killed)) > 1
        victim = kill(process, VICTIMS[kills % len(VICTIMS)], killed, draw)
        kills += 1
        process.wait()
        end = time.monotonic() + 30
        while (left := of_study(killed)) and time.monotonic() < end:
            time.sleep(0.2)
        assert not left, f"after the kill of {victim}: {[each.cmdline() for each in left]}"
        now = records(killed)
        for path, (stamp, content) in now.items():
            assert json.loads(content)["schema"] == 1, f"{path} is half-written"
            assert known.get(path, (stamp, content)) == (stamp, content), f"{path} was made twice"
        assert known.keys() <= now.keys() and not list(killed.rglob("*.corrupt*"))
        known = now
    assert start(killed).wait() == 0
    compare(killed, straight)
    print(f"{kills} kills, {busy} of them while workers or kernels ran; {ends + 1} studies came to their end")
    assert busy >= 2 * KILLS / 3


def compare(killed: Path, straight: Path) -> None:
    """A study that was killed on its way has the results of one that was not, and left nothing else behind."""
    assert outputs(killed) == outputs(straight)
    one, other = ({r["key"]: r["test"] for r in Store(each).records()} for each in (straight, killed))
    assert one == other
    assert not list(killed.rglob("*.tmp")) and not list((killed / "checkpoints").glob("*"))
    semaphores = {path: int(path.name.split("-")[1]) for path in SHARED_MEMORY.glob("sem.loky-*")}
    assert not [path for path, owner in semaphores.items() if owner in STARTED and not psutil.pid_exists(owner)]
