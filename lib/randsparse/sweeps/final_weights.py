"""The networks at the end of runs: their weights are kept when asked for, and trained again where they were not.

A run that stops early ends there: its weights are those of its trajectory after that epoch.
"""

from __future__ import annotations

import itertools
import math
import os
import shutil
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import torch
from torch import nn

from randsparse.data import catalogue
from randsparse.errors import StudyError
from randsparse.networks import registry
from randsparse.runs.config import RunConfig
from randsparse.runs.records import SEMANTICS, WITHOUT_WEIGHTS, Record, alike, check
from randsparse.runs.store import Store
from randsparse.sweeps import locks
from randsparse.sweeps.sweep import sweep
from randsparse.training import network as networks
from randsparse.training import train as training
from randsparse.training import weights
from randsparse.training.metrics import input_dtype

SAME_LOSS = 1e-6
"""Relative difference up to which mean training losses are the same: some units in the last place of float32."""


def load_network(
    config: RunConfig, store: Store, data_dir: str | Path | None = None, device: str = "cpu", train: bool = True
) -> nn.Module:
    """Return the network at the end of a run, in evaluation mode, in the run's precision.

    Args:
        train: whether a run without weights is trained (again) to get them, as `ensure` does.

    Raises:
        StudyError: the run diverged or failed; it has no weights and `train` is False; as `ensure`.
    """
    record = store.get(config)
    if record and record["status"] in WITHOUT_WEIGHTS:
        raise StudyError(f"run {config.key} has no final weights: it {record['status']} ({record['reason']})")
    if train:
        ensure([config], store, data_dir=data_dir, device=device, workers=1, progress=False)
    state = weights.load(config, store.root)
    if state is None:
        raise StudyError(
            f"run {config.key} has no weights: there is no {weights.find_path(config, store.root)}; "
            "evaluate the run, or ask for its network with train=True, to train it again"
        )
    model = _untrained(config)
    try:
        model.load_state_dict(state)
    except RuntimeError:
        path = weights.find_path(config, store.root)
        raise StudyError(f"weights {path} do not fit the network of their run: remove the file") from None
    return model.to(device, input_dtype(getattr(torch, config.precision))).eval()


def ensure(
    configs: Iterable[RunConfig],
    store: Store,
    *,
    workers: int | None = None,
    data_dir: str | Path | None = None,
    device: str | None = None,
    progress: bool = True,
) -> None:
    """Train those of `configs` that have no weights, and keep these below `store.root`.

    A run that the store has is trained again; its record must come out the same, in all but cost and environment, and
    stays as it is. A run that it has not is stored. Can be killed at any moment: what is finished is kept. Runs that
    diverged or failed have no weights and are left out.

    Raises:
        StudyError: a run gave another record than before; as `sweep`.
    """
    wanted = {config.key: config for config in configs}
    if not _without(wanted, store):
        return
    store.check_writable(*(config.dataset for config in wanted.values()))
    with locks.hold_lock(store.root / locks.LOCK):
        missing = _without(wanted, store)
        unchecked = Store(store.root / "weights" / ".unchecked")
        shutil.rmtree(unchecked.root, ignore_errors=True)
        try:
            for turn in _turns(missing):
                sweep(
                    turn,
                    unchecked,
                    workers=workers,
                    train=partial(training.train, weights_root=unchecked.root.absolute()),
                    data_dir=data_dir,
                    progress=progress,
                    checkpoints=store.root / "checkpoints",
                    device=device,
                    finished=partial(_keep, store=store, unchecked=unchecked),
                )
        finally:
            shutil.rmtree(unchecked.root, ignore_errors=True)


def _turns(configs: Iterable[RunConfig]) -> list[list[RunConfig]]:
    """Return the runs in turns, one per trajectory in each: a longer one goes on from where a shorter one ended."""
    of_trajectory: dict[str, list[RunConfig]] = {}
    for config in sorted(configs, key=lambda config: config.last_epoch):
        of_trajectory.setdefault(config.trajectory.key, []).append(config)
    return [[config for config in turn if config] for turn in itertools.zip_longest(*of_trajectory.values())]


def _untrained(config: RunConfig) -> nn.Module:
    """Return a network of the run's shape; that of a weight mask is its parent's, whatever the mask."""
    image = catalogue.shape(config.dataset)
    if config.method != "small-dense" and config.structure == "weight":
        return registry.build(config.model, *image)
    return networks.create(config, *image).model


def _without(wanted: dict[str, RunConfig], store: Store) -> list[RunConfig]:
    """Return the runs that have no weights and may have some."""
    have = store.load(wanted.values())
    hopeless = {key for key, record in have.items() if record["status"] in WITHOUT_WEIGHTS}
    return [each for key, each in wanted.items() if key not in hopeless and not weights.has(each, store.root)]


def _keep(record: Record, store: Store, unchecked: Store) -> None:
    """Store the record of a run, or compare it with the one that is stored, and take over its weights."""
    record, config = check(record)
    before = store.get(config)
    if before is None:
        store.put(record)
    elif not _agree(*alike(record, {"semantics": SEMANTICS, **before})):
        raise StudyError(_difference(record, before))
    if record["status"] not in WITHOUT_WEIGHTS:
        target = weights.find_path(config, store.root)
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(weights.find_path(config, unchecked.root), target)


def _agree(one: Record, other: Record) -> bool:
    """Return whether two comparable records are of the same network.

    Training loss, which decides nothing, may differ by float32 rounding: versions of the library took its mean
    differently. All that was computed of the weights has to be equal.
    """
    (losses, rest), (other_losses, other_rest) = _without_losses(one), _without_losses(other)
    pairs = zip(losses, other_losses, strict=False)
    return rest == other_rest and all(
        a == b or (a is not None and b is not None and math.isclose(a, b, rel_tol=SAME_LOSS)) for a, b in pairs
    )


def _without_losses(record: Record) -> tuple[list[float | None], Record]:
    """Return the training losses of a record's curve, and the record without them."""
    curve = [{**point, "train_loss": None} for point in record["curve"]]
    return [point["train_loss"] for point in record["curve"]], {**record, "curve": curve}


def _difference(record: Record, before: Record) -> str:
    """Say how a run that was trained again differs from what it was, and what to do."""
    if record["status"] == "failed":
        return f"run {record['key']} could not be trained again: {record['reason']}"
    name, here, there = "its curve", "another", "the recorded one"
    for metric in ("accuracy", "nll"):
        new, old = ((each["test"] or {}).get(metric) for each in (record, before))
        if new != old:
            name, here, there = f"test {metric}", new, old
            break
    made = [
        " ".join(str(each["environment"].get(part)) for part in ("torch", "device", "hardware"))
        for each in (record, before)
    ]
    return (
        f"run {record['key']} gave another result when trained again for its weights ({name} {here}, not {there}; here "
        f"{made[0]}, then {made[1]}): nothing was changed; train the run on the machine and versions of its record, or "
        "use another results folder"
    )
