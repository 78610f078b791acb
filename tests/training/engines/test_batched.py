"""Runs in one program: the same numbers as alone, whatever the other lanes are."""

from __future__ import annotations

import pytest
import torch

from randsparse.data.dataset import load
from randsparse.errors import StudyError
from randsparse.runs.config import RunConfig
from randsparse.runs.store import Store, keep_comparable
from randsparse.sweeps.sweep import sweep
from randsparse.training import train as training
from randsparse.training.engines import programs

BASE = RunConfig(train_samples=320, batch_size=32, epochs=3, engine="batched")
RUNS = [
    BASE.replace(sparsity=0.8, mask_seed=1, init_seed=1),
    BASE.replace(init_seed=2, data_seed=1),
    BASE.replace(sparsity=0.5, structure="node", mask_seed=3),
    BASE.replace(sparsity=0.9, rule="uniform", draw="fan_in", init_scale="own", data_seed=2),
]


def trainer(*configs: RunConfig) -> training.Trainer:
    return training.prepare(configs, load("digits", None, configs[0].train_samples))


def advance(run: training.Trainer, steps: int) -> torch.Tensor:
    """The losses (steps, runs) of so many steps."""
    run.model.train()
    batches = [batch for epoch in range(2) for batch in run.batches.epoch(epoch)]
    return torch.stack([run.step(images, labels)[: len(run.configs)] for images, labels in batches[:steps]])


def states(run: training.Trainer) -> list[dict]:
    return [state["model"] for state in run.states()]


def assert_equal_to_one_at_a_time(configs: list[RunConfig], steps: int, tolerance: dict, of_states: dict) -> None:
    together = trainer(*configs)
    losses = advance(together, steps)
    for lane, config in enumerate(configs):
        alone = trainer(config.replace(engine="masked"))
        torch.testing.assert_close(losses[:, [lane]], advance(alone, steps), **tolerance)
        for name, value in states(alone)[0].items():
            torch.testing.assert_close(states(together)[lane][name], value, **of_states)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_in_double_precision_twenty_steps_equal_those_of_one_run_at_a_time(optimizer):
    rate = 0.1 if optimizer == "sgd" else 0.01
    recipe = dict(precision="float64", optimizer=optimizer, lr=rate, label_smoothing=0.1)
    configs = [config.replace(**recipe) for config in RUNS]
    assert_equal_to_one_at_a_time(configs, 20, dict(rtol=1e-9, atol=1e-12), dict(rtol=1e-6, atol=1e-9))


def test_in_single_precision_the_first_step_equals_that_of_one_run_at_a_time():
    assert_equal_to_one_at_a_time(RUNS, 1, dict(rtol=1e-6, atol=1e-6), dict(rtol=1e-6, atol=1e-6))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_record_is_the_same_to_the_last_bit_whatever_runs_beside_it(precision):
    configs = [config.replace(precision=precision) for config in RUNS]
    together = training.train_together(configs)
    order = [2, 0, 3]
    assert list(map(keep_comparable, training.train_together([configs[i] for i in order]))) == [
        keep_comparable(together[i]) for i in order
    ]
    assert keep_comparable(training.train(configs[1])) == keep_comparable(together[1])
    assert [record["status"] for record in together] == ["done"] * 4
    assert len({record["test"]["nll"] for record in together}) == 4


def test_runs_resume_beside_others_bit_for_bit(tmp_path):
    straight = training.train_together(RUNS)
    training.train_together([config.replace(stop_epoch=1) for config in RUNS[:3]], checkpoint_dir=tmp_path)
    training.train(RUNS[1].replace(stop_epoch=2), checkpoint_dir=tmp_path)
    resumed = training.train_together(RUNS, checkpoint_dir=tmp_path)  # from epochs 1, 2, 1 and 0
    assert list(map(keep_comparable, resumed)) == list(map(keep_comparable, straight))
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_diverges_leaves_the_others_as_they_are():
    run, alone = trainer(*RUNS[:2]), trainer(RUNS[1])
    with torch.no_grad():
        run.model.classifier.weight[0] = torch.inf  # of lane 0
    for _ in range(2):
        run.train_epoch()
        alone.train_epoch()
    assert run.diverged == [True, False]
    assert run.curves[1] == alone.curves[0] and len(run.curves[0]) == 1
    records = run.records()
    assert records[0]["status"] == "diverged" and records[0]["test"] is None and records[0]["cost"]["epochs"] == 1
    assert records[1]["test"] == alone.records()[0]["test"]


def test_masked_weights_of_every_lane_stay_zero():
    run = trainer(*RUNS)
    run.train_epoch()
    for mask, state in zip(run.masks, states(run), strict=True):
        for name, kept in (mask or {}).items():
            assert (state[name][~kept] == 0).all() and (state[name][kept] != 0).float().mean() > 0.98


def test_what_can_be_trained_together():
    assert len({programs.find_shared_program(config) for config in RUNS}) == 1
    assert programs.find_shared_program(RUNS[0].replace(engine="masked")) is None
    for changes in (dict(lr=0.2), dict(model="wrn-16-1"), dict(stop_epoch=1), dict(batch_size=64)):
        assert programs.find_shared_program(RUNS[0].replace(**changes)) != programs.find_shared_program(RUNS[0])


def test_a_sweep_trains_together_what_can_be_and_gives_the_same_records(tmp_path):
    many = [RUNS[0].replace(mask_seed=seed, stop_epoch=1) for seed in range(9)]
    alone = RUNS[0].replace(engine="masked", stop_epoch=1)
    assert list(map(len, programs.group_runs([*many[:4], alone, *many[4:]]))) == [programs.LANES, 1, 1]
    serial, parallel = Store(tmp_path / "serial"), Store(tmp_path / "parallel")
    parallel.put(training.train(many[3]))
    one = sweep([*many, alone], serial, workers=1, progress=False)
    two = sweep([alone, *reversed(many)], parallel, workers=2, progress=False)
    assert sorted(record["key"] for record in one) == sorted(record["key"] for record in two)
    assert serial.digest() == parallel.digest()


@pytest.mark.parametrize("others", [[RUNS[1].replace(lr=0.2)], [RUNS[1].replace(engine="masked")], RUNS[:1] * 8])
def test_what_cannot_be_trained_together_is_an_error(others):
    with pytest.raises(StudyError, match="one program|program of 8 lanes"):
        trainer(RUNS[0], *others)
