from __future__ import annotations

import json
import multiprocessing
import os
import random
import struct
import time
from pathlib import Path

import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from made_up import BASE, record_of
from randsparse.errors import StudyError
from randsparse.runs import frame_cache, records
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


@pytest.fixture
def parsed(monkeypatch) -> list[str]:
    """The keys of the records that were parsed, in order."""
    keys: list[str] = []
    parse = records.parsed

    def counted(text: bytes):
        found = parse(text)
        keys.append(found[0]["key"])
        return found

    monkeypatch.setattr(records, "parsed", counted)
    return keys


def cache_of(store: Store) -> Path:
    return store.root / ".cache" / frame_cache.FILE


def uncached(store: Store) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Frame and costs of all runs, made from the records."""
    rows = [records.row(RunConfig.from_dict(record["config"]), record) for record in Store(store.root).records()]
    made = records.frame_of(rows)
    return made[list(records.COLUMNS)], made[list(records.COST_COLUMNS)]


def check(store: Store) -> None:
    """All frames of a store are those of its records, cold and warm, and so is `frame` of the same configs."""
    frame, costs = uncached(store)
    for _ in range(2):
        assert_frame_equal(Store(store.root).frame(), frame)
        assert_frame_equal(Store(store.root).costs(), costs)
    configs = [RunConfig.from_dict(record["config"]) for record in Store(store.root).records()]
    assert_frame_equal(Store(store.root).frame(configs), frame)


def test_a_cached_frame_is_that_of_the_records(store):
    check(store)
    assert cache_of(store).is_file()
    assert Store(store.root).frame()["key"].tolist() == [record["key"] for record in store.records()]
    assert Store(store.root).frame()["milestones"].map(type).eq(tuple).all()
    assert set(Store(store.root).frame()["layer_densities"]) == {config.layer_densities for config in CONFIGS}


def test_a_frame_of_no_runs_has_the_same_columns_and_makes_no_folder(tmp_path):
    empty = Store(tmp_path / "results")
    assert_frame_equal(empty.frame(), empty.frame([BASE]))
    assert empty.costs().columns.tolist() == list(records.COST_COLUMNS)
    assert not empty.root.exists()


def test_costs_say_what_each_run_took_and_on_which_machine(store):
    store.put(record_of(BASE.replace(mask_seed=8), status="failed", curve=[], cost={}, environment={"threads": "two"}))
    costs = store.costs().set_index("key")
    run = costs.loc[BASE.key]
    assert (run["seconds"], run["epochs_done"], run["flops"], run["status"]) == (12.0, 6.0, 6e6, "done")
    assert (run["device"], run["hardware"], run["threads"]) == ("cpu", "x86_64", 1)
    failed = costs.loc[BASE.replace(mask_seed=8).key]
    assert failed[["seconds", "images", "device", "hardware", "threads"]].isna().all()
    assert set(costs["dataset"]) == {"digits", "cifar10"}
    check(store)


def test_only_files_that_changed_are_parsed_again(store, parsed):
    Store(store.root).frame()
    assert len(parsed) == len(CONFIGS)
    parsed.clear()
    Store(store.root).frame()
    Store(store.root).costs()
    assert parsed == []
    Store(store.root).frame([BASE])
    assert parsed == [BASE.key]


def test_additions_changes_and_removals_are_seen(store, parsed):
    Store(store.root).frame()
    new = BASE.replace(mask_seed=3)
    store.put(record_of(new))
    store.put(record_of(BASE, status="diverged", reason="loss not finite", test=None))
    store.path(CONFIGS[1]).unlink()
    parsed.clear()
    frame = Store(store.root).frame().set_index("key")
    assert sorted(parsed) == sorted([new.key, BASE.key])
    assert frame.loc[BASE.key, "reason"] == "loss not finite" and pd.isna(frame.loc[BASE.key, "test_accuracy"])
    assert new.key in frame.index and CONFIGS[1].key not in frame.index
    parsed.clear()
    Store(store.root).frame()
    assert parsed == []
    check(store)
    for config in [*CONFIGS, new]:
        store.path(config).unlink(missing_ok=True)
    assert_frame_equal(Store(store.root).frame(), store.frame([]))


def test_a_removal_alone_is_seen(store):
    store.frame()
    store.path(BASE).unlink()
    check(store)


def test_a_damaged_cache_is_made_anew(store):
    """Bytes that changed, bytes that are missing, and another file in its place: the frame is the same."""
    frame, _ = uncached(store)
    store.frame()
    whole = cache_of(store).read_bytes()
    source = random.Random(0)
    damaged = [b"", b"PAR1", whole[: len(whole) // 2], whole + b"more", b"\0" * len(whole), b'{"a": 1}']
    for _ in range(60):
        changed = bytearray(whole)
        changed[source.randrange(len(whole))] ^= 1 << source.randrange(8)
        damaged.append(bytes(changed))
    accuracy = struct.pack("<d", 0.9)  # a value, where only a checksum tells
    damaged.append(whole.replace(accuracy, struct.pack("<d", 0.8)))
    assert damaged[-1] != whole
    for content in damaged:
        cache_of(store).write_bytes(content)
        assert_frame_equal(Store(store.root).frame(), frame)
    cache_of(store).unlink()
    cache_of(store).mkdir()
    assert_frame_equal(Store(store.root).frame(), frame)


def test_the_cache_of_another_library_is_made_anew(store, parsed, monkeypatch):
    Store(store.root).frame()
    monkeypatch.setattr(frame_cache, "_MADE_BY", "another version")
    frame_cache._schema.cache_clear()
    try:
        parsed.clear()
        Store(store.root).frame()
        assert len(parsed) == len(CONFIGS)
    finally:
        frame_cache._schema.cache_clear()


def test_the_version_of_the_cache_is_that_of_the_code_that_makes_rows():
    assert {path.name for path in frame_cache._CODE} == {"config.py", "records.py", "frame_cache.py"}


def test_damaged_records_are_reported_as_without_a_cache_and_the_others_kept(store, parsed):
    Store(store.root).frame()
    store.path(BASE).write_text("{")
    parsed.clear()
    with pytest.raises(CorruptRecord, match=f"{BASE.key}.json .*set aside"):
        Store(store.root).frame()
    assert not store.path(BASE).exists() and parsed == []
    check(store)
    store.path(BASE).write_text("{")
    for _ in range(2):
        with pytest.raises(CorruptRecord, match="left in place in a read-only store"):
            Store(store.root, read_only=True).costs()


def test_a_record_of_another_schema_version_is_an_error_each_time(store):
    Store(store.root).frame()
    path = store.path(BASE)
    path.write_text(path.read_text().replace('"schema": 1', '"schema": 2'))
    for _ in range(2):
        with pytest.raises(StudyError, match="schema version 2.*left in place"):
            Store(store.root).frame()
    assert path.exists()


def test_records_of_other_semantics_are_left_out_and_not_parsed_again(store, parsed):
    text = store.path(BASE).read_text()
    old = store.path(BASE).with_name("0123456789abcdef.json")
    old.write_text(text.replace(BASE.key, old.stem).replace('"semantics": 1', '"semantics": 0'))
    check(store)
    assert old.stem not in set(Store(store.root).frame()["key"])
    parsed.clear()
    Store(store.root).frame()
    assert parsed == [] and old.exists()


def test_a_store_that_cannot_be_written_has_frames_and_no_cache(store, monkeypatch):
    frame, _ = uncached(store)
    assert_frame_equal(Store(store.root, read_only=True).frame(), frame)
    assert not cache_of(store).parent.exists()
    cache_of(store).parent.write_text("a file in place of the folder")
    assert_frame_equal(Store(store.root).frame(), frame)
    cache_of(store).parent.unlink()

    def refuse(*arguments, **options):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Path, "mkdir", refuse)
    assert_frame_equal(Store(store.root).frame(), frame)
    monkeypatch.undo()
    monkeypatch.setattr(os, "fsync", refuse)
    assert_frame_equal(Store(store.root).frame(), frame)
    assert list(cache_of(store).parent.iterdir()) == []


@pytest.mark.parametrize(
    "changes",
    [
        {"reason": {"a": 1}},
        {"reason": 5},
        {"cost": {"seconds": "12.5"}},
        {"environment": {"device": 1, "threads": 2.5}},
    ],
    ids=str,
)
def test_values_of_unusual_types_are_in_the_frame_as_without_a_cache(store, changes):
    store.put(record_of(BASE.replace(mask_seed=5), **changes))
    check(store)


def test_seeds_beyond_64_bits_are_in_the_frame(store):
    store.put(record_of(BASE.replace(mask_seed=2**70)))
    check(store)
    assert 2**70 in Store(store.root).frame()["mask_seed"].tolist()


def _read_often(root: Path, times: int) -> None:
    for _ in range(times):
        frame = Store(root).frame()
        assert set(frame["key"]) >= {config.key for config in CONFIGS}
        assert frame["test_accuracy"].dropna().eq(0.9).all()


def test_processes_that_read_and_write_at_the_same_time_all_get_their_frames(store):
    context = multiprocessing.get_context("spawn")
    readers = [context.Process(target=_read_often, args=(store.root, 15)) for _ in range(2)]
    for reader in readers:
        reader.start()
    deadline = time.monotonic() + 60
    while any(reader.is_alive() for reader in readers) and time.monotonic() < deadline:
        store.put(record_of(BASE.replace(mask_seed=20 + int(time.monotonic() * 20) % 100)))
        time.sleep(0.02)
    for reader in readers:
        reader.join(60)
    assert [reader.exitcode for reader in readers] == [0, 0]
    assert [path.name for path in cache_of(store).parent.iterdir()] == [frame_cache.FILE]
    check(store)


def test_a_warm_frame_of_many_records_parses_none(tmp_path, parsed):
    store = Store(tmp_path)
    store.put(record_of(BASE))
    for seed in range(2_000):
        config = BASE.replace(mask_seed=seed)
        store.path(config).write_text(json.dumps(record_of(config)))
    cold = Store(store.root).frame()
    assert len(parsed) == len(cold) == len(store.keys) == 2_000
    parsed.clear()
    assert_frame_equal(Store(store.root).frame(), cold)
    assert parsed == []
    assert cold["key"].is_monotonic_increasing and sorted(cold["mask_seed"]) == list(range(2_000))
