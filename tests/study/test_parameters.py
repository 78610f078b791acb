from __future__ import annotations

import subprocess

import pytest

from conftest import PARAMETERS, REPOSITORY, write_notebook
from randsparse.errors import StudyError
from randsparse.study import parameters
from randsparse.study.notebook import Notebook


def read(root, cell):
    write_notebook(root, "01_first", parameters=cell)
    return parameters.read("01_first", root)


def test_read_gives_names_types_values_and_comments_without_executing(root):
    cell = 'profile: str = "digits"  # where\nrates: list[float] = [\n    0.1,\n    -2,\n]  # of learning\n'
    found = read(root, cell)
    assert [vars(p) for p in found.values()] == [
        {"name": "profile", "type": "str", "value": "digits", "comment": "where"},
        {"name": "rates", "type": "list[float]", "value": [0.1, -2], "comment": "of learning"},
    ]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("seeds = 3", "write name: type = value"),
        ("seeds: int = len([1])", "is not a literal"),
        ("seeds: int = 'three'", "declared int but is 'three'"),
        ("import os", "write name: type = value"),
        ("seeds: complex = 1", "unknown type complex"),
    ],
)
def test_a_parameters_cell_holds_typed_literals_only(root, line, message):
    with pytest.raises(StudyError, match=message) as raised:
        read(root, f'profile: str = "digits"\n{line}\n')
    assert "\n" not in str(raised.value)


def test_a_notebook_declares_its_profile_and_must_exist(root):
    with pytest.raises(StudyError, match="must declare profile"):
        read(root, "epochs: int = 1\n")
    with pytest.raises(StudyError, match="unknown notebook '09_none': choose one of 01_first"):
        parameters.read("09_none", root)


@pytest.mark.parametrize(
    ("value", "hint", "expected"),
    [
        (1, "float", True),
        (True, "int", False),
        (True, "float", False),
        (1.0, "int", False),
        (1, "bool", False),
        ([0, 0.5], "list[float]", True),
        ([0, "0.5"], "list[float]", False),
        ("[0, 0.5]", "list[float]", False),
        ("abc", "list[str]", False),
        (None, "int | None", True),
        (3, "int | None", True),
        ("3", "int | None", False),
        (None, "int", False),
        ({"a": [1]}, "dict[str, list[int]]", True),
        ({1: [1]}, "dict[str, list[int]]", False),
    ],
)
def test_fits(value, hint, expected):
    assert parameters.has_type(value, hint) is expected


def test_check_refuses_unknown_names_and_wrong_types_in_one_line(root):
    write_notebook(root, "01_first")
    own = parameters.read("01_first", root)
    assert parameters.check(own, {"epochs": 5}) == {"profile": "digits", "sparsities": [0, 0.5], "epochs": 5}
    with pytest.raises(StudyError, match=r"unknown parameter 'epoch': choose one of .*epochs \(int\)"):
        parameters.check(own, {"epoch": 5})
    with pytest.raises(StudyError, match=r"sparsities is '\[0.5\]' \(str\), not list\[float\]; use papermill -y"):
        parameters.check(own, {"sparsities": "[0.5]"})
    with pytest.raises(StudyError, match=r"epochs is 5.5 \(float\), not int$"):
        parameters.check(own, {"epochs": 5.5})


def test_a_profile_overrides_what_its_file_names(root):
    write_notebook(root, "01_first")
    file = root / "notebooks" / "profiles" / "tiny" / "01_first.yaml"
    assert parameters.read_parameters("01_first", "tiny", root)["profile"] == "tiny"
    file.write_text("epochs: 1\n")
    assert parameters.read_parameters("01_first", "tiny", root) == {
        "profile": "tiny",
        "sparsities": [0, 0.5],
        "epochs": 1,
    }
    assert parameters.read_parameters("01_first", "digits", root)["epochs"] == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("epoch: 1\n", "tiny/01_first.yaml: unknown parameter 'epoch'"),
        ("sparsities: 0.5\n", r"tiny/01_first.yaml: parameter sparsities is 0.5 \(float\), not list"),
        ("- 1\n", "must hold lines of"),
        ("epochs: [1\n", "tiny/01_first.yaml is not YAML"),
    ],
)
def test_a_wrong_override_is_an_error_that_names_the_file(root, text, message):
    write_notebook(root, "01_first")
    (root / "notebooks" / "profiles" / "tiny" / "01_first.yaml").write_text(text)
    with pytest.raises(StudyError, match=message) as raised:
        parameters.read_overrides("01_first", "tiny", root)
    assert "\n" not in str(raised.value)


def test_an_unknown_profile_is_refused(root):
    with pytest.raises(StudyError, match="unknown profile 'cifar': choose one of digits, tiny"):
        parameters.read_overrides("01_first", "cifar", root)


def test_injected_reads_the_last_cell_that_papermill_made():
    history = ["", "epochs = 1", "# Parameters\nepohs = 2\nrates = [1]\n", "x = 1"]
    assert parameters.find_injected(history) == ["epohs", "rates"]
    assert parameters.find_injected([*history, "# Parameters\nepochs = 2\n"]) == ["epochs"]
    assert parameters.find_injected(["epochs = 1", "y = 2"]) == []


SOURCES = sorted(path.stem for path in (REPOSITORY / "notebooks").glob("[0-9]*.ipynb"))


@pytest.mark.parametrize("name", SOURCES)
def test_the_default_profile_is_what_the_parameters_cells_say(name):
    """If it fails after a change that is meant: `python -m randsparse.study.parameters` writes the files anew."""
    cell = {key: each.value for key, each in parameters.read(name, REPOSITORY).items()}
    file = parameters.read_overrides(name, "digits", REPOSITORY)
    assert file == cell and list(file) == list(cell)


def test_a_notebook_that_was_edited_and_saved_redefines_no_profile(root):
    write_notebook(root, "01_first")
    (root / "notebooks" / "profiles" / "tiny" / "01_first.yaml").write_text("epochs: 1\n")
    assert parameters.define_default("01_first", root).read_text() == "sparsities: [0, 0.5]\nepochs: 3\n"
    assert parameters.injected_values("01_first", "digits", root) == {"profile": "digits"}
    assert parameters.injected_values("01_first", "tiny", root) == {"profile": "tiny", "epochs": 1}
    write_notebook(root, "01_first", parameters=PARAMETERS.replace("[0, 0.5]", "[0.7]").replace("= 3", "= 4"))
    assert parameters.read_parameters("01_first", "digits", root) == {
        "profile": "digits", "sparsities": [0, 0.5], "epochs": 3
    }  # fmt: skip
    assert parameters.read_parameters("01_first", "tiny", root)["sparsities"] == [0, 0.5]
    given = {"profile": "digits", "sparsities": [0, 0.5], "epochs": 3}
    assert parameters.injected_values("01_first", "digits", root) == given
    assert Notebook.open("01_first", {**given, "sparsities": [0.7], "epochs": 4}, root).profile == "custom"
    assert Notebook.open("01_first", given, root).profile == "digits"


def test_it_is_known_which_notebooks_differ_from_their_committed_form(root):
    write_notebook(root, "01_first")
    write_notebook(root, "02_second")
    assert parameters.list_edited(root) == []

    def git(*arguments):
        subprocess.run(["git", "-C", str(root), "-c", "user.name=a", "-c", "user.email=a@b", *arguments], check=True)

    git("init", "-q")
    git("add", "notebooks")
    git("commit", "-qm", "first")
    assert parameters.list_edited(root) == []
    write_notebook(root, "02_second", "more")
    assert parameters.list_edited(root) == ["02_second"]
