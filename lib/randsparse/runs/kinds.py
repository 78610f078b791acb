"""Record files of one kind, of runs or of evaluations: found, read, checked, set aside when damaged, and written."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from randsparse.errors import StudyError
from randsparse.files import check_folder, clean, write
from randsparse.runs.config import RunConfig
from randsparse.runs.records import Damage, Record, Unknown, encode

SHOWN = 5
"""How many damaged files one message names."""
NAME = re.compile(r"[0-9a-f]{16}(-[0-9a-f]{16})?\.json")
"""The names of record files; a file of another name is not the study's."""

logger = logging.getLogger(__name__)


class CorruptRecord(StudyError):
    """A record file that is cut short, or that does not hold what its name says."""


class Kind(NamedTuple):
    """One kind of records.

    Attributes:
        folder: where they are, below the folder of results.
        word: what a message calls one of them.
        parsed: gives the record that a text holds, and the config of its run; raises `records.Damage`.
        checked: gives a record as it is stored, and the config of its run; raises StudyError if they do not fit.
        name: gives the name, without suffix, that the file of a record has.
        differences: gives the fields in which two records of one name differ, as far as they should not.
        made: what makes them, as a message about a read-only store says it: "train runs".
        again: what the same command does about a damaged one: "train it anew".
    """

    folder: str
    word: str
    parsed: Callable[[bytes], tuple[Record, RunConfig]]
    checked: Callable[[Record], tuple[Record, RunConfig]]
    name: Callable[[Record], str]
    differences: Callable[[Record, Record], tuple[str, ...]]
    made: str
    again: str


class Entry(NamedTuple):
    """A record, the config of its run, and time and size of its file when that was read."""

    stamp: tuple[int, int]
    record: Record
    config: RunConfig


class RecordFiles:
    """The records of one kind below `root`: `<folder>/<dataset>/<name>.json`.

    A file is parsed once, and again only when its time or size changes. What is damaged is set aside and added to a
    list, which `report` raises when all files have been read. What this process does not know (`records.Unknown`)
    counts as absent and stays in place.
    """

    def __init__(self, kind: Kind, root: Path, read_only: bool = False) -> None:
        self.kind, self.root, self.read_only = kind, root, read_only
        self._entries: dict[Path, Entry] = {}
        self._prepared: set[str] = set()
        self._unknown: dict[Path, str] = {}
        self._said = 0

    def path(self, dataset: str, name: str) -> Path:
        """Return where the record `name` of a run on `dataset` is, or would be."""
        return self.root / self.kind.folder / dataset / f"{name}.json"

    def found(self, dataset: str | None = None) -> Iterator[tuple[str, os.DirEntry]]:
        """Yield the dataset and the entry of each record file (of `dataset`), in no order; the files are not read."""
        for folder in _scan(self.root / self.kind.folder):
            if dataset in (None, folder.name) and _is_folder(folder):
                yield from ((folder.name, entry) for entry in _scan(folder.path) if NAME.fullmatch(entry.name))

    def get(self, path: Path) -> Entry | None:
        """Return what the file `path` holds, None if there is none; raises CorruptRecord for a damaged one."""
        damaged: list[str] = []
        entry = self.read(path, damaged)
        self.report(damaged)
        return entry

    def read(self, path: Path, damaged: list[str], remember: bool = True) -> Entry | None:
        """Return what the file `path` holds, or None if there is none or it is damaged, which is added to `damaged`.

        Args:
            remember: whether the record is kept in memory, so that the file need not be parsed again.

        Raises:
            StudyError: the file cannot be read.
        """
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
            raise StudyError(f"cannot read {self.kind.word} {path}: {error.strerror}") from error
        try:
            entry = Entry(stamp, *self._parsed(text, path))
        except Unknown as unknown:
            self._unknown[path] = str(unknown)
            return None
        except Damage as damage:
            damaged.append(f"{path} ({damage}), {self._set_aside(path)}")
            return None
        if remember:
            self._entries[path] = entry
        return entry

    def report(self, damaged: list[str]) -> None:
        """Raise CorruptRecord, in one line, if there are `damaged` files, after setting aside all others like them.

        A line of the log counts the files that are unknown, when there are more than it said before.
        """
        if len(self._unknown) > self._said:
            path, why = next(iter(self._unknown.items()))
            text = "left in place, since this library does not know them: %d %s(s), such as %s: %s"
            logger.warning(text, len(self._unknown), self.kind.word, path, why)
            self._said = len(self._unknown)
        if damaged and not self.read_only:
            for _, entry in self.found():
                self.read(Path(entry.path), damaged, remember=False)
        if damaged := list(dict.fromkeys(damaged)):
            more = f"; and {len(damaged) - SHOWN} more" if len(damaged) > SHOWN else ""
            files = "; ".join(damaged[:SHOWN]) + more
            advice = (
                "make the store writable, or use a copy of it"
                if self.read_only
                else f"run the same command again to {self.kind.again}"
            )
            raise CorruptRecord(f"corrupt {self.kind.word} {files}: {advice}")

    def put(self, record: Record) -> None:
        """Write `record` so that a reader finds all of it or nothing, also after a kill or a power cut.

        NaN and infinity become null. Raises StudyError if name and config do not fit together, the store is read-only
        or the folder cannot be written.
        """
        record, config = self.kind.checked(record)
        if config.dataset not in self._prepared:
            self.check_writable(config.dataset)
        path = self.path(config.dataset, self.kind.name(record))
        self.check_free(path)
        write(path, encode(record))
        self._entries.pop(path, None)

    def check_free(self, *paths: Path) -> None:
        """Raise StudyError if something that is unknown to this library is in the place of a record."""
        for path in paths:
            if path in self._unknown:
                raise StudyError(
                    f"{self.kind.word} {path} is unknown to this library ({self._unknown[path]}): it was left in "
                    "place; use the library that wrote it, or another results folder"
                )

    def check_writable(self, *datasets: str) -> None:
        """Raise StudyError unless records of `datasets` can be written, and remove what killed processes left."""
        if self.read_only:
            raise StudyError(f"the store {self.root} was opened read-only: use read_only=False to {self.kind.made}")
        for dataset in sorted(set(datasets)):
            folder = self.root / self.kind.folder / dataset
            check_folder(folder)
            clean(folder)
            self._prepared.add(dataset)

    def _parsed(self, text: bytes, path: Path) -> tuple[Record, RunConfig]:
        record, config = self.kind.parsed(text)
        if (self.kind.name(record), config.dataset) != (path.stem, path.parent.name):
            raise Damage("its key, config and file name do not fit together")
        return record, config

    def _set_aside(self, path: Path) -> str:
        """Rename a damaged file, to no name that is taken, and say what became of it."""
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


def _is_folder(entry: os.DirEntry) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link to itself
        return False


def _scan(folder: str | Path) -> list[os.DirEntry]:
    """Return what is in `folder`, nothing if there is none; raises StudyError for one that cannot be read."""
    try:
        return list(os.scandir(folder))
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise StudyError(f"cannot read the folder of records {folder}: {error.strerror}") from error
