"""Whether the values of a record can be those of a run: their types, their ranges, and that its parts fit together."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from randsparse.runs.config import RunConfig

_SHARE, _POSITIVE, _ANY = (0, 1), (0, math.inf), (-math.inf, math.inf)
CURVE = {"lr": _POSITIVE, "train_loss": _ANY, "val_loss": _ANY, "val_accuracy": _SHARE, "ema_val_accuracy": _SHARE}
TEST = {"accuracy": _SHARE, "nll": _POSITIVE, "brier": (0, 2), "ece": _SHARE}
DENSITY = {"asked": _SHARE, "realised": _SHARE, "effective": _SHARE, "weights": _POSITIVE}
ENVIRONMENT = {"threads": (0, 1e6)}
COST = dict.fromkeys(("seconds", "images_per_second", "epochs", "images", "flops", "sparse_flops"), _POSITIVE)
ROUNDING = 1e-6
"""By how much a number may be beyond its range."""


def find_faults(record: Mapping[str, Any], config: RunConfig) -> Iterator[str]:
    """Yield what is wrong with the values of a record, each as a few words: `test.accuracy is 17`.

    A number may be null, since infinity and NaN are stored so; the validation and test accuracy of a finished run may
    not.
    """
    curve, status = record["curve"], record["status"]
    if not isinstance(curve, list) or not all(isinstance(point, dict) for point in curve):
        yield "curve is not a list of epochs"
        return
    if [point.get("epoch") for point in curve] != list(range(1, len(curve) + 1)):
        yield "the epochs of its curve do not count from 1"
    whole = status in ("done", "stopped")
    if len(curve) > config.last_epoch or (whole and len(curve) < config.last_epoch):
        yield f"its curve has {len(curve)} of {config.last_epoch} epochs"
    for point in curve:
        yield from _numbers(f"curve of epoch {point.get('epoch')!r}", point, CURVE)
    if whole and any(point.get("val_accuracy") is None for point in curve):
        yield "an epoch of its curve has no val_accuracy"
    for name, ranges in (("test", TEST), ("density", DENSITY), ("cost", COST), ("environment", ENVIRONMENT)):
        value = record[name]
        if isinstance(value, dict):
            yield from _numbers(name, value, ranges)
        elif value is not None:
            yield f"{name} is a {type(value).__name__}"
            return
    test = record["test"]
    if (status == "done") != bool(test):
        yield f"status is {status} {'with' if test else 'without'} a test"
    elif isinstance(test, dict) and test.get("accuracy") is None:
        yield "test has no accuracy"
    yield from _layers(record["density"] or {})
    for where, name in (("", "reason"), ("environment", "device"), ("environment", "hardware")):
        value = ((record[where] or {}) if where else record).get(name)
        if value is not None and not isinstance(value, str):
            yield f"{name} is a {type(value).__name__}"


def _numbers(where: str, values: Mapping[str, Any], ranges: Mapping[str, tuple[float, float]]) -> Iterator[str]:
    for name, (low, high) in ranges.items():
        value = values.get(name)
        if value is None:
            continue
        number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
        if not number or not low - ROUNDING <= value <= high + ROUNDING:
            yield f"{where}: {name} is {value!r:.40}"


def _layers(density: Mapping[str, Any]) -> Iterator[str]:
    layers, empty = density.get("layers", {}), density.get("empty_layers", [])
    if isinstance(layers, dict):
        yield from _numbers("density of layers", layers, dict.fromkeys(layers, _SHARE))
    else:
        yield f"layers is a {type(layers).__name__}"
    if not isinstance(empty, list) or not all(isinstance(name, str) for name in empty):
        yield "empty_layers is not a list of names"
