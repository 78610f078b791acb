"""Many candidates at once: a search's population trained in batched programs on all cores, or one after another."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import joblib

from randsparse.bench.steps import find_quartiles, time_call
from randsparse.runs.config import RunConfig
from randsparse.runs.store import Store
from randsparse.sweeps.sweep import sweep

SIZE = 32


def time_batched(*, rounds: int) -> dict[str, Any]:
    """Return the seconds of sweeps of 32 candidates of WRN-10-1 on digits for one epoch, measured in turn.

    `one_by_one` trains them one after another on one core; `side_by_side` one a core; `batched` several in each
    program, a program a core. `speedup` are quartiles over rounds of one by one over each. A first round, in which
    processes start, is not counted.
    """
    workers = joblib.cpu_count()
    ways = {"one_by_one": ("masked", 1), "side_by_side": ("masked", workers), "batched": ("batched", workers)}
    measured = [{name: _sweep(*way, index) for name, way in ways.items()} for index in range(rounds + 1)][1:]
    return {
        "candidates": SIZE,
        "workers": workers,
        "seconds": {name: sorted(each[name] for each in measured)[rounds // 2] for name in ways},
        "speedup": {name: find_quartiles(each["one_by_one"] / each[name] for each in measured) for name in ways},
    }


def _sweep(engine: str, workers: int, index: int) -> float:
    """Return the seconds of one sweep into an empty store."""
    base = RunConfig(batch_size=32, epochs=12, sparsity=0.8, stop_epoch=1, engine=engine)
    seeds = range(1000 * (index + 1), 1000 * (index + 1) + SIZE)
    candidates = [base.replace(mask_seed=seed, init_seed=seed) for seed in seeds]
    with tempfile.TemporaryDirectory() as folder:
        return time_call(lambda: sweep(candidates, Store(Path(folder)), workers=workers, progress=False))
