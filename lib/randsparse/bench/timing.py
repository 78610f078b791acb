"""Measuring in new processes, side by side, and what the machine itself can do."""

from __future__ import annotations

import multiprocessing
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import torch

Measure = Callable[..., Any]


class Processes:
    """Processes that measure at the same time, a context; `threads` of each compute, None for torch's default."""

    def __init__(self, count: int, threads: int | None) -> None:
        context = multiprocessing.get_context("spawn")
        self.count = count
        self.pool = ProcessPoolExecutor(count, context, initializer=_begin, initargs=(threads, context.Barrier(count)))

    def measure(self, measure: Measure, *arguments: object, seconds: float) -> list[Any]:
        """Return what `measure(*arguments, seconds=...)` returns in each of them.

        Each has called `measure` once before, for a moment, when the timed calls begin.
        """
        calls = [self.pool.submit(_measure, measure, arguments, seconds) for _ in range(self.count)]
        return [call.result() for call in calls]

    def __enter__(self) -> Processes:
        return self

    def __exit__(self, *error: object) -> None:
        self.pool.shutdown()


def matmul_rate(dtype: torch.dtype = torch.float32, device: str = "cpu", *, seconds: float) -> float:
    """Return the FLOP/s of products of square matrices over about so many seconds: what the machine can do at best."""
    size, burst = (1024, 1) if device == "cpu" else (8192, 20)
    a, b = torch.rand(2, size, size, device=device).to(dtype)
    started, products = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        for _ in range(burst):
            torch.mm(a, b)
        products += burst
        wait_for(device)
    return products * 2 * size**3 / (time.perf_counter() - started)


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
