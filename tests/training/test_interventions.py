"""Forks and cool-downs: the ordinary run up to some epoch, bit for bit, and what they should be after it."""

from __future__ import annotations

import pytest
import torch

from randsparse.data.dataset import load
from randsparse.errors import StudyError
from randsparse.runs import store
from randsparse.runs.config import RunConfig
from randsparse.runs.store import Store
from randsparse.sweeps.sweep import sweep
from randsparse.training import checkpoints
from randsparse.training import train as training
from randsparse.training.step import learning_rate

TINY = RunConfig(train_samples=256, batch_size=32, epochs=4, sparsity=0.8)
FORK = {"fork_seed": 9, "fork_epoch": 2}
COOLED = {"cooldown_epoch": 2, "cooldown_epochs": 1.5}
ENGINES = [{}, {"engine": "batched"}, {"engine": "compacted", "structure": "node", "precision": "bfloat16"}]


@pytest.mark.parametrize("engine", ENGINES, ids=["masked", "batched", "compacted"])
def test_up_to_its_epoch_each_is_the_ordinary_run_and_not_after_it(engine):
    config = TINY.replace(**engine)
    ordinary, forked, cooled = (training.train(config.replace(**changes)) for changes in ({}, FORK, COOLED))
    for other in (forked, cooled):
        assert other["status"] == "done" and other["test"]["accuracy"] > 0.2 and len(other["curve"]) == 4
        assert other["curve"][:2] == ordinary["curve"][:2]
        pairs = zip(other["curve"][2:], ordinary["curve"][2:], strict=True)
        assert all(a["train_loss"] != b["train_loss"] for a, b in pairs)
        assert other["test"]["nll"] != ordinary["test"]["nll"]


def test_the_batches_after_a_fork_are_those_of_its_seed():
    def batches(config: RunConfig, epoch: int) -> list:
        run = training.prepare([config], load("digits", None, 256))
        return [value.tolist() for batch in run.batches.epoch(epoch) for value in batch]

    for engine in ({}, {"engine": "batched"}):
        forked = TINY.replace(**FORK, **engine)
        before, after = TINY.replace(**engine), TINY.replace(data_seed=9, **engine)
        for epoch, same in ((0, before), (1, before), (2, after), (3, after)):
            assert batches(forked, epoch) == batches(same, epoch)
        assert batches(before, 2) != batches(after, 2)


def test_a_fork_of_all_epochs_is_the_run_of_that_seed():
    one, other = training.train(TINY.replace(fork_seed=9)), training.train(TINY.replace(data_seed=9))
    assert (one["curve"], one["test"]) == (other["curve"], other["test"]) and one["key"] != other["key"]


def test_lanes_fork_each_in_its_own_way():
    of = TINY.replace(engine="batched", stop_epoch=2)
    runs = [
        of,
        of.replace(fork_seed=9),
        of.replace(fork_seed=9, fork_epoch=1),
        of.replace(fork_seed=0, fork_epoch=1, data_seed=3),
    ]
    together = training.train_together(runs)
    assert len({record["curve"][-1]["train_loss"] for record in together}) == 4
    for config, record in zip(runs, together, strict=True):
        assert store.keep_comparable(training.train(config)) == store.keep_comparable(record)


def test_a_changing_mask_forks_too():
    config = TINY.replace(method="rigl", update_interval=3)
    ordinary, forked = training.train(config), training.train(config.replace(**FORK))
    assert forked["curve"][:2] == ordinary["curve"][:2] and forked["curve"][2] != ordinary["curve"][2]


def test_the_rate_of_a_cooldown_falls_linearly_to_zero():
    config = RunConfig(epochs=10, warmup_epochs=2.0, lr=0.4, cooldown_epoch=3, cooldown_epochs=1.3)
    ordinary = config.replace(cooldown_epoch=0, cooldown_epochs=0)
    rates = [learning_rate(config, step, 5) for step in range(22)]
    assert rates[:16] == [learning_rate(ordinary, step, 5) for step in range(16)]
    start = rates[15]
    assert start == pytest.approx(0.4 * 0.9619398)  # (1 + cos(pi/8)) / 2: an eighth of the cosine is over
    assert rates[15:] == pytest.approx([start * (7 - k) / 7 for k in range(7)])  # 1.3 epochs of 5 steps: 7 steps


@pytest.mark.parametrize("engine", ENGINES[:2], ids=["masked", "batched"])
def test_a_cooldown_ends_within_its_last_epoch(engine):
    config = TINY.replace(**COOLED, **engine)
    record = training.train(config)
    steps = 2 * 8 + 12
    assert record["cost"]["images"] == 32 * steps and record["cost"]["epochs"] == 4
    assert record["cost"]["flops"] == training.train(TINY.replace(**engine))["cost"]["flops"] * steps / 32
    start = learning_rate(TINY, 16, 8)
    assert [point["lr"] for point in record["curve"][2:]] == pytest.approx([start * 5 / 12, start / 12])
    whole = training.train(config.replace(cooldown_epochs=1.0))
    assert len(whole["curve"]) == 3 and whole["cost"]["images"] == 32 * 24


def test_the_last_part_of_an_epoch_takes_as_many_batches():
    run = training.prepare([TINY.replace(**COOLED)], load("digits", None, 256))
    rates, losses, step = [], [], run.step

    def noted(images, labels):
        rates.append(run.optimizer.param_groups[0]["lr"])
        losses.append(step(images, labels).item())
        return torch.tensor(losses[-1:])

    run.update = noted
    while run.epoch < run.config.last_epoch:
        run.train_epoch()
    assert len(rates) == 28 and rates == [learning_rate(run.config, step, 8) for step in range(28)]
    assert run.curves[0][-1]["train_loss"] == pytest.approx(sum(losses[-4:]) / 4)


@pytest.mark.parametrize("changes", [FORK, COOLED, FORK | COOLED], ids=["fork", "cooled", "both"])
@pytest.mark.parametrize("engine", ENGINES[:2], ids=["masked", "batched"])
@pytest.mark.parametrize("epoch", [1, 2, 3])
def test_each_resumes_bit_for_bit(changes, engine, epoch, tmp_path):
    config = TINY.replace(**changes, **engine)
    straight = training.train(config)
    run = training.prepare([config], load("digits", None, 256))
    for _ in range(epoch):
        run.train_epoch()
    checkpoints.save(run.states()[0], config, tmp_path)
    resumed = training.train(config, checkpoint_dir=tmp_path)
    assert store.keep_comparable(resumed) == store.keep_comparable(straight) and list(tmp_path.iterdir()) == []
    assert resumed["cost"]["images"] == straight["cost"]["images"]


def test_a_store_never_takes_one_for_another(tmp_path):
    found = Store(tmp_path)
    forked, cooled = TINY.replace(**FORK), TINY.replace(**COOLED)
    sweep([forked, cooled], found, workers=1, progress=False)
    for stop in (1, 2, 3):
        assert not found.has(TINY.replace(stop_epoch=stop))
    assert found.get(forked.replace(stop_epoch=3))["curve"] == found.get(forked)["curve"][:3]
    sweep([TINY], found, workers=1, progress=False)
    early = found.get(forked.replace(stop_epoch=2))
    assert early["status"] == "stopped" and early["curve"] == found.get(cooled)["curve"][:2]
    assert found.get(forked.replace(stop_epoch=3))["curve"] != found.get(TINY.replace(stop_epoch=3))["curve"]
    assert not found.has(TINY.replace(cooldown_epoch=2, cooldown_epochs=1))
    with pytest.raises(StudyError, match="a cool-down is not interrupted"):
        found.get(cooled.replace(stop_epoch=3))
