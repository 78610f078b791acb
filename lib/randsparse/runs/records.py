"""What a record is: one run as a JSON value, checked against its key, and the row of a frame that it makes."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Iterable, Iterator
from functools import cache
from itertools import islice
from typing import TYPE_CHECKING, Any

import numpy as np

from randsparse.errors import StudyError
from randsparse.files import plain
from randsparse.runs import methods
from randsparse.runs.checks import find_faults
from randsparse.runs.config import DEFAULTS, SCHEMA, SEMANTICS, RunConfig, compute_key

if TYPE_CHECKING:
    import pandas as pd

Record = dict[str, Any]

FIELDS = ("schema", "key", "config", "status", "reason", "curve", "test", "density", "cost", "environment")
CHECKSUM = "sha256"
"""The field of a file that says by `compute_checksum` that it holds what was written; no record in memory has it."""
STATUSES = ("done", "stopped", "diverged", "failed")
METRICS = ("accuracy", "nll", "brier", "ece")
DENSITIES = ("asked", "realised", "effective")
COSTS = ("seconds", "images_per_second", "flops", "sparse_flops")
WITHOUT_WEIGHTS = ("diverged", "failed")
"""The status of a run that has no final network."""
CURVE = ("epoch", "lr", "train_loss", "val_loss", "val_accuracy")

MARKS = {"curve": ("val_correct", "ema_val_accuracy", "ema_val_correct"), "test": ("correct",)}
"""What records may have beside: records of earlier versions lack it, and a shorter curve has less of it.

`val_correct` and `correct` say which images of the validation and test part are classified correctly (`correct` reads
them); `ema_` stands for the moving average of the network (`averaging`).
"""

OPTIONAL = tuple(name for name, default in DEFAULTS.items() if default is None)
NUMBERS = (
    *(f"test_{name}" for name in METRICS),
    "val_accuracy",
    "val_loss",
    "epochs_done",
    *(f"density_{name}" for name in DENSITIES),
    "empty_layers",
    *COSTS,
)
COLUMNS = ("key", *DEFAULTS, "status", "reason", *NUMBERS)
"""The columns of `Store.frame`."""
COST_COLUMNS = (
    *("key", *DEFAULTS, "status", "epochs_done", "images", *COSTS),
    *("device", "hardware", "threads"),
)
"""The columns of `Store.costs`."""


class Damage(Exception):
    """Why something is no record."""


class Cut(Damage):
    """What is no JSON, as of a file that was cut short."""


class Unknown(Damage):
    """What may well be a record, of another version of this library or with a name that this process does not know.

    It is not damaged: it stays where it is.
    """


def parse(text: bytes) -> tuple[Record, RunConfig]:
    """Return the record that `text` holds, and its config; raises Damage, or one of its kinds."""
    record = decode(text, FIELDS, SCHEMA)
    config = read_config(record, record["key"])
    if config.key != record["key"]:
        raise Damage("its key and config do not fit together")
    check_values(record, config)
    return record, config


def decode(text: bytes, fields: Iterable[str], schema: int) -> Record:
    """Return the record of any kind that `text` holds, with all `fields`; raises Damage, or one of its kinds."""
    try:
        record = json.loads(text)
    except (ValueError, RecursionError):
        raise Cut("not whole JSON") from None
    if not isinstance(record, dict) or not set(fields) <= set(record):
        raise Damage("not a record: fields are missing")
    if record.pop(CHECKSUM, None) not in (None, compute_checksum(record)):
        raise Damage("its checksum is that of another content")
    if record["schema"] != schema:
        raise Unknown(f"it has schema version {record['schema']} and this library reads {schema}")
    if is_stale(record):
        raise Unknown(f"it was trained by semantics {record['semantics']} and this library has {SEMANTICS}")
    return record


def encode(record: Record, indent: int | None = 1) -> bytes:
    """Return the text of a record of any kind with its checksum, as a file holds it (indent None: in one line)."""
    whole, separators = {**record, CHECKSUM: compute_checksum(record)}, (",", ": " if indent else ":")
    return (json.dumps(whole, sort_keys=True, indent=indent, separators=separators, allow_nan=False) + "\n").encode()


def compute_checksum(record: Record) -> str:
    """Return 16 hex digits of all that a record says; records of earlier versions do not have theirs beside."""
    return hashlib.sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()[:16]


def read_config(record: Record, key: object) -> RunConfig:
    """Return the config of the run that a record of any kind is about.

    Args:
        key: that of the run, by the record.

    Raises Damage if the config is not valid, and Unknown if the key fits it all the same: it was valid where the record
    was made.
    """
    values = record["config"]
    try:
        return RunConfig.from_dict(values)
    except (StudyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        genuine = isinstance(values, dict) and compute_key(values) == key
        raise (Unknown if genuine else Damage)(f"its config is not valid here: {error}") from None


def check_values(record: Record, config: RunConfig) -> None:
    """Raise Damage for a record of a run whose values cannot be those of one."""
    if record["status"] not in STATUSES:
        raise Damage(f"not a record: status is {record['status']!r:.40}")
    if faults := list(islice(find_faults(record, config), 3)):
        raise Damage(f"not a record: {'; '.join(faults)}")


def check(record: Record) -> tuple[Record, RunConfig]:
    """Return `record` as it is stored, and its config; raises StudyError if its parts do not fit together.

    NaN and infinity become null.
    """
    record = {"semantics": SEMANTICS, **plain(record)}
    config = RunConfig.from_dict(record["config"])
    if record["key"] != config.key:
        raise StudyError(f"record {record['key']} does not fit its config, whose key is {config.key}")
    try:
        check_values(record, config)
    except Damage as damage:
        raise StudyError(f"record {record['key']} cannot be stored: {damage}") from None
    return record, config


def is_stale(record: Record) -> bool:
    """Return whether `record` was trained by other semantics than this library's."""
    return record.get("semantics", SEMANTICS) != SEMANTICS


def keep_comparable(record: Record) -> Record:
    """Return `record` without cost and environment: what two runs of one config have in common."""
    return {name: value for name, value in record.items() if name not in ("cost", "environment")}


def digest(records: Iterable[Record]) -> str:
    """Return 16 hex digits of what `keep_comparable` leaves of records, whatever their order; equal ones count once."""
    lines = {json.dumps(keep_comparable(record), sort_keys=True) for record in records}
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:16]


def find_differences(one: Record, other: Record) -> tuple[str, ...]:
    """Return the fields, such as "status" or "test.accuracy", in which the records of two runs differ.

    Cost and environment do not count, nor do `MARKS` that one of them lacks.
    """
    return tuple(_differences(*alike(one, other)))


def _differences(one: Any, other: Any, name: str = "") -> Iterator[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        for each in sorted(one.keys() | other.keys()):
            yield from _differences(one.get(each), other.get(each), f"{name}.{each}" if name else each)
    elif one != other:
        yield name


def alike(one: Record, other: Record) -> tuple[Record, Record]:
    """Return what `keep_comparable` leaves of two records, without those `MARKS` that one of them lacks."""
    both = keep_comparable(one), keep_comparable(other)
    lacking = {
        name
        for part, names in MARKS.items()
        for name in names
        for record in both
        if any(name not in point for point in _points(record, part))
    }

    def kept(value: Any) -> Any:
        return {name: each for name, each in value.items() if name not in lacking} if value else value

    return tuple(
        {**record, "curve": [kept(point) for point in record["curve"]], "test": kept(record["test"])} for record in both
    )


def _points(record: Record, part: str) -> list[dict[str, Any]]:
    return record["curve"] if part == "curve" else [record["test"] or {}]


def pack(correct: np.ndarray) -> str:
    """Return bools (N,) as the text "N:bits", with one bit per image in base64, the first image in the highest bit."""
    return f"{len(correct)}:{base64.b64encode(np.packbits(correct).tobytes()).decode()}"


def correct(record: Record, epoch: int | None = None, averaged: bool = False) -> np.ndarray | None:
    """Return which images the run classified correctly, bools (N,), in the order of the dataset's part.

    Args:
        epoch: validation images after this epoch (from 1); None: test images at the end.
        averaged: by the moving average of the network, which is not tested at the end.

    None where the record does not say: it was made by an earlier version, or the run ended before.
    """
    name = "ema_val_correct" if averaged else "val_correct"
    if epoch is None:
        value = None if averaged else (record["test"] or {}).get("correct")
    else:
        value = record["curve"][epoch - 1].get(name) if 1 <= epoch <= len(record["curve"]) else None
    if value is None:
        return None
    images, _, text = value.partition(":")
    bits = np.frombuffer(base64.b64decode(text), dtype=np.uint8)
    return np.unpackbits(bits, count=int(images)).astype(bool)


def shorten(longer: Record, config: RunConfig) -> Record | None:
    """Return the record of `config` as a longer run of its trajectory gives it, or None if that did not.

    That of a method which changes the mask has densities of its end only.
    """
    if config.method in methods.DYNAMIC:
        return None
    curve, epochs = longer["curve"], config.last_epoch
    same = {**longer, "key": config.key, "config": config.to_dict()}
    if longer["status"] == "diverged" and len(curve) <= epochs:
        return same
    if longer["status"] == "failed" or len(curve) < epochs:
        return None
    share = epochs / len(curve)
    scaled = {name: value * share for name, value in longer["cost"].items() if value is not None}
    rate = {"images_per_second": longer["cost"].get("images_per_second")}
    cost = longer["cost"] | scaled | rate | {"epochs": epochs}
    return same | {"status": "stopped", "reason": None, "curve": curve[:epochs], "test": None, "cost": cost}


@cache
def list_longer_keys(config: RunConfig) -> tuple[str, ...]:
    """Return the keys of the runs that hold that of `config` within them, the complete one first."""
    values, stops = config.to_dict(), range(config.last_epoch + 1, config.epochs)
    return (config.trajectory.key, *(compute_key({**values, "stop_epoch": stop}) for stop in stops))


def make_row(config: RunConfig, record: Record) -> dict[str, Any]:
    """Return the values of `COLUMNS` and `COST_COLUMNS` of one run; what it does not have is None."""
    curve, test, density, cost, made = (
        record.get(name) or {} for name in ("curve", "test", "density", "cost", "environment")
    )
    last = curve[-1] if curve else {}
    return {
        **make_config_row(config),
        "status": record.get("status"),
        "reason": record.get("reason"),
        **{f"test_{name}": test.get(name) for name in METRICS},
        "val_accuracy": last.get("val_accuracy"),
        "val_loss": last.get("val_loss"),
        "epochs_done": len(curve),
        **{f"density_{name}": density.get(name) for name in DENSITIES},
        "empty_layers": len(density.get("empty_layers") or ()),
        **{name: cost.get(name) for name in COSTS},
        "images": _one(cost.get("images"), int | float),
        "device": _one(made.get("device"), str),
        "hardware": _one(made.get("hardware"), str),
        "threads": _one(made.get("threads"), int),
    }


def make_config_row(config: RunConfig) -> dict[str, Any]:
    """Return the key and all fields of `config`."""
    return {"key": config.key} | {name: getattr(config, name) for name in DEFAULTS}


def make_frame(rows: Iterable[dict[str, Any]]) -> pd.DataFrame:
    """Return the frame of rows as from `make_row`, with the columns of both `Store.frame` and `Store.costs`."""
    import pandas as pd  # here, since workers import this file and need no frames

    names = dict.fromkeys((*COLUMNS, *COST_COLUMNS))
    frame = pd.DataFrame(list(rows), columns=list(names))
    return frame.astype(dict.fromkeys((*NUMBERS, "images"), float) | dict.fromkeys((*OPTIONAL, "threads"), "Int64"))


def _one(value: Any, kind: Any) -> Any:
    """Return `value` if it is of `kind`: what only costs show must not keep a frame from being made."""
    return value if isinstance(value, kind) and not isinstance(value, bool) else None
