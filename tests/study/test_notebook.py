from __future__ import annotations

import ast
import json
import re

import nbformat
import pandas as pd
import pytest
from matplotlib.figure import Figure

from conftest import REPOSITORY, write_notebook
from randsparse import questions
from randsparse.errors import StudyError
from randsparse.runs.config import RunConfig
from randsparse.study import campaign, execution, parameters
from randsparse.study.notebook import Notebook, read_verdicts

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
    assert questions.plan(notebook.name, notebook.parameters, notebook.store) == []


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


def test_workers_device_and_cluster_come_from_the_environment(first, monkeypatch):
    asked = []
    monkeypatch.setattr("randsparse.sweeps.sweep.sweep", lambda plan, store, **where: asked.append(where))
    opened(first).sweep()
    for name, value in {"WORKERS": "3", "DEVICE": "cuda", "CLUSTER": "tcp://there:1"}.items():
        monkeypatch.setenv(f"RANDSPARSE_{name}", value)
    opened(first).sweep()
    data = {"data_dir": first / "data"}
    assert asked == [
        {"workers": None, "device": None, "cluster": None, **data},
        {"workers": 3, "device": "cuda", "cluster": "tcp://there:1", **data},
    ]
    monkeypatch.setattr(questions, "group_evaluations", lambda name, values, store: [([], [])])
    monkeypatch.setattr("randsparse.sweeps.measuring.evaluate", lambda runs, wanted, store, **here: asked.append(here))
    opened(first).measure()
    assert asked[2] == {"workers": 3, "device": "cuda", **data}
    monkeypatch.setenv("RANDSPARSE_DEVICE", "gpu")
    with pytest.raises(StudyError, match="unknown device 'gpu': choose one of cpu, cuda"):
        opened(first).sweep()


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
        return [RunConfig(sparsity=sparsity) for sparsity in values["sparsities"]]

    monkeypatch.setattr(questions, "plan", plan)
    opened(first)
    with pytest.raises(StudyError, match="sparsities=.* is not possible"):
        opened(first, sparsities=[1.0])


def test_figures_tables_and_verdicts_are_files_of_the_notebook(first, monkeypatch):
    shown = []
    monkeypatch.setattr("randsparse.study.notebook.display", shown.append)
    notebook = opened(first)
    frame = pd.DataFrame({"claim": ["it is so"], "verdict": ["equivalent"], "p": [0.012345678]})
    figure = Figure(figsize=(4, 3))
    figure.subplots().plot([0, 1], [0, 1])
    notebook.figure(figure, "line", frame, caption="A line.", records=[])
    table = notebook.verdicts(frame)
    files = {path.relative_to(notebook.folder).as_posix() for path in notebook.folder.glob("*/*")}
    figures = {f"figures/01_first_line.{kind}" for kind in ("svg", "png", "csv")}
    assert files == figures | {"tables/01_first_verdicts.csv"}
    assert shown[0].data == (notebook.folder / "figures" / "01_first_line.png").read_bytes()
    assert shown[0].alt == "A line."
    assert "0.012<" in table.data and "equivalent" in table.data
    assert notebook.saved_figure("01_first", "line").data == shown[0].data
    assert "not made yet" in notebook.saved_figure("02_second", "line").data
    assert notebook.all_verdicts().to_dict("records") == [{"notebook": "01_first", **frame.iloc[0]}]


def test_checks_are_folded_below_the_other_verdicts_and_numbers_said_in_words_are_saved_only(first):
    rows = [("finding", "it is so", "supported", 0.25), ("check", "it adds up", "supported", 0.75)]
    frame = pd.DataFrame(rows, columns=["kind", "claim", "verdict", "estimate"]).assign(regime="digits & more")
    notebook = opened(first)
    shown, folded = notebook.verdicts(frame).data.split("<details>")
    assert "it is so" in shown and "it adds up" not in shown and "it adds up" in folded and "it is so" not in folded
    assert "Checks (1)" in folded and "0.25" not in shown + folded
    assert (shown + folded).count("digits &amp; more") == 1
    assert list(notebook.all_verdicts()["estimate"]) == [0.25, 0.75]
    assert "<details>" not in notebook.verdicts(frame[:1]).data


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
    "from randsparse.study.notebook import Notebook\nnotebook = Notebook.open('01_first', globals())\n"
    "notebook.parameters",
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
    write_notebook(root, "01_first", "print('fine')")
    copy = execute(root)
    once = copy.read_text()
    write_notebook(root, "01_first", "from randsparse.errors import unknown\nraise unknown('rule', 'erq', ['erk'])")
    with pytest.raises(StudyError, match="^notebook 01_first: unknown rule 'erq': choose one of erk$"):
        execute(root)
    assert list(copy.parent.iterdir()) == [copy]
    write_notebook(root, "01_first", "1 / 0")
    with pytest.raises(StudyError, match="^notebook 01_first, cell 3: ZeroDivisionError: division by zero; see .*"):
        execute(root)
    assert copy.read_text() == once and "ZeroDivisionError" in copy.with_suffix(".failed.ipynb").read_text()


def faults(path):
    """What keeps a notebook's source from being thin, stripped and free of results, in words."""
    cells = [cell for cell in json.loads(path.read_text())["cells"] if cell["cell_type"] == "code"]
    tagged = ["parameters" in cell["metadata"].get("tags", []) for cell in cells]
    if tagged != [True, *[False] * (len(cells) - 1)]:
        yield "the first code cell, and no other, is tagged parameters"
    if any(cell["outputs"] or cell["execution_count"] for cell in cells):
        yield "outputs are not stripped"
    for cell in cells[1:]:
        source = "".join(cell["source"])
        if len(source.splitlines()) > 40:
            yield "a cell has more than 40 lines"
        for node in ast.walk(ast.parse(source)):
            yield from _faults_of(node)


def _faults_of(node):
    if isinstance(node, ast.FunctionDef) and node.end_lineno - node.lineno >= 10:
        yield f"{node.name} has more than ten lines"
    if isinstance(node, ast.For | ast.comprehension) and re.search(r"epoch|loader|batches", ast.unparse(node.iter)):
        yield f"a loop over {ast.unparse(node.iter)}"
    if isinstance(node, ast.While):
        yield "a while loop"
    if isinstance(node, ast.Constant) and isinstance(node.value, float) and round(node.value, 3) != node.value:
        yield f"{node.value} looks like a result"
    if isinstance(node, ast.List | ast.Tuple) and sum(map(_is_number, node.elts)) > 4:
        yield f"{ast.unparse(node)} looks like results"
    if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Subscript) and _is_number(node.value):
        yield f"{ast.unparse(node)} patches data"


def _is_number(node) -> bool:
    number = isinstance(node, ast.Constant) and isinstance(node.value, int | float)
    return number and not isinstance(node.value, bool)


def test_sources_are_thin_stripped_and_free_of_results():
    assert {path.name: list(faults(path)) for path in SOURCES} == {path.name: [] for path in SOURCES}


@pytest.mark.parametrize(
    ("cell", "fault"),
    [
        ("x = 1\n" * 41, "more than 40 lines"),
        ("def long():\n" + "    x = 1\n" * 10, "long has more than ten lines"),
        ("for epoch in range(epochs):\n    pass", "a loop over range"),
        ("[step for step in batches.epoch(1)]", "a loop over batches"),
        ("while True:\n    pass", "a while loop"),
        ("accuracy = 0.9123", "0.9123 looks like a result"),
        ("accuracies = [91, 92, 93, 94, 95]", "looks like results"),
        ("frame.loc[0, 'accuracy'] = 0.9", "patches data"),
    ],
)
def test_faults_of_a_source_are_found(root, cell, fault):
    write_notebook(root, "01_first", "sparsities = [0.2, 0.4]\nfor s in sparsities:\n    print(s)")
    assert list(faults(root / "notebooks" / "01_first.ipynb")) == []
    found = list(faults(write_notebook(root, "01_first", cell)))
    assert len(found) == 1 and fault in found[0]


def test_parameters_of_the_sources_are_of_the_default_profile_and_commented():
    for path in SOURCES:
        own = parameters.read(path.stem, REPOSITORY)
        assert own["profile"].value == parameters.DEFAULT_PROFILE
        assert all(parameter.comment for parameter in own.values()), f"{path.name}: each parameter has a comment"


def test_every_profile_overrides_only_what_notebooks_have():
    for path in (REPOSITORY / "notebooks" / "profiles").glob("*/*.yaml"):
        if path.name == parameters.CAMPAIGN:
            assert campaign.load(path.parent.name, REPOSITORY).cells
        else:
            parameters.read_parameters(path.stem, path.parent.name, REPOSITORY)
