from __future__ import annotations

import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy
import pytest

from made_up import BASE, environment, record_of, sealed
from randsparse import files
from randsparse.errors import StudyError
from randsparse.runs.config import DEFAULTS, RunConfig, compute_key
from randsparse.runs.store import CorruptRecord, Store, keep_comparable


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results")


def test_a_record_comes_back_as_it_was_put(store):
    assert store.get(BASE) is None and not store.has(BASE) and store.keys == [] and store.records() == []
    store.put(record_of(BASE))
    for reader in (store, Store(store.root)):
        assert record_of(BASE).items() <= reader.get(BASE).items()
        assert reader.has(BASE) and reader.keys == [BASE.key]
        assert reader.records("digits") == reader.records() == [reader.get(BASE)]
        assert reader.records("cifar10") == []
    assert store.path(BASE) == store.root / "runs" / "digits" / f"{BASE.key}.json"
    assert [path.name for path in store.path(BASE).parent.iterdir()] == [f"{BASE.key}.json"]


def test_the_file_is_strict_json_with_sorted_keys(store):
    changed = record_of(BASE, reason=math.nan)
    changed["curve"][0]["train_loss"] = numpy.float32(math.inf)
    changed["curve"][1]["train_loss"] = numpy.float64(0.25)
    store.put(changed)
    text = store.path(BASE).read_text()
    values = json.loads(text, parse_constant=lambda name: pytest.fail(f"{name} is not JSON"))
    assert text == json.dumps(values, sort_keys=True, indent=1) + "\n"
    assert values["reason"] is None
    assert [point["train_loss"] for point in values["curve"][:2]] == [None, 0.25]


def test_a_changed_file_is_read_again(store):
    store.put(record_of(BASE))
    assert store.get(BASE) is store.get(BASE)
    Store(store.root).put(record_of(BASE, reason="another process wrote this"))
    assert store.get(BASE)["reason"] == "another process wrote this"


def test_a_failed_run_never_replaces_another(store):
    store.put(record_of(BASE, status="failed"))
    assert store.get(BASE)["status"] == "failed"
    store.put(record_of(BASE))
    store.put(record_of(BASE, status="failed"))
    assert store.get(BASE)["status"] == "done"


def test_a_record_that_does_not_fit_its_config_is_not_written(store):
    with pytest.raises(StudyError, match="does not fit"):
        store.put(record_of(BASE, key="0" * 16))
    with pytest.raises(StudyError, match="status is 'finished'"):
        store.put(record_of(BASE, status="finished"))
    assert store.keys == []


@pytest.mark.parametrize("longer", [None, 5])
def test_a_beginning_is_answered_from_a_longer_run(store, longer):
    early = BASE.replace(stop_epoch=2)
    store.put(record_of(BASE.replace(stop_epoch=longer)))
    assert store.path(BASE.replace(stop_epoch=longer)) in store.paths(early)
    assert store.paths(early)[0] == store.path(early)
    own = Store(store.root / "own")
    own.put(record_of(early))
    answer = store.get(early)
    assert keep_comparable(answer) == keep_comparable(own.get(early))
    assert answer["cost"] == own.get(early)["cost"]
    assert store.digest([early]) == own.digest([early])
    assert store.get(BASE.replace(stop_epoch=5)) is not None
    assert store.get(early.replace(mask_seed=1)) is None


def test_a_run_that_diverged_answers_as_far_as_it_came(store):
    store.put(record_of(BASE, epochs=3, status="diverged", reason="loss not finite in epoch 3", test=None))
    assert store.get(BASE.replace(stop_epoch=2))["status"] == "stopped"
    assert len(store.get(BASE.replace(stop_epoch=2))["curve"]) == 2
    for stop in (3, 4):
        answer = store.get(BASE.replace(stop_epoch=stop))
        assert (answer["status"], answer["reason"]) == ("diverged", "loss not finite in epoch 3")


def test_a_failed_run_answers_for_no_other_and_is_answered_by_a_longer_one(store):
    early = BASE.replace(stop_epoch=2)
    store.put(record_of(BASE, status="failed"))
    assert store.get(early) is None
    store.put(record_of(early, status="failed"))
    assert store.get(early)["status"] == "failed"
    store.put(record_of(BASE))
    assert store.get(early)["status"] == "stopped"


DAMAGE = {
    "truncated": lambda text: text[: len(text) // 2],
    "empty": lambda text: "",
    "not text": lambda text: "\0\udcff",
    "not a record": lambda text: "[1, 2]",
    "other config": lambda text: sealed(text.replace('"epochs": 6,\n  "sparsity"', '"epochs": 7,\n  "sparsity"')),
    "other key": lambda text: sealed(text.replace(BASE.key, "0" * 16)),
    "unknown field": lambda text: sealed(text.replace('"sparsity"', '"sparsness"')),
    "unknown status": lambda text: sealed(text.replace('"done"', '"finished"')),
    "one digit": lambda text: text.replace('"nll": 0.3', '"nll": 0.4'),
}


@pytest.mark.parametrize("kind", DAMAGE)
def test_a_damaged_file_is_named_set_aside_and_nothing_else_touched(store, kind):
    other = BASE.replace(mask_seed=1)
    store.put(record_of(BASE))
    store.put(record_of(other))
    path = store.path(BASE)
    damaged = DAMAGE[kind](path.read_text()).encode(errors="surrogateescape")
    assert damaged != path.read_bytes()
    path.write_bytes(damaged)
    with pytest.raises(CorruptRecord, match=f"{path}.*set aside.*again") as caught:
        Store(store.root).load([other, BASE])
    assert "\n" not in str(caught.value)
    aside = path.with_name(path.name + ".corrupt")
    assert aside.read_bytes() == damaged and not path.exists()
    assert store.get(BASE) is None and store.get(other)["key"] == other.key
    path.write_bytes(b"{")
    with pytest.raises(CorruptRecord, match="corrupt2"):
        store.records()
    assert aside.read_bytes() == damaged


def test_all_damaged_files_are_reported_at_once(store):
    configs = [BASE.replace(mask_seed=seed) for seed in range(8)]
    for config in configs:
        store.put(record_of(config))
        store.path(config).write_text("{")
    with pytest.raises(CorruptRecord, match=f"{configs[0].key}.*{configs[1].key}.*and 3 more"):
        store.frame(configs)
    assert store.frame(configs).empty


def alien(store, change):
    """A record whose config this library refuses, with the key that fits it, as a newer version would write it."""
    record = record_of(BASE)
    record["config"] = change(record["config"])
    record["key"] = compute_key(record["config"])
    path = store.path(BASE).with_name(f"{record['key']}.json")
    path.write_text(json.dumps(record))
    return path


@pytest.mark.parametrize(
    "change",
    [
        lambda config: config | {"dataset": "larger"},
        lambda config: config | {"method": "lottery"},
        lambda config: config | {"dropout": 0.5},
    ],
    ids=["dataset", "method", "field"],
)
def test_what_another_version_knows_is_left_in_place_and_counted(store, caplog, change):
    store.put(record_of(BASE))
    path = alien(store, change)
    assert [record["key"] for record in store.records()] == [BASE.key]
    assert path.exists() and not list(path.parent.glob("*.corrupt*"))
    (line,) = caplog.messages
    assert line.startswith("left in place, since this library does not know them: 1 record(s), such as")
    store.records()
    assert len(caplog.messages) == 1  # said once
    path.write_text(path.read_text().replace(path.stem, "f" * 16))  # a key that fits nothing: damaged
    path.rename(path.with_name(f"{'f' * 16}.json"))
    with pytest.raises(CorruptRecord, match="f{16}.json"):
        store.records()


def test_another_schema_version_is_left_in_place_and_not_overwritten(store, caplog):
    store.put(record_of(BASE))
    path = store.path(BASE)
    path.write_text(text := sealed(path.read_text().replace('"schema": 1', '"schema": 2')))
    assert store.get(BASE) is None and store.records() == []
    with pytest.raises(StudyError, match="is unknown to this library .*schema version 2.* it was left in place"):
        store.put(record_of(BASE))
    assert path.read_text() == text and "schema version 2" in caplog.text


def test_damaged_files_are_all_set_aside_at_once_and_files_of_a_user_never(store):
    runs = [BASE.replace(mask_seed=seed) for seed in range(30)]
    for run in runs:
        store.put(record_of(run))
        store.path(run).write_text("")
    notes = store.path(BASE).with_name("notes.json")
    notes.write_text("my notes")
    with pytest.raises(CorruptRecord, match="and 25 more: run the same command again to train it anew"):
        store.has(runs[3])
    assert store.records() == [] and notes.read_text() == "my notes"
    assert len(list(notes.parent.glob("*.corrupt"))) == 30


@pytest.mark.parametrize(
    "part, name, value",
    [
        ("test", "accuracy", 17),
        ("test", "accuracy", -1),
        ("test", "accuracy", True),
        ("test", "accuracy", "0.9"),
        ("test", "accuracy", None),
        ("cost", "seconds", -5),
        ("cost", "seconds", "12.5"),
        ("density", "empty_layers", 3),
        ("density", "layers", {"a": 2}),
        ("environment", "threads", 2**70),
        ("environment", "device", 1),
        (None, "test", None),
        (None, "test", {}),
        (None, "reason", {"a": 1}),
        (None, "density", []),
        (None, "curve", []),
    ],
)
def test_a_value_that_no_run_has_is_damage_and_is_not_stored(store, part, name, value):
    record = record_of(BASE)
    (record[part] if part else record)[name] = value
    with pytest.raises(StudyError, match="cannot be stored: not a record: "):
        store.put(record)
    store.put(record_of(BASE))
    store.path(BASE).write_text(json.dumps(record))
    with pytest.raises(CorruptRecord, match=f"{BASE.key}.json .not a record: "):
        store.get(BASE)


@pytest.mark.parametrize("epochs", [0, 5, 7])
def test_a_curve_of_another_length_than_training_is_damage(store, epochs):
    longer = record_of(BASE.replace(epochs=9))["curve"]
    with pytest.raises(StudyError, match=f"its curve has {epochs} of 6 epochs"):
        store.put(record_of(BASE, curve=longer[:epochs]))
    store.put(record_of(BASE, curve=longer[:4], status="diverged", reason="nan"))


def test_records_of_other_training_semantics_are_passed_over(store):
    store.put(record_of(BASE))
    path = store.path(BASE)
    old = path.with_name("0123456789abcdef.json")
    old.write_text(sealed(path.read_text().replace(BASE.key, old.stem).replace('"semantics": 1', '"semantics": 0')))
    assert [record["key"] for record in store.records()] == [BASE.key]
    assert old.exists()


def test_a_damaged_file_of_a_read_only_store_is_reported_and_stays(store):
    store.put(record_of(BASE))
    store.path(BASE).write_text("{")
    with pytest.raises(CorruptRecord, match="read-only"):
        Store(store.root, read_only=True).get(BASE)
    assert store.path(BASE).exists()


def test_a_read_only_store_reads_and_does_not_write(store):
    store.put(record_of(BASE))
    reader = Store(store.root, read_only=True)
    assert reader.has(BASE)
    with pytest.raises(StudyError, match="read-only"):
        reader.put(record_of(BASE.replace(mask_seed=1)))


def test_a_folder_that_cannot_be_written_is_one_clear_error(tmp_path, store, monkeypatch):
    (tmp_path / "file").write_text("")
    below_a_file = Store(tmp_path / "file" / "results")
    assert below_a_file.get(BASE) is None and below_a_file.records() == []
    with pytest.raises(StudyError, match="cannot write to the results folder.*make it writable"):
        below_a_file.put(record_of(BASE))

    def refuse(*arguments, **options):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(files, "open", refuse, raising=False)
    with pytest.raises(StudyError, match="cannot write.*Read-only file system"):
        store.check_writable("digits")
    assert list(store.root.rglob("*.*")) == []


def test_a_full_disk_leaves_the_earlier_record_whole(store, monkeypatch):
    store.put(record_of(BASE))
    before = store.path(BASE).read_bytes()

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(StudyError, match="No space left"):
        store.put(record_of(BASE, reason="second"))
    assert store.path(BASE).read_bytes() == before
    assert list(store.path(BASE).parent.iterdir()) == [store.path(BASE)]


def test_files_that_a_kill_left_are_ignored_and_removed(store):
    """A process killed between writing and renaming leaves a temporary file; those of living ones stay."""
    program = """
import os, signal, sys
from randsparse import files
os.replace = lambda source, target: os.kill(os.getpid(), signal.SIGKILL)
path = files.Path(sys.argv[1])
path.parent.mkdir(parents=True)
files.write(path, b"{half")
"""
    path = store.path(BASE)
    killed = subprocess.run([sys.executable, "-c", program, str(path)], env=environment(), timeout=60)
    assert killed.returncode == -9
    (left,) = path.parent.iterdir()
    assert left.suffix == ".tmp" and store.get(BASE) is None and store.records() == []
    mine = files._temporary(path.with_name("other.json"))
    mine.write_text("under way")
    elsewhere = path.with_name("other.json.another-machine-1.tmp")
    elsewhere.write_text("under way")
    store.put(record_of(BASE))
    assert sorted(path.parent.iterdir()) == sorted([path, mine, elsewhere])
    os.utime(elsewhere, (0, 0))
    Store(store.root).put(record_of(BASE))
    assert not elsewhere.exists()


@pytest.mark.parametrize("hours", [-4, 4])
def test_a_clock_that_jumps_removes_no_file_of_a_living_process(tmp_path, monkeypatch, hours):
    living = files._temporary(tmp_path / "living.json")
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait(timeout=60)
    dead = living.with_name(living.name.replace("living", "dead").replace(f"-{os.getpid()}.", f"-{ended.pid}."))
    for path in (living, dead):
        path.write_text("under way")
    now = time.time()
    monkeypatch.setattr(files.time, "time", lambda: now + 3600 * hours)
    files.clean(tmp_path)
    assert list(tmp_path.iterdir()) == [living]


def test_frame_has_one_row_a_run_in_the_order_asked(store):
    missing, failed = BASE.replace(mask_seed=9), BASE.replace(mask_seed=1)
    early = BASE.replace(stop_epoch=2, train_samples=100)
    store.put(record_of(BASE))
    store.put(record_of(early))
    nothing = {"curve": [], "test": None, "density": {}, "cost": {}}
    store.put(record_of(failed, status="failed", reason="TypeError: x", **nothing))
    frame = store.frame([early, missing, failed, BASE, early])
    assert frame["key"].tolist() == [early.key, failed.key, BASE.key]
    assert set(DEFAULTS) <= set(frame.columns)
    assert frame["status"].tolist() == ["stopped", "failed", "done"]
    assert frame["lr"].tolist() == [0.1] * 3 and frame["mask_seed"].tolist() == [0, 1, 0]
    assert frame["stop_epoch"].isna().tolist() == [False, True, True] and frame["stop_epoch"][0] == 2
    assert frame["reason"][1] == "TypeError: x"
    assert frame["epochs_done"].tolist() == [2, 0, 6]
    row = frame.iloc[2]
    expected = {
        "test_accuracy": 0.9,
        "test_nll": 0.3,
        "test_brier": 0.2,
        "test_ece": 0.01,
        "val_accuracy": 0.6,
        "val_loss": 2 / 6,
        "density_asked": 0.5,
        "density_realised": 0.5,
        "density_effective": 0.49,
        "empty_layers": 1,
        "seconds": 12.0,
        "images_per_second": 50.0,
        "flops": 6e6,
        "sparse_flops": 3e6,
    }
    assert {name: row[name] for name in expected} == expected
    assert frame.iloc[1][["test_accuracy", "val_accuracy", "density_realised", "seconds"]].isna().all()
    numbers = [*expected, "epochs_done"]
    assert set(map(str, frame[numbers].dtypes)) == {"float64"}
    assert store.frame([missing]).columns.tolist() == store.frame().columns.tolist() == frame.columns.tolist()
    assert store.frame([missing]).dtypes.equals(store.frame([]).dtypes)


def test_frame_and_digest_do_not_depend_on_the_order_of_writing(tmp_path):
    configs = [BASE.replace(mask_seed=seed) for seed in range(5)]
    one, two = Store(tmp_path / "one"), Store(tmp_path / "two")
    for config in configs:
        one.put(record_of(config))
    for config in reversed(configs):
        two.put(record_of(config, environment={"torch": "3"}, cost={"seconds": 1.0}))
    two.put(record_of(RunConfig(epochs=6)))
    columns = [column for column in one.frame().columns if column not in record_of(BASE)["cost"]]
    assert one.frame(configs)[columns].equals(two.frame(configs)[columns])
    assert one.frame()["key"].tolist() == sorted(config.key for config in configs)
    assert one.digest(configs) == one.digest() == two.digest(configs[::-1]) == two.digest(configs * 2)
    assert len({one.digest(configs), one.digest(configs[1:]), one.digest([]), two.digest()}) == 4
    one.put(record_of(configs[0], reason="changed"))
    assert one.digest(configs) != two.digest(configs)


def test_curves_have_one_row_a_run_and_epoch(store):
    early = BASE.replace(stop_epoch=2)
    store.put(record_of(BASE))
    curves = store.curves([early, BASE])
    assert curves["key"].tolist() == [early.key] * 2 + [BASE.key] * 6
    assert curves["epoch"].tolist() == [1, 2, 1, 2, 3, 4, 5, 6]
    assert curves["epoch"].dtype.kind == "i"
    assert curves["val_loss"].tolist() == [2 / e for e in curves["epoch"]]
    assert set(DEFAULTS) | {"lr", "train_loss", "val_accuracy"} <= set(curves.columns)
    assert store.curves([BASE.replace(mask_seed=7)]).columns.tolist() == curves.columns.tolist()


def test_comparable_leaves_out_cost_and_environment():
    assert set(record_of(BASE)) - set(keep_comparable(record_of(BASE))) == {"cost", "environment"}
