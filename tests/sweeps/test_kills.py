"""A sweep that is killed again and again, at random moments, ends with the records of one that was left alone.

RANDSPARSE_KILLS says how many times: 4 unless given; `RANDSPARSE_KILLS=50` takes some minutes.
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import psutil

from made_up import environment
from randsparse.runs.config import RunConfig
from randsparse.runs.store import Store, keep_comparable
from randsparse.sweeps.sweep import sweep
from randsparse.training import train as training

KILLS = int(os.environ.get("RANDSPARSE_KILLS") or 4)
PROGRAM = """
import sys
from tests.sweeps import test_kills
from randsparse.runs.store import Store
test_kills.run(int(sys.argv[2]), Store(sys.argv[1]), workers=2)
"""


def configs(count: int) -> list[RunConfig]:
    """Runs of a second or two; every other one is a candidate's, and the run that goes on from its checkpoint."""
    base = RunConfig(epochs=20, train_samples=256, batch_size=32, sparsity=0.5)
    runs = [base.replace(mask_seed=seed, data_seed=seed) for seed in range(count)]
    return [config.replace(stop_epoch=10) if seed % 4 == 1 else config for seed, config in enumerate(runs)]


def wanted(count: int) -> list[RunConfig]:
    return list(dict.fromkeys([*configs(count), *(config.trajectory for config in configs(count))]))


def train(config: RunConfig, **options) -> dict:
    """Real training, with a checkpoint after every epoch."""
    training.SECONDS_BETWEEN_CHECKPOINTS = 0.0
    return training.train(config, **options)


def run(count: int, store: Store, workers: int) -> list[dict]:
    def plan(store: Store) -> list[RunConfig]:
        return configs(count) if not all(map(store.has, configs(count))) else wanted(count)

    return sweep(plan, store, train=train, workers=workers, retries=100, progress=False)


def workers_of(process: subprocess.Popen) -> list[psutil.Process]:
    try:
        children = psutil.Process(process.pid).children()
        return [child for child in children if any("popen_loky" in word for word in child.cmdline())]
    except psutil.Error:  # it ended meanwhile
        return []


def kill_one(process: subprocess.Popen, victim: str, moments: random.Random) -> bool:
    """SIGKILL the coordinator or one of its workers at a random moment; return False if it ended before."""
    if moments.random() < 0.8:  # else it is starting
        end_of_start = time.monotonic() + 60
        while process.poll() is None and len(workers_of(process)) < 2 and time.monotonic() < end_of_start:
            time.sleep(0.05)
    until = time.monotonic() + moments.uniform(0, 6)
    while process.poll() is None and time.monotonic() < until:
        time.sleep(0.02)
    alive = workers_of(process)
    if process.poll() is not None or (victim == "worker" and not alive):
        return False
    if victim == "worker":
        moments.choice(alive).kill()
    else:
        process.kill()
        process.wait()
    return True


def test_a_sweep_that_is_killed_at_random_moments_gives_the_records_of_one_that_is_not(tmp_path: Path):
    store, moments = Store(tmp_path / "killed"), random.Random(0)
    count, kills, starts, process = 4, 0, 0, None
    while kills < KILLS or process.poll() is None:
        if process is None or process.poll() is not None:
            if process is not None and process.returncode == 0:
                count += 4  # it was faster than the killer
            starts += 1
            command = [sys.executable, "-c", PROGRAM, str(store.root), str(count)]
            with open(tmp_path / "log", "ab") as log:
                process = subprocess.Popen(command, env=environment(), stderr=log)
        if kills < KILLS:
            kills += kill_one(process, ("worker", "coordinator")[kills % 2], moments)
        else:
            process.wait(600)
    if process.returncode:
        run(count, store, workers=2)
    print(f"{kills} kills, every other one of the coordinator; {starts} starts, {len(wanted(count))} runs")

    undisturbed, everything = Store(tmp_path / "undisturbed"), wanted(count)
    run(count, undisturbed, workers=1)
    files = sorted(path.name for path in (store.root / "runs").rglob("*.json*"))
    assert files == sorted(f"{config.key}.json" for config in everything)
    one, other = (each.load(everything) for each in (store, undisturbed))
    assert list(map(keep_comparable, one.values())) == list(map(keep_comparable, other.values()))
    assert [record["status"] for record in one.values()].count("done") == count
    assert not list((store.root / "checkpoints").glob("*.pt"))
