"""Records that tests make up, so that nothing has to be trained."""

from __future__ import annotations

import json
import os
import re
import sys

from randsparse import questions
from randsparse.runs import records
from randsparse.runs.config import RunConfig

BASE = RunConfig(epochs=6, sparsity=0.5)


def sealed(text: str) -> str:
    """The text of an edited record with the checksum of what it says now, so that nothing but the edit is wrong."""
    values = json.loads(text)
    values.pop(records.CHECKSUM)
    return re.sub(rf'("{records.CHECKSUM}": ?")[0-9a-f]+', rf"\g<1>{records.compute_checksum(values)}", text)


def record_of(config: RunConfig, epochs: int | None = None, **changes):
    """A record whose numbers depend on trajectory and epoch alone, as those of training do."""
    epochs = epochs or config.last_epoch
    names = ("epoch", "lr", "train_loss", "val_loss", "val_accuracy")
    curve = [
        dict(zip(names, (e, 0.1, 1 / e, 2 / e, min(1.0, e / 10 + config.mask_seed % 40 / 100)), strict=True))
        for e in range(1, epochs + 1)
    ]
    done = config.stop_epoch is None and changes.get("status", "done") == "done"
    return {
        "schema": 1,
        "key": config.key,
        "config": config.to_dict(),
        "status": "done" if done else "stopped",
        "reason": None,
        "curve": curve,
        "test": {"accuracy": 0.9, "nll": 0.3, "brier": 0.2, "ece": 0.01} if done else None,
        "density": {
            "asked": config.density,
            "realised": 0.5,
            "effective": 0.49,
            "layers": {"a": 0.1},
            "empty_layers": ["b"],
        },
        "cost": {
            "seconds": 2.0 * epochs,
            "images_per_second": 50.0,
            "epochs": epochs,
            "flops": 1e6 * epochs,
            "sparse_flops": 5e5 * epochs,
        },
        "environment": {"torch": "2"},
        **changes,
    }


def environment() -> dict[str, str]:
    return os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def record(config):
    """A made-up record: accuracy grows with the epoch, and candidates with a higher seed are better."""
    curve = [
        {"epoch": epoch, "lr": 0.1, "train_loss": 1.0, "val_loss": 1.0}
        | {"val_accuracy": (epoch + config.init_seed % 99) / 200}
        for epoch in range(1, config.last_epoch + 1)
    ]
    density = {
        "asked": config.density,
        "realised": config.density,
        "effective": config.density,
        "weights": 1,
        "layers": {},
        "empty_layers": [],
    }
    complete = config.stop_epoch is None
    test = {"accuracy": 0.9, "nll": 0.1, "brier": 0.1, "ece": 0.1} if complete else None
    cost = {
        "seconds": 1.0,
        "images_per_second": 1.0,
        "flops": 1.0,
        "sparse_flops": 1.0,
        "epochs": len(curve),
        "images": 64,
    }
    status = "done" if complete else "stopped"
    return {
        "schema": 1,
        "key": config.key,
        "config": config.to_dict(),
        "status": status,
        "reason": None,
        "curve": curve,
        "test": test,
        "density": density,
        "cost": cost,
        "environment": {},
    }


def finish(name, parameters, store):
    """Train (make up) all that a notebook needs; return how many runs each stage had."""
    stages = []
    while missing := questions.plan(name, parameters, store):
        for config in missing:
            store.put(record(config))
        stages.append(len(missing))
    return stages
