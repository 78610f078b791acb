"""The store: one JSON record a run, and the frames that figures are made from."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from randsparse.errors import StudyError
from randsparse.files import check_folder, clean, write
from randsparse.runs import frame_cache, records
from randsparse.runs.config import RunConfig
from randsparse.runs.frame_cache import Stamped
from randsparse.runs.records import COSTS, CURVE, DENSITIES, FIELDS, METRICS, STATUSES, Record, comparable, shortened

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COSTS", "CURVE", "DENSITIES", "FIELDS", "METRICS", "STATUSES", "CorruptRecord", "Record", "Store"]
__all__ += ["comparable", "shortened"]


class CorruptRecord(StudyError):
    """A record file that is cut short, or that does not hold the run that its name says."""


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
        longer = records.longer_keys(config) if config.stop_epoch else ()
        return [own, *(own.with_name(f"{key}.json") for key in longer)]

    @property
    def keys(self) -> list[str]:
        """The keys of all files in the store, sorted; the files are not read."""
        return sorted(entry.name.removesuffix(".json") for _, entry in self._files())

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

    def own(self, config: RunConfig) -> Record | None:
        """Return the record that the file of `config` itself holds, or None, and of no longer run; raises as `get`."""
        damaged: list[str] = []
        entry = self._entry(self.path(config), damaged)
        self._report(damaged)
        return entry and entry.record

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
        record, config = records.checked(record)
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

        All runs come from a cache in `.cache`, where only the rows of changed files are made anew.
        """
        if configs is None:
            return self._all_rows(records.COLUMNS)
        rows = (records.row(config, record) for config, record in self._pairs(configs))
        return records.frame_of(rows)[list(records.COLUMNS)]

    def costs(self) -> pd.DataFrame:
        """Return one row a run, as `frame()` does, with what it cost and the kind of machine that it was trained on.

        Columns: key, config fields, status, epochs_done, images, seconds, images_per_second, flops and sparse_flops,
        device, hardware and threads.
        """
        return self._all_rows(records.COST_COLUMNS)

    def curves(self, configs: Iterable[RunConfig] | None = None) -> pd.DataFrame:
        """Return one row a run and epoch: key, config fields, epoch (from 1), lr, losses and accuracy."""
        import pandas as pd

        rows = [
            {**fields, **{name: point.get(name) for name in CURVE}}
            for config, record in self._pairs(configs)
            for fields in [records.config_row(config)]
            for point in record["curve"]
        ]
        frame = pd.DataFrame(rows, columns=[*records.config_row(RunConfig()), *CURVE])
        return frame.astype(dict.fromkeys(CURVE, float) | {"epoch": int} | dict.fromkeys(records.OPTIONAL, "Int64"))

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

    def _all_rows(self, columns: Sequence[str]) -> pd.DataFrame:
        damaged: list[str] = []

        def read(file: Stamped) -> frame_cache.Row | None:
            entry = self._read(self.root / "runs" / file.dataset / f"{file.key}.json", damaged)
            if entry is None:
                return None
            stamp = Stamped(file.dataset, file.key, *entry.stamp)
            return stamp, records.row(entry.config, entry.record), not records.stale(entry.record)

        found = sorted(self._stamped())
        table = frame_cache.load(self.root / ".cache" / frame_cache.FILE, found, read, not self.read_only)
        if table is None:
            rows = filter(None, map(read, found))
            frame = records.frame_of(values for _, values, shown in rows if shown)[list(columns)]
        else:
            frame = frame_cache.frame(table, columns)
        self._report(damaged)
        return frame

    def _stamped(self) -> Iterator[Stamped]:
        for dataset, entry in self._files():
            try:
                status = entry.stat()
            except FileNotFoundError:
                continue
            except OSError as error:
                raise StudyError(f"cannot read record {entry.path}: {error.strerror}") from error
            yield Stamped(dataset, entry.name.removesuffix(".json"), status.st_mtime_ns, status.st_size)

    def _paths(self, dataset: str | None = None) -> list[Path]:
        return [Path(entry.path) for _, entry in sorted(self._files(dataset), key=lambda file: (file[0], file[1].name))]

    def _files(self, dataset: str | None = None) -> Iterator[tuple[str, os.DirEntry]]:
        """Yield the folder and the entry of each record file (of `dataset`), in no order."""
        for folder in _scan(self.root / "runs"):
            if dataset in (None, folder.name) and folder.is_dir():
                yield from ((folder.name, entry) for entry in _scan(folder.path) if entry.name.endswith(".json"))

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
        """Return what `path` holds and remember it, or None for one of other semantics; else as `_read`."""
        entry = self._read(path, damaged)
        if entry is None or records.stale(entry.record):
            return None
        self._entries[path] = entry
        return entry

    def _read(self, path: Path, damaged: list[str]) -> _Entry | None:
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
            record, config = records.parsed(text)
            if (record["key"], config.dataset) != (path.stem, path.parent.name):
                raise records.Damage("its key, config and file name do not fit together")
        except records.OtherSchema as other:
            raise StudyError(
                f"record {path} {other}: it was left in place; use the library that wrote it, or another results folder"
            ) from None
        except records.Damage as damage:
            damaged.append(f"{path} ({damage}), {self._set_aside(path)}")
            return None
        return _Entry(stamp, record, config)

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
        if damaged := list(dict.fromkeys(damaged)):
            files = "; ".join(damaged[:5]) + (f"; and {len(damaged) - 5} more" if len(damaged) > 5 else "")
            raise CorruptRecord(f"corrupt record {files}: run the same command again to train it anew")


def _scan(folder: str | Path) -> list[os.DirEntry]:
    """Return what is in `folder`, nothing if there is none; raises StudyError for one that cannot be read."""
    try:
        return list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise StudyError(f"cannot read the folder of records {folder}: {error.strerror}") from error
