"""Bringing records home: from bundles, files of one JSON line per record, and from other folders of results."""

from __future__ import annotations

import contextlib
import fcntl
import glob
import gzip
import json
import mmap
import os
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from randsparse.errors import StudyError
from randsparse.runs import evaluations
from randsparse.runs.config import SEMANTICS, RunConfig
from randsparse.runs.records import Cut, Damage, Record, alike, checked, parsed, stale
from randsparse.runs.store import CorruptRecord, Store

PATTERNS = ("*.jsonl", "*.jsonl.gz")
_HEAD = b'{"config":'  # of every line, as its names are sorted
_SHOWN = 20


class Bundle:
    """A file that records are added to, one line each; a name that ends in .gz means that each line is gzipped."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._end = -1  # of the file as this bundle left it, when its last line is known to be whole

    def check(self) -> None:
        """Raise StudyError unless records can be added to the file, which is made if there is none."""
        with self._opened():
            pass

    def append(self, record: Record) -> None:
        """Add `record`, on disk when this returns; a kill cuts the last line at most, which the next append removes.

        Several processes may add to one file. Raises StudyError if the key does not fit the config, the file cannot be
        written, or is no bundle.
        """
        record, _ = checked(record)
        line = json.dumps(record, sort_keys=True, separators=(",", ":"), allow_nan=False).encode() + b"\n"
        line = gzip.compress(line, mtime=0) if self._zipped else line
        with self._opened() as descriptor:
            if os.write(descriptor, line) < len(line):
                raise OSError(0, "the disk is full")
            os.fsync(descriptor)
            self._end += len(line)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[int]:
        """Give the file, locked and with its last line whole, to write at its end."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o666)
            try:
                with contextlib.suppress(OSError):  # not every file system has locks
                    fcntl.flock(descriptor, fcntl.LOCK_EX)
                size = os.fstat(descriptor).st_size
                self._end = size if size == self._end else self._mend(descriptor, size)
                yield descriptor
            except BaseException:
                self._end = -1
                raise
            finally:
                os.close(descriptor)
        except OSError as error:
            raise StudyError(
                f"cannot write the bundle {self.path}: {error.strerror}; the records in it are whole, run the same "
                "command again when it can be written"
            ) from error

    @property
    def _zipped(self) -> bool:
        return self.path.suffix == ".gz"

    def _mend(self, descriptor: int, size: int) -> int:
        """End the last line, or remove it if it is cut, and return the new size; raises StudyError for another file."""
        if size == 0:
            return 0
        with mmap.mmap(descriptor, size, access=mmap.ACCESS_READ) as content:
            end = _whole_members(content) if self._zipped else content.rfind(b"\n") + 1
            start = _unzipped_start(content) if self._zipped else content[: len(_HEAD)]
            left = b"" if self._zipped else content[end:]
        if end is None or not (start.startswith(_HEAD) or (end == 0 and _HEAD.startswith(start))):
            raise StudyError(f"{self.path} is no bundle that records can be added to: name another file")
        with contextlib.suppress(ValueError):
            json.loads(left)  # whole, only its end of line is missing
            return size + os.write(descriptor, b"\n")
        if end < size:
            os.ftruncate(descriptor, end)
        return end


class Conflict(NamedTuple):
    """A record that differs from the stored one of its key, and in which fields; the stored one was kept."""

    key: str
    fields: tuple[str, ...]

    def __str__(self) -> str:
        return f"conflict: {self.key} differs in {', '.join(self.fields)}; the stored record was kept"


class BadLine(NamedTuple):
    """A line, counted from 1, that holds no record, and why."""

    path: Path
    number: int
    why: str

    def __str__(self) -> str:
        return f"damaged: {self.path} line {self.number}: {self.why}"


@dataclass
class Merged:
    """What became of the records of bundles: keys in the order of the lines."""

    added: list[str] = field(default_factory=list)
    present: list[str] = field(default_factory=list)  # equal in all but cost and environment
    replaced: list[str] = field(default_factory=list)  # the stored run had failed
    conflicts: list[Conflict] = field(default_factory=list)
    damaged: list[BadLine] = field(default_factory=list)

    def __str__(self) -> str:
        counts = {
            "added": self.added, "already there": self.present, "in place of failed runs": self.replaced,
            "conflicts": self.conflicts, "damaged lines": self.damaged,
        }
        first = ", ".join(f"{name}: {len(found)}" for name, found in counts.items())
        problems = [*map(str, self.conflicts), *map(str, self.damaged)]
        more = [f"and {len(problems) - _SHOWN} more"] if len(problems) > _SHOWN else []
        return "\n".join([first, *problems[:_SHOWN], *more])


def merge(paths: str | Path | Iterable[str | Path], store: Store) -> Merged:
    """Take records from elsewhere into `store` and return what became of each; nothing stored is overwritten.

    Args:
        paths: a bundle, a folder of bundles (*.jsonl, *.jsonl.gz), a folder of results (which has a folder `runs`), a
            pattern such as "home/*.jsonl", or several of these. Of a folder of results, evaluations are taken, too.

    A stored record is replaced only if its run had failed and the new one did not; one of the same key that differs in
    more than cost and environment is a conflict. Merging again, also after a kill, changes nothing more. Raises
    StudyError for a path without bundles, before anything is merged, and for a file that is no bundle.
    """
    merged = Merged()
    for path in _bundles([paths] if isinstance(paths, str | Path) else paths):
        if path.is_dir():
            _merge_folder(path, store, merged)
            continue
        lines, known = 0, False
        for number, content in _lines(path):
            lines += 1
            try:
                record, config = _record(content)
            except Damage as damage:
                known = known or isinstance(content, Cut) or _begins(content)
                merged.damaged.append(BadLine(path, number, str(damage)))
                continue
            known = True
            _take(record, config, store, merged)
        if lines and not known:
            raise StudyError(f"{path} is no bundle of records: {merged.damaged[-1].why}")
    return merged


def _merge_folder(folder: Path, store: Store, merged: Merged) -> None:
    """Take the runs and evaluations of another folder of results; files that are no records stay where they are."""
    if folder.resolve() == store.root.resolve():
        raise StudyError(f"{folder} is the folder of results that records are to be merged into: name another one")
    for path in sorted(folder.glob("runs/*/*.json")):
        try:
            record, config = _record(_content(path))
        except Damage as damage:
            merged.damaged.append(BadLine(path, 1, str(damage)))
        else:
            _take(record, config, store, merged)
    for path in sorted(folder.glob("evaluations/*/*.json")):
        try:
            added, fields = evaluations.merge(_content(path), store)
        except (StudyError, ValueError) as error:
            merged.damaged.append(BadLine(path, 1, str(error)))
            continue
        if fields:
            merged.conflicts.append(Conflict(path.stem, fields))
        else:
            (merged.added if added else merged.present).append(path.stem)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise StudyError(f"cannot read record {path}: {error.strerror}") from error


def _take(record: Record, config: RunConfig, store: Store, merged: Merged) -> None:
    try:
        stored = store.own(config)
    except CorruptRecord:  # it has been set aside, as for a run that is trained anew
        stored = None
    if stored is None:
        store.put(record)
        merged.added.append(config.key)
    elif not (fields := differences(stored, record)):
        merged.present.append(config.key)
    elif stored["status"] == "failed" and record["status"] != "failed":
        store.put(record)
        merged.replaced.append(config.key)
    else:
        merged.conflicts.append(Conflict(config.key, fields))


def differences(one: Record, other: Record) -> tuple[str, ...]:
    """Return the fields, such as "status" or "test.accuracy", in which two records differ.

    Cost and environment do not count, nor do `records.MARKS` that one of them lacks.
    """
    return tuple(_differences(*alike(one, other)))


def _differences(one: Any, other: Any, name: str = "") -> Iterator[str]:
    if isinstance(one, dict) and isinstance(other, dict):
        for each in sorted(one.keys() | other.keys()):
            yield from _differences(one.get(each), other.get(each), f"{name}.{each}" if name else each)
    elif one != other:
        yield name


def _record(content: bytes | Damage) -> tuple[Record, RunConfig]:
    """Return the record of a line and its config; raises Damage."""
    if isinstance(content, Damage):
        raise content
    try:
        record, _ = parsed(content)
    except Cut as damage:
        raise damage if content.endswith(b"\n") else Cut("cut short") from None
    if stale(record):
        raise Damage(f"was trained by semantics {record['semantics']}, and this library has {SEMANTICS}")
    return checked(record)


def _begins(content: bytes | Damage) -> bool:
    """Return whether a line is the beginning of one that `Bundle` writes."""
    return isinstance(content, bytes) and content[: len(_HEAD)] == _HEAD[: len(content)]


def _lines(path: Path) -> Iterator[tuple[int, bytes | Damage]]:
    """Yield the number and content of each line, or why it and what follows cannot be read."""
    number = 0
    opened = gzip.open if path.suffix == ".gz" else open
    try:
        with opened(path, "rb") as file:
            for number, line in enumerate(file, 1):
                if line.strip():
                    yield number, line
    except EOFError:
        yield number + 1, Cut("cut short")
    except (gzip.BadGzipFile, zlib.error):
        yield number + 1, Damage("from here on it is not gzip")
    except OSError as error:
        raise StudyError(f"cannot read the bundle {path}: {error.strerror}") from error


def _bundles(paths: Iterable[str | Path]) -> list[Path]:
    """Return the files that `paths` mean, each once; raises StudyError for one that means none."""
    found: list[Path] = []
    for path in map(Path, paths):
        if (path / "runs").is_dir():
            files = [path]
        elif path.is_dir():
            files = sorted({file for pattern in PATTERNS for file in path.glob(pattern) if file.is_file()})
            if not files:
                raise StudyError(f"the folder {path} has no bundles ({' or '.join(PATTERNS)}) and no folder runs")
        else:
            files = [path] if path.exists() else [Path(name) for name in sorted(glob.glob(str(path)))]
            if not files:
                raise StudyError(f"there is no bundle {path}: name a file, a folder of bundles, or a pattern in quotes")
        found += files
    return list(dict.fromkeys(found))


def _whole_members(content: mmap.mmap) -> int | None:
    """Return where the last whole gzip member ends, or None if what follows is more than a line that was cut."""
    end = 0
    while end < len(content):
        member, position, lines, last = zlib.decompressobj(wbits=31), end, 0, b""
        try:
            while not member.eof and position < len(content):
                chunk = content[position : position + 2**13]
                text = member.decompress(chunk)
                position += len(chunk) - len(member.unused_data)
                lines, last = lines + text.count(b"\n"), text[-1:] or last
        except zlib.error:
            return None
        if not member.eof:
            return end if lines == 0 or (lines == 1 and last == b"\n") else None
        end = position
    return end


def _unzipped_start(content: mmap.mmap) -> bytes:
    try:
        return zlib.decompressobj(wbits=31).decompress(content[: 2**12], len(_HEAD))
    except zlib.error:
        return b"not gzip"
