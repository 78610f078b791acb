"""What records say beside: images that are classified correctly, and the moving average of a network."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import nn

from randsparse.data.dataset import load
from randsparse.runs import records, store
from randsparse.runs.config import RunConfig
from randsparse.runs.records import find_differences
from randsparse.training import averaging, trainer
from randsparse.training import train as training
from randsparse.training.metrics import correctness, logits

TINY = RunConfig(train_samples=256, batch_size=64, epochs=3, sparsity=0.8)


def test_bits_come_back_as_they_were():
    bools = np.array([True, False, False, True, True, False, True, True, False, True])
    assert records.pack(bools) == "10:m0A="  # 10011011 01000000
    outputs = torch.tensor([[2.0, 1.0], [0.0, 1.0], [3.0, 0.0]])
    assert correctness(outputs, torch.tensor([0, 1, 1])) == "3:wA=="
    record = {"curve": [{"val_correct": "10:m0A=", "ema_val_correct": "3:wA=="}, {}], "test": {"correct": "1:gA=="}}
    assert records.correct(record, epoch=1).tolist() == bools.tolist()
    assert records.correct(record, epoch=1, averaged=True).tolist() == [True, True, False]
    assert records.correct(record).tolist() == [True]
    assert records.correct(record, epoch=2) is None and records.correct(record, epoch=3) is None
    assert records.correct({"curve": [], "test": None}) is None


@pytest.mark.parametrize("changes", [{}, dict(engine="batched"), dict(sparsity=0.0, precision="bfloat16")])
def test_bits_are_those_of_the_accuracies(changes):
    record = training.train(TINY.replace(**changes))
    for point in record["curve"]:
        assert records.correct(record, point["epoch"]).mean() == pytest.approx(point["val_accuracy"])
        averaged = records.correct(record, point["epoch"], averaged=True)
        assert averaged.mean() == pytest.approx(point["ema_val_accuracy"])
    assert records.correct(record).mean() == pytest.approx(record["test"]["accuracy"])
    assert len(records.correct(record)) == len(load("digits").test_y)


def test_bits_are_in_the_order_of_the_images():
    run = training.prepare([TINY], load("digits", None, 256))
    run.train_epoch()
    outputs = logits(run.model, run.dataset.val_x, run.dataset, torch.float32)
    record = {"curve": run.curves[0], "test": None}
    assert (records.correct(record, 1) == (outputs.argmax(1) == run.dataset.val_y).numpy()).all()


def test_the_average_weighs_all_steps_and_not_the_start():
    model, decay = nn.BatchNorm1d(1), 0.9
    average = averaging.MovingAverage(model, decay)
    values = [3.0, -1.0, 4.0]
    for value in values:
        with torch.no_grad():
            model.weight.fill_(value)
            model.running_var.fill_(2 * value)
        average.update()
    weights = [decay**2, decay, 1.0]
    expected = sum(w * value for w, value in zip(weights, values, strict=True)) / sum(weights)
    assert average.model.weight.item() == pytest.approx(expected)
    assert average.model.running_var.item() == pytest.approx(2 * expected)
    assert model.weight.item() == values[-1]


def test_what_is_measured_beside_changes_no_bit_of_training(monkeypatch):
    for changes in ({}, dict(structure="node", engine="batched"), dict(method="rigl", update_interval=2)):
        config = TINY.replace(**changes)
        measured = training.train(config)
        with monkeypatch.context() as patch:
            patch.setattr(trainer.Trainer, "measures_images", False)
            plain = training.train(config)
        assert not any("val_correct" in point or "ema_val_accuracy" in point for point in plain["curve"])
        assert ("ema_val_accuracy" in measured["curve"][0]) == (config.method == "static")
        one, other = records.alike(measured, plain)
        assert one == other == store.keep_comparable(plain)


@pytest.mark.parametrize("changes", [{}, dict(engine="batched")])
def test_the_average_resumes_bit_for_bit(changes, tmp_path):
    config = TINY.replace(**changes)
    straight = training.train(config)
    training.train(config.replace(stop_epoch=1), checkpoint_dir=tmp_path)
    assert store.keep_comparable(training.train(config, checkpoint_dir=tmp_path)) == store.keep_comparable(straight)


def test_a_field_that_one_record_lacks_is_no_difference_and_another_value_is():
    new = training.train(TINY)
    old = copy.deepcopy(new)
    for point in old["curve"]:
        del point["val_correct"], point["ema_val_accuracy"], point["ema_val_correct"]
    del old["test"]["correct"]
    assert find_differences(old, new) == find_differences(new, old) == ()
    old["curve"][1]["val_accuracy"] += 0.1
    assert find_differences(old, new) == ("curve",)
    other = copy.deepcopy(new)
    other["test"]["correct"] = records.pack(~records.correct(new))
    assert find_differences(other, new) == ("test.correct",)


def test_a_shortened_record_has_the_bits_of_its_own_epochs_only():
    longer = training.train(TINY)
    shorter = records.shorten(longer, TINY.replace(stop_epoch=2))
    assert shorter["test"] is None and len(shorter["curve"]) == 2
    assert (records.correct(shorter, 2) == records.correct(longer, 2)).all()
    assert records.correct(shorter) is None and records.correct(shorter, 3) is None
