"""Stand-ins for training, which workers can import."""

from __future__ import annotations

import os
import platform
import signal
import time
from collections.abc import Callable
from pathlib import Path

import torch

from made_up import record_of
from randsparse.errors import StudyError
from randsparse.runs.config import RunConfig
from randsparse.runs.store import Store
from randsparse.sweeps.sweep import sweep
from randsparse.training import weights

CONFIGS = [RunConfig(epochs=4, sparsity=0.5, mask_seed=seed) for seed in range(6)]


def started(checkpoint_dir: Path) -> list[str]:
    """The keys of all runs in the order in which the functions below began to train them."""
    path = Path(checkpoint_dir) / "started"
    return path.read_text().split() if path.exists() else []


def train(config: RunConfig, *, data_dir=None, checkpoint_dir=None) -> dict:
    """Stands for training: notes that it was called, and gives a record that depends on config alone."""
    with open(checkpoint_dir / "started", "a") as file:
        file.write(config.key + "\n")
    return record_of(config, environment={"process": os.getpid(), "threads": torch.get_num_threads()})


def train_slowly(config: RunConfig, *, data_dir=None, checkpoint_dir=None) -> dict:
    time.sleep(0.2)
    return train(config, checkpoint_dir=checkpoint_dir)


def train_or_fail(config: RunConfig, *, data_dir=None, checkpoint_dir=None) -> dict:
    record = train(config, checkpoint_dir=checkpoint_dir)
    if config.mask_seed == 1:
        raise TypeError("a message\nof two lines")
    return record


def train_without_data(config: RunConfig, *, data_dir=None, checkpoint_dir=None) -> dict:
    raise StudyError(f"no data in {data_dir}")


def train_with_a_kill(config: RunConfig, *, data_dir=None, checkpoint_dir=None) -> dict:
    """Kills its own process in the middle of the run of mask seed 2, the first time, while it writes weights."""
    record = train_slowly(config, checkpoint_dir=checkpoint_dir)
    if config.mask_seed == 2 and started(checkpoint_dir).count(config.key) == 1:
        path = weights.find_path(config, checkpoint_dir.parent)
        path.parent.mkdir(exist_ok=True)
        path.with_name(f"{path.name}.{platform.node()}-{os.getpid()}.tmp").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return record


def train_with_kills(config: RunConfig, *, data_dir=None, checkpoint_dir=None) -> dict:
    """Kills its own process in every run of mask seed 2, when all other runs are in the store."""
    if config.mask_seed == 2:
        others = [Store(checkpoint_dir.parent).path(other) for other in CONFIGS if other != config]
        wait_until(lambda: all(path.exists() for path in others))
        os.kill(os.getpid(), signal.SIGKILL)
    return train(config, checkpoint_dir=checkpoint_dir)


def train_with_kills_beside_another(config: RunConfig, *, data_dir=None, checkpoint_dir=None) -> dict:
    """Mask seed 2 kills its own process, twice when seed 3 is under way, which does not end beside it."""
    record = train(config, checkpoint_dir=checkpoint_dir)
    times = started(checkpoint_dir).count(config.key)
    if config.mask_seed == 3 and times <= 2:
        time.sleep(600)
    if config.mask_seed == 2:
        wait_until(lambda: started(checkpoint_dir).count(CONFIGS[3].key) >= min(times, 2))
        os.kill(os.getpid(), signal.SIGKILL)
    return record


def train_two(config: RunConfig, *, data_dir=None, checkpoint_dir=None) -> dict:
    """Finishes mask seeds 0 and 1, and is in mid-run with all others."""
    record = train(config, checkpoint_dir=checkpoint_dir)
    if config.mask_seed > 1:
        time.sleep(600)
    return record


def wait_until(condition: Callable[[], bool], seconds: float = 300) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)


def run(plan, store, train=train, workers=1, **options):
    return sweep(plan, store, train=train, workers=workers, progress=False, **options)


def calls(store: Store) -> list[str]:
    return started(store.root / "checkpoints")


def train_quietly(config: RunConfig, *, data_dir=None, checkpoint_dir=None) -> dict:
    return record_of(config, reason="x" * 10_000)


REAL = [RunConfig(epochs=2, train_samples=128, batch_size=32, sparsity=0.5, mask_seed=seed) for seed in range(2)]
