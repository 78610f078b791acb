from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import textwrap
import time
from concurrent.futures import Future
from dataclasses import replace
from functools import partial

import pytest

import links
from conftest import REPOSITORY, write_notebook
from damage import damages
from made_up import record_of, sealed
from randsparse import questions
from randsparse.errors import StudyError
from randsparse.runs.config import RunConfig
from randsparse.runs.store import Store
from randsparse.study import command_line, execution, freshness, making, parameters, status
from randsparse.study.profile import Study
from randsparse.sweeps import budget
from randsparse.training import weights


@pytest.fixture
def said():
    return []


@pytest.fixture
def small(root, said, monkeypatch):
    """A study of two notebooks and an overview; to execute one is to copy it, and to save its code as its verdicts.

    Real kernels run in the test of the whole study, and in those of `execution`.
    """

    class Executions:
        def __init__(self, profile, root, results, data_dir):
            self.folder, self.begun = results / profile, []

        def start(self, name):
            self.begun.append(name)

        def ended(self, patience):
            while self.begun:
                yield (name := self.begun.pop(0)), copied(name, self.folder)

        def submit(self, function, *arguments):
            made = Future()
            made.set_result(function(*arguments))
            return made

        def close(self):
            pass

    def copied(name, folder):
        source = (root / "notebooks" / f"{name}.ipynb").read_text()
        code = json.loads(source)["cells"][-1]["source"][0]
        if code == "fail":
            return StudyError(f"notebook {name}: no such thing")
        for path, text in ((f"notebooks/{name}.ipynb", source), (f"tables/{name}_verdicts.csv", verdict(code))):
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_text(text)
        return None

    def verdict(code):
        return f"claim,verdict\nso,{code.split()[0]}\n"

    monkeypatch.setattr("randsparse.study.execution.Executions", Executions)
    monkeypatch.setattr("randsparse.study.making.write_book", lambda profile, root, folder: folder / "html/index.html")
    for name in ("01_first", "02_second", "00_overview"):
        write_notebook(root, name, "equivalent")
    return Study("digits", root, root / "results", root / "data", 1, said.append)


def record(config: RunConfig, seconds: float = 6.0) -> dict:
    """A made-up record of a finished run."""
    point = {"lr": 0.1, "train_loss": 1.0, "val_loss": 1.0, "val_accuracy": 0.5}
    return {
        "schema": 1,
        "key": config.key,
        "config": config.to_dict(),
        "status": "done",
        "reason": None,
        "curve": [{"epoch": epoch + 1, **point} for epoch in range(config.epochs)],
        "test": {"accuracy": 0.5, "nll": 1.0, "brier": 0.5, "ece": 0.1},
        "density": {"asked": 1.0, "realised": 1.0, "effective": 1.0, "layers": {}, "empty_layers": []},
        "cost": {
            "seconds": seconds,
            "images_per_second": 1.0,
            "epochs": config.epochs,
            "images": 256 * config.epochs,
            "flops": config.epochs * budget.count_training_flops(config),
            "sparse_flops": 1,
        },
        "environment": {"device": "cpu", "hardware": budget.find_hardware("cpu"), "threads": 1},
    }


def executions(root):
    return {path.stem: path.stat().st_mtime_ns for path in (root / "results/digits/notebooks").iterdir()}


def test_all_makes_what_is_stale_and_nothing_else(small, said, root):
    command_line.make_all(small)
    index = small.folder / "html" / "index.html"
    assert said == [
        "3 notebooks to make, no runs to train for them",
        "step 1 of 3: 01_first",
        "01_first: executed",
        f"the first pages are there: open {index} in a browser",
        "step 2 of 3: 02_second",
        "02_second: executed",
        "step 3 of 3: 00_overview",
        "00_overview: executed",
        f"Figures, tables and notebooks: open {index} in a browser",
    ]

    def files():
        return {path: path.stat().st_mtime_ns for path in small.results.rglob("*") if path.is_file()}

    before = files()
    said.clear()
    command_line.make_all(small)
    assert files() == before and len(said) == 1

    write_notebook(root, "02_second", "equivalent  # the same verdict")
    said.clear()
    command_line.make_all(small)
    assert said[1:3] == ["step 1 of 1: 02_second", "02_second: executed"] and len(said) == 5
    write_notebook(root, "02_second", "better")
    said.clear()
    command_line.make_all(small)
    assert [line for line in said if "executed" in line] == ["02_second: executed", "00_overview: executed"]
    assert "step 2 of 2: 00_overview" in said


def test_what_needs_no_run_is_made_first_then_the_main_figure_and_each_as_soon_as_its_runs_are_there(
    small, said, root, tiny, monkeypatch
):
    runs = {"02_second": [tiny], "03_third": [tiny.replace(data_seed=1)], "04_fourth": []}
    runs["10_late"] = runs["03_third"]
    for name in runs:
        write_notebook(root, name, "equivalent")

    def missing(name, values, store):
        return [config for config in runs.get(name, []) if not store.has(config)]

    monkeypatch.setattr(questions, "plan", missing)
    monkeypatch.setattr(questions, "plan_runs", missing)
    monkeypatch.setattr(making, "FIRST", "03_third")
    order = []

    def sweep(plan, store, **options):
        for config in plan(store):
            order.append(config.data_seed)
            store.put(record(config))
            options["finished"](store.get(config))

    monkeypatch.setattr("randsparse.sweeps.sweep.sweep", sweep)
    command_line.make_all(small)
    assert said[0].startswith("6 notebooks to make, at least 2 runs to train for them")
    assert [line.split(": ", 1)[1] for line in said if line.startswith("step")] == [
        "01_first", "04_fourth", "03_third", "10_late", "02_second",
        "00_overview",
    ]  # fmt: skip
    assert order == [1, 0] and "training" not in " ".join(said)


def test_the_time_left_is_by_the_runs_that_are_there(small, said, root, tiny, monkeypatch):
    runs = [tiny.replace(data_seed=seed) for seed in range(9)]
    monkeypatch.setattr(questions, "plan_runs", lambda name, values, store: [c for c in runs if not store.has(c)])
    working = making.Making(small, ["01_first", "02_second"])
    assert working.time_left() == ""
    small.store.put(record(runs[0], seconds=60.0))
    working.executed = 1
    assert working.time_left() == f"about {(8 * 60 * budget.BESIDE + 0.5 * making.EXECUTION) / 60:.0f} minutes left"
    working.next_word = 0
    working.follow()
    assert said == [working.time_left()]
    working.follow()
    assert said.count(working.time_left()) == 1


def test_an_error_in_one_notebook_keeps_the_others_and_their_state(small, said, root):
    write_notebook(root, "02_second", "fail")
    with pytest.raises(StudyError, match="^notebook 02_second: no such thing$"):
        command_line.make_all(small)
    assert [line for line in said if "executed" in line] == ["01_first: executed"]
    assert small.stale() == ["02_second", "00_overview"]


def test_notebooks_are_not_executed_while_runs_are_missing(small, tiny, monkeypatch):
    monkeypatch.setattr(questions, "plan", lambda name, values, store: [tiny] if name == "01_first" else [])
    with pytest.raises(StudyError, match="^1 runs are missing: train them with make runs PROFILE=digits$"):
        command_line.make_notebooks(small)
    assert not small.folder.exists()


@pytest.fixture
def made(root, monkeypatch):
    """One notebook's made-up outputs, and the function that tells whether they are current."""
    shutil.rmtree(root / "lib")
    for path in ("sparsity/masks.py", "questions/first/charts.py", "questions/second/charts.py"):
        (root / "lib" / "randsparse" / path).parent.mkdir(parents=True, exist_ok=True)
        (root / "lib" / "randsparse" / path).write_text("x = 1\n")
    monkeypatch.setitem(freshness.ROOMS, "01_first", "first")
    write_notebook(root, "01_first")
    results = root / "results"
    for path in ("digits/notebooks/01_first.ipynb", "digits/figures/01_first_a.png", "runs/digits/abc.json"):
        (results / path).parent.mkdir(parents=True, exist_ok=True)
        (results / path).write_text(path)
    freshness.remember("01_first", "digits", root, results, [results / "runs/digits/abc.json"])
    return lambda: not reasons(root)


def reasons(root, records=("runs/digits/abc.json",)):
    """Why the made-up notebook is stale, when it would show these records."""
    results = root / "results"
    return freshness.explain_stale("01_first", "digits", root, results, [results / path for path in records])


@pytest.mark.parametrize(
    "path",
    [
        "notebooks/01_first.ipynb",
        "notebooks/profiles/digits/01_first.yaml",
        "lib/randsparse/sparsity/masks.py",
        "lib/randsparse/comparison/new.py",
        "lib/randsparse/study/notebook.py",
        "lib/randsparse/questions/first/charts.py",
        "lib/randsparse/questions/first/new.py",
        "results/runs/digits/abc.json",
        "results/digits/notebooks/01_first.ipynb",
        "results/digits/figures/01_first_a.png",
        "results/digits/figures/01_first_b.png",
    ],
)
def test_outputs_are_stale_when_anything_they_were_made_from_changes(made, root, path):
    assert made()
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    if path == "notebooks/01_first.ipynb":
        write_notebook(root, "01_first", "print('more')")
    else:
        target.write_text("epochs: 9\n")
    assert not made()


def test_outputs_are_stale_when_they_or_their_records_are_gone_but_not_by_times(made, root):
    for path in ("results/digits/figures/01_first_a.png", "results/runs/digits/abc.json"):
        content = (root / path).read_text()
        (root / path).unlink()
        assert not made()
        (root / path).write_text(content)
        os.utime(root / path, (0, 0))
        assert made()
    (root / "results/runs/digits/other.json").write_text("a run that it does not show")
    for path in ("study/book.py", "sweeps/pool.py", "training/trainer.py", "questions/second/charts.py"):
        target = root / "lib" / "randsparse" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text("what other notebooks are made with, and what only the records depend on\n")
    assert made()
    (root / "results/digits/state.json").write_text("{")
    assert not made()


ODD = [
    3,
    [],
    "x",
    None,
    {},
    {"records": 1},
    {"records": [1]},
    {"records": {"/a": "b"}},
    {"records": {"a": {}}, "library": 2, "parameters": []},
]


def there(files):
    """What a state says of files that are not missing."""
    return {name: digest for name, digest in files.items() if digest != "missing"}


def test_a_damaged_state_makes_outputs_stale_or_changes_nothing(made, root):
    path = root / "results/digits/state.json"
    good = path.read_bytes()
    known = json.loads(good)["01_first"]
    deep = b'{"01_first": ' + b"[" * 100_000
    odd = [json.dumps({"01_first": each, "html": each}).encode() for each in ODD]
    for bad in [*damages(good, 130), *odd, deep]:
        path.write_bytes(bad)
        assert all(isinstance(reason, str) for reason in reasons(root))
        if made():
            entry = json.loads(bad)["01_first"]
            assert {part: there(entry.get(part, {})) for part in known} == {part: there(known[part]) for part in known}
        assert not freshness.book_is_current("digits", root, root / "results")


def test_a_renamed_chart_makes_its_notebook_stale_and_no_other(made, root):
    charts = root / "lib/randsparse/questions/first/charts.py"
    charts.rename(charts.with_name("status.py"))
    assert not made()
    charts.with_name("status.py").rename(charts)
    assert made()
    other = root / "lib/randsparse/questions/second/charts.py"
    other.rename(other.with_name("figures.py"))
    assert made()


def test_outputs_are_stale_when_a_record_came_later_that_they_would_show(made, root, tiny, monkeypatch):
    study = Study("digits", root, root / "results", root / "data")
    monkeypatch.setattr(questions, "find_used", lambda name, values, store: [tiny] if store.has(tiny) else [])
    study.remember("01_first")
    assert study.stale() == []
    study.store.put(record_of(tiny))
    path = study.store.path(tiny).relative_to(study.results).as_posix()
    assert study.why_stale("01_first") == [f"record {path} is new"]
    study.remember("01_first")
    assert study.stale() == []


def test_it_is_said_why_a_notebook_is_stale(made, root, said, monkeypatch):
    monkeypatch.setattr(Study, "_files", lambda self, name: [self.results / "runs/digits/abc.json"])
    assert reasons(root) == []
    (root / "notebooks/profiles/digits").mkdir(exist_ok=True)
    (root / "notebooks/profiles/digits/01_first.yaml").write_text("epochs: 9\n")
    (root / "lib/randsparse/sparsity/masks.py").write_text("x = 2\n")
    (root / "lib/randsparse/questions/first/new.py").write_text("x = 2\n")
    (root / "results/runs/digits/abc.json").unlink()
    (root / "results/digits/figures/01_first_a.png").write_text("by hand")
    assert reasons(root) == [
        "parameter epochs was 3 and is 9",
        "the library's questions/first/new.py is new",
        "the library's sparsity/masks.py has changed",
        "record runs/digits/abc.json is missing",
        "its output figures/01_first_a.png has changed",
    ]
    study = Study("digits", root, root / "results", root / "data", 1, said.append, why=True)
    status.show(study)
    assert said[-1] == f"01_first is to be made anew: {'; '.join(reasons(root))}"
    (root / "results/digits/state.json").unlink()
    assert reasons(root) == ["it was never made here"]


def test_every_notebook_of_the_study_has_the_room_of_its_question():
    questions = REPOSITORY / "lib/randsparse/questions"
    rooms = {path.name for path in questions.iterdir() if (path / "__init__.py").is_file()}
    notebooks = set(freshness.list_names(REPOSITORY)) - {freshness.OVERVIEW, "13_cookbook"}  # they ask no question
    assert freshness.ROOMS.keys() == notebooks and set(freshness.ROOMS.values()) == rooms
    for name in notebooks:
        source = json.loads((REPOSITORY / "notebooks" / f"{name}.ipynb").read_text())
        text = "".join(line for cell in source["cells"] if cell["cell_type"] == "code" for line in cell["source"])
        imported = set(re.findall(r"^from randsparse\.questions\.(\w+) import", text, flags=re.MULTILINE))
        assert imported <= {freshness.ROOMS[name]}, name


@pytest.fixture
def plans(tiny, monkeypatch):
    """The runs that each notebook wants, all of the kind of `tiny`; the plan is what of them is missing."""
    wanted = {"01_first": [tiny], "02_second": [tiny, tiny.replace(data_seed=1)], "00_overview": []}

    def plan(name, values, store):
        assert values["profile"] == "digits"
        return [config for config in wanted[name] if not store.has(config)]

    monkeypatch.setattr(questions, "plan", plan)
    monkeypatch.setattr(questions, "find_used", lambda name, values, store: [c for c in wanted[name] if store.has(c)])
    return wanted


def afresh(made: Study, **changes) -> Study:
    """The same study as a new command finds it."""
    return replace(made, started=time.monotonic(), **changes)


def test_the_plans_of_all_notebooks_are_one_and_are_announced(small, said, tiny, plans, monkeypatch):
    assert small.needed(list(plans), small.store) == plans["02_second"]
    trained = []
    monkeypatch.setattr("randsparse.sweeps.sweep.sweep", lambda plan, store, **_: trained.extend(plan(store)))
    assert small.prepare(list(plans))
    assert trained == plans["02_second"] and said[0].startswith("2 runs to train; the bar tells")
    small.store.put(record(tiny, seconds=600.0))
    assert afresh(small).prepare(list(plans))
    assert said[1] == f"1 runs to train, about {10 * budget.BESIDE:.0f} minutes"
    assert afresh(small, cluster="tcp://there:1", workers=8).prepare(list(plans))
    assert said[2] == f"1 runs to train, about {10 * budget.BESIDE:.0f} minutes on one worker"
    small.store.put(record(tiny.replace(data_seed=1)))
    assert afresh(small).prepare(list(plans)) and len(said) == 3


@pytest.mark.parametrize(
    ("minutes", "words"), [(0.2, "a minute"), (1.4, "a minute"), (12.4, "12 minutes"), (150, "2.5 hours")]
)
def test_durations_are_in_words(minutes, words):
    assert budget.format_duration(60 * minutes) == words


def test_status_counts_runs_and_tells_what_is_stale_and_how_long_the_rest_takes(small, said, tiny, plans):
    plans["02_second"] += [tiny.replace(data_seed=seed) for seed in (2, 3)]
    status.show(small)
    assert said[1].split()[:5] == ["01_first", "0", "1", "0", "unknown"]
    assert said[2].split()[:5] == ["02_second", "0", "4", "0", "unknown"]
    said.clear()
    small.store.put(record(tiny, seconds=600.0))
    failed = tiny.replace(data_seed=1)
    small.store.put(record(failed) | {"status": "failed", "reason": "why", "test": None})
    status.show(afresh(small))
    assert said[0].split() == ["notebook", "have", "missing", "failed", "time", "left", "outputs"]
    assert said[1].split() == ["01_first", "1", "0", "0", "-", "to", "be", "made"]
    about = f"about {20 * budget.BESIDE:.0f} minutes"
    assert said[2].split() == ["02_second", "2", "2", "1", *about.split(), "to", "be", "made"]
    assert said[3].split()[:5] == ["00_overview", "0", "0", "0", "-"]
    assert said[4].split() == ["all,", "each", "run", "once", "2", "2", "1", *about.split()]
    assert said[5:] == [
        f"failed: run {failed.key} (digits): why",
        f"make runs PROFILE={small.profile} RETRY=1 tries failed runs again",
    ]
    plans["01_first"].append(tiny.replace(data_seed=9, epochs=4, stop_epoch=1))
    status.show(afresh(small))
    assert said[-1].startswith("a search is under way: its next stages")


def train_fast(config, *, data_dir=None, checkpoint_dir=None, device=None):
    return record(config, float(config.epochs))


@pytest.fixture
def fast(monkeypatch):
    """A sweep of stand-ins for training, in this process."""
    from randsparse.sweeps import sweep as sweeping

    monkeypatch.setattr("randsparse.sweeps.sweep.sweep", partial(sweeping.sweep, train=train_fast, progress=False))


def test_failed_runs_are_tried_again_when_asked_for(small, said, tiny, plans, fast, tmp_path):
    plans["02_second"] += [tiny.replace(data_seed=2)]
    for config in plans["02_second"]:
        made = record(config)
        small.store.put(made | {"status": "failed", "reason": "why", "test": None} if config.data_seed == 1 else made)
    command_line.make_runs(small)
    assert small.store.get(tiny.replace(data_seed=1))["status"] == "failed"
    out = tmp_path / "runs.jsonl"
    command_line.make_runs(afresh(small, retry=True, out=out))
    assert "1 runs that failed are tried again" in said
    assert [json.loads(line)["key"] for line in out.read_text().splitlines()] == [tiny.replace(data_seed=1).key]
    assert small.store.get(tiny.replace(data_seed=1))["status"] == "done"


def test_a_budget_ends_the_runs_that_do_not_fit_and_says_what_is_left(small, said, tiny, plans, fast, tmp_path):
    longer = tiny.replace(epochs=2000)
    plans["02_second"] += [longer]
    small.store.put(record(tiny.replace(data_seed=5), 2.0))
    out = tmp_path / "home" / "runs.jsonl"
    command_line.make_runs(afresh(small, budget="30s", out=out))
    assert said[0] == f"3 runs to train, about {(2000 + 4) * budget.BESIDE / 60:.0f} minutes"
    assert said[1].startswith("the time is up: 2 runs finished, 1 are left, about") and len(said) == 2
    assert small.needed(list(plans), small.store) == [longer]
    elsewhere = afresh(small, results=tmp_path / "elsewhere", source=str(out))
    assert not command_line.merge(elsewhere) and said[2].startswith("added: 2")
    assert elsewhere.store.digest(plans["01_first"]) == small.store.digest(plans["01_first"])
    command_line.make_runs(afresh(small, budget="3h"))
    assert said[-1] == "all runs of this profile are in the store"


def test_merging_tells_of_conflicts_by_its_exit_status(small, said, tiny, plans, fast, tmp_path):
    command_line.make_runs(afresh(small, out=tmp_path / "runs.jsonl"))
    here = afresh(small, results=tmp_path / "here", source=str(tmp_path / "runs.jsonl"))
    other = record(tiny)
    here.store.put(other | {"test": other["test"] | {"accuracy": 0.25}})
    assert command_line.merge(here) == 1 and "conflict" in said[-1]
    assert here.store.get(tiny)["test"]["accuracy"] == 0.25 and here.store.has(tiny.replace(data_seed=1))
    (tmp_path / "runs.jsonl").open("a").write("{half")
    assert command_line.merge(afresh(here, results=tmp_path / "third")) == 1


def test_a_file_that_cannot_be_written_is_an_error_before_training(small, said, plans, fast, tmp_path):
    with pytest.raises(StudyError, match="^cannot write the bundle .*"):
        command_line.make_runs(afresh(small, out=tmp_path))
    assert small.store.records() == []


def run(*arguments, cwd, **environment):
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "lib"), **environment}
    command = [sys.executable, "-m", "randsparse", *arguments]
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["all", "--profile", "nope"], "unknown profile 'nope': choose one of digits, tiny"),
        (["runs", "--budget", "25"], "budget '25': give a number above 0 and its unit, s, m or h, such as 25m"),
        (["runs", "--device", "gpu"], "unknown device 'gpu': choose one of cpu, cuda"),
        (["runs", "--cluster", "nowhere"], "cluster 'nowhere': give the address of a Dask scheduler, such as tcp://"),
        (["all", "--budget", "25m"], "--budget is of no use to all: use runs"),
        (["runs", "--from", "there"], "--from is of no use to runs: use merge"),
        (["notebooks", "--device", "cuda"], "--device is of no use to notebooks: use all or runs or status"),
        (["merge"], "merge: say where the records are, with make merge FROM=path, or --from path"),
        (["all", "--workers", "zero"], "workers 'zero': give a whole number from 1 to 9999"),
        (["all"], "notebooks/profiles/digits/01_first.yaml: unknown parameter 'epoch': choose one of"),
    ],
)
def test_an_error_of_the_user_is_one_line_and_a_non_zero_exit(root, arguments, message):
    write_notebook(root, "01_first")
    (root / "notebooks/profiles/digits").mkdir()
    (root / "notebooks/profiles/digits/01_first.yaml").write_text("epoch: 1\n")
    done = run(*arguments, cwd=root)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.startswith(f"randsparse: {message}") and done.stderr.count("\n") == 1
    assert not (root / "results").exists()


def test_the_environment_says_where_runs_are_trained(root, monkeypatch):
    write_notebook(root, "01_first")
    monkeypatch.chdir(root)
    monkeypatch.setenv("RANDSPARSE_CLUSTER", "tcp://host:8786")
    monkeypatch.setenv("RANDSPARSE_DEVICE", "cpu")
    studies = []
    monkeypatch.setitem(command_line.COMMANDS, "runs", studies.append)
    assert command_line.main(["runs"]) == 0
    assert (studies[0].cluster, studies[0].device) == ("tcp://host:8786", "cpu")


def test_plans_and_status_need_no_torch(tmp_path):
    """Its import takes longer than all the rest of them."""
    shown = """
        import sys
        from pathlib import Path
        from randsparse import questions
        from randsparse.runs.store import Store
        from randsparse.study import command_line, freshness, parameters

        store, root, needed = Store(sys.argv[2]), Path(sys.argv[1]), 0
        for name in freshness.list_names(root):
            values = parameters.read_parameters(name, "digits", root)
            needed += len(questions.plan(name, values, store)) + len(questions.find_missing(name, values, store))
        assert needed and sys.modules.keys().isdisjoint({"torch", "pandas"})
        assert command_line.main(["status", "--profile", "digits", "--results", sys.argv[2]]) == 0
        assert "torch" not in sys.modules
    """
    command = [sys.executable, "-c", textwrap.dedent(shown), str(REPOSITORY), str(tmp_path / "results")]
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "lib")}
    done = subprocess.run(command, cwd=REPOSITORY, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_record_of_another_schema_version_stays_and_is_said(tmp_path):
    name = "02_random_search"
    store = Store(tmp_path)
    config = questions.plan(name, parameters.read_parameters(name, "tiny", REPOSITORY), store)[0]
    store.put(record(config))
    path = store.path(config)
    path.write_text(sealed(path.read_text().replace('"schema": 1', '"schema": 9')))
    content = path.read_bytes()
    done = run("status", "--profile", "tiny", "--results", str(tmp_path), cwd=REPOSITORY)
    assert done.returncode == 0 and "Traceback" not in done.stderr and path.read_bytes() == content
    (line,) = done.stderr.splitlines()
    assert line.startswith("left in place, since this library does not know them: 1 record(s)") and str(path) in line


def test_the_whole_study_at_tiny_size_from_nothing_to_pages(tmp_path):
    """Trains for real: every notebook of this repository, then again, which trains and executes nothing."""
    names = [path.stem for path in (REPOSITORY / "notebooks").glob("[0-9]*.ipynb")]
    done = run("all", "--profile", "tiny", "--results", str(tmp_path), cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].endswith("tiny/html/index.html in a browser")
    folder = tmp_path / "tiny"
    for name in names:
        executed = (folder / "notebooks" / f"{name}.ipynb").read_text()
        assert str(REPOSITORY) not in executed and str(tmp_path) not in executed
        assert (folder / "html" / "notebooks" / f"{name}.html").is_file()
    assert links.dead(folder / "html") == [] and (folder / "html" / "reference" / "sparsity.html").is_file()
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    again = run("all", "--profile", "tiny", "--results", str(tmp_path), cwd=REPOSITORY)
    assert again.returncode == 0 and len(again.stdout.splitlines()) == 1, again.stdout
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == before
    assert set(json.loads((folder / "state.json").read_text())) == set(names)


def test_a_corrupt_record_is_set_aside_and_named(small, tiny, monkeypatch):
    monkeypatch.setattr(questions, "plan", lambda name, values, store: [] if store.has(tiny) else [tiny])
    store = Store(small.results)
    store.put(record(tiny))
    store.path(tiny).write_text("{")
    with pytest.raises(StudyError, match=f"{tiny.key}.json.*run the same command again"):
        command_line.make_all(small)
    assert small.needed(["01_first"], small.store) == [tiny]


def test_what_a_notebook_trains_keeps_its_weights_so_that_no_evaluation_trains_it_again(small, tiny, monkeypatch):
    monkeypatch.setattr(questions, "plan", lambda name, values, store: [] if store.has(tiny) else [tiny])
    assert small.prepare(["01_first"]) and small.store.get(tiny)["status"] == "done"
    assert weights.has(tiny, small.store.root)
    asked = []
    monkeypatch.setattr("randsparse.sweeps.sweep.sweep", lambda plan, store, **options: asked.append(options))
    replace(small, cluster="tcp://127.0.0.1:8786").sweep([tiny.replace(data_seed=1)])
    assert "train" not in asked[0] and asked[0]["cluster"] == "tcp://127.0.0.1:8786"


def test_kernels_compute_with_one_thread_unless_the_user_says_otherwise(small, monkeypatch):
    place = (small.root, small.results, small.data_dir)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert execution.kernel_environment(*place)["OMP_NUM_THREADS"] == "1"
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert execution.kernel_environment(*place)["OMP_NUM_THREADS"] == "3"
