"""The registry of questions: every notebook has a room, and no room knows another."""

from __future__ import annotations

import ast
import subprocess
import sys
import textwrap

import pytest

from conftest import REPOSITORY
from randsparse import questions
from randsparse.runs.store import Store

FOLDER = REPOSITORY / "lib" / "randsparse" / "questions"
NOTEBOOKS = [path.stem for path in sorted((REPOSITORY / "notebooks").glob("[0-9]*.ipynb"))]


def imported(path):
    """Every module of the library that a file imports, lazily or for its types too."""
    nodes = list(ast.walk(ast.parse(path.read_text())))
    names = [f"{node.module}.{each.name}" for node in nodes if isinstance(node, ast.ImportFrom) for each in node.names]
    return names + [each.name for node in nodes if isinstance(node, ast.Import) for each in node.names]


def test_every_notebook_that_asks_a_question_has_a_room_and_every_room_a_notebook():
    assert list(questions.ROOMS) == [name for name in NOTEBOOKS if name not in ("00_overview", "13_cookbook")]
    assert {path.name for path in FOLDER.iterdir() if (path / "__init__.py").is_file()} == set(questions.ROOMS.values())
    assert questions.COMPARISONS.keys() | questions.PLANS.keys() | questions.FILES.keys() <= questions.ROOMS.keys()


@pytest.mark.parametrize("room", sorted(set(questions.ROOMS.values())))
def test_a_question_imports_no_other_question_nor_the_registry(room):
    own = f"randsparse.questions.{room}."
    for path in (FOLDER / room).glob("*.py"):
        found = [name for name in imported(path) if name.startswith("randsparse.questions")]
        assert all(name.startswith(own) for name in found), path
    assert not imported(FOLDER / room / "__init__.py")


def test_a_notebook_without_runs_or_evaluations_needs_none(tmp_path):
    for name in ("00_overview", "of_mine"):
        assert questions.plan(name, {}, Store(tmp_path)) == questions.find_used(name, {}, Store(tmp_path)) == []
        assert questions.plan_evaluations(name, {}) == questions.list_paths(name, {}, Store(tmp_path)) == []


@pytest.mark.parametrize("functions", [questions.COMPARISONS, questions.PLANS, questions.FILES])
def test_every_plan_is_a_function_of_its_room(functions):
    assert all(callable(questions._planner(name, functions)) for name in functions)


def test_no_plan_needs_torch_or_pandas():
    """Their import takes longer than all the rest of `make status`."""
    shown = """
        import sys
        from randsparse import questions
        for functions in (questions.COMPARISONS, questions.PLANS, questions.FILES):
            for name in functions:
                questions._planner(name, functions)
        assert sys.modules.keys().isdisjoint({"torch", "pandas", "matplotlib"})
    """
    command = [sys.executable, "-c", textwrap.dedent(shown)]
    done = subprocess.run(command, env={"PYTHONPATH": str(REPOSITORY / "lib")}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
