"""The house: rooms above each other, arrows that point down only, and files of one idea."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from conftest import REPOSITORY

LIBRARY = REPOSITORY / "lib" / "randsparse"
GROUND = "the ground"
ROOMS = (
    *(GROUND, "sparsity", "data", "networks", "runs", "training"),
    *("comparison", "sweeps", "questions", "bench", "study"),
)
"""The rooms from the ground up; a file that lies in no room is on the ground."""
STRANGERS = ({"sweeps", "questions"}, {"training", "comparison"})
"""Pairs of rooms that do not know each other."""
LONGEST = 320


def modules(library: Path = LIBRARY) -> dict[str, Path]:
    """Return every module of the library by its name without "randsparse.", but for the two that stand above all."""
    found = {}
    for path in library.rglob("*.py"):
        parts = path.relative_to(library).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return {name: path for name, path in found.items() if name not in ("", "__main__")}


def imports(path: Path, known: dict[str, Path]) -> Iterator[str]:
    """Yield the modules of the library that a file imports anywhere: lazily, and for types alone, too."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: an import that is relative"
            base = (node.module or "").split(".")
            if base[0] != "randsparse":
                continue
            for alias in node.names:
                whole = ".".join([*base[1:], alias.name])
                name = whole if whole in known else ".".join(base[1:])
                if name:
                    yield name
        elif isinstance(node, ast.Import):
            assert not [each for each in node.names if each.name.startswith("randsparse")], str(path)


@pytest.fixture(scope="module")
def arrows() -> dict[str, set[str]]:
    known = modules()
    return {name: set(imports(path, known)) - {name} for name, path in known.items()}


def room(name: str) -> str:
    first = name.split(".")[0]
    return first if first in ROOMS else GROUND


def test_arrows_point_down(arrows):
    height = {name: index for index, name in enumerate(ROOMS)}
    up = [f"{a} -> {b}" for a, others in arrows.items() for b in others if height[room(b)] > height[room(a)]]
    aside = [f"{a} -> {b}" for a, others in arrows.items() for b in others if {room(a), room(b)} in STRANGERS]
    assert not up and not aside


def test_a_question_never_imports_another(arrows):
    def question(name: str) -> str | None:
        parts = name.split(".")
        return parts[1] if parts[0] == "questions" and len(parts) > 1 else None

    pairs = [(a, b) for a, others in arrows.items() for b in others if question(a) and question(b)]
    assert not [f"{a} -> {b}" for a, b in pairs if question(a) != question(b)]


def test_there_is_no_circle(arrows):
    left = {name: set(others) for name, others in arrows.items()}
    while free := {name for name, others in left.items() if not others & left.keys()}:
        left = {name: others for name, others in left.items() if name not in free}
    assert not left, f"among these files, imports run in a circle: {sorted(left)}"


def test_no_file_holds_more_than_one_idea():
    lengths = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in LIBRARY.rglob("*.py")}
    assert not {str(path): length for path, length in lengths.items() if length > LONGEST}


def test_the_top_of_the_library_fits_on_one_look():
    entries = [path.name for path in LIBRARY.iterdir() if not path.name.startswith("__")]
    assert len(entries) <= 14
    assert {name for name in entries if (LIBRARY / name).is_dir()} == set(ROOMS) - {GROUND}


def test_these_tests_see_an_arrow_up_that_is_lazy_or_for_types(tmp_path):
    (tmp_path / "sparsity").mkdir()
    lazy = "def f():\n    from randsparse.study import profile\n"
    typed = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from randsparse.runs.store import Store\n"
    (tmp_path / "sparsity" / "a.py").write_text(lazy + typed)
    known = modules(tmp_path) | {"study.profile": tmp_path, "runs.store": tmp_path}
    assert set(imports(tmp_path / "sparsity" / "a.py", known)) == {"study.profile", "runs.store"}
