"""Bringing records home: from bundles, files of one JSON line per record, and from other folders of results."""

from __future__ import annotations

import glob
import gzip
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from randsparse.errors import StudyError
from randsparse.runs.evaluations import EVALUATIONS
from randsparse.runs.kinds import CorruptRecord, Kind
from randsparse.runs.records import Cut, Damage
from randsparse.runs.store import RUNS, Store
from randsparse.sweeps.bundles import HEAD, PATTERNS

_SHOWN = 20


class Conflict(NamedTuple):
    """A record that differs from the stored one of its name, and in which fields; the stored one was kept."""

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
        names = ("added", "already there", "in place of failed runs", "conflicts", "damaged lines")
        lists = (self.added, self.present, self.replaced, self.conflicts, self.damaged)
        first = ", ".join(f"{name}: {len(found)}" for name, found in zip(names, lists, strict=True))
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
        (_merge_folder if path.is_dir() else _merge_lines)(path, store, merged)
    return merged


def _merge_folder(folder: Path, store: Store, merged: Merged) -> None:
    """Take the runs and evaluations of another folder of results; files that are no records stay where they are."""
    if folder.resolve() == store.root.resolve():
        raise StudyError(f"{folder} is the folder of results that records are to be merged into: name another one")
    for kind in (RUNS, EVALUATIONS):
        for path in sorted(folder.glob(f"{kind.folder}/*/*.json")):
            try:
                _take(path.read_bytes(), kind, store, merged)
            except Damage as damage:
                merged.damaged.append(BadLine(path, 1, str(damage)))
            except OSError as error:
                raise StudyError(f"cannot read record {path}: {error.strerror}") from error


def _merge_lines(path: Path, store: Store, merged: Merged) -> None:
    """Take the runs of a bundle; raises StudyError for a file of which no line is one of a bundle."""
    known, why = False, None
    for number, line in _lines(path):
        try:
            if isinstance(line, Damage):
                raise line
            _take(line, RUNS, store, merged)
            known = True
        except Damage as damage:
            begins = line[: len(HEAD)] == HEAD[: len(line)] if isinstance(line, bytes) else isinstance(line, Cut)
            known = known or begins
            cut = isinstance(damage, Cut) and not (isinstance(line, bytes) and line.endswith(b"\n"))
            why = "cut short" if cut else str(damage)
            merged.damaged.append(BadLine(path, number, why))
    if why and not known:
        raise StudyError(f"{path} is no bundle of records: {why}")


def _take(text: bytes, kind: Kind, store: Store, merged: Merged) -> None:
    """Store the record that `text` holds, unless there is one of its name; raises Damage if it holds none."""
    record, config = kind.parsed(text)
    name, files = kind.name(record), store.of(kind)
    try:
        stored = files.get(files.path(config.dataset, name))
    except CorruptRecord:  # it has been set aside, as for a run that is trained anew
        stored = None
    fields = kind.differences(stored.record, record) if stored else ()
    if fields and not (stored.record.get("status") == "failed" and record["status"] != "failed"):
        merged.conflicts.append(Conflict(name, fields))
    elif stored and not fields:
        merged.present.append(name)
    else:
        files.put(record)
        (merged.replaced if stored else merged.added).append(name)


def _lines(path: Path) -> Iterator[tuple[int, bytes | Damage]]:
    """Yield the number and content of each line, or why it and what follows cannot be read."""
    number = 0
    try:
        with (gzip.open if path.suffix == ".gz" else open)(path, "rb") as file:
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
