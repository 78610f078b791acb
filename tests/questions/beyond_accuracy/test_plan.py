"""The evaluations of a notebook are planned before anything is trained, and its outputs depend on their records."""

from __future__ import annotations

import json

import pytest

from conftest import REPOSITORY
from randsparse import questions
from randsparse.errors import StudyError
from randsparse.questions.beyond_accuracy import frames, plan
from randsparse.questions.beyond_accuracy.adversarial import Adversarial
from randsparse.questions.beyond_accuracy.calibration import Calibration
from randsparse.questions.beyond_accuracy.corruptions import Corruption
from randsparse.questions.beyond_accuracy.ood import OutOfDistribution
from randsparse.runs import evaluations
from randsparse.runs.store import Store
from randsparse.study import command_line, freshness, parameters, status
from randsparse.study.notebook import Notebook
from randsparse.study.profile import Study
from randsparse.sweeps import measuring

NAME = "06_beyond_accuracy"
TINY = parameters.profile_parameters(NAME, "tiny", REPOSITORY)
SMALLEST = {
    "train_samples": 128,
    "epochs": 2,
    "seeds": 2,
    "arms": ["dense", "random"],
    "ood_sets": ["rotated"],
    "ood_images": 40,
    "corruptions": ["contrast"],
    "severities": [3],
    "corruption_images": 40,
    "epsilons": [16.0],
    "masking_epsilon": 16.0,
    "attack_images": 30,
}


def test_the_plan_is_a_function_of_parameters_and_names_each_evaluation_once():
    wanted = questions.wanted(NAME, TINY)
    assert wanted == questions.wanted(NAME, TINY) and len(wanted) == len({each.key for each in wanted})
    counts = {
        kind: sum(isinstance(each, kind) for each in wanted)
        for kind in (Calibration, OutOfDistribution, Corruption, Adversarial)
    }
    # FGSM, PGD and noise at two budgets; the check for masking adds all of its five at another one
    assert list(counts.values()) == [1, 2, 4, 11]
    assert set(plan.suite(TINY).values()) <= set(wanted)
    other = "03_sparsity_vs_accuracy"
    assert questions.wanted(other, {}) == [] == questions.runs(other, {}, Store("no"))


def test_the_runs_that_are_evaluated_on_cifar10_are_in_the_repository():
    store = Store(REPOSITORY / "results")
    own = questions.runs(NAME, parameters.profile_parameters(NAME, "cifar10-small", REPOSITORY), store)
    assert len(own) == 9 and all(store.has(run) for run in own)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epsilons": [-1.0]}, r"epsilons=.* is not possible: it must be at least 0"),
        ({"epsilons": []}, r"epsilons=.* is not possible: it must be not empty"),
        ({"masking_epsilon": 0.0}, r"masking_epsilon=0.0 is not possible: it must be above 0 and below 255"),
        ({"pgd_steps": 2}, r"pgd_steps=2 is not possible: it must be at least 4"),
        ({"severities": [6]}, r"severities=6 is not possible: it must be 1 to 5"),
        ({"corruptions": ["fog"]}, r"unknown corruption 'fog': choose one of gaussian-noise, "),
        ({"ood_sets": ["places"]}, r"unknown set of images 'places': choose one of .*folder:PATH"),
        ({"ood_score": "odin"}, r"unknown score 'odin': choose one of msp, "),
        ({"arms": ["searched"]}, r"unknown arm 'searched': choose one of dense, random, "),
        ({"bins": 0}, r"bins=0 is not possible"),
        ({"margin": 0.0}, r"margin=0.0 is not possible"),
        ({"sparsities": [1.0]}, r"sparsities=.* is not possible"),
    ],
)
def test_impossible_parameters_stop_the_notebook_in_its_first_cell(changes, message, monkeypatch, tmp_path):
    monkeypatch.setenv("RANDSPARSE_RESULTS", str(tmp_path / "results"))
    with pytest.raises(StudyError, match=f"^{message}") as raised:
        Notebook.open(NAME, TINY | changes, REPOSITORY)
    assert "\n" not in str(raised.value) and not (tmp_path / "results").exists()


def test_images_that_cannot_be_used_are_one_line_before_anything_is_trained(monkeypatch, tmp_path):
    monkeypatch.setenv("RANDSPARSE_RESULTS", str(tmp_path / "results"))
    monkeypatch.setenv("DATA_DIR", str(tmp_path))
    (tmp_path / "photos").mkdir()

    def evaluate():
        Notebook.open(NAME, TINY | SMALLEST | {"ood_sets": ["folder:photos"]}, REPOSITORY).evaluate()

    with pytest.raises(StudyError, match=r"^the folder .*photos has no images: put files of .*$"):
        evaluate()
    from PIL import Image

    Image.new("L", (16, 16)).save(tmp_path / "photos" / "a.png")
    with pytest.raises(StudyError, match=r"16x16 pixels, and the network was trained on 8x8: .*resize=True"):
        evaluate()
    assert not list((tmp_path / "results").glob("*"))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A notebook of four short runs that has evaluated, and its frame."""
    results = tmp_path_factory.mktemp("results")
    with pytest.MonkeyPatch.context() as patched:
        patched.setenv("RANDSPARSE_RESULTS", str(results))
        patched.setenv("RANDSPARSE_WORKERS", "1")
        notebook = Notebook.open(NAME, TINY | SMALLEST, REPOSITORY)
        return notebook, notebook.evaluate()


def test_a_notebook_evaluates_all_of_its_plan_and_trains_each_run_once(made, monkeypatch):
    notebook, frame = made
    wanted, store = notebook.evaluations(), notebook.store
    assert len(frame) == 4 * len(wanted) and frame["accuracy"].notna().sum() == 4 * (len(wanted) - 1)  # not of ood
    assert list(frame[frame["arm"] == "random"]["sparsity"].unique()) == [0.9]
    assert questions.missing(NAME, notebook.parameters, store) == []
    assert len(questions.paths(NAME, notebook.parameters, store)) == 4 * len(wanted)
    monkeypatch.setattr("randsparse.training.train.train_together", None)
    monkeypatch.setattr(measuring.Measure, "__call__", None)
    assert notebook.evaluate().equals(frame)


def test_provenance_includes_the_evaluations(made):
    notebook, _ = made
    whole = notebook.provenance()
    assert whole.runs == 4 and whole.seeds == "0–1"
    assert whole.records != notebook.provenance(notebook.records[:-1]).records
    assert len({record["key"] for record in notebook.records}) == 4 + 4 * len(notebook.evaluations())


def test_what_is_drawn_comes_from_the_frame(made):
    notebook, frame = made
    measured = frames.measures(frame, "msp", [16.0], 0.0)
    assert len(measured) == 4 and measured.drop(columns="arm").notna().all(axis=None)
    corrupted = frames.corruptions(frame)
    assert sorted(corrupted["severity"].unique()) == [0, 3]
    assert (corrupted.query("severity == 0")["drop"] == 0).all()
    calibration = frame[frame["kind"] == "calibration"].set_index("key")
    bins = frames.reliability(notebook.comparison, Calibration(15), notebook.store)
    ece = (bins["share"] * bins["gap"].abs()).groupby([bins["key"], bins["scaled"]]).sum().unstack()
    assert ece[False].to_dict() == pytest.approx(calibration["ece_mass"].to_dict())
    assert ece[True].to_dict() == pytest.approx(calibration["ece_mass_scaled"].to_dict())
    assert set(frames.attacks(frame, [16.0])["epsilon"]) == {0, 16}
    assert len(frames.masking(frame, plan.suite(notebook.parameters))) == 4 * 4


def test_runs_without_weights_are_counted_and_not_dropped(made, tmp_path):
    notebook, _ = made
    wanted = questions.wanted(NAME, notebook.parameters)
    some = Store(tmp_path)
    with pytest.raises(StudyError, match="none of 4 runs is evaluated"):
        frames.results(notebook.comparison, wanted, some)
    arm = notebook.comparison.arms[0]
    for each in wanted:
        values = evaluations.load([arm.config], [each], notebook.store)[arm.config, each]["values"]
        (some.root / "evaluations" / "digits").mkdir(parents=True, exist_ok=True)
        evaluations.save(arm.config, each, values, {}, some)
    frame = frames.results(notebook.comparison, wanted, some)
    summary = frames.summary(frames.measures(frame, "msp", [16.0], 0.0), ["ece_mass"])
    assert len(frame) == 4 * len(wanted)
    assert summary.set_index("arm")[["n", "missing"]].to_numpy().tolist() == [[1, 1], [0, 2]]


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
    files = [path.relative_to(results.results).as_posix() for path in results._files(NAME)]
    assert sum(name.startswith("evaluations/digits/") for name in files) == 4 * len(made[0].evaluations())
    whole = freshness._state(NAME, "tiny", REPOSITORY, results.results, files)
    assert whole["records"] != state["records"]
    lost = results.results / next(name for name in files if name.startswith("evaluations/"))
    before = json.loads(lost.read_text())["values"]
    lost.unlink()
    assert freshness._state(NAME, "tiny", REPOSITORY, results.results, files)["records"] != whole["records"]

    status.show(results)
    assert said[-1] == f"{NAME}: {len(files) - 4 - 1} evaluations there, 1 evaluations to be made of 1 runs"
    monkeypatch.setattr(Study, "stale", lambda self: [NAME])
    with pytest.raises(StudyError, match="^1 evaluations are missing: make them with make runs PROFILE=tiny$"):
        command_line.make_notebooks(results)
    monkeypatch.setattr("randsparse.training.train.train_together", None)  # the weights are there
    command_line.make_runs(results)
    assert said[-2:] == [f"{NAME}: 1 evaluations to be made of 1 runs", "all runs of this profile are in the store"]
    assert json.loads(lost.read_text())["values"] == before
    status.show(results)
    assert said[-1] == f"{NAME}: {len(files) - 4} evaluations there"


def test_a_budget_is_for_runs_and_says_what_else_is_left(small, monkeypatch):
    results, said = small
    lost = questions.paths(NAME, results.parameters[NAME], results.store)[0]
    content = lost.read_bytes()
    lost.unlink()
    results.__dict__["budget"] = "10m"
    command_line.make_runs(results)
    assert said == [f"{NAME}: 1 evaluations to be made of 1 runs, by the same command without a budget"]
    assert not lost.exists()
    lost.write_bytes(content)
