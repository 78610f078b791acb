"""Seconds: which zeros make training faster here, from what `make bench` has measured."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from randsparse.comparison.wording import format_model
from randsparse.networks.registry import shapes
from randsparse.runs import feasibility, flops
from randsparse.runs.config import RunConfig

MASK, NODES, KERNEL, BATCHED = "zeros in dense weights", "smaller network", "sparse kernels", "batched program"
MASKED = 0.8
"""The sparsity of the masks that `make bench` measures."""
COLUMNS = ["way", "measured", "sparsity", "less_work", "times_as_fast", "low", "high"]
READ = [*COLUMNS[:4], "low", "times_as_fast", "high"]
"""The order in which the files have them: quartiles around the median."""
NOT_YET = "not measured yet"


def speeds(folder: Path) -> pd.DataFrame:
    """Return how many times as fast each way is as the same without it, and how many times less work it has.

    Args:
        folder: with the files of `make bench`; a way that none of them has gets one row that says so.

    Columns: way; measured (what was timed); sparsity (of weights, or of nodes for a smaller network);
    less_work (FLOPs of dense over FLOPs on kept weights); times_as_fast (median over pairs of steps in turn), low and
    high (their quartiles).
    """
    reports = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(folder.glob("*.json"))]
    rows = []
    for way, (section, read) in SECTIONS.items():
        found = [row for report in reports if section in report for row in read(report[section])]
        rows += [(way, *row) for row in found] or [(way, NOT_YET, *[np.nan] * 5)]
    return pd.DataFrame(rows, columns=READ)[COLUMNS]


def _masks(section: list[dict[str, Any]]) -> Iterator[tuple]:
    for row in section:
        less = _less_work(RunConfig(model=row["model"], sparsity=MASKED), row["size"])
        quartiles = (1 / ratio for ratio in reversed(row["ratio"]))  # which are masked over dense
        yield f"step of {_network(row)}", MASKED, less, *quartiles


def _nodes(section: list[dict[str, Any]]) -> Iterator[tuple]:
    for row in section:
        yield f"step of {_network(row)}", row["sparsity"], row["flops"], *row["speedup"]


def _kernels(section: list[dict[str, Any]]) -> Iterator[tuple]:
    for row in section:
        layer = f"{row['kernel']} products of {row['outputs']}x{row['inputs']} weights, forward and backward"
        yield layer, row["sparsity"], row["flops"], *row["training"]


def _batched(section: dict[str, Any]) -> Iterator[tuple]:
    what = f"{section['candidates']} candidates on 8x8 images, {section['workers']} cores, against one after another"
    yield what, MASKED, 1.0, *section["speedup"]["batched"]


SECTIONS: dict[str, tuple[str, Callable[[Any], Iterator[tuple]]]] = {
    MASK: ("masking", _masks),
    NODES: ("compaction", _nodes),
    KERNEL: ("kernels", _kernels),
    BATCHED: ("candidates", _batched),
}
"""By way, its section in the report of `make bench`, and what reads that."""


def _network(row: dict[str, Any]) -> str:
    return f"{format_model(row['model'])} on {row['size']}x{row['size']} images"


def _less_work(config: RunConfig, size: int) -> float:
    """Return the FLOPs of a dense network over those on the weights that an ERK mask keeps."""
    sample = (10, 3, size)
    counts = feasibility.allocate(config, parent := shapes(config.model, *sample))
    kept = {name: counts[name] / math.prod(shape) for name, shape in parent.items()}
    found = flops.count_for_network(config, *sample)
    return sum(found.values()) / flops.count_kept(found, kept)
