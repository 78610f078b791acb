from __future__ import annotations

import time
from pathlib import Path

import pandas as pd
import pytest

from made_up import record_of
from randsparse.errors import StudyError
from randsparse.runs.config import DEFAULTS, RunConfig
from randsparse.runs.store import Store
from randsparse.sweeps import budget
from randsparse.sweeps.budget import BESIDE, Budget, Estimator, parse_duration
from randsparse.sweeps.sweep import sweep
from randsparse.training.engines.programs import LANES, group_runs
from randsparse.training.train import train as train_for_real

BASE = RunConfig(train_samples=256, epochs=10)
RUNS = [BASE.replace(mask_seed=seed, sparsity=0.5) for seed in range(40)]
WARM = [BASE.replace(epochs=2, mask_seed=seed, sparsity=0.5) for seed in range(2)]
HERE = budget.find_hardware("cpu")


def row(config: RunConfig, seconds: float, epochs: int | None = None, **changes) -> dict:
    epochs = epochs or config.last_epoch
    fields = {name: getattr(config, name) for name in DEFAULTS}
    measured = {"seconds": seconds, "images": epochs * 256, "flops": epochs * budget.count_training_flops(config)}
    place = {"device": "cpu", "hardware": HERE, "threads": 1, "status": "done", "epochs_done": epochs}
    return {"key": config.key, **fields, **measured, **place, **changes}


def costs(*rows: dict) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows), columns=list(row(BASE, 1.0)))
    return frame.astype({"train_samples": "Int64", "stop_epoch": "Int64"})


def record(config: RunConfig, seconds: float) -> dict:
    cost = {"seconds": seconds, "flops": config.last_epoch * budget.count_training_flops(config)}
    return record_of(config, cost=cost)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(("text", "seconds"), [("90s", 90), ("25m", 1500), ("1.5h", 5400), (" 2h ", 7200)])
def test_durations_have_a_unit(text, seconds):
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["25", "25 minutes", "m", "-5m", "0s", "1d", "", "1e3s"])
def test_a_duration_without_a_unit_is_an_error_that_says_what_is_allowed(text):
    with pytest.raises(StudyError, match="^budget .*: give a number above 0 and its unit, s, m or h, such as 25m$"):
        parse_duration(text)


def test_a_kind_of_run_that_was_measured_takes_what_it_took():
    known = Estimator(costs(row(BASE, 20.0), row(BASE.replace(data_seed=1, epochs=5), 13.0)))
    assert known.seconds(BASE) == pytest.approx(BESIDE * 20.0)
    assert known.seconds(RUNS[0].replace(stop_epoch=3)) == pytest.approx(BESIDE * 6.0)
    # Of five runs the two quickest count, one with 2.2 seconds per epoch, one with 2.8.
    many = [(20, 44.0), (10, 28.0), (10, 60.0), (10, 70.0), (10, 90.0)]
    rows = (row(BASE.replace(data_seed=seed, epochs=epochs), took) for seed, (epochs, took) in enumerate(many))
    assert Estimator(costs(*rows)).seconds(BASE) == pytest.approx(BESIDE * 10 * 72 / 30)
    four = [BASE.replace(data_seed=seed) for seed in range(4)]
    assert known.makespan(four[:3], 2) == pytest.approx(2 * known.seconds(BASE))
    assert known.makespan([BASE.replace(epochs=40), *four], 2) == pytest.approx(4 * known.seconds(BASE))
    assert known.makespan([], 2) == 0
    whole = BASE.replace(train_samples=None)
    known = Estimator(costs(row(BASE, 20.0), row(whole, 100.0), row(whole.replace(data_seed=1), 120.0)))
    assert known.seconds(whole) == pytest.approx(BESIDE * 100.0)
    assert known.seconds(BASE) == pytest.approx(BESIDE * 20.0)


def test_runs_of_a_program_take_the_time_of_all_its_places():
    shared = [BASE.replace(engine="batched", mask_seed=seed) for seed in range(12)]
    known = Estimator(costs(*(row(run, 20.0) for run in shared[:2]), row(shared[2], 5.0)))  # the last was in a full one
    assert known.seconds(shared[3]) == pytest.approx(BESIDE * 5.0)
    program = LANES * known.seconds(shared[3])
    assert known.makespan(shared[:LANES], 1) == known.makespan(shared[:2], 1) == pytest.approx(program)
    assert known.makespan(shared, 1) == pytest.approx(2 * program)
    assert known.makespan(shared, 2) == pytest.approx(program)
    (pair,) = group_runs(shared[:2])
    known.learn(pair, [record(run, 30.0) for run in pair], seconds=60.0)
    assert known.makespan(shared[:3], 1) == pytest.approx(60.0)


@pytest.mark.parametrize(
    "change", [{"device": "cuda"}, {"hardware": "other"}, {"threads": 2}, {"epochs_done": 0}, {"status": "failed"}]
)
def test_what_was_measured_elsewhere_or_failed_says_nothing(change):
    unknown = Estimator(costs(row(BASE, 20.0, **change)))
    assert unknown.seconds(BASE) is None and unknown.makespan([BASE], 1) is None
    assert Estimator(costs()).seconds(BASE) is None


def test_where_the_network_is_smaller_structure_and_sparsity_matter():
    whole = BASE.replace(model="wrn-16-2")
    small = whole.replace(sparsity=0.8, structure="node", engine="compacted")
    known = Estimator(costs(row(whole, 100.0), row(small, 10.0)))
    assert known.seconds(small) == pytest.approx(BESIDE * 10.0)
    assert known.seconds(small.replace(engine="masked")) == pytest.approx(BESIDE * 100.0)
    half = known.seconds(small.replace(sparsity=0.5))
    share = budget.count_training_flops(small.replace(sparsity=0.5)) / budget.count_training_flops(small)
    assert half == pytest.approx(BESIDE * 10.0 * share) and share > 2


def test_an_unseen_kind_is_scaled_by_its_flops_from_the_nearest():
    larger = BASE.replace(model="wrn-16-2", train_samples=512)
    share = budget.count_training_flops(larger) / budget.count_training_flops(BASE)
    assert share > 8
    known = Estimator(costs(row(BASE, 20.0)))
    assert known.seconds(larger) == pytest.approx(BESIDE * 20.0 * share)
    unknown = row(BASE.replace(batch_size=64), 1.0, flops=float("nan"))
    assert Estimator(costs(unknown, row(BASE, 20.0))).seconds(larger) == pytest.approx(BESIDE * 20.0 * share)
    other = row(larger.replace(precision="bfloat16"), 1.0)
    assert Estimator(costs(row(BASE, 20.0), other)).seconds(larger) == pytest.approx(BESIDE * 20.0 * share)
    assert Estimator(costs(row(BASE, 20.0), row(larger, 50.0))).seconds(
        larger.replace(train_samples=1024)
    ) == pytest.approx(BESIDE * 50.0 * 2)


@pytest.mark.parametrize(
    "config",
    [
        BASE.replace(epochs=2),
        BASE.replace(epochs=2, train_samples=None, sparsity=0.5),
        BASE.replace(epochs=2, sparsity=0.5, method="small-dense"),
        BASE.replace(epochs=2, sparsity=0.5, structure="node", engine="compacted"),
    ],
)
def test_flops_are_those_of_records(config):
    assert 2 * budget.count_training_flops(config) == pytest.approx(train_for_real(config)["cost"]["flops"], rel=1e-6)


def test_what_runs_take_now_goes_before_what_the_store_says():
    estimator = Estimator(costs(row(BASE, 20.0), row(BASE.replace(batch_size=64), 30.0)))
    estimator.learn((BASE,), [record(BASE, 38.0)], 40.0)
    assert estimator.seconds(BASE) == pytest.approx(40.0)
    assert estimator.seconds(BASE.replace(batch_size=64)) == pytest.approx(60.0)  # this machine takes twice as long
    estimator.learn((BASE,), [record(BASE, 0.0) | {"status": "failed", "curve": []}], 0.1)
    assert estimator.seconds(BASE) == pytest.approx(40.0)
    nothing = Estimator(costs())
    nothing.learn(tuple(RUNS[:2]), [record(config, 2.0) for config in RUNS[:2]], 10.0)  # two in one call
    assert nothing.seconds(RUNS[5]) == pytest.approx(5.0)
    assert nothing.seconds(BASE.replace(model="wrn-16-2")) > 10


def test_runs_start_as_long_as_they_fit():
    clock = Clock()
    estimator = Estimator(costs(row(BASE, 10 / BESIDE)))
    spent = Budget(50.0, estimator, clock)
    chosen = []
    for (config,) in spent.choose(group_runs(RUNS), 1):
        chosen.append(config)
        clock.now += 10
    assert len(chosen) == 4 and spent.spent and spent.left == pytest.approx(10.0)
    clock.now = 100.0
    long = BASE.replace(epochs=40)
    assert list(spent.choose(group_runs([long.replace(epochs=60), BASE]), 1)) == [(BASE,)]  # the short one fits
    assert list(spent.choose([], 1)) == [] and not spent.spent


def test_with_nothing_measured_each_worker_starts_one_run():
    spent = Budget(45.0, Estimator(costs()), Clock())
    assert list(spent.choose(group_runs(RUNS), 3)) == group_runs(RUNS[:3]) and spent.spent
    spent.learn((RUNS[0],), [record(RUNS[0], 5.0)], 5.0)
    assert spent.finished == 1 and len(list(spent.choose(group_runs(RUNS[3:]), 3))) == 37 and not spent.spent


def train_for(config: RunConfig, *, data_dir=None, checkpoint_dir=None) -> dict:
    time.sleep(0.2)
    return record(config, 0.18)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("known", [True, False])
def test_a_sweep_ends_in_time_and_the_next_one_goes_on(tmp_path: Path, monkeypatch, workers, known):
    monkeypatch.setattr(budget, "RESERVE_SECONDS", 0.5)
    store = Store(tmp_path)
    seen = []
    sweep(WARM, store, train=train_for, workers=workers, progress=False)  # a pool takes seconds to start
    spent = Budget(3.0, Estimator(costs(row(BASE, 0.18)) if known else costs()))
    records = sweep(RUNS, store, train=train_for, workers=workers, budget=spent, progress=False, finished=seen.append)
    assert spent.spent and 0 < spent.left < 1.5 and len(records) < 40
    assert len(records) == spent.finished == len(seen) == len(store.records()) - 2 > 2 * workers
    assert [entry["key"] for entry in records] == [config.key for config in RUNS if store.has(config)]
    again = Budget(60.0, Estimator(costs()))
    assert len(sweep(RUNS, store, train=train_for, workers=2, budget=again, progress=False)) == 40
    assert again.finished == 40 - spent.finished


def test_a_run_longer_than_the_budget_is_not_started(tmp_path: Path):
    spent = Budget(20.0, Estimator(costs(row(BASE, 60.0))))
    assert sweep(RUNS, Store(tmp_path), train=train_for, workers=2, budget=spent, progress=False) == []
    assert spent.finished == 0 and spent.left > 19
