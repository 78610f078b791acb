"""The report of `make bench`: what is measured, printed as text and written as JSON."""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch

from randsparse.bench import candidates, kernels, steps, throughput
from randsparse.files import write
from randsparse.training.environment import describe_environment

SETTINGS = (("wrn-10-1", 8, 128), ("wrn-10-1", 32, 128), ("wrn-16-1", 32, 128), ("wrn-22-2", 32, 128))
"""(model, image size, batch size) of each row."""
COMPACTED = ("wrn-16-2", 32, 128)
ARGUMENTS: dict[str, dict[str, Any]] = {
    "--seconds": {"type": float, "default": 2.0, "help": "of each measurement of a rate (%(default)s)"},
    "--rounds": {"type": int, "default": 3, "help": "how often all are measured in turn (%(default)s)"},
    "--steps": {"type": int, "default": 10, "help": "timed steps of each kind (%(default)s)"},
    "--results": {"type": Path, "help": "folder of results"},
    "--device": {"choices": ("cpu", "cuda"), "default": "cpu", "help": "what to measure (%(default)s)"},
    "--quick": {"action": "store_true", "help": "try it in a few minutes, and write nothing"},
}
"""What the parser is told of each option."""


def main(arguments: Sequence[str], results: Path) -> None:
    """Measure this machine, print a report and write bench/<device>.json into the folder of results.

    With --quick it measures each thing for a moment and writes nothing.
    """
    parser = argparse.ArgumentParser(prog="randsparse bench", description=main.__doc__)
    for name, described in ARGUMENTS.items():
        parser.add_argument(name, **described)
    parser.set_defaults(results=results)
    options = parser.parse_args(arguments)
    if options.quick:
        options.seconds, options.rounds, options.steps = 0.2, 2, 2
    torch.set_num_threads(1)
    report = {"environment": describe_environment(torch.device(options.device))} | dict(_measured(options))
    device = re.sub(r"\W+", "-", report["environment"]["hardware"].lower()) if options.device == "cuda" else "cpu"
    if options.quick:
        return
    path = options.results / "bench" / f"{device}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path, (json.dumps(report, sort_keys=True, indent=1) + "\n").encode())
    print(f"written to {path}")  # noqa: T201


def _measured(options: argparse.Namespace) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield each section of the report, after printing it."""
    rates = {"seconds": options.seconds, "rounds": options.rounds}
    if options.device == "cuda":
        yield "gpu", _printed(throughput.measure_on_gpu(*SETTINGS[-1], **rates), _throughput)
        return
    yield "masking", [_printed(steps.time_masking(*setting, steps=options.steps), _masking) for setting in SETTINGS]
    sparsities = steps.NODE_SPARSITIES
    yield "compaction", [_printed(steps.time_compaction(*COMPACTED, s, options.steps), _compaction) for s in sparsities]
    layers = [(*shape, sparsity) for shape in kernels.SHAPES for sparsity in kernels.SPARSITIES]
    yield "kernels", [_printed(kernels.time_products(*layer, options.steps), _kernels) for layer in layers]
    yield "candidates", _printed(candidates.time_batched(rounds=options.rounds), _candidates)
    yield "throughput", [_printed(throughput.measure_on_cpu(*setting, **rates), _throughput) for setting in SETTINGS]


def _printed(row: dict[str, Any], text: Any) -> dict[str, Any]:
    print(text(row), flush=True)  # noqa: T201
    return row


def _setting(row: dict[str, Any]) -> str:
    return f"{row['model']} {row['size']}x{row['size']}, batch {row['batch_size']}"


def _spread(quartiles: Sequence[float]) -> str:
    low, middle, high = quartiles
    return f"{middle:.2f} ({low:.2f} to {high:.2f})"


def _masking(row: dict[str, Any]) -> str:
    return (
        f"{_setting(row)}: masking is {row['share']:.2%} of a step of {row['step_ms']:.1f} ms; "
        f"masked over dense steps {_spread(row['ratio'])}"
    )


def _compaction(row: dict[str, Any]) -> str:
    times = f"{row['masked_ms']:.0f} and {row['compacted_ms']:.0f} ms"
    return (
        f"{_setting(row)}, node sparsity {row['sparsity']:.0%}: masked and compacted steps take {times}, "
        f"ratio {_spread(row['speedup'])}; of FLOPs {row['flops']:.1f}"
    )


def _kernels(row: dict[str, Any]) -> str:
    layer = f"{row['outputs']}x{row['inputs']} weights, {row['positions']} positions, sparsity {row['sparsity']:.0%}"
    return (
        f"{layer}: dense over {row['kernel']} products {_spread(row['forward'])} in a forward pass, "
        f"{_spread(row['training'])} in a step of training; of FLOPs {row['flops']:.1f}"
    )


def _candidates(row: dict[str, Any]) -> str:
    ways = "; ".join(
        f"{name.replace('_', ' ')} {row['seconds'][name]:.2f} s, {_spread(row['speedup'][name])} times"
        for name in row["seconds"]
    )
    return f"{row['candidates']} candidates, one epoch of digits, {row['workers']} workers: {ways}"


def _throughput(row: dict[str, Any]) -> str:
    limit = ", ".join(f"{name} {value:.0f} GFLOP/s" for name, value in row["limit_gflops"].items())
    lines = [f"{_setting(row)}; matrix products: {limit}"]
    for name, rate in row["rates"].items():
        lines.append(
            f"  {name:33} {rate:9.0f} images/s  {_spread(row['speedup'][name])} times the reference, "
            f"{row['of_limit'][name]:.0%} of matrix products"
        )
    if "memory" in row:
        lines.append(f"  peak memory of one run: {row['memory'] / 2**20:.0f} MiB")
    return "\n".join(lines)
