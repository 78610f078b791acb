"""Measuring in new processes, side by side, and what the machine itself can do."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import torch

Measure = Callable[..., Any]
BURST = 50
"""How many steps a GPU is given before it is waited for."""


class Processes(ProcessPoolExecutor):
    """Processes that measure at the same time, a context; `threads` of each compute, None for torch's default."""

    def __init__(self, count: int, threads: int | None) -> None:
        context = multiprocessing.get_context("spawn")
        super().__init__(count, context, initializer=_begin, initargs=(threads, context.Barrier(count)))
        self.count = count

    def measure(self, measure: Measure, *arguments: object, seconds: float) -> list[Any]:
        """Return what `measure(*arguments, seconds=...)` returns in each of them.

        Each has called `measure` once before, for a moment, when the timed calls begin.
        """
        calls = [self.submit(_measure, measure, arguments, seconds) for _ in range(self.count)]
        return [call.result() for call in calls]


def steps_per_second(step: Callable[[], object], seconds: float, device: str = "cpu") -> float:
    """Return how often a step is done in a second, over about so many seconds; a GPU is waited for now and then."""
    started, steps = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        step()
        steps += 1
        if steps % BURST == 0:
            wait_for(device)
    wait_for(device)
    return steps / (time.perf_counter() - started)


def measure_matmul_rate(dtype: torch.dtype = torch.float32, device: str = "cpu", *, seconds: float) -> float:
    """Return the FLOP/s of products of square matrices over about so many seconds: what the machine can do at best."""
    size = 1024 if device == "cpu" else 8192
    a, b = torch.rand(2, size, size, device=device).to(dtype)
    return 2 * size**3 * steps_per_second(lambda: torch.mm(a, b), seconds, device)


def wait_for(device: str) -> None:
    """Wait until a GPU has done what it was asked to do."""
    if device != "cpu":
        torch.cuda.synchronize()


def _begin(threads: int | None, barrier: Any) -> None:
    _measure.barrier = barrier
    if threads:
        torch.set_num_threads(threads)


def _measure(measure: Measure, arguments: tuple, seconds: float) -> Any:
    measure(*arguments, seconds=0.1)
    _measure.barrier.wait(300)
    return measure(*arguments, seconds=seconds)
