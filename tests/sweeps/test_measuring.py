"""Evaluations of trained runs: nothing is trained or measured twice, and nothing depends on how it is done."""

from __future__ import annotations

import os
import shutil
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest
import torch

from randsparse.data.dataset import load
from randsparse.errors import StudyError
from randsparse.questions.beyond_accuracy.adversarial import Adversarial
from randsparse.questions.beyond_accuracy.calibration import Calibration
from randsparse.questions.beyond_accuracy.corruptions import Corruption
from randsparse.questions.beyond_accuracy.ood import OutOfDistribution
from randsparse.runs import evaluations, records
from randsparse.runs.config import RunConfig
from randsparse.runs.evaluations import Evaluation, Subject
from randsparse.runs.store import Store
from randsparse.sweeps import final_weights, measuring
from randsparse.training import metrics, weights
from randsparse.training import train as training

RUN = RunConfig(train_samples=128, epochs=1, batch_size=64, warmup_epochs=0, sparsity=0.5)
ALL = (
    Calibration(),
    OutOfDistribution("rotated", images=60),
    Corruption("contrast", 3, images=60),
    Adversarial("pgd", 16, steps=2, restarts=2, images=60),
    Adversarial("fgsm", 16, images=60),
)


@dataclass(frozen=True)
class Counted(Evaluation):
    number: int = 0

    kind: ClassVar[str] = "counted"
    measured: ClassVar[list[int]] = []

    def measure(self, subject: Subject) -> dict[str, float]:
        self.measured.append(self.number)
        return {"number": self.number}


@dataclass(frozen=True)
class Deadly(Evaluation):
    """Kills its own process as often as asked, then measures how often it was begun."""

    kills: int = 0
    notes: str = ""  # a file, with a line for each begin

    kind: ClassVar[str] = "deadly"

    def measure(self, subject: Subject) -> dict[str, float]:
        with open(self.notes, "a") as file:
            file.write("begun\n")
        begun = len(Path(self.notes).read_text().split())
        if begun <= self.kills:
            os.kill(os.getpid(), signal.SIGKILL)
        return {"begun": begun}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Store:
    """A store with one run, its weights and its evaluations."""
    store = Store(tmp_path_factory.mktemp("prepared"))
    measuring.evaluate([RUN], ALL, store, workers=1, progress=False)
    return store


@pytest.fixture
def store(prepared, tmp_path) -> Store:
    shutil.copytree(prepared.root, tmp_path / "results")
    return Store(tmp_path / "results")


@pytest.fixture
def trainings(monkeypatch) -> list[str]:
    """The keys of the runs that are trained in this process."""
    keys, train = [], training.train_together

    def counted(configs, **options):
        keys.extend(config.key for config in configs)
        return train(configs, **options)

    monkeypatch.setattr(training, "train_together", counted)
    return keys


def values(store: Store, runs=(RUN,), wanted=ALL) -> list[dict]:
    return [record["values"] for record in evaluations.load(runs, wanted, store).values()]


def test_a_run_that_is_not_there_is_trained_once_and_keeps_its_weights(prepared):
    record = prepared.get(RUN)
    assert records.keep_comparable(record) == records.keep_comparable(records.check(training.train(RUN))[0])
    assert [path.name for path in (prepared.root / "weights").iterdir()] == [f"{RUN.key}.safetensors"]
    measured = values(prepared)
    assert len(measured) == len(ALL)
    for name in ("accuracy", "nll", "brier", "ece"):  # the weights are those of the record
        assert measured[0][name] == record["test"][name]
    assert measured[0]["nll_scaled"] < measured[0]["nll"]
    assert measured[1]["count"] == measured[1]["ood_count"] == 60 and 0 <= measured[1]["auroc_msp"] <= 1
    assert measured[3]["accuracy"] <= measured[3]["clean_accuracy"]
    assert measured[3]["clean_accuracy"] == measured[4]["clean_accuracy"]


def test_the_weights_of_a_sparse_run_are_sparse(prepared):
    network = final_weights.load_network(RUN, prepared)
    kept = sum(int(p.count_nonzero()) for name, p in network.named_parameters() if p.dim() > 1)
    assert kept == prepared.get(RUN)["density"]["weights"] and not network.training


def test_nothing_is_trained_or_measured_twice(store, trainings):
    Counted.measured.clear()
    some = [Counted(1), Counted(2)]
    for _ in range(2):
        measuring.evaluate([RUN], some, store, workers=1, progress=False)
    measuring.evaluate([RUN, RUN], [*some, Counted(3)], store, workers=1, progress=False)
    assert Counted.measured == [1, 2, 3] and trainings == []
    assert evaluations.find_missing([RUN], [*some, Counted(4)], store) == [evaluations.Unit(RUN, (Counted(4),))]


def test_a_run_without_weights_is_trained_again_and_its_record_stays(store, trainings):
    shutil.rmtree(store.root / "weights")
    before = store.path(RUN).read_bytes()
    with pytest.raises(StudyError, match=rf"run {RUN.key} has no weights: there is no .*train=True"):
        final_weights.load_network(RUN, store, train=False)
    measuring.evaluate([RUN], [Corruption("jpeg", 1)], store, workers=1, progress=False)
    assert trainings == [RUN.key] and store.path(RUN).read_bytes() == before
    measuring.evaluate([RUN], [Corruption("jpeg", 2)], store, workers=1, progress=False)
    assert trainings == [RUN.key]


def test_weights_of_a_run_that_comes_out_otherwise_are_not_kept(store):
    shutil.rmtree(store.root / "weights")
    record = store.get(RUN)
    store.put({**record, "test": record["test"] | {"accuracy": 0.123}})
    with pytest.raises(StudyError, match=rf"run {RUN.key} gave another result .*test accuracy 0\.\d+, not 0\.123"):
        measuring.evaluate([RUN], [Corruption("jpeg", 1)], store, workers=1, progress=False)
    assert not weights.has(RUN, store.root) and store.get(RUN)["test"]["accuracy"] == 0.123
    assert list((store.root / "weights").iterdir()) == []


def test_a_training_loss_may_differ_by_rounding_and_no_more(store):
    record = store.get(RUN)
    for factor, kept in ((1 + 1e-4, False), (1 + 1e-8, True)):
        shutil.rmtree(store.root / "weights", ignore_errors=True)
        curve = [{**point, "train_loss": point["train_loss"] * factor} for point in record["curve"]]
        store.put({**record, "curve": curve})
        if kept:
            final_weights.ensure([RUN], store, workers=1, progress=False)
            assert store.get(RUN)["curve"] == curve
        else:
            with pytest.raises(StudyError, match="its curve another"):
                final_weights.ensure([RUN], store, workers=1, progress=False)
        assert weights.has(RUN, store.root) == kept


def test_runs_that_share_a_program_are_trained_together_and_keep_their_own_weights(store, trainings):
    batched = [RUN.replace(engine="batched", data_seed=seed) for seed in (0, 1)]
    final_weights.ensure(batched, store, workers=1, progress=False)
    assert trainings == [each.key for each in batched]
    for each in batched:
        measured = measuring.evaluate([each], [Calibration()], store, workers=1, progress=False)[0]["values"]
        assert measured["nll"] == pytest.approx(store.get(each)["test"]["nll"], rel=1e-5)


def test_compacted_and_small_dense_networks_come_back_in_their_own_shape(store):
    node = RUN.replace(structure="node", engine="compacted")
    for each in (node, RUN.replace(method="small-dense")):
        measured = measuring.evaluate([each], [Calibration()], store, workers=1, progress=False)[0]["values"]
        assert measured["nll"] == store.get(each)["test"]["nll"]


def test_runs_that_diverged_are_left_out_and_say_why(store, trainings):
    wild = RUN.replace(lr=1e12)
    assert measuring.evaluate([wild, RUN], [Calibration()], store, workers=1, progress=False)[0]["run"] == RUN.key
    assert store.get(wild)["status"] == "diverged" and not weights.has(wild, store.root)
    measuring.evaluate([wild, RUN], [Calibration()], store, workers=1, progress=False)
    assert trainings == [wild.key]
    with pytest.raises(StudyError, match=r"has no final weights: it diverged \(loss not finite"):
        final_weights.load_network(wild, store)


def test_runs_that_end_early_have_the_weights_of_that_epoch(store, trainings):
    whole = RUN.replace(epochs=4)
    early = [whole.replace(stop_epoch=stop) for stop in (1, 3)]
    run = training.prepare([whole], load("digits", None, RUN.train_samples))
    final_weights.ensure([whole, *early[::-1]], store, workers=1, progress=False)
    assert trainings == [early[0].key, early[1].key, whole.key]  # each goes on from where the one before it ended
    for each in (early[0], early[1], whole):
        while run.epoch < each.last_epoch:
            run.train_epoch()
        kept = weights.load(each, store.root)
        assert all(torch.equal(kept[name], value) for name, value in run.model.state_dict().items())
    assert [store.get(each)["status"] for each in (*early, whole)] == ["stopped", "stopped", "done"]
    before = store.get(whole)
    measuring.evaluate(early, [Calibration()], store, workers=1, progress=False)
    assert len(trainings) == 3 and store.get(whole) == before


def test_a_checkpoint_beyond_a_run_does_not_give_its_weights(store):
    whole = RUN.replace(epochs=4)
    place = store.root / "checkpoints"
    training.train(whole.replace(stop_epoch=3), checkpoint_dir=place)
    for stop in (1, 3):
        final_weights.ensure([whole.replace(stop_epoch=stop)], store, workers=1, progress=False)
        run = training.prepare([whole], load("digits", None, RUN.train_samples))
        for _ in range(stop):
            run.train_epoch()
        kept = weights.load(whole.replace(stop_epoch=stop), store.root)
        assert all(torch.equal(kept[name], value) for name, value in run.model.state_dict().items())


@dataclass(frozen=True)
class Beside(Evaluation):
    """The sum of the first weights of a run and of the one with the next seed."""

    kind: ClassVar[str] = "beside"

    def others(self, run: RunConfig) -> tuple[RunConfig]:
        return (run.replace(init_seed=run.init_seed + 1),)

    def measure(self, subject: Subject) -> dict[str, float]:
        models = (subject.model, *map(subject.network_of, self.others(subject.run)))
        return {"sum": sum(next(model.parameters()).sum().item() for model in models)}


def test_an_evaluation_can_need_the_network_of_another_run(store, trainings):
    (record,) = measuring.evaluate([RUN], [Beside()], store, workers=1, progress=False)
    other = RUN.replace(init_seed=1)
    assert trainings == [other.key]
    both = [next(final_weights.load_network(run, store).parameters()).sum().item() for run in (RUN, other)]
    assert record["values"]["sum"] == pytest.approx(sum(both)) and both[0] != both[1]
    evaluations.find_path(RUN, Beside(), store).unlink()
    assert evaluations.find_missing([RUN], [Beside()], store) == [evaluations.Unit(RUN, (Beside(),))]
    store.put(store.get(other) | {"status": "diverged", "test": None})
    assert evaluations.find_missing([RUN], [Beside()], store) == []


def test_processes_and_order_do_not_matter(store, trainings):
    before = values(store)
    shutil.rmtree(store.root / "evaluations")
    measuring.evaluate([RUN], [ALL[2], ALL[0]], store, workers=2, progress=False)
    measuring.evaluate([RUN], ALL[::-1], store, workers=1, progress=False)
    assert values(store) == before and trainings == []


def test_a_process_that_dies_costs_its_evaluation_a_retry(store, tmp_path):
    wanted = [Deadly(1, str(tmp_path / "notes")), Counted(5)]
    records = measuring.evaluate([RUN], wanted, store, workers=2, progress=False)
    assert [record["values"] for record in records] == [{"begun": 2}, {"number": 5}]


def test_an_evaluation_that_kills_its_processes_is_given_up_and_the_others_are_stored(store, tmp_path):
    deadly = Deadly(100, str(tmp_path / "notes"))
    name = f"{RUN.key}-{deadly.key}"
    with pytest.raises(StudyError, match=f"died again and again while they evaluated {name}: .*, 1 are missing"):
        measuring.evaluate([RUN], [deadly, Counted(6)], store, workers=2, progress=False, retries=1)
    assert values(store, wanted=[deadly, Counted(6)]) == [{"number": 6}]
    assert len(Path(deadly.notes).read_text().split()) == 3  # two of them beside another one, the last alone


def test_results_do_not_depend_on_the_batch_size(store, monkeypatch):
    subject = measuring.make_subject(RUN, store, "data")
    first = [each.measure(subject) for each in ALL[:3]]
    full = metrics.logits
    monkeypatch.setattr(metrics, "logits", lambda *args: full(*args, batch_size=7))
    again = measuring.make_subject(RUN, store, "data")
    for one, other in zip(first, (each.measure(again) for each in ALL[:3]), strict=True):
        one, other = ({k: v for k, v in x.items() if isinstance(v, float)} for x in (one, other))
        assert one == pytest.approx(other, rel=1e-4)


def test_bad_data_is_known_before_anything_is_trained(store, trainings, tmp_path):
    (tmp_path / "data" / "empty").mkdir(parents=True)
    new = RUN.replace(init_seed=9)
    with pytest.raises(StudyError, match="empty has no images"):
        measuring.evaluate(
            [new],
            [Calibration(), OutOfDistribution("folder:empty")],
            store,
            workers=1,
            data_dir=tmp_path / "data",
            progress=False,
        )
    assert trainings == [] and not store.has(new)


def test_equal_logits_detect_nothing_and_are_calibrated_by_chance(store):
    subject = measuring.make_subject(RUN, store, "data")
    for parameter in subject.model.classifier.parameters():
        torch.nn.init.zeros_(parameter)
    measured = OutOfDistribution("uniform-noise").measure(subject)
    assert all(measured[f"auroc_{score}"] == 0.5 for score in ("msp", "energy", "max_logit", "entropy", "gen"))
    calibrated = Calibration().measure(subject)
    assert calibrated["ece"] == pytest.approx(abs(calibrated["accuracy"] - 0.1), abs=1e-6)
    assert calibrated["ece_mass"] == pytest.approx(calibrated["ece"], abs=1e-6)


def test_a_read_only_store_answers_and_trains_nothing(store):
    closed = Store(store.root, read_only=True)
    assert len(measuring.evaluate([RUN], ALL, closed, workers=1, progress=False)) == len(ALL)
    with pytest.raises(StudyError, match="read-only"):
        measuring.evaluate([RUN.replace(init_seed=5)], ALL[:1], closed, workers=1, progress=False)
