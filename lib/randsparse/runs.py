"""The store: one JSON record a run, and the frames that figures are made from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from randsparse.config import DEFAULTS, SCHEMA, SEMANTICS, RunConfig
from randsparse.errors import StudyError
from randsparse.files import check_folder, clean, plain, write

if TYPE_CHECKING:
    import pandas as pd

Record = dict[str, Any]

FIELDS = ("schema", "key", "config", "status", "reason", "curve", "test", "density", "cost", "environment")
STATUSES = ("done", "stopped", "diverged", "failed")
METRICS = ("accuracy", "nll", "brier", "ece")
DENSITIES = ("asked", "realised", "effective")
COSTS = ("seconds", "images_per_second", "flops", "sparse_flops")
CURVE = ("epoch", "lr", "train_loss", "val_loss", "val_accuracy")
_OPTIONAL = [name for name, default in DEFAULTS.items() if default is None]


class CorruptRecord(StudyError):
    """A record file that is cut short, or that does not hold the run that its name says."""


class _Damage(Exception):
    """Why one file is no record."""


class _Entry(NamedTuple):
    stamp: tuple[int, int]
    record: Record
    config: RunConfig


class Store:
    """The records below `root`: `runs/<dataset>/<key>.json`, one file a run.

    Returned records are shared between callers: read them, do not change them. A file is parsed once, and
    again only when it changes.
    """

    def __init__(self, root: str | Path, read_only: bool = False) -> None:
        self.root = Path(root)
        self.read_only = read_only
        self._entries: dict[Path, _Entry] = {}
        self._prepared: set[str] = set()

    def __repr__(self) -> str:
        return f"Store({str(self.root)!r}{', read_only=True' if self.read_only else ''})"

    def path(self, config: RunConfig) -> Path:
        """Return where the record of `config` is, or would be."""
        return self.root / "runs" / config.dataset / f"{config.key}.json"

    def paths(self, config: RunConfig) -> list[Path]:
        """Return the files that can answer for `config`: its own, then those of longer runs like it."""
        own = self.path(config)
        longer = _longer(config) if config.stop_epoch else ()
        return [own, *(own.with_name(f"{key}.json") for key in longer)]

    @property
    def keys(self) -> list[str]:
        """The keys of all files in the store, sorted; the files are not read."""
        return sorted(path.stem for path in self._paths())

    def get(self, config: RunConfig) -> Record | None:
        """Return the record of `config`, or None.

        A config with `stop_epoch` is also answered from the record of the complete run, or of one that stops
        later: what that was up to there. Raises CorruptRecord for a file that is no record of its run, after
        setting it aside as `<key>.json.corrupt`; StudyError for one of another schema version, left in place.
        """
        return self.load([config]).get(config.key)

    def has(self, config: RunConfig) -> bool:
        """Return whether there is a record of `config`, of whatever status."""
        return self.get(config) is not None

    def load(self, configs: Iterable[RunConfig]) -> dict[str, Record]:
        """Return the records that there are of `configs`, by key and in their order; raises as `get`."""
        damaged: list[str] = []
        found = {config.key: self._answer(config, damaged) for config in configs}
        self._report(damaged)
        return {key: record for key, record in found.items() if record is not None}

    def records(self, dataset: str | None = None) -> list[Record]:
        """Return all records (of `dataset`), sorted by dataset and key; raises as `get`."""
        return [entry.record for entry in self._all(dataset)]

    def put(self, record: Record) -> None:
        """Write `record` so that a reader finds all of it or nothing, also after a kill or a power cut.

        NaN and infinity become null. A failed run never replaces the record of one that did not fail. Raises
        StudyError if the key does not fit the config, or the folder cannot be written.
        """
        record = {"semantics": SEMANTICS, **plain(record)}
        config = RunConfig.from_dict(record["config"])
        if record["key"] != config.key or record["status"] not in STATUSES:
            raise StudyError(
                f"record {record['key']} with status {record['status']!r} does not fit its config, whose key "
                f"is {config.key}; a status is one of {', '.join(STATUSES)}"
            )
        path, damaged = self.path(config), []
        old = self._entry(path, damaged)
        if record["status"] == "failed" and old is not None and old.record["status"] != "failed":
            return
        if config.dataset not in self._prepared:
            self.check_writable(config.dataset)
        text = json.dumps(record, sort_keys=True, indent=1, allow_nan=False) + "\n"
        write(path, text.encode())
        self._entries.pop(path, None)

    def check_writable(self, *datasets: str) -> None:
        """Raise StudyError unless records of `datasets` can be written; to be known before training."""
        if self.read_only:
            raise StudyError(f"the store {self.root} was opened read-only: use read_only=False to train runs")
        for dataset in sorted(set(datasets)):
            check_folder(self.root / "runs" / dataset)
            clean(self.root / "runs" / dataset)
            self._prepared.add(dataset)

    def frame(self, configs: Iterable[RunConfig] | None = None) -> pd.DataFrame:
        """Return one row a run: key, config fields with defaults, status, final metrics, densities, cost.

        Rows are in the order of `configs`, each once, without those that are missing; or all runs, sorted by
        dataset and key. Accuracies are fractions; what a run does not have is NaN. Raises as `get`.
        """
        import pandas as pd  # here, since workers import this file and need no frames

        rows = [_row(config, record) for config, record in self._pairs(configs)]
        frame = pd.DataFrame(rows, columns=list(_row(RunConfig(), {})))
        numbers = frame.columns[frame.columns.get_loc("reason") + 1 :]
        return frame.astype(dict.fromkeys(numbers, float) | dict.fromkeys(_OPTIONAL, "Int64"))

    def curves(self, configs: Iterable[RunConfig] | None = None) -> pd.DataFrame:
        """Return one row a run and epoch: key, config fields, epoch (from 1), lr, losses and accuracy."""
        import pandas as pd

        rows = [
            {**fields, **{name: point.get(name) for name in CURVE}}
            for config, record in self._pairs(configs)
            for fields in [_fields(config)]
            for point in record["curve"]
        ]
        frame = pd.DataFrame(rows, columns=[*_fields(RunConfig()), *CURVE])
        return frame.astype(dict.fromkeys(CURVE, float) | {"epoch": int} | dict.fromkeys(_OPTIONAL, "Int64"))

    def digest(self, configs: Iterable[RunConfig] | None = None) -> str:
        """Return 16 hex digits of the records of `configs`, whatever their order, cost and environment."""
        lines = {json.dumps(comparable(record), sort_keys=True) for _, record in self._pairs(configs)}
        return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:16]

    def _pairs(self, configs: Iterable[RunConfig] | None) -> list[tuple[RunConfig, Record]]:
        if configs is None:
            return [(entry.config, entry.record) for entry in self._all()]
        by_key = {config.key: config for config in configs}
        return [(by_key[key], record) for key, record in self.load(by_key.values()).items()]

    def _all(self, dataset: str | None = None) -> list[_Entry]:
        damaged: list[str] = []
        entries = [self._entry(path, damaged) for path in self._paths(dataset)]
        self._report(damaged)
        return [entry for entry in entries if entry is not None]

    def _paths(self, dataset: str | None = None) -> Iterator[Path]:
        return iter(sorted((self.root / "runs").glob(f"{dataset or '*'}/*.json")))

    def _answer(self, config: RunConfig, damaged: list[str]) -> Record | None:
        path, *longer = self.paths(config)
        own = self._entry(path, damaged)
        if own is not None and own.record["status"] != "failed":
            return own.record
        for path in longer:
            entry = self._entry(path, damaged)
            if entry is not None and (record := shortened(entry.record, config)) is not None:
                return record
        return own and own.record

    def _entry(self, path: Path, damaged: list[str]) -> _Entry | None:
        """Return what `path` holds, or None; a damaged file is set aside and noted in `damaged`."""
        try:
            status = path.stat()
            stamp = (status.st_mtime_ns, status.st_size)
            known = self._entries.get(path)
            if known is not None and known.stamp == stamp:
                return known
            text = path.read_bytes()
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise StudyError(f"cannot read record {path}: {error.strerror}") from error
        try:
            record, config = _parse(text, path)
        except _Damage as damage:
            damaged.append(f"{path} ({damage}), {self._set_aside(path)}")
            return None
        if record.get("semantics", SEMANTICS) != SEMANTICS:
            return None
        entry = self._entries[path] = _Entry(stamp, record, config)
        return entry

    def _set_aside(self, path: Path) -> str:
        aside, number = path.with_name(f"{path.name}.corrupt"), 1
        while aside.exists():
            number += 1
            aside = path.with_name(f"{path.name}.corrupt{number}")
        try:
            if self.read_only:
                return "left in place in a read-only store"
            path.rename(aside)
        except OSError as error:
            return f"not set aside: {error.strerror}"
        return f"set aside as {aside.name}"

    def _report(self, damaged: list[str]) -> None:
        if damaged:
            files = "; ".join(damaged[:5]) + (f"; and {len(damaged) - 5} more" if len(damaged) > 5 else "")
            raise CorruptRecord(f"corrupt record {files}: run the same command again to train it anew")


def comparable(record: Record) -> Record:
    """Return `record` without cost and environment: what two runs of one config have in common."""
    return {name: value for name, value in record.items() if name not in ("cost", "environment")}


def shortened(longer: Record, config: RunConfig) -> Record | None:
    """Return the record of `config` as a longer run of its trajectory gives it, or None if that did not."""
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
def _longer(config: RunConfig) -> tuple[str, ...]:
    """Return the keys of the runs that hold that of `config` within them, the complete one first."""
    stops = range(config.last_epoch + 1, config.epochs)
    return (config.trajectory.key, *(config.replace(stop_epoch=stop).key for stop in stops))


def _fields(config: RunConfig) -> dict[str, Any]:
    return {"key": config.key} | {name: getattr(config, name) for name in DEFAULTS}


def _row(config: RunConfig, record: Record) -> dict[str, Any]:
    curve, test, density, cost = (record.get(name) or {} for name in ("curve", "test", "density", "cost"))
    last = curve[-1] if curve else {}
    return {
        **_fields(config),
        "status": record.get("status"),
        "reason": record.get("reason"),
        **{f"test_{name}": test.get(name) for name in METRICS},
        "val_accuracy": last.get("val_accuracy"),
        "val_loss": last.get("val_loss"),
        "epochs_done": len(curve),
        **{f"density_{name}": density.get(name) for name in DENSITIES},
        "empty_layers": len(density.get("empty_layers") or ()),
        **{name: cost.get(name) for name in COSTS},
    }


def _parse(text: bytes, path: Path) -> tuple[Record, RunConfig]:
    try:
        record = json.loads(text)
    except ValueError:
        raise _Damage("not whole JSON") from None
    if not isinstance(record, dict) or not set(FIELDS) <= set(record):
        raise _Damage("not a record: fields are missing")
    if record["schema"] != SCHEMA:
        raise StudyError(
            f"record {path} has schema version {record['schema']} and this library reads {SCHEMA}: it was "
            "left in place; use the library that wrote it, or another results folder"
        )
    stale = record.get("semantics", SEMANTICS) != SEMANTICS  # the key is of another version, not wrong
    try:
        config = RunConfig.from_dict(record["config"])
    except (StudyError, TypeError) as error:
        raise _Damage(f"its config is not valid: {error}") from None
    named = record["key"] == path.stem and config.dataset == path.parent.name
    if not named or not (stale or config.key == path.stem) or record["status"] not in STATUSES:
        raise _Damage("its key, config and file name do not fit together")
    return record, config
