"""What is up to date, decided by content: state.json of a profile's results says what they were made from."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable
from pathlib import Path

from randsparse.study import parameters
from randsparse.study.notebook import outputs, writing

OVERVIEW = "00_overview"
_NO_INPUT = {
    "study.py", "command_line.py", "__main__.py", "status.py", "pages.py", "freshness.py", "bench",
    "budget.py", "bundles.py", "cluster.py", "locks.py", "studies.py",
}  # fmt: skip


def names(root: Path) -> list[str]:
    """Return the notebooks in order of execution; the overview is last, as it reads the others."""
    found = sorted(path.stem for path in (root / "notebooks").glob("[0-9]*.ipynb"))
    return [name for name in found if name != OVERVIEW] + [name for name in found if name == OVERVIEW]


def is_current(name: str, profile: str, root: Path, results: Path) -> bool:
    """Return whether a notebook's outputs are there, as it made them, from what it would be made from now."""
    state = _load(results / profile).get(name)
    return state is not None and state == _state(name, profile, root, results, state["runs"])


def remember(name: str, profile: str, root: Path, results: Path, runs: Iterable[Path]) -> None:
    """Note what a notebook just executed was made from; `runs` are the files of the records it shows."""
    folder = results / profile
    paths = sorted(path.relative_to(results).as_posix() for path in runs)
    states = _load(folder) | {name: _state(name, profile, root, results, paths)}
    _save(folder, states)


def pages_are_current(profile: str, results: Path) -> bool:
    """Return whether the HTML pages were made from the notebooks, figures and tables that are there."""
    return _load(results / profile).get("html") == _pages_state(results / profile)


def remember_pages(profile: str, results: Path) -> None:
    """Note what the HTML pages were just made from."""
    folder = results / profile
    _save(folder, _load(folder) | {"html": _pages_state(folder)})


def _state(name: str, profile: str, root: Path, results: Path, runs: list[str]) -> dict[str, object]:
    folder = results / profile
    library = [path for path in (root / "lib").rglob("*.py") if _NO_INPUT.isdisjoint(path.relative_to(root).parts)]
    others = [*(folder / "figures").glob("*"), *(folder / "tables").glob("*")] if name == OVERVIEW else []
    others = [path for path in others if not path.name.startswith(f"{name}_")]
    return {
        "notebook": _digest([root / "notebooks" / f"{name}.ipynb"], root),
        "parameters": parameters.profile_parameters(name, profile, root),
        "library": _digest(library, root),
        "other notebooks": _digest(others, folder),
        "records": _digest([results / path for path in runs], results),
        "outputs": _digest(outputs(name, folder), folder),
        "runs": runs,
    }


def _pages_state(folder: Path) -> dict[str, str]:
    own = [Path(__file__).with_name("pages.py"), *(Path(__file__).parent / "templates").glob("*")]
    made = [path for kind in ("notebooks", "tables", "figures") for path in (folder / kind).glob("[0-9]*")]
    return {
        "made from": _digest(made, folder),
        "made by": _digest(own, Path(__file__).parent),
        "pages": _digest((folder / "html").glob("*.html"), folder),
    }


def _digest(paths: Iterable[Path], base: Path) -> str:
    """Return 16 hex digits of the names and contents of files; one that is missing counts as such."""
    whole = hashlib.sha256()
    for path in sorted(paths):
        content = path.read_bytes() if path.is_file() else b"missing"
        whole.update(f"{path.relative_to(base).as_posix()}\0{hashlib.sha256(content).hexdigest()}\n".encode())
    return whole.hexdigest()[:16]


def _load(folder: Path) -> dict[str, dict]:
    """Return the states of a profile; a file that cannot be read says nothing, so that all is made again."""
    try:
        states = json.loads((folder / "state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return states if isinstance(states, dict) else {}


def _save(folder: Path, states: dict[str, dict]) -> None:
    with writing(folder):
        temporary = folder / "state.tmp"
        temporary.write_text(json.dumps(states, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        os.replace(temporary, folder / "state.json")
