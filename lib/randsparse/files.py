"""Files that are whole or not there, whatever kills the process that writes them."""

from __future__ import annotations

import contextlib
import math
import os
import platform
import time
from pathlib import Path
from typing import Any

from randsparse.errors import StudyError

STALE_SECONDS = 3600.0


def write(path: Path, content: bytes, parents: bool = False) -> None:
    """Write `content` under a temporary name, then rename it; raises StudyError if that is not possible.

    Args:
        parents: whether folders that are missing are made.
    """
    temporary = _temporary(path)
    try:
        if parents:
            path.parent.mkdir(parents=True, exist_ok=True)
        with open(temporary, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise StudyError(
            f"cannot write {path}: {error.strerror}; what was written before is whole, run the same command "
            "again when the folder can be written"
        ) from error
    with contextlib.suppress(OSError):  # not every system lets a folder be synchronised
        descriptor = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def read_yaml(path: Path, name: str) -> Any:
    """Return the content of a YAML file in UTF-8, None of an empty one.

    Args:
        name: what a message calls the file.

    Raises StudyError, in one line, for a file that cannot be read, is not YAML, or has a name twice in one mapping.
    """
    import yaml

    class Loader(yaml.SafeLoader):
        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
            names = [self.construct_object(key, deep=True) for key, _ in node.value]
            for each in names:
                if names.count(each) > 1:
                    raise StudyError(f"{name} is not YAML that can be used: it has {each!r} twice")
            return super().construct_mapping(node, deep)

    try:
        return yaml.load(path.read_text(encoding="utf-8"), Loader)
    except OSError as error:
        raise StudyError(f"{name} cannot be read: {error.strerror}") from error
    except (yaml.YAMLError, ValueError, RecursionError, TypeError, AttributeError) as error:
        raise StudyError(f"{name} is not YAML: {' '.join(str(error).split())[:300]}") from None


def plain(value: Any) -> Any:
    """Return `value` as strict JSON has it: Python's own numbers, no NaN or infinity, lists for tuples."""
    if isinstance(value, dict):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    value = value.item() if hasattr(value, "item") else value
    return None if isinstance(value, float) and not math.isfinite(value) else value


def check_folder(folder: Path) -> None:
    """Make `folder` if need be, and raise StudyError unless files can be written there."""
    probe = _temporary(folder / "probe.json")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with open(probe, "wb") as file:
            file.write(b"\0")
        probe.unlink()
    except OSError as error:
        raise StudyError(
            f"cannot write to the results folder {folder}: {error.strerror}; make it writable or choose "
            "another one (nothing was trained or changed)"
        ) from error


def clean(folder: Path) -> None:
    """Remove the unfinished files of processes that are gone; of another machine only when an hour old."""
    unfinished: list[Path] = []
    with contextlib.suppress(OSError):  # also where memory is too short to look
        unfinished += folder.glob("*.tmp")
    for path in unfinished:
        machine, _, process = path.name.removesuffix(".tmp").rpartition("-")
        local = os.name == "posix" and machine.endswith(f".{platform.node()}") and process.isdigit()
        with contextlib.suppress(OSError):
            old = not local and time.time() - path.stat().st_mtime > STALE_SECONDS  # a clock may be wrong
            if old or (local and not is_alive(int(process))):
                path.unlink()


def _temporary(path: Path) -> Path:
    return path.with_name(f"{path.name}.{platform.node()}-{os.getpid()}.tmp")


def is_alive(process: int) -> bool:
    """Return whether this machine has a process of this number."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, PermissionError) as error:
        return isinstance(error, PermissionError)
    return True
