"""Parts of a training step, timed in turn in one process with one thread."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterable
from typing import Any

import torch

from randsparse.data.dataset import PARTS, Dataset
from randsparse.runs.config import RunConfig
from randsparse.training.train import prepare
from randsparse.training.trainer import Trainer

NODE_SPARSITIES = (0.2, 0.4, 0.6, 0.8, 0.9)


def time_masking(model: str, size: int, batch_size: int, steps: int = 20) -> dict[str, Any]:
    """Return what the masking operation takes of a training step at 80 % sparsity, with one thread, float32.

    `share` is the median time of the operation by itself over the median time of a masked step; `ratio` are whole
    masked steps over whole dense ones, in turn, as quartiles: the check, with the noise that it has.
    """
    config = RunConfig(model=model, batch_size=batch_size)
    masked, dense, times = _in_turn(config.replace(sparsity=0.8), config, size, steps)
    operation = statistics.median(time_call(masked.method.mask_gradients) for _ in range(10 * steps))
    step = statistics.median(time for time, _ in times)
    return {
        "model": model,
        "size": size,
        "batch_size": batch_size,
        "images_per_second": batch_size / step,
        "step_ms": 1e3 * step,
        "masking_ms": 1e3 * operation,
        "share": operation / step,
        "ratio": find_quartiles(masked / dense for masked, dense in times),
    }


def time_compaction(model: str, size: int, batch_size: int, sparsity: float, steps: int = 10) -> dict[str, Any]:
    """Return how much faster a step of a compacted network is than one of the masked network that computes the same.

    `speedup` are quartiles of masked over compacted steps, in turn; `flops` is the same ratio of FLOPs.
    """
    masked = RunConfig(model=model, batch_size=batch_size, structure="node", sparsity=sparsity)
    one, other, times = _in_turn(masked, masked.replace(engine="compacted"), size, steps)
    return {
        "model": model,
        "size": size,
        "batch_size": batch_size,
        "sparsity": sparsity,
        "masked_ms": 1e3 * statistics.median(time for time, _ in times),
        "compacted_ms": 1e3 * statistics.median(time for _, time in times),
        "speedup": find_quartiles(masked / compacted for masked, compacted in times),
        "flops": sum(one.flops.values()) / sum(other.flops.values()),
    }


def _in_turn(a: RunConfig, b: RunConfig, size: int, steps: int) -> tuple[Trainer, Trainer, list[tuple[float, float]]]:
    """Return trainers of two runs, and the seconds of pairs of their steps on the same batch."""
    data = make_noise(size, a.batch_size)
    one, other = prepare([a], data), prepare([b], data)
    batch = next(iter(one.batches.epoch(0)))
    for run in (one, other):
        run.model.train()
        run.step(*batch)
    times = [(time_call(lambda: one.step(*batch)), time_call(lambda: other.step(*batch))) for _ in range(steps)]
    return one, other, times


def time_call(call: Callable[[], Any]) -> float:
    """Return how long a call takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def find_quartiles(values: Iterable[float]) -> list[float]:
    """Return the lower quartile, the median and the upper quartile; three times the only value if it is one."""
    values = list(values)
    return statistics.quantiles(values, n=4) if len(values) > 1 else values * 3


def make_noise(size: int, samples: int, channels: int = 3, classes: int = 10) -> Dataset:
    """Return a dataset of noise, `samples` images in each part: what a step costs does not depend on the pixels."""
    random = torch.Generator().manual_seed(0)
    images = torch.randint(256, (samples, channels, size, size), generator=random, dtype=torch.uint8)
    images = images.contiguous(memory_format=torch.channels_last)
    labels = torch.randint(classes, (samples,), generator=random)
    parts = {f"{part}_x": images for part in PARTS} | {f"{part}_y": labels for part in PARTS}
    moments = {"mean": (0.5,) * channels, "std": (0.25,) * channels}
    return Dataset("noise", classes, **moments, pad=max(1, size // 8), flip=size > 8, **parts, indices={})
