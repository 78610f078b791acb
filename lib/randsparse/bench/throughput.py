"""Images per second of the whole machine: the study's loop against the reference loop and the machine's own limit."""

from __future__ import annotations

import contextlib
import itertools
import statistics
from collections.abc import Callable, Hashable
from typing import Any, NamedTuple

import joblib
import torch

from randsparse.bench import reference
from randsparse.bench.steps import find_quartiles, make_noise
from randsparse.bench.timing import Processes, measure_matmul_rate, steps_per_second, wait_for
from randsparse.data.dataset import Dataset
from randsparse.runs import flops
from randsparse.runs.config import RunConfig
from randsparse.training.engines.programs import LANES
from randsparse.training.train import prepare


class Way(NamedTuple):
    """A way to train: what measures its rate, in how many processes, and the precision that bounds it."""

    measure: Callable[..., float]
    arguments: tuple
    processes: int = 1
    threads: int | None = 1
    precision: torch.dtype = torch.float32

    @property
    def place(self) -> Hashable:
        """What ways have in common that may be measured in the same processes: none changes them for the others."""
        return self.measure, self.processes, self.threads

    def rate(self, processes: Processes, seconds: float) -> float:
        """Return the rate of all processes together."""
        return sum(processes.measure(self.measure, *self.arguments, seconds=seconds))


def measure_on_cpu(model: str, size: int, batch_size: int, *, seconds: float, rounds: int) -> dict[str, Any]:
    """Return the images per second of several ways to train at 80 % sparsity on all cores, as `compare_ways` does."""
    cores = joblib.cpu_count()
    data = make_noise(size, 8 * batch_size)
    config = RunConfig(model=model, batch_size=batch_size, sparsity=0.8)
    fast = config.replace(precision="bfloat16")
    ways = {
        "reference": Way(reference.measure_rate, (config, data), threads=None),
        "one run, all cores": Way(measure_rate, (config, data), threads=None),
        "a run a core": Way(measure_rate, (config, data), cores),
        "a run a core, bfloat16": Way(measure_rate, (fast, data), cores, precision=torch.bfloat16),
    }
    if size < 32:  # where calls, not arithmetic, take the time
        for each, name, dtype in ((config, "", torch.float32), (fast, ", bfloat16", torch.bfloat16)):
            way = Way(measure_rate, (each.replace(engine="batched"), data), cores, precision=dtype)
            ways[f"{LANES} runs a core, batched{name}"] = way
    limits = {dtype: Way(measure_matmul_rate, (dtype,), cores) for dtype in (torch.float32, torch.bfloat16)}
    rows = compare_ways(ways, limits, count_training_flops(config, data), seconds, rounds)
    return {"model": model, "size": size, "batch_size": batch_size, "processes": cores, **rows}


def measure_on_gpu(model: str, size: int, batch_size: int, *, seconds: float, rounds: int) -> dict[str, Any]:
    """Return the images per second of the reference loop and of 1, 2, 4, ... runs side by side on one GPU, in bfloat16.

    As `compare_ways` does; `memory` is the peak of one run in bytes.
    """
    data = make_noise(size, 64 * batch_size)
    config = RunConfig(model=model, batch_size=batch_size, sparsity=0.8)
    fast = (config.replace(precision="bfloat16"), data, "cuda")
    ways = {"reference": Way(reference.measure_rate, (config, data, "cuda"), precision=torch.bfloat16)}
    for count in (1, 2, 4, 8, 16):
        if count <= joblib.cpu_count():
            ways[f"{count} at a time"] = Way(measure_rate, fast, count, precision=torch.bfloat16)
    limits = {torch.bfloat16: Way(measure_matmul_rate, (torch.bfloat16, "cuda"))}
    rows = compare_ways(ways, limits, count_training_flops(config, data), seconds, rounds)
    with Processes(1, 1) as alone:
        (memory,) = alone.measure(measure_peak_memory, *fast[:2], seconds=0.5)
    return {"model": model, "size": size, "batch_size": batch_size, "memory": memory, **rows}


def compare_ways(
    ways: dict[str, Way], limits: dict[torch.dtype, Way], image_flops: float, seconds: float, rounds: int
) -> dict[str, Any]:
    """Return what all ways reach, measured one after another in every round.

    Args:
        ways: by name, one of them "reference".
        limits: the FLOP/s of matrix products in each precision, by as many processes.
        image_flops: what training takes for one image.

    `rates` are medians in images per second; `speedup` quartiles over the reference loop of the same round; `of_limit`
    medians of the share of the FLOP/s of matrix products in that round; `limit_gflops` their medians.
    """
    every = ways | limits
    with contextlib.ExitStack() as stack:
        pools = {way.place: stack.enter_context(Processes(way.processes, way.threads)) for way in every.values()}
        measured = [{name: way.rate(pools[way.place], seconds) for name, way in every.items()} for _ in range(rounds)]
    shares = {name: [image_flops * each[name] / each[way.precision] for each in measured] for name, way in ways.items()}
    return {
        "rates": {name: statistics.median(each[name] for each in measured) for name in ways},
        "speedup": {name: find_quartiles(each[name] / each["reference"] for each in measured) for name in ways},
        "of_limit": {name: statistics.median(share) for name, share in shares.items()},
        "limit_gflops": {
            str(dtype).removeprefix("torch."): statistics.median(each[dtype] for each in measured) / 1e9
            for dtype in limits
        },
    }


def count_training_flops(config: RunConfig, data: Dataset) -> float:
    """Return the FLOPs that training takes for an image: three forward passes."""
    return 3.0 * sum(flops.count_for_network(config, data.classes, data.channels, data.size).values())


def measure_rate(config: RunConfig, data: Dataset, device: str = "cpu", *, seconds: float) -> float:
    """Return the rate of the study's training loop over about so many seconds; a batched run counts all its lanes."""
    lanes = LANES if config.engine == "batched" else 1
    run = prepare([config.replace(mask_seed=lane, init_seed=lane) for lane in range(lanes)], data.to(device), device)
    run.model.train()
    batches = itertools.chain.from_iterable(run.batches.epoch(epoch) for epoch in itertools.count())
    for images, labels in itertools.islice(batches, 5):
        run.update(images, labels)
    wait_for(device)

    def step() -> None:
        run.set_learning_rate(0.1)
        run.update(*next(batches))

    return config.batch_size * lanes * steps_per_second(step, seconds, device)


def measure_peak_memory(config: RunConfig, data: Dataset, *, seconds: float) -> int:
    """Return the most bytes that a run's tensors take on a GPU at any time."""
    measure_rate(config, data, "cuda", seconds=seconds)
    return torch.cuda.max_memory_allocated()
