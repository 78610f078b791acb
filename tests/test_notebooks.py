from __future__ import annotations

import ast
import json
import re

import nbformat
import pandas as pd
import pytest
from conftest import REPOSITORY, write_notebook
from matplotlib.figure import Figure

from randsparse import execution, experiments, parameters
from randsparse.errors import StudyError
from randsparse.notebooks import Notebook, read_verdicts

SOURCES = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
GIVEN = {"profile": "digits", "sparsities": [0, 0.5], "epochs": 3}


@pytest.fixture
def first(root):
    write_notebook(root, "01_first")
    return root


def opened(root, **changes):
    return Notebook.open("01_first", {**GIVEN, **changes, "other": object()}, root)


def test_open_gives_the_parameters_and_the_profiles_folder(first):
    notebook = opened(first)
    assert notebook.parameters == GIVEN and notebook.profile == "digits"
    assert notebook.folder == first / "results" / "digits"
    assert notebook.plan() == []


def test_changed_parameters_never_write_into_a_profile(first):
    assert opened(first, epochs=4).folder == first / "results" / "custom"
    (first / "notebooks" / "profiles" / "tiny" / "01_first.yaml").write_text("epochs: 4\n")
    assert opened(first, epochs=4, profile="tiny").profile == "tiny"
    assert opened(first, epochs=3, profile="tiny").profile == "custom"


def test_folders_come_from_the_environment(first, monkeypatch, tmp_path):
    monkeypatch.setenv("RANDSPARSE_RESULTS", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("DATA_DIR", "../data")
    notebook = opened(first)
    assert notebook.folder == tmp_path / "elsewhere" / "digits"
    assert notebook.data_dir == first.parent / "data"


def test_open_refuses_an_unknown_parameter_that_papermill_injected(first):
    injected = "# Parameters\nsparsity = 0.5\n"
    with pytest.raises(StudyError, match="unknown parameter 'sparsity': choose one of profile"):
        opened(first, sparsity=0.5, In=["", injected])
    opened(first, sparsity=0.5)  # a variable of the reader's own is no parameter


def test_open_refuses_a_list_that_came_as_a_string(first):
    with pytest.raises(StudyError, match="-p passes a string"):
        opened(first, sparsities="[0.5]", In=["", "# Parameters\nsparsities = '[0.5]'\n"])


def test_open_makes_the_plan_so_that_impossible_values_stop_it(first, monkeypatch):
    def plan(name, values, store):
        return [experiments.RunConfig(sparsity=sparsity) for sparsity in values["sparsities"]]

    monkeypatch.setattr(experiments, "plan", plan)
    assert len(opened(first).plan()) == 2
    with pytest.raises(StudyError, match="sparsity=1.0 is not possible"):
        opened(first, sparsities=[1.0])


def test_figures_tables_and_verdicts_are_files_of_the_notebook(first, monkeypatch):
    shown = []
    monkeypatch.setattr("IPython.display.display", shown.append)
    notebook = opened(first)
    frame = pd.DataFrame({"claim": ["it is so"], "verdict": ["equivalent"], "p": [0.012345678]})
    figure = Figure(figsize=(4, 3))
    figure.subplots().plot([0, 1], [0, 1])
    notebook.figure(figure, "line", frame, caption="A line.", records=[])
    table = notebook.verdicts(frame)
    files = {path.relative_to(notebook.folder).as_posix() for path in notebook.folder.glob("*/*")}
    assert files == {f"figures/01_first_line.{kind}" for kind in ("svg", "png", "csv")} | {"tables/01_first_verdicts.csv"}
    assert shown[0].data == (notebook.folder / "figures" / "01_first_line.png").read_bytes()
    assert "0.01235" in table.data and "equivalent" in table.data
    assert notebook.all_verdicts().to_dict("records") == [{"notebook": "01_first", **frame.iloc[0]}]


def test_verdicts_need_a_claim_and_a_verdict(first):
    with pytest.raises(StudyError, match="have no column verdict"):
        opened(first).verdicts(pd.DataFrame({"claim": ["it is so"]}))


def test_a_folder_that_cannot_be_written_is_one_clear_line(first):
    (first / "results").write_text("a file where a folder should be")
    with pytest.raises(StudyError, match="cannot write to .*results/digits/tables.*make RESULTS=") as raised:
        opened(first).table(pd.DataFrame({"a": [1]}), "a")
    assert "\n" not in str(raised.value)


def test_there_are_no_verdicts_before_there_are_any(tmp_path):
    assert list(read_verdicts(tmp_path).columns) == ["notebook", "claim", "verdict"]


CELLS = (
    "import sys\nfrom tqdm.auto import tqdm\nfor _ in tqdm(range(3)): pass\n"
    "print(sys.prefix, file=sys.stderr)\nprint('in', __import__('os').getcwd())",
    "from randsparse.notebooks import Notebook\nnotebook = Notebook.open('01_first', globals())\nnotebook.parameters",
    "import pandas\nnotebook.table(pandas.DataFrame({'a': sparsities}), 'a')",
)


def execute(root):
    return execution.execute("01_first", "tiny", root, root / "results", root / "data")


def test_an_executed_copy_is_the_same_each_time_and_says_nothing_of_time_and_place(root):
    source = write_notebook(root, "01_first", *CELLS)
    (root / "notebooks" / "profiles" / "tiny" / "01_first.yaml").write_text("sparsities: [0.25]\n")
    before = source.read_bytes()
    copy = execute(root)
    once = copy.read_text()
    (copy.parents[1] / "tables" / "01_first_old.csv").write_text("of an earlier version")
    assert execute(root).read_text() == once
    assert copy == root / "results" / "tiny" / "notebooks" / "01_first.ipynb" and source.read_bytes() == before
    assert [path.name for path in (copy.parents[1] / "tables").iterdir()] == ["01_first_a.csv"]
    assert {path.name for path in copy.parents[1].iterdir()} == {"notebooks", "tables"}

    notebook = nbformat.reads(once, as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == [1, 2, 3, 4, 5]
    assert [cell.id for cell in notebook.cells] == ["01-0", "01-1", "injected-parameters", "01-2", "01-3", "01-4"]
    assert code[2].outputs == [{"output_type": "stream", "name": "stdout", "text": "in ./notebooks\n"}]
    assert "'sparsities': [0.25]" in code[3].outputs[0].data["text/plain"]
    for unwanted in (str(root), "start_time", "duration", "papermill", "iopub", "widget-view"):
        assert unwanted not in once


def test_a_failed_cell_is_one_line_and_leaves_the_last_copy(root):
    write_notebook(root, "01_first", CELLS[1], "print('fine')")
    copy = execute(root)
    once = copy.read_text()
    write_notebook(root, "01_first", CELLS[1], parameters='profile: str = "digits"\n' "epochs: int = 1\n")
    (root / "notebooks" / "profiles" / "tiny" / "01_first.yaml").write_text("epochs: 2\n")
    write_notebook(root, "01_first", "from randsparse.errors import unknown\nraise unknown('rule', 'erq', ['erk'])")
    with pytest.raises(StudyError, match="^notebook 01_first: unknown rule 'erq': choose one of erk$"):
        execute(root)
    assert list(copy.parent.iterdir()) == [copy]
    write_notebook(root, "01_first", "1 / 0")
    with pytest.raises(StudyError, match="^notebook 01_first, cell 3: ZeroDivisionError: division by zero; see .*failed"):
        execute(root)
    assert copy.read_text() == once and "ZeroDivisionError" in copy.with_suffix(".failed.ipynb").read_text()


def code_of(path):
    cells = json.loads(path.read_text())["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def test_sources_start_with_their_parameters_and_have_no_outputs():
    for path in SOURCES:
        code = code_of(path)
        tagged = ["parameters" in cell["metadata"].get("tags", []) for cell in code]
        assert tagged == [True, *[False] * (len(code) - 1)], path.name
        assert not any(cell["outputs"] or cell["execution_count"] for cell in code), path.name
        own = parameters.read(path.stem, REPOSITORY)
        assert own["profile"].value == parameters.DEFAULT_PROFILE
        assert all(parameter.comment for parameter in own.values()), f"{path.name}: each parameter has a comment"


def test_sources_are_thin():
    for path in SOURCES:
        for cell in code_of(path)[1:]:
            source = "".join(cell["source"])
            assert len(source.splitlines()) <= 40, f"{path.name}: a cell of more than 40 lines"
            for node in ast.walk(ast.parse(source)):
                if isinstance(node, ast.FunctionDef):
                    length = node.end_lineno - node.lineno + 1
                    assert length <= 10, f"{path.name}: {node.name} has {length} lines"
                if isinstance(node, ast.For | ast.While | ast.comprehension):
                    loop = ast.unparse(node.test if isinstance(node, ast.While) else node)
                    assert not re.search(r"range\(.*epoch|in .*(loader|batches)", loop.splitlines()[0]), path.name


def test_sources_hold_no_results():
    """Numbers with three digits or more after the point, and lists of many numbers, come from data, not from code."""
    for path in SOURCES:
        for cell in code_of(path)[1:]:
            for node in ast.walk(ast.parse("".join(cell["source"]))):
                if isinstance(node, ast.Constant) and isinstance(node.value, float):
                    assert round(node.value, 3) == node.value, f"{path.name}: the literal {node.value}"
                if isinstance(node, ast.List | ast.Tuple):
                    numbers = [item for item in node.elts if isinstance(item, ast.Constant) and _number(item.value)]
                    assert len(numbers) <= 4, f"{path.name}: the literal list {ast.unparse(node)}"
                if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript):
                    patched = isinstance(node.value, ast.Constant) and _number(node.value.value)
                    assert not patched, f"{path.name}: {ast.unparse(node)} patches data"


def _number(value) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def test_every_profile_overrides_only_what_notebooks_have():
    for path in (REPOSITORY / "notebooks" / "profiles").glob("*/*.yaml"):
        parameters.profile_parameters(path.stem, path.parent.name, REPOSITORY)
