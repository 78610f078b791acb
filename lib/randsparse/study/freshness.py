"""What is up to date, decided by content: state.json of a profile's results says what they were made from.

A notebook depends on its source, its parameters, the records that it shows, and the part of the library that makes its
figures and tables. The rest of the library, training among it, is answered for by the records.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from randsparse.files import write
from randsparse.questions import ROOMS
from randsparse.study import parameters
from randsparse.study.settings import list_outputs, make_folder

OVERVIEW = "00_overview"
STATE, BOOK = "state.json", ".book/made.json"
"""Files below a profile's results that say what its notebooks, and its book, were made from; git has the first only."""
SHARED = (
    *("errors.py", "seeds.py", "files.py", "sparsity", "data", "networks", "runs", "comparison"),
    *("questions/__init__.py", "training/network.py"),
    *("study/notebook.py", "study/display.py", "study/settings.py", "study/parameters.py", "study/execution.py"),
)
"""Files and rooms of the library that every notebook is made with; each has the room of its question beside."""

State = dict[str, Any]


def list_names(root: Path) -> list[str]:
    """Return the notebooks in order of execution; the overview is last, as it reads the others."""
    found = (path.stem for path in (root / "notebooks").glob("[0-9]*.ipynb"))
    return sorted(found, key=lambda name: (name == OVERVIEW, name))


def list_sources(name: str, root: Path) -> list[Path]:
    """Return the files of the library that a notebook is made with."""
    own = {OVERVIEW: "study/overview.py"} | {each: f"questions/{room}" for each, room in ROOMS.items()}
    parts = [root / "lib" / "randsparse" / part for part in (*SHARED, own.get(name)) if part]
    return [path for part in parts for path in ([part] if part.suffix else part.rglob("*.py"))]


def explain_stale(name: str, profile: str, root: Path, results: Path, records: Iterable[Path]) -> list[str]:
    """Return why a notebook is to be made anew, one reason per parameter or file that differs; [] if it is not.

    `records` are the files of the records that it would show now: one that came later is a reason, too.
    """
    before = _load(results / profile / STATE).get(name)
    if not isinstance(before, dict) or not isinstance(before.get("records"), dict):
        return ["it was never made here" if before is None else "it was made by an earlier version"]
    now, reasons = _state(name, profile, root, results, records), []
    for part, what in KINDS.items():
        old, new = _mapping(before.get(part)), now[part]
        for each in sorted(old.keys() | new.keys()):
            values = old.get(each, _MISSING), new.get(each, _MISSING)
            if values[0] != values[1]:
                reasons.append(f"{what} {each} {_change(part, *values)}")
    return reasons


def remember(name: str, profile: str, root: Path, results: Path, records: Iterable[Path]) -> None:
    """Note what a notebook just executed was made from; `records` are the files of the records it shows."""
    folder = results / profile
    states = _load(folder / STATE) | {name: _state(name, profile, root, results, records)}
    _save(folder / STATE, {each: states[each] for each in states if each in list_names(root)})


def book_is_current(profile: str, root: Path, results: Path) -> bool:
    """Return whether the book was made from the notebooks, tables, guides and library that are there."""
    return _load(results / profile / BOOK) == _book_state(root, results / profile)


def remember_book(profile: str, root: Path, results: Path) -> None:
    """Note what the book was just made from."""
    folder = results / profile
    _save(folder / BOOK, _book_state(root, folder))


KINDS = {
    "notebook": "the notebook",
    "parameters": "parameter",
    "library": "the library's",
    "other notebooks": "another notebook's",
    "records": "record",
    "outputs": "its output",
}
"""The parts of a state, and what one thing in each of them is called."""


def _state(name: str, profile: str, root: Path, results: Path, records: Iterable[Path]) -> State:
    """Return what a notebook would be made from now: by part, the value of each parameter, the digest of each file."""
    folder = results / profile
    others = [*(folder / "figures").glob("*"), *(folder / "tables").glob("*")] if name == OVERVIEW else []
    others = [path for path in others if not path.name.startswith(f"{name}_")]
    return {
        "notebook": _digests([root / "notebooks" / f"{name}.ipynb"], root),
        "parameters": parameters.read_parameters(name, profile, root),
        "library": _digests(list_sources(name, root), root / "lib" / "randsparse"),
        "other notebooks": _digests(others, folder),
        "records": _digests(records, results),
        "outputs": _digests(list_outputs(name, folder), folder),
    }


_MISSING = "missing"


def _change(part: str, old: Any, new: Any) -> str:
    if part == "parameters":
        return f"was {old!r} and is {new!r}"
    if _MISSING in (old, new):
        return "is missing" if new == _MISSING else "is new"
    return "has changed"


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _book_state(root: Path, folder: Path) -> dict[str, str]:
    library = [path for path in (root / "lib").rglob("*") if path.suffix in (".py", ".css", ".js")]
    guides = [
        *(root / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md")),
        *(root / "docs").glob("*.md"),
        *(root / "notebooks").glob("[0-9]*.ipynb"),
    ]
    made = [path for kind in ("notebooks", "tables") for path in (folder / kind).glob("[0-9]*")]
    return {
        "made from": _digest(made, folder),
        "and from": _digest([*library, *guides], root),
        "pages": _digest((folder / "html").rglob("*.html"), folder),
    }


def _digests(paths: Iterable[Path], base: Path) -> dict[str, str]:
    """Return 16 hex digits of the content of each file, by its name below `base`; "missing" without one."""
    found = {path.relative_to(base).as_posix(): path for path in paths}
    return {
        name: hashlib.sha256(path.read_bytes()).hexdigest()[:16] if path.is_file() else _MISSING
        for name, path in sorted(found.items())
    }


def _digest(paths: Iterable[Path], base: Path) -> str:
    """Return 16 hex digits of the names and contents of files; one that is missing counts as such."""
    return hashlib.sha256(json.dumps(_digests(paths, base)).encode()).hexdigest()[:16]


def _load(path: Path) -> dict[str, Any]:
    """Return what a file says that things were made from; one that cannot be read says nothing: all is made again."""
    try:
        return _mapping(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, RecursionError):
        return {}


def _save(path: Path, states: dict[str, Any]) -> None:
    with make_folder(path.parent):
        write(path, (json.dumps(states, indent=1, sort_keys=True) + "\n").encode())
