"""The store: one JSON record per run, and the frames that figures are made from."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from randsparse.runs import records
from randsparse.runs.config import RunConfig
from randsparse.runs.kinds import CorruptRecord, Entry, Kind, RecordFiles
from randsparse.runs.records import COSTS, CURVE, DENSITIES, FIELDS, METRICS, STATUSES, Record, keep_comparable, shorten

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["COSTS", "CURVE", "DENSITIES", "FIELDS", "METRICS", "STATUSES", "CorruptRecord", "Record", "Store"]
__all__ += ["RUNS", "keep_comparable", "shorten"]

RUNS = Kind(
    folder="runs",
    word="record",
    parsed=records.parse,
    checked=records.check,
    name=lambda record: record["key"],
    differences=records.find_differences,
    made="train runs",
    again="train it anew",
)
"""The records of runs: `runs/<dataset>/<key>.json`."""


class Store:
    """The records below `root`: `runs/<dataset>/<key>.json`, one file per run, and other kinds beside them.

    Returned records are shared between callers: read them, do not change them. A file is parsed once, and
    again only when it changes.
    """

    def __init__(self, root: str | Path, read_only: bool = False) -> None:
        self.root = Path(root)
        self.read_only = read_only
        self._kinds: dict[Kind, RecordFiles] = {}

    def __repr__(self) -> str:
        return f"Store({str(self.root)!r}{', read_only=True' if self.read_only else ''})"

    def of(self, kind: Kind) -> RecordFiles:
        """Return the record files of one kind; all other methods are about those of runs."""
        if kind not in self._kinds:
            self._kinds[kind] = RecordFiles(kind, self.root, self.read_only)
        return self._kinds[kind]

    def path(self, config: RunConfig) -> Path:
        """Return where the record of `config` is, or would be."""
        return self._runs.path(config.dataset, config.key)

    def paths(self, config: RunConfig) -> list[Path]:
        """Return the files that can answer for `config`: its own, then those of longer runs like it."""
        own = self.path(config)
        longer = records.list_longer_keys(config) if config.stop_epoch else ()
        return [own, *(own.with_name(f"{key}.json") for key in longer)]

    @property
    def keys(self) -> list[str]:
        """The keys of all files in the store, sorted; the files are not read."""
        return sorted(entry.name.removesuffix(".json") for _, entry in self._runs.found())

    def get(self, config: RunConfig) -> Record | None:
        """Return the record of `config`, or None.

        A config with `stop_epoch` is also answered from the record of the complete run, or of one that stops
        later: what that was up to there. Raises CorruptRecord for a file that is no record of its run, after
        setting it and all like it aside as `<key>.json.corrupt`. A record of another version of this library, or with
        a name that this process does not know, is left in place, and a line of the log counts them.
        """
        return self.load([config]).get(config.key)

    def has(self, config: RunConfig) -> bool:
        """Return whether there is a record of `config`, of whatever status."""
        return self.get(config) is not None

    def own(self, config: RunConfig) -> Record | None:
        """Return the record that the file of `config` itself holds, or None, and of no longer run; raises as `get`."""
        damaged: list[str] = []
        entry = self._entry(self.path(config), damaged)
        self._runs.report(damaged)
        return entry and entry.record

    def load(self, configs: Iterable[RunConfig]) -> dict[str, Record]:
        """Return the records that there are of `configs`, by key and in their order; raises as `get`."""
        damaged: list[str] = []
        found = {config.key: self._answer(config, damaged) for config in configs}
        self._runs.report(damaged)
        return {key: record for key, record in found.items() if record is not None}

    def records(self, dataset: str | None = None) -> list[Record]:
        """Return all records (of `dataset`), sorted by dataset and key; raises as `get`."""
        return [entry.record for entry in self._all(self._paths(dataset))]

    def put(self, record: Record) -> None:
        """Write `record` so that a reader finds all of it or nothing, also after a kill or a power cut.

        NaN and infinity become null. A failed run never replaces the record of one that did not fail. Raises
        StudyError if the key does not fit the config, or the folder cannot be written.
        """
        record, config = records.check(record)
        old = self._entry(self.path(config), [])
        if record["status"] != "failed" or old is None or old.record["status"] == "failed":
            self._runs.put(record)

    def check_writable(self, *datasets: str) -> None:
        """Raise StudyError unless records of `datasets` can be written; to be known before training."""
        self._runs.check_writable(*datasets)

    def check_free(self, configs: Iterable[RunConfig]) -> None:
        """Raise StudyError if the record of a run would take the place of one that this library does not know."""
        self._runs.check_free(*map(self.path, configs))

    def frame(self, configs: Iterable[RunConfig] | None = None) -> pd.DataFrame:
        """Return one row per run: key, config fields with defaults, status, final metrics, densities, cost.

        Rows are in the order of `configs`, each once, without those that are missing; or all runs, sorted by
        dataset and key. Accuracies are fractions; what a run does not have is NaN. Raises as `get`.
        """
        return self._frame(self._pairs(configs), records.COLUMNS)

    def costs(self, sample: int | None = None) -> pd.DataFrame:
        """Return one row per run, as `frame()` does, with what it cost and the kind of machine that it was trained on.

        Columns: key, config fields, status, epochs_done, images, seconds, images_per_second, flops and sparse_flops,
        device, hardware and threads.

        Args:
            sample: how many records are read at most, those of the lowest keys, which are random numbers; None: all.
        """
        paths = sorted(sorted(self._paths(), key=lambda path: path.name)[:sample])
        return self._frame(self._all_pairs(paths), records.COST_COLUMNS)

    def curves(self, configs: Iterable[RunConfig] | None = None) -> pd.DataFrame:
        """Return one row per run and epoch: key, config fields, epoch (from 1), lr, losses and accuracy."""
        import pandas as pd

        rows = [
            {**fields, **{name: point.get(name) for name in CURVE}}
            for config, record in self._pairs(configs)
            for fields in [records.make_config_row(config)]
            for point in record["curve"]
        ]
        frame = pd.DataFrame(rows, columns=[*records.make_config_row(RunConfig()), *CURVE])
        return frame.astype(dict.fromkeys(CURVE, float) | {"epoch": int} | dict.fromkeys(records.OPTIONAL, "Int64"))

    def digest(self, configs: Iterable[RunConfig] | None = None) -> str:
        """Return 16 hex digits of the records of `configs`, whatever their order, cost and environment."""
        return records.digest(record for _, record in self._pairs(configs))

    @property
    def _runs(self) -> RecordFiles:
        return self.of(RUNS)

    def _pairs(self, configs: Iterable[RunConfig] | None) -> Iterable[tuple[RunConfig, Record]]:
        if configs is None:
            return self._all_pairs(self._paths())
        by_key = {config.key: config for config in configs}
        return [(by_key[key], record) for key, record in self.load(by_key.values()).items()]

    def _all_pairs(self, paths: Iterable[Path]) -> Iterator[tuple[RunConfig, Record]]:
        """Yield config and record of many files, which need not all be in memory at a time."""
        return ((entry.config, entry.record) for entry in self._all(paths, remember=False))

    def _all(self, paths: Iterable[Path], remember: bool = True) -> Iterator[Entry]:
        damaged: list[str] = []
        for path in paths:
            entry = self._entry(path, damaged, remember)
            if entry is not None:
                yield entry
        self._runs.report(damaged)

    def _frame(self, pairs: Iterable[tuple[RunConfig, Record]], columns: Sequence[str]) -> pd.DataFrame:
        rows = (records.make_row(config, record) for config, record in pairs)
        return records.make_frame(rows)[list(columns)]

    def _paths(self, dataset: str | None = None) -> list[Path]:
        return sorted(Path(entry.path) for _, entry in self._runs.found(dataset))

    def _answer(self, config: RunConfig, damaged: list[str]) -> Record | None:
        path, *longer = self.paths(config)
        own = self._entry(path, damaged)
        if own is not None and own.record["status"] != "failed":
            return own.record
        for path in longer:
            entry = self._entry(path, damaged)
            if entry is not None and (record := shorten(entry.record, config)) is not None:
                return record
        return own and own.record

    def _entry(self, path: Path, damaged: list[str], remember: bool = True) -> Entry | None:
        return self._runs.read(path, damaged, remember)
