"""Frames of a whole store: the rows of its records, whatever else its folders have."""

from __future__ import annotations

from pathlib import Path

import pytest
from pandas.testing import assert_frame_equal

from made_up import BASE, record_of, sealed
from randsparse.runs import records
from randsparse.runs.config import RunConfig
from randsparse.runs.store import CorruptRecord, Store

MACHINE = {"torch": "2", "device": "cpu", "hardware": "x86_64", "threads": 1}
CONFIGS = [
    BASE,
    BASE.replace(stop_epoch=2, train_samples=100),
    BASE.replace(schedule="step", milestones=(0.25, 0.6, 0.9)),
    BASE.replace(sparsity=0.5, rule="custom", layer_densities={"stem.weight": 1.0, "classifier.weight": 0.5}),
    BASE.replace(mask_seed=1, nesterov=False),
    BASE.replace(dataset="cifar10", mask_seed=2),
]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    filled = Store(tmp_path / "results")
    for config in CONFIGS:
        filled.put(record_of(config, environment=MACHINE))
    return filled


def check(store: Store) -> None:
    """The frame of all runs is that of their configs, in the order of datasets and keys, whoever reads it."""
    configs = [RunConfig.from_dict(record["config"]) for record in Store(store.root).records()]
    assert_frame_equal(Store(store.root).frame(), store.frame(configs))
    assert_frame_equal(store.frame(), store.frame(configs))


def test_the_frame_of_all_runs_is_that_of_their_configs(store):
    check(store)
    assert store.frame()["key"].tolist() == [record["key"] for record in store.records()]
    assert store.frame()["milestones"].map(type).eq(tuple).all()
    assert set(store.frame()["layer_densities"]) == {config.layer_densities for config in CONFIGS}
    assert sorted(path.name for path in store.root.iterdir()) == ["runs"]


def test_a_frame_of_no_runs_has_the_same_columns_and_makes_no_folder(tmp_path):
    empty = Store(tmp_path / "results")
    assert_frame_equal(empty.frame(), empty.frame([BASE]))
    assert empty.costs().columns.tolist() == list(records.COST_COLUMNS)
    assert not empty.root.exists()


def test_costs_say_what_each_run_took_and_on_which_machine(store):
    store.put(record_of(BASE.replace(mask_seed=8), status="failed", curve=[], cost={}, environment={}))
    costs = store.costs().set_index("key")
    run = costs.loc[BASE.key]
    assert (run["seconds"], run["epochs_done"], run["flops"], run["status"]) == (12.0, 6.0, 6e6, "done")
    assert (run["device"], run["hardware"], run["threads"]) == ("cpu", "x86_64", 1)
    failed = costs.loc[BASE.replace(mask_seed=8).key]
    assert failed[["seconds", "images", "device", "hardware", "threads"]].isna().all()
    assert set(costs["dataset"]) == {"digits", "cifar10"}
    check(store)


def test_a_sample_of_costs_reads_no_more_records_than_it_has(store, monkeypatch):
    everything, read, read_bytes = store.costs(), [], Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read.append(path) or read_bytes(path))
    sample = Store(store.root).costs(sample=4)
    assert sorted(sample["key"]) == sorted(everything["key"])[:4] and len(read) == 4
    assert_frame_equal(Store(store.root).costs(sample=100), everything)


def test_additions_changes_and_removals_are_seen(store):
    store.frame()
    new = BASE.replace(mask_seed=3)
    store.put(record_of(new))
    Store(store.root).put(record_of(BASE, status="diverged", reason="loss not finite", test=None))
    store.path(CONFIGS[1]).unlink()
    frame = store.frame().set_index("key")
    assert frame.loc[BASE.key, "reason"] == "loss not finite" and frame["test_accuracy"].isna()[BASE.key]
    assert new.key in frame.index and CONFIGS[1].key not in frame.index
    check(store)


def test_damaged_records_are_reported_and_the_others_kept(store):
    store.frame()
    store.path(BASE).write_text("{")
    with pytest.raises(CorruptRecord, match=f"{BASE.key}.json .*set aside"):
        Store(store.root).frame()
    assert not store.path(BASE).exists()
    check(store)
    store.path(BASE).write_text("{")
    for _ in range(2):
        with pytest.raises(CorruptRecord, match="left in place in a read-only store"):
            Store(store.root, read_only=True).costs()


def test_records_of_other_semantics_are_left_out(store):
    text = store.path(BASE).read_text()
    old = store.path(BASE).with_name("0123456789abcdef.json")
    old.write_text(sealed(text.replace(BASE.key, old.stem).replace('"semantics": 1', '"semantics": 0')))
    check(store)
    assert old.stem not in set(store.frame()["key"]) and old.exists()


def test_seeds_beyond_64_bits_are_in_the_frame(store):
    store.put(record_of(BASE.replace(mask_seed=2**70)))
    check(store)
    assert 2**70 in store.frame()["mask_seed"].tolist()
