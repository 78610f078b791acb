"""Recipe files: the runs of a list, each trained by one process or by several together."""

from __future__ import annotations

import argparse
import contextlib
import itertools
import math
import os
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from randsparse import files
from randsparse.data import catalogue
from randsparse.errors import StudyError, require, unknown
from randsparse.runs import feasibility
from randsparse.runs.config import RunConfig
from randsparse.runs.store import Record, Store
from randsparse.study.parameters import find_root
from randsparse.study.settings import DEVICES, find_data_folder, find_results_folder
from randsparse.sweeps import locks
from randsparse.sweeps.parents import work_for
from randsparse.training import weights
from randsparse.training.engines.processes import Processes, join, start
from randsparse.training.train import train as train_run

LAUNCHER = "RANDSPARSE_LAUNCHER"
"""The variable that tells processes which train together which process has started them."""
SEEDS = ("mask_seed", "init_seed", "data_seed")
MOST = 10_000
"""How many runs one block of a recipe can stand for."""
ERROR = 2
"""The exit status of an error that the user can mend."""
ARGUMENTS: dict[str, dict[str, Any]] = {
    "recipe": {"metavar": "FILE", "type": Path, "help": "which runs, such as recipes/imagenet.yaml"},
    "--data-dir": {"type": Path, "help": "folder of datasets (DATA_DIR, or data/)"},
    "--results": {"type": Path, "help": "folder of results (RANDSPARSE_RESULTS, or results/)"},
    "--device": {"choices": DEVICES, "help": "cuda where there is a GPU, else cpu, unless given"},
    "--processes": {"type": int, "help": "that train each run together, with a GPU each if there are any"},
    "--loaders": {"type": int, "help": "processes that read images, for each that trains (its cores)"},
    "--quiet": {"action": "store_true", "help": "show no progress"},
}
"""What the parser is told of each argument."""


def read(path: str | Path) -> list[RunConfig]:
    """Return the runs that a recipe file lists, each once, in its order.

    It is YAML with `recipe`, the fields of RunConfig that all runs share, and `runs`, a list of fields; a list among
    these (but the one of milestones) stands for each of its values, and `seed` for all three seeds.

    Raises StudyError for a file that is not that, for an impossible run, and for one of a dataset that is no folder.
    """
    content = files.read_yaml(Path(path), f"recipe {path}")
    content = content if isinstance(content, dict) else {}
    blocks, shared = content.get("runs"), content.get("recipe") or {}
    listed = isinstance(blocks, list) and blocks
    if not listed or not all(isinstance(each, dict) for each in (shared, *blocks)):
        raise StudyError(f"recipe {path} needs `runs`, a list of fields of runs; `recipe` has those that they share")
    if odd := content.keys() - {"recipe", "runs"}:
        raise unknown("part of a recipe", min(odd, key=str), ("recipe", "runs"))
    configs = [_config(values) for block in blocks for values in _each({**shared, **block})]
    for config in configs:
        if not catalogue.folder(config.dataset):
            raise StudyError(f"recipe {path}: {config.dataset} is no folder of images; its runs are those of notebooks")
        if reason := feasibility.explain_infeasible(config, *catalogue.shape(config.dataset)):
            raise StudyError(f"recipe {path}: {reason}")
    return list(dict.fromkeys(configs))


def _each(block: dict[str, Any]) -> list[dict[str, Any]]:
    """Return every combination of the values of a block."""
    choices = [value if isinstance(value, list) and name != "milestones" else [value] for name, value in block.items()]
    for name, values in zip(block, choices, strict=True):
        require(bool(values), str(name), values, "one value or more")
    count = math.prod(map(len, choices))
    require(count <= MOST, "runs", count, f"at most {MOST}: one for each combination of the lists of a block")
    return [dict(zip(block, values, strict=True)) for values in itertools.product(*choices)]


def _config(values: dict[str, Any]) -> RunConfig:
    seeds = dict.fromkeys(SEEDS, values["seed"]) if "seed" in values else {}
    return RunConfig.from_dict(seeds | {name: value for name, value in values.items() if name != "seed"})


def train(
    configs: Sequence[RunConfig],
    store: Store,
    processes: Processes,
    **options: Any,
) -> list[Record]:
    """Train the runs that the store lacks, one after another, each by all processes; return the new records.

    The first process keeps the lock of the store, checkpoints below it, final weights and records; each is on disk
    when its run is finished, and the same call goes on with what is missing. `options` are those of `training.train`.

    Raises StudyError in all processes: the results cannot be written, or as `training.train`.
    """
    checkpoints = store.root / "checkpoints"
    with contextlib.ExitStack() as stack:

        def prepare() -> list[RunConfig]:
            store.check_writable(*(config.dataset for config in configs))
            files.check_folder(checkpoints)
            stack.enter_context(locks.hold_lock(store.root / locks.LOCK))
            files.clean(checkpoints)
            files.clean(store.root / weights.FOLDER)
            have = store.load(configs)
            return [config for config in configs if config.key not in have]

        return [
            train_run(
                config,
                checkpoint_dir=checkpoints,
                weights_root=store.root,
                processes=processes,
                finished=store.put,
                **options,
            )
            for config in processes.first_does(prepare)
        ]


def main(arguments: Sequence[str]) -> int:
    """Train the runs of a recipe file: `python -m randsparse recipe FILE`, by several processes with --processes.

    Only the first process speaks, of errors too.
    """
    options = _options(arguments)
    require(options.processes is None or options.processes >= 1, "processes", options.processes, "1 or more")
    if options.processes and LAUNCHER not in os.environ:
        os.environ[LAUNCHER] = str(os.getpid())
        return start([sys.executable, "-m", "randsparse", "recipe", *arguments], options.processes)
    if launcher := os.environ.get(LAUNCHER):
        work_for(int(launcher))
    first = os.environ.get("LOCAL_RANK", "0") == "0"  # as far as is known before they have met
    try:
        with join(options.device) as (processes, device):
            first = processes.first
            return _train(options, processes, device)
    except StudyError:
        if first:
            raise
        return ERROR


def _train(options: argparse.Namespace, processes: Processes, device: str) -> int:
    require((options.loaders or 0) >= 0, "loaders", options.loaders, "0 or more")
    configs = read(options.recipe)
    root = find_root()
    store = Store((options.results or find_results_folder(root)).resolve())
    records = train(
        configs,
        store,
        processes,
        data_dir=(options.data_dir or find_data_folder(root)).resolve(),
        device=device,
        loaders=options.loaders,
        progress=not options.quiet,
    )
    if processes.first:
        there = store.load(configs)
        counts = Counter(record["status"] for record in there.values())
        print(  # noqa: T201
            f"{len(records)} runs trained, {len(there)} of {len(configs)} in {store.root}: "
            f"{counts['done']} done, {counts['diverged']} diverged"
        )
    return 0


def _options(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser("randsparse recipe", description=(main.__doc__ or "").split("\n")[0])
    for name, described in ARGUMENTS.items():
        parser.add_argument(name, **described)
    return parser.parse_args(arguments)
