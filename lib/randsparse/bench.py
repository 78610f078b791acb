"""`make bench`: what masking costs, and how fast training is, measured on this machine.

Times on a shared machine are noisy, so that ratios of things measured side by side are what counts.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from randsparse.config import RunConfig
from randsparse.data import PARTS, Dataset
from randsparse.files import write
from randsparse.notebooks import results_folder
from randsparse.parameters import find_root
from randsparse.training import Trainer, environment

SETTINGS = (("wrn-10-1", 8, 128), ("wrn-10-1", 32, 128), ("wrn-16-1", 32, 128), ("wrn-22-2", 32, 128))
"""(model, image size, batch size) of each row."""


def main(arguments: Sequence[str] = ()) -> None:
    """Measure every setting with one thread, print a table and write results/bench/<device>.json."""
    parser = argparse.ArgumentParser(prog="randsparse bench", description=main.__doc__)
    parser.add_argument("--steps", type=int, default=20, help="timed steps of each kind (%(default)s)")
    parser.add_argument("--results", type=Path, default=results_folder(find_root()), help="folder of results")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    rows = [masking(*setting, steps=options.steps) for setting in SETTINGS]
    report = {"environment": environment(torch.device("cpu")), "masking": rows}
    path = options.results / "bench" / "cpu.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, (json.dumps(report, sort_keys=True, indent=1) + "\n").encode())
    print(table(rows))  # noqa: T201
    print(f"written to {path}")  # noqa: T201


def masking(model: str, size: int, batch_size: int, steps: int = 20) -> dict[str, Any]:
    """Return what the masking operation takes of a training step at 80 % sparsity, with one thread, float32.

    `share` is the median time of the operation by itself over the median time of a masked step; `ratio` are whole
    masked steps over whole dense ones, in turn, as median and quartiles: the check, with the noise that it has.
    """
    data = random_images(size, batch_size)
    config = RunConfig(model=model, batch_size=batch_size)
    dense, masked = Trainer(config, data), Trainer(config.replace(sparsity=0.8), data)
    images, labels = next(iter(dense.batches.epoch(0)))
    for run in (dense, masked):
        run.model.train()
        run.step(images, labels)
    pairs = [(seconds(lambda: dense.step(images, labels)), seconds(lambda: masked.step(images, labels)))
             for _ in range(steps)]  # fmt: skip
    operation = statistics.median(seconds(masked.keep_masked) for _ in range(10 * steps))
    step = statistics.median(pair[1] for pair in pairs)
    low, middle, high = statistics.quantiles([pair[1] / pair[0] for pair in pairs], n=4)
    return {
        "model": model,
        "size": size,
        "batch_size": batch_size,
        "images_per_second": batch_size / step,
        "step_ms": 1e3 * step,
        "masking_ms": 1e3 * operation,
        "share": operation / step,
        "ratio": [low, middle, high],
    }


def seconds(call: Callable[[], Any]) -> float:
    """Return how long a call takes."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def random_images(size: int, samples: int, channels: int = 3, classes: int = 10) -> Dataset:
    """Return a dataset of noise, `samples` images in each part: what a step costs does not depend on the pixels."""
    random = torch.Generator().manual_seed(0)
    images = torch.randint(256, (samples, channels, size, size), generator=random, dtype=torch.uint8)
    images = images.contiguous(memory_format=torch.channels_last)
    labels = torch.randint(classes, (samples,), generator=random)
    parts = {f"{part}_x": images for part in PARTS} | {f"{part}_y": labels for part in PARTS}
    moments = {"mean": (0.5,) * channels, "std": (0.25,) * channels}
    return Dataset("noise", classes, **moments, pad=1, flip=False, **parts, indices={})


def table(rows: Sequence[dict[str, Any]]) -> str:
    """Return the rows as aligned text."""
    lines = [f"{'model':10} {'images':>8} {'img/s':>8} {'step ms':>9} {'mask ms':>9} {'share':>7}  masked/dense step"]
    for row in rows:
        low, middle, high = row["ratio"]
        lines.append(
            f"{row['model']:10} {row['size']:>5}x{row['size']:<2} {row['images_per_second']:8.0f} "
            f"{row['step_ms']:9.2f} "
            f"{row['masking_ms']:9.3f} {row['share']:7.2%}  {middle:.3f} ({low:.3f} to {high:.3f})"
        )
    return "\n".join(lines)
