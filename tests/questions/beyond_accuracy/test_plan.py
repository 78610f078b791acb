"""The evaluations of a notebook are planned before anything is trained, and its outputs depend on their records."""

from __future__ import annotations

import json

import pytest

from conftest import REPOSITORY
from randsparse import questions
from randsparse.errors import StudyError
from randsparse.questions.beyond_accuracy import plan
from randsparse.questions.beyond_accuracy.adversarial import Adversarial
from randsparse.questions.beyond_accuracy.calibration import Calibration
from randsparse.questions.beyond_accuracy.corruptions import Corruption
from randsparse.questions.beyond_accuracy.evidence import Evidence
from randsparse.questions.beyond_accuracy.ood import OutOfDistribution
from randsparse.runs import evaluations
from randsparse.runs.config import RunConfig
from randsparse.runs.store import Store
from randsparse.study import campaign, command_line, freshness, parameters, status
from randsparse.study.notebook import Notebook
from randsparse.study.profile import Study
from randsparse.sweeps import measuring

NAME = "06_beyond_accuracy"
TINY = parameters.read_parameters(NAME, "tiny", REPOSITORY)
NAMED = TINY | {"campaign": "campaign-tiny"}
"""The parameters as a notebook has them, with the name of its campaign."""
SMALLEST = {
    "far": ["uniform-noise"],
    "ood_images": 40,
    "corruptions": ["contrast"],
    "severities": [3],
    "corruption_images": 40,
    "epsilons": [16.0],
    "masking_epsilon": 16.0,
    "attack_images": 30,
}
RUNS = 9
"""The evaluated networks of campaign-tiny, three per cell."""


def test_the_plan_is_a_function_of_parameters_and_names_each_evaluation_once():
    wanted = questions.plan_evaluations(NAME, TINY)
    assert wanted == questions.plan_evaluations(NAME, TINY) and len(wanted) == len({each.key for each in wanted})
    counts = {
        kind: sum(isinstance(each, kind) for each in wanted)
        for kind in (Calibration, OutOfDistribution, Corruption, Adversarial)
    }
    # FGSM, PGD and noise at two budgets; the check for masking adds all of its five at another one
    assert list(counts.values()) == [1, 2, 4, 11]
    assert set(plan.suite(TINY).values()) <= set(wanted)
    other = "03_sparsity_vs_accuracy"
    assert questions.plan_evaluations(other, {}) == [] == questions.list_evaluated(other, {}, Store("no"))


def test_what_is_evaluated_on_cifar10_is_in_the_repository():
    store, values = Store(REPOSITORY / "results"), parameters.read_parameters(NAME, "cifar10-small", REPOSITORY)
    own = questions.list_evaluated(NAME, values, store)
    assert len(own) >= 9 and all(store.has(run) for run in own)
    assert evaluations.find_missing(own, questions.plan_evaluations(NAME, values), store) == []


def test_the_campaign_measures_networks_of_equal_weights_and_on_both_sides_of_the_sparse_ones():
    """At 1/255 and 2/255 beside 8/255, and against CIFAR-100: what the profile asks for is what the campaign makes."""
    whole = campaign.load("campaign", REPOSITORY)
    assert whole.evaluations_of == "cifar10-small"
    cells = {cell.name: cell for cell in whole.cells if getattr(cell, "evaluated", 0)}
    narrow = ["small dense, weights 80 %", "small dense, weights 60 %"]
    assert list(cells) == ["dense", "ERK 80 %", *narrow] and {cell.evaluated for cell in cells.values()} == {8}
    asked = questions.plan_evaluations(NAME, parameters.read_parameters(NAME, "cifar10-small", REPOSITORY))
    attacks = {(each.attack, each.epsilon) for each in asked if isinstance(each, Adversarial)}
    assert {(kind, epsilon) for kind in ("fgsm", "pgd") for epsilon in (1, 2, 8)} <= attacks
    assert "cifar100" in [each.data for each in asked if isinstance(each, OutOfDistribution)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epsilons": [-1.0]}, r"epsilons=.* is not possible: it must be at least 0"),
        ({"epsilons": []}, r"epsilons=.* is not possible: it must be one value or more"),
        ({"masking_epsilon": 0.0}, r"masking_epsilon=0.0 is not possible: it must be above 0 and below 255"),
        ({"pgd_steps": 2}, r"pgd_steps=2 is not possible: it must be at least 4"),
        ({"severities": [6]}, r"severities=6 is not possible: it must be 1 to 5"),
        ({"corruptions": ["fog"]}, r"unknown corruption 'fog': choose one of gaussian-noise, "),
        ({"far": ["places"]}, r"unknown set of images 'places': choose one of .*folder:PATH"),
        ({"ood_score": "odin"}, r"unknown score 'odin': choose one of msp, "),
        ({"sparse": "nodes"}, r"unknown cell 'nodes': choose one of nodes 80 %, dense, "),
        ({"sparse": "nodes 80 %"}, r"evaluated of the cell nodes 80 %=0 is not possible: it must be at least 1"),
        ({"bins": 0}, r"bins=0 is not possible"),
        ({"margin": 0.0}, r"margin=0.0 is not possible"),
        ({"ece_margin": 0.0}, r"ece_margin=0.0 is not possible"),
    ],
)
def test_impossible_parameters_stop_the_notebook_in_its_first_cell(changes, message, monkeypatch, tmp_path):
    monkeypatch.setenv("RANDSPARSE_RESULTS", str(tmp_path / "results"))
    with pytest.raises(StudyError, match=f"^{message}") as raised:
        Notebook.open(NAME, NAMED | changes, REPOSITORY)
    assert "\n" not in str(raised.value) and not (tmp_path / "results").exists()


def test_images_that_cannot_be_used_are_one_line_before_anything_is_trained(monkeypatch, tmp_path):
    monkeypatch.setenv("RANDSPARSE_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    (tmp_path / "photos").mkdir()

    def evaluate():
        values = TINY | SMALLEST | {"far": ["folder:photos"]}
        wanted, store = questions.plan_evaluations(NAME, values), Store(tmp_path / "results")
        measuring.evaluate([RunConfig()], wanted, store, data_dir=tmp_path)

    with pytest.raises(StudyError, match=r"^the folder .*photos has no images: put files of .*$"):
        evaluate()
    from PIL import Image

    Image.new("L", (16, 16)).save(tmp_path / "photos" / "a.png")
    with pytest.raises(StudyError, match=r"16x16 pixels, and the network was trained on 8x8: .*resize=True"):
        evaluate()
    assert not list((tmp_path / "results").glob("*"))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A notebook of short runs that has evaluated, and its evidence."""
    results = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("RANDSPARSE_RESULTS", str(results))
        patched.setenv("RANDSPARSE_WORKERS", "1")
        notebook = Notebook.open(NAME, NAMED | SMALLEST, REPOSITORY)
        notebook.sweep()
        notebook.measure()
        return notebook, Evidence(notebook.comparison, notebook.store, notebook.parameters)


def test_provenance_includes_the_evaluations(made):
    notebook, _ = made
    whole = notebook.provenance()
    assert whole.records != notebook.provenance(notebook.records[:-1]).records
    evaluated = [record for record in notebook.records if "-" in record["key"]]
    assert len({record["key"] for record in evaluated}) == RUNS * len(
        questions.plan_evaluations(NAME, notebook.parameters)
    )


def test_a_notebook_evaluates_all_of_its_plan(made, monkeypatch):
    notebook, found = made
    wanted, store = questions.plan_evaluations(NAME, notebook.parameters), notebook.store
    assert len(found.measured) == RUNS and found.measured.notna().all(axis=None)
    assert questions.find_missing(NAME, notebook.parameters, store) == []
    assert len(questions.list_paths(NAME, notebook.parameters, store)) == RUNS * len(wanted)
    monkeypatch.setattr("randsparse.training.train.train_together", None)
    monkeypatch.setattr(measuring.Measure, "__call__", None)
    notebook.measure()
    assert Evidence(notebook.comparison, store, notebook.parameters).measured.equals(found.measured)


def test_what_is_drawn_comes_from_the_records(made):
    notebook, found = made
    (run, *_), wanted = (
        questions.list_evaluated(NAME, notebook.parameters, notebook.store),
        questions.plan_evaluations(NAME, notebook.parameters),
    )
    records = evaluations.load([run], wanted, notebook.store)
    values = {
        (each.kind, each.parameters.get("attack"), each.parameters.get("epsilon")): record["values"]
        for (_, each), record in records.items()
    }
    row = found.measured.set_index("key").loc[run.key]
    pgd = records[run, Adversarial("pgd", 16.0, steps=4, restarts=1, images=30)]["values"]
    assert row["ece"] == values["calibration", None, None]["ece_mass"]
    assert row["contrast"] == values["corruption", None, None]["accuracy"]
    assert row["pgd 16"] == pgd["accuracy"]
    near = next(record for (_, each), record in records.items() if each.parameters.get("data") == "rotated")
    assert row["auroc energy rotated"] == near["values"]["auroc_energy"]
    assert len(found.masking) == RUNS * 4


@pytest.fixture
def small(made, monkeypatch, tmp_path):
    """The study of this notebook alone, on what `made` has stored, and what it says."""
    notebook, _ = made
    said = []
    results = Study("tiny", REPOSITORY, notebook.results, tmp_path, 1, said.append)
    results.__dict__["parameters"] = {NAME: notebook.parameters}
    return results, said


def test_a_lost_evaluation_makes_the_notebook_stale_and_is_made_again(small, made, monkeypatch):
    results, said = small
    state = freshness._state(NAME, "tiny", REPOSITORY, results.results, [])
    files = results._files(NAME)
    made_before = [path for path in files if path.is_relative_to(results.results / "evaluations" / "digits")]
    assert len(made_before) == RUNS * len(questions.plan_evaluations(NAME, made[0].parameters))
    whole = freshness._state(NAME, "tiny", REPOSITORY, results.results, files)
    assert whole["records"] != state["records"]
    lost = made_before[0]
    before = json.loads(lost.read_text())["values"]
    lost.unlink()
    assert freshness._state(NAME, "tiny", REPOSITORY, results.results, files)["records"] != whole["records"]

    status.show(results)
    there = RUNS * len(questions.plan_evaluations(NAME, made[0].parameters)) - 1
    assert said[-1] == f"{NAME}: {there} evaluations there, 1 evaluations to be made of 1 runs"
    monkeypatch.setattr(Study, "stale", lambda self: [NAME])
    with pytest.raises(StudyError, match="^1 evaluations are missing: make them with make runs PROFILE=tiny$"):
        command_line.make_notebooks(results)
    monkeypatch.setattr("randsparse.training.train.train_together", None)  # the weights are there
    command_line.make_runs(results)
    assert said[-2:] == [f"{NAME}: 1 evaluations to be made of 1 runs", "all runs of this profile are in the store"]
    assert json.loads(lost.read_text())["values"] == before
    status.show(results)
    assert said[-1] == f"{NAME}: {RUNS * len(questions.plan_evaluations(NAME, made[0].parameters))} evaluations there"


def test_a_budget_is_for_runs_and_says_what_else_is_left(small, monkeypatch):
    results, said = small
    lost = questions.list_paths(NAME, results.parameters[NAME], results.store)[0]
    content = lost.read_bytes()
    lost.unlink()
    results.__dict__["budget"] = "10m"
    command_line.make_runs(results)
    assert said == [f"{NAME}: 1 evaluations to be made of 1 runs, by the same command without a budget"]
    assert not lost.exists()
    lost.write_bytes(content)
