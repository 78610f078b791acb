"""How long runs take, by what runs like them took, and which of them fit into the time that is left."""

from __future__ import annotations

import heapq
import math
import platform
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from numbers import Integral
from typing import TYPE_CHECKING, NamedTuple

from randsparse.data import catalogue
from randsparse.errors import StudyError
from randsparse.runs.config import RunConfig
from randsparse.runs.flops import count_for_config as layer_flops
from randsparse.runs.store import Record
from randsparse.training.engines import programs

if TYPE_CHECKING:
    import pandas as pd

    from randsparse.training.engines.programs import Unit

ALIKE = ("dataset", "model", "train_samples", "batch_size", "precision", "memory_format", "engine", "method")
SHRUNK = ("structure", "sparsity")
"""Fields that runs of one speed have in common; SHRUNK where the network that is trained is a smaller one."""
ARITHMETIC = ("dataset", "precision", "memory_format", "engine")
"""Fields that change the time a FLOP takes; a dataset has its size of images and of steps."""
OTHER = 3.0
"""A difference in ARITHMETIC weighs as much as e to this power in FLOPs per epoch."""
BESIDE = 1.15
"""By how much a run takes longer than its training passes, unless that is known: evaluation and its start."""
MARGIN = 1.1
RESERVE_SECONDS = 8.0
"""A run fits if MARGIN times its estimate, and RESERVE_SECONDS for the start and the end of processes, are left."""
QUICK = 0.25
"""The share of runs alike, the quickest ones, that say what a run takes."""
SAMPLE = 2_000
"""How many records an estimate is made from at most: of many runs, a part says as well what they take."""
UNITS = {"s": 1, "m": 60, "h": 3600}


class Speed(NamedTuple):
    """What was measured of runs alike: epochs, their seconds, and their training FLOPs (0: not known)."""

    epochs: float
    seconds: float
    flops: float

    def plus(self, epochs: float, seconds: float, flops: float) -> Speed:
        """Return it with more that was measured."""
        return Speed(self.epochs + epochs, self.seconds + seconds, self.flops + flops)


class Estimator:
    """Seconds that runs take on one worker of this machine, by the runs of a store and those that `learn` is told.

    Args:
        costs: `Store.costs()`; what another kind of device or hardware took is left out.
        device: "cpu" or "cuda".
        hardware: as records have it; None for that of this machine, if it has such a device, else any.
    """

    def __init__(self, costs: pd.DataFrame, device: str = "cpu", hardware: str | None = None) -> None:
        self._stored = _speeds(costs, device, hardware or find_hardware(device))
        self._learned: dict[tuple, Speed] = {}
        self._expected = self._took = 0.0

    def seconds(self, config: RunConfig) -> float | None:
        """Return how long a run takes from its beginning to its record, or None when nothing like it was measured.

        A kind of run that was not measured is scaled from the nearest one by the FLOPs of its training.
        """
        kind = find_kind(config)
        if speed := self._learned.get(kind):
            return config.last_epoch * speed.seconds / speed.epochs
        if speed := self._stored.get(kind):
            return self._pace * config.last_epoch * speed.seconds / speed.epochs
        return self._scaled(config)

    def learn(self, unit: Unit, records: Sequence[Record], seconds: float) -> None:
        """Take note of a unit that was trained here and now in `seconds`."""
        for config, record in zip(unit, records, strict=True):
            cost, epochs = record["cost"], len(record["curve"])
            if not epochs or record["status"] == "failed":
                continue
            kind = find_kind(config)
            whole = max(seconds, len(unit) * (cost.get("seconds") or 0.0))  # part of it may be from a checkpoint
            took = whole / _places(unit)
            known = self._learned.get(kind, Speed(0.0, 0.0, 0.0))
            self._learned[kind] = known.plus(epochs, took, cost.get("flops") or 0.0)
            if stored := self._stored.get(kind):
                self._expected += epochs * stored.seconds / stored.epochs
                self._took += took

    def makespan(self, configs: Iterable[RunConfig], workers: int) -> float | None:
        """Return the seconds that runs take on `workers`, each on the one that is free first; None if unknown.

        Runs that share a program take the time of the whole program, however many of its places are taken.
        """
        free = [0.0] * max(1, workers)
        for unit in programs.group_runs(configs):
            seconds = self.seconds(unit[0])
            if seconds is None:
                return None
            heapq.heapreplace(free, free[0] + seconds * _places(unit))
        return max(free)

    @property
    def _pace(self) -> float:
        """How many times as long as by the store runs take now."""
        return self._took / self._expected if self._expected else BESIDE

    def _scaled(self, config: RunConfig) -> float | None:
        speeds = {kind: Speed(s.epochs, s.seconds * self._pace, s.flops) for kind, s in list(self._stored.items())}
        speeds |= dict(list(self._learned.items()))
        measured = {kind: speed for kind, speed in speeds.items() if speed.flops}
        flops = count_training_flops(config) if measured else None
        if not flops:
            return None
        wanted = find_kind(config)

        def distance(item: tuple[tuple, Speed]) -> float:
            """How unlike a kind is: small networks take more time per FLOP, other arithmetic another one."""
            kind, speed = item
            other = sum(a != b for name, a, b in zip(ALIKE, kind, wanted, strict=False) if name in ARITHMETIC)
            return OTHER * other + abs(math.log(speed.flops / speed.epochs / flops))

        _, nearest = min(measured.items(), key=distance)
        return config.last_epoch * flops * nearest.seconds / nearest.flops


class Budget:
    """Time that starts to pass now, and the runs that fit into it.

    Attributes:
        finished: the number of runs that were trained within it.
        spent: whether the last runs that were looked at did not fit.
    """

    def __init__(self, seconds: float, estimator: Estimator, clock: Callable[[], float] = time.monotonic) -> None:
        self.estimator, self._clock = estimator, clock
        self._end = clock() + seconds
        self.finished, self.spent = 0, False

    @property
    def left(self) -> float:
        """Seconds that are left, below 0 when it is over."""
        return self._end - self._clock()

    def choose(self, units: list[Unit], size: int) -> Iterator[Unit]:
        """Yield one unit that fits each time that one of `size` workers is free; the rest are left.

        While nothing is known of the speed of a run, one a worker is started and no more.
        """
        left, started, self.spent = list(units), 0, False
        while left:
            unit = next((unit for unit in left if self._fits(unit, started < size)), None)
            if unit is None:
                self.spent = True
                return
            left.remove(unit)
            started += 1
            yield unit

    def _fits(self, unit: Unit, first: bool) -> bool:
        estimates = [self.estimator.seconds(config) for config in unit]
        if None in estimates:
            return first and self.left > RESERVE_SECONDS
        program = sum(estimates) * _places(unit) / len(unit)
        return MARGIN * program + RESERVE_SECONDS <= self.left

    def learn(self, unit: Unit, records: Sequence[Record], seconds: float) -> None:
        """Count a unit that was trained, and learn from it."""
        self.finished += len(records)
        self.estimator.learn(unit, records, seconds)


def _places(unit: Unit) -> int:
    """Return how many runs the program of a unit has places for, taken or not: they cost the same."""
    return programs.LANES if programs.find_shared_program(unit[0]) else len(unit)


def parse_duration(text: str) -> float:
    """Return the seconds of a duration such as 90s, 25m or 1.5h; raises StudyError for anything else."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([smh])", text.strip())
    if match is None or not float(match[1]):
        raise StudyError(f"budget {text!r}: give a number above 0 and its unit, s, m or h, such as 25m")
    return float(match[1]) * UNITS[match[2]]


def format_duration(seconds: float) -> str:
    """Return a duration as people say it: "a minute", "12 minutes", "2.5 hours"."""
    minutes = seconds / 60
    if minutes < 1.5:
        return "a minute"
    return f"{minutes:.0f} minutes" if minutes < 90 else f"{minutes / 60:.1f} hours"


def find_hardware(device: str) -> str | None:
    """Return the kind of hardware that records of this machine name, or None without such a device."""
    if device == "cpu":
        return platform.machine()
    import torch

    return torch.cuda.get_device_name(device) if torch.cuda.is_available() else None


def find_kind(config: RunConfig) -> tuple:
    """Return what runs of one speed have in common."""
    return _kind({name: getattr(config, name) for name in (*ALIKE, *SHRUNK)})


def _kind(fields: dict[str, object]) -> tuple:
    shrunk = fields["engine"] == "compacted" or fields["method"] == "small-dense"
    return tuple(fields[name] for name in ALIKE) + tuple(fields[name] if shrunk else None for name in SHRUNK)


def _speeds(costs: pd.DataFrame, device: str, hardware: str | None) -> dict[tuple, Speed]:
    """Return what the runs of a frame took, one thread each, by their kind: the quicker QUICK of them.

    The slower ones shared the machine with other work, or a program with fewer runs than it has places.
    """
    like = (costs["device"] == device) & (costs["epochs_done"] > 0) & (costs["seconds"] > 0)
    like &= (costs["threads"] == 1) & (costs["status"] != "failed")
    if hardware is not None:
        like &= costs["hardware"] == hardware
    measured: dict[tuple, list[Speed]] = {}
    columns = [*ALIKE, *SHRUNK, "epochs_done", "seconds", "flops"]
    known = costs.loc[like, columns].fillna({"flops": 0.0})  # 0: not known
    for *values, epochs, seconds, flops in known.itertuples(index=False, name=None):
        fields = dict(zip((*ALIKE, *SHRUNK), values, strict=True))
        samples = fields["train_samples"]  # pandas has NA for the whole training part
        fields["train_samples"] = int(samples) if isinstance(samples, Integral) else None
        measured.setdefault(_kind(fields), []).append(Speed(float(epochs), float(seconds), float(flops)))
    speeds: dict[tuple, Speed] = {}
    for kind, runs in measured.items():
        quick = sorted(runs, key=lambda run: run.seconds / run.epochs)[: math.ceil(QUICK * len(runs))]
        speeds[kind] = Speed(*map(sum, zip(*quick, strict=True)))
    return speeds


def count_training_flops(config: RunConfig) -> float | None:
    """Return the FLOPs of an epoch of training, three forward passes an image; None if the config is not feasible.

    None, too, for a folder of which it is not known how many images there are.
    """
    images = config.train_samples or catalogue.training_samples(config.dataset)
    if images is None:
        return None
    try:
        return 3.0 * (images // config.batch_size) * config.batch_size * sum(layer_flops(config).values())
    except StudyError:
        return None
