"""Bundles: files of one JSON line per record, which bring records home from other machines."""

from __future__ import annotations

import contextlib
import fcntl
import gzip
import json
import os
import zlib
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

from randsparse.errors import StudyError
from randsparse.runs.records import Record, check, encode

PATTERNS = ("*.jsonl", "*.jsonl.gz")
HEAD = b'{"config":'
"""How every line begins, as its names are sorted."""
_MEMBER = gzip.compress(b"", mtime=0)[:8]  # how every line that is gzipped begins


class Bundle:
    """A file that records are added to, one line each; a name that ends in .gz means that each line is gzipped."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        self._size = -1  # of the file as this bundle left it, when its last line is known to be whole

    def check(self) -> None:
        """Raise StudyError unless records can be added to the file, which is made if there is none."""
        with self._opened():
            pass

    def append(self, record: Record) -> None:
        """Add `record`, on disk when this returns; a kill cuts the last line at most, which the next append removes.

        Several processes may add to one file. Raises StudyError if the key does not fit the config, the file cannot be
        written, or is no bundle.
        """
        record, _ = check(record)
        line = encode(record, indent=None)
        line = gzip.compress(line, mtime=0) if self.path.suffix == ".gz" else line
        with self._opened() as file:
            if os.write(file.fileno(), line) < len(line):
                raise OSError(0, "the disk is full")
            os.fsync(file.fileno())
            self._size += len(line)

    @contextlib.contextmanager
    def _opened(self) -> Iterator[FileIO]:
        """Give the file, locked and with its last line whole, to write at its end."""
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, "a+b", buffering=0) as file:
                with contextlib.suppress(OSError):  # not every file system has locks
                    fcntl.flock(file, fcntl.LOCK_EX)
                if file.seek(0, os.SEEK_END) != self._size:
                    self._size = self._mend(file)
                yield file
        except OSError as error:
            raise StudyError(
                f"cannot write the bundle {self.path}: {error.strerror}; the records in it are whole, run the same "
                "command again when it can be written"
            ) from error

    def _mend(self, file: FileIO) -> int:
        """End the last line, or remove it if it is cut, and return the new size; raises StudyError for another file."""
        file.seek(0)
        content = file.read()
        begins, end = (_zipped if self.path.suffix == ".gz" else _plain)(content)
        if end is None or not (begins.startswith(HEAD) or (end == 0 and HEAD.startswith(begins))):
            raise StudyError(f"{self.path} is no bundle that records can be added to: name another file")
        if end > len(content):
            file.write(b"\n")
        file.truncate(end)
        return end


def _plain(content: bytes) -> tuple[bytes, int]:
    """Return how the first line begins and where the last whole one ends, its end of line, if missing, included."""
    end = content.rfind(b"\n") + 1
    with contextlib.suppress(ValueError):
        json.loads(content[end:])
        end = len(content) + 1
    return content[: len(HEAD)], end


def _zipped(content: bytes) -> tuple[bytes, int | None]:
    """Return how the first line begins and where the last whole one ends; None if what follows is more than a line."""
    start = max(0, content.rfind(_MEMBER))
    first, last = zlib.decompressobj(wbits=31), zlib.decompressobj(wbits=31)
    try:
        begins, text = first.decompress(content[: 2**12], len(HEAD)), last.decompress(content[start:])
    except zlib.error:
        return b"", None
    if last.eof:
        return begins, len(content) - len(last.unused_data) if len(last.unused_data) < len(_MEMBER) else None
    return begins, None if b"\n" in text[:-1] else start
