from __future__ import annotations

import errno
import fcntl
import os
import platform
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from made_up import environment, record_of, sealed
from randsparse import files
from randsparse.errors import StudyError
from randsparse.runs.config import RunConfig
from randsparse.runs.store import Store, keep_comparable
from randsparse.sweeps import locks
from randsparse.sweeps import sweep as sweeping
from randsparse.sweeps.locks import LOCK
from randsparse.sweeps.sweep import sweep
from randsparse.sweeps.tasks import use_one_thread
from stand_ins import (
    CONFIGS,
    calls,
    run,
    started,
    train,
    train_or_fail,
    train_with_a_kill,
    train_with_kills,
    train_with_kills_beside_another,
    train_without_data,
    wait_until,
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path)


def test_what_is_missing_is_trained_once_and_returned_in_plan_order(store):
    store.put(record_of(CONFIGS[1]))
    plan = [CONFIGS[2], CONFIGS[1], CONFIGS[2], CONFIGS[0]]
    records = run(plan, store)
    assert [record["key"] for record in records] == [plan[i].key for i in (0, 1, 3)]
    assert calls(store) == [CONFIGS[2].key, CONFIGS[0].key]
    assert run(iter(plan), store) == records
    assert len(calls(store)) == 2


def test_serial_and_parallel_sweeps_give_the_same_records_in_one_thread(tmp_path):
    serial, parallel = Store(tmp_path / "serial"), Store(tmp_path / "parallel")
    one, two = run(CONFIGS, serial), run(CONFIGS, parallel, workers=2)
    assert list(map(keep_comparable, one)) == list(map(keep_comparable, two))
    assert serial.digest(CONFIGS) == parallel.digest(CONFIGS)
    assert {record["environment"]["threads"] for record in one + two} == {1}
    assert {record["environment"]["process"] for record in one} == {os.getpid()}
    assert os.getpid() not in {record["environment"]["process"] for record in two}
    assert sorted(calls(parallel)) == sorted(config.key for config in CONFIGS)


def test_one_thread_gives_back_what_was_set():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with use_one_thread():
            assert torch.get_num_threads() == 1
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


def test_a_plan_is_asked_again_until_nothing_is_missing(store):
    """A search: three candidates stop after an epoch, the best of them is trained to the end."""
    candidates = [config.replace(stop_epoch=1) for config in CONFIGS[:3]]

    def plan(store: Store) -> list[RunConfig]:
        records = [store.get(config) for config in candidates]
        if None in records:
            return candidates
        best = max(records, key=lambda record: record["curve"][-1]["val_accuracy"])
        return [RunConfig.from_dict(best["config"]).trajectory]

    records = run(plan, store)
    expected = [*(config.key for config in candidates), CONFIGS[2].key]
    assert [record["key"] for record in records] == expected == calls(store)


def test_of_runs_of_one_trajectory_the_longest_is_trained(store):
    plan = [
        CONFIGS[0].replace(stop_epoch=1),
        CONFIGS[0],
        CONFIGS[1].replace(stop_epoch=1),
        CONFIGS[1].replace(stop_epoch=3),
    ]
    records = run(plan, store)
    assert [len(record["curve"]) for record in records] == [1, 4, 1, 3]
    assert calls(store) == [plan[1].key, plan[3].key]


@pytest.mark.parametrize("workers", [1, 2])
def test_an_exception_is_a_failed_run_that_is_tried_again_only_when_asked(store, workers):
    records = run(CONFIGS[:3], store, train_or_fail, workers)
    assert [record["status"] for record in records] == ["done", "failed", "done"]
    assert records[1]["reason"].startswith("TypeError: a message of two lines (stand_ins.py, line ")
    assert records[1] == store.get(CONFIGS[1]) and records[1]["density"]["asked"] == 0.5
    assert store.frame(CONFIGS[:3])["reason"].notna().tolist() == [False, True, False]
    assert run(CONFIGS[:3], store) == records
    assert run(CONFIGS[:3], store, train_or_fail, retry_failed=True)[1]["status"] == "failed"
    assert run(CONFIGS[:3], store, retry_failed=True)[1]["status"] == "done"
    assert calls(store).count(CONFIGS[1].key) == 3 and calls(store).count(CONFIGS[0].key) == 1


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_that_concerns_all_runs_ends_the_sweep(store, workers):
    with pytest.raises(StudyError, match="^no data in here$"):
        run(CONFIGS, store, train_without_data, workers, data_dir="here")
    assert store.records() == []


@pytest.mark.parametrize("root", ["file/results", "read-only"])
def test_a_store_that_cannot_be_written_is_an_error_before_training(tmp_path, root):
    (tmp_path / "file").write_text("")
    checkpoints = tmp_path / "checkpoints"
    with pytest.raises(StudyError, match="read-only|cannot write"):
        run(CONFIGS, Store(tmp_path / root, read_only=root == "read-only"), checkpoints=checkpoints)
    assert started(checkpoints) == []


def test_a_folder_of_checkpoints_that_cannot_be_written_is_an_error_before_training(tmp_path, store):
    (tmp_path / "file").write_text("")
    with pytest.raises(StudyError, match="cannot write"):
        run(CONFIGS, store, checkpoints=tmp_path / "file")
    assert store.records() == []


def test_a_complete_sweep_needs_no_writable_store(store):
    run(CONFIGS[:2], store)
    assert len(run(CONFIGS[:2], Store(store.root, read_only=True))) == 2


def test_workers_must_be_positive(store):
    with pytest.raises(StudyError, match="workers=0"):
        run(CONFIGS, store, workers=0)


def test_a_corrupt_record_is_reported_and_the_same_command_trains_it_anew(store):
    run(CONFIGS[:3], store)
    store.path(CONFIGS[1]).write_text("{")
    with pytest.raises(StudyError, match=CONFIGS[1].key):
        run(CONFIGS[:3], store)
    records = run(CONFIGS[:3], store)
    assert records[1]["status"] == "done" and len(calls(store)) == 4


def test_the_bar_says_how_many_runs_and_counts_their_epochs(store, capsys):
    store.put(record_of(CONFIGS[0]))
    sweep([*CONFIGS[:3], CONFIGS[3].replace(stop_epoch=2)], store, train=train, workers=1)
    shown = capsys.readouterr().err
    assert "training 3 runs" in shown and "10/10" in shown
    sweep(CONFIGS[:3], store, train=train, workers=1)
    assert capsys.readouterr().err == ""


def test_a_killed_worker_costs_its_run_a_retry(store):
    records = run(CONFIGS, store, train_with_a_kill, workers=2)
    assert [record["status"] for record in records] == ["done"] * 6
    counts = {config.mask_seed: calls(store).count(config.key) for config in CONFIGS}
    assert counts[2] == 2
    assert list((store.root / "weights").iterdir()) == []  # what it had begun to write
    assert sum(counts.values()) <= 6 + 3  # the killed one, the one beside it, one whose record was on its way


def test_a_run_that_kills_its_workers_is_given_up_and_the_others_are_trained(store):
    with pytest.raises(StudyError, match=f"died.*{CONFIGS[2].key}: finished runs are stored, 1 are missing"):
        run(CONFIGS, store, train_with_kills, workers=2, retries=0)
    assert [config.mask_seed for config in CONFIGS if store.has(config)] == [0, 1, 3, 4, 5]


def test_a_run_that_is_always_beside_a_deadly_one_is_tried_alone(store):
    """Both die with their pool until no retry is left."""
    with pytest.raises(StudyError, match=f"died.*{CONFIGS[2].key}: finished runs are stored, 1 are missing"):
        run(CONFIGS[2:4], store, train_with_kills_beside_another, workers=2, retries=1)
    assert [config.mask_seed for config in CONFIGS if store.has(config)] == [3]


def test_a_killed_sweep_goes_on_with_what_is_missing(tmp_path, store):
    """SIGKILL of the coordinator in mid-sweep: its workers end too, no finished run is trained again."""
    program = """
import sys
import stand_ins
from randsparse.runs.store import Store
stand_ins.run(stand_ins.CONFIGS, Store(sys.argv[1]), stand_ins.train_two, workers=2)
"""
    command = [sys.executable, "-c", program, str(store.root)]
    coordinator = subprocess.Popen(command, env=environment())
    wait_until(lambda: (len(store.keys) == 2 and len(calls(store)) == 4) or coordinator.poll() is not None)
    coordinator.kill()
    coordinator.wait()
    finished = {path: path.stat().st_mtime_ns for path in map(store.path, CONFIGS) if path.exists()}
    assert list(finished) == [store.path(config) for config in CONFIGS[:2]]
    workers = {record["environment"]["process"] for record in store.records()}
    wait_until(lambda: not any(map(running, workers)), 60)
    assert workers and not any(map(running, workers))
    before = calls(store)

    records = run(CONFIGS, store)
    undisturbed = Store(tmp_path / "undisturbed")
    assert list(map(keep_comparable, records)) == list(map(keep_comparable, run(CONFIGS, undisturbed)))
    again = calls(store)[len(before) :]
    assert sorted(again) == sorted(config.key for config in CONFIGS if store.path(config) not in finished)
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    assert sorted((store.root / "runs").rglob("*.*")) == sorted(map(store.path, CONFIGS))


def test_sweeps_of_one_store_wait_for_each_other_and_train_nothing_twice(tmp_path, store):
    program = """
import sys
import stand_ins
from randsparse.runs.store import Store
print(len(stand_ins.run(stand_ins.CONFIGS, Store(sys.argv[1]), stand_ins.train_slowly, workers=int(sys.argv[2]))))
"""
    command = [sys.executable, "-c", program, str(store.root)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "env": environment()}
    two = [subprocess.Popen([*command, workers], **pipes) for workers in ("1", "2")]
    done = [process.communicate(timeout=300) for process in two]
    assert [out for out, _ in done] == ["6\n", "6\n"]
    assert sorted(calls(store)) == sorted(config.key for config in CONFIGS)
    first, second = sorted(range(2), key=lambda index: len(done[index][1]))
    place = f"process {two[first].pid} on {platform.node()}"
    assert done[first][1] == ""
    assert done[second][1] == f"waiting for {place}, which is at work on {store.root}\n"


def test_a_lock_left_by_a_process_that_is_gone_is_none_and_a_complete_sweep_takes_none(store):
    store.root.mkdir(exist_ok=True)
    (store.root / LOCK).write_text("process 1 on another machine, which died long ago")
    assert len(run(CONFIGS, store)) == 6
    (store.root / LOCK).unlink()
    assert len(run(CONFIGS, store)) == 6 and not (store.root / LOCK).exists()


def test_a_sweep_within_a_sweep_that_lacks_nothing_does_not_wait(store):
    """As of a notebook that is executed while another one trains."""
    run(CONFIGS[:1], store)
    inner = []
    run(CONFIGS, store, finished=lambda record: inner.append(run(CONFIGS[:1], Store(store.root))))
    assert len(inner) == 5


def test_where_files_cannot_be_locked_the_log_says_so(store, monkeypatch, caplog):
    def refuse(*arguments):
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))

    monkeypatch.setattr(fcntl, "flock", refuse)
    assert len(run(CONFIGS, store)) == 6
    assert "start no second sweep on this store" in caplog.text


@pytest.mark.parametrize("workers", [1, 2])
def test_a_disk_that_fills_up_ends_the_sweep_in_one_line_and_the_next_one_goes_on(store, workers, monkeypatch):
    synchronise, left = os.fsync, [4]

    def fsync(descriptor):
        left[0] -= 1
        if left[0] < 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        synchronise(descriptor)

    monkeypatch.setattr(files.os, "fsync", fsync)  # twice a record: the file, then its folder
    with pytest.raises(StudyError, match="^cannot write .*: No space left on device; what was written before is whole"):
        run(CONFIGS, store, workers=workers)
    monkeypatch.undo()
    have = store.keys
    assert len(have) == 2 and {path.name for path in (store.root / "runs" / "digits").iterdir()} == {
        f"{key}.json" for key in have
    }
    before = calls(store)
    assert len(run(CONFIGS, store)) == 6
    assert len(calls(store)[len(before) :]) == 4


FULL = """
import os, sys
from pathlib import Path
import stand_ins
from randsparse.errors import StudyError
from randsparse.runs.store import Store
from randsparse.sweeps.sweep import sweep

root, ballast = Path(sys.argv[1]), Path(sys.argv[1], "ballast")
what = sys.argv[2]

def fill(room):
    status = os.statvfs(root)
    ballast.write_bytes(bytes(max(0, status.f_bavail * status.f_frsize - room)))

def attempt():
    store = Store(root / "results")
    plan = stand_ins.CONFIGS if what == "records" else [config.replace(stop_epoch=1) for config in stand_ins.REAL]
    train = {"train": stand_ins.train_quietly} if what == "records" else {}
    try:
        return len(sweep(plan, store, workers=2, progress=False, **train))
    except StudyError as error:
        assert "No space left on device" in str(error) and "\\n" not in str(error), error
        left = [path.name for path in (root / "results").rglob("*.tmp")]
        assert not left, left
        return f"full with {len(store.keys)}"

fill(40_000 if what == "records" else 300_000)
print(attempt())
ballast.unlink()
print(attempt())
"""


@pytest.mark.parametrize(
    ("what", "full", "whole"), [("records", "full with [1-5]", "6"), ("checkpoints", "full with 0", "2")]
)
def test_a_file_system_without_space_loses_nothing(tmp_path, what, full, whole):
    """A file system of two megabytes, where the system lets a user make one."""
    mount = 'mount -t tmpfs -o size=2m none "$0" && exec "$@"'
    inside = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", mount, str(tmp_path)]
    if not shutil.which("unshare") or subprocess.run([*inside, "true"], capture_output=True).returncode:
        pytest.skip("no file system of one's own here")
    command = [*inside, sys.executable, "-c", FULL, str(tmp_path), what]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    first, second = done.stdout.splitlines()
    assert re.fullmatch(full, first) and second == whole


@pytest.mark.parametrize("workers", [1, 2])
def test_a_record_of_another_schema_version_is_an_error_and_nothing_is_trained(store, workers):
    store.put(record_of(CONFIGS[1]))
    path = store.path(CONFIGS[1])
    path.write_text(sealed(path.read_text().replace('"schema": 1', '"schema": 2')))
    content = path.read_bytes()
    with pytest.raises(StudyError, match=f"^record {path} is unknown .*schema version 2.*: it was left in place"):
        run(CONFIGS, Store(store.root), workers=workers)
    assert path.read_bytes() == content and calls(store) == [] and len(store.keys) == 1


@pytest.mark.parametrize("workers", [1, 2])
def test_units_of_several_runs_give_a_record_a_run_and_one_that_fails_is_alone(store, workers, monkeypatch):
    monkeypatch.setattr(sweeping, "group_runs", lambda configs: [tuple(configs[:3]), tuple(configs[3:])])
    records = run(CONFIGS, store, train_or_fail, workers)
    assert [record["status"] for record in records] == ["done", "failed", *["done"] * 4]
    assert calls(store).count(CONFIGS[0].key) == 2 and calls(store).count(CONFIGS[4].key) == 1
    again = Store(store.root / "again")
    records = run(CONFIGS, again, train_with_a_kill, workers=2)
    assert [record["status"] for record in records] == ["done"] * 6


def running(process: int) -> bool:
    try:
        os.kill(process, 0)
        state = Path(f"/proc/{process}/stat")
        return not state.exists() or state.read_text().rpartition(")")[2].split()[0] != "Z"
    except (ProcessLookupError, FileNotFoundError):
        return False


def test_real_training_gives_equal_records_serial_parallel_and_in_stages(tmp_path):
    configs = [RunConfig(epochs=2, train_samples=256, sparsity=0.5, mask_seed=seed) for seed in range(2)]
    serial, parallel, staged = (Store(tmp_path / name) for name in ("serial", "parallel", "staged"))
    one = sweep(configs, serial, workers=1, progress=False)
    two = sweep(configs, parallel, workers=2, progress=False)
    early = sweep([config.replace(stop_epoch=1) for config in configs], staged, workers=2, progress=False)
    three = sweep(configs, staged, workers=1, progress=False)
    assert [record["status"] for record in one] == ["done"] * 2
    assert list(map(keep_comparable, one)) == list(map(keep_comparable, two)) == list(map(keep_comparable, three))
    stopped = [config.replace(stop_epoch=1) for config in configs]
    assert list(map(keep_comparable, early)) == list(map(keep_comparable, serial.load(stopped).values()))


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
        RuntimeError("[enforce fail at alloc_cpu.cpp:121] DefaultCPUAllocator: can't allocate memory: you tried"),
        RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB"),
        ImportError("libgfortran.so: failed to map segment from shared object"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_a_lack_of_memory_is_not_the_result_of_a_run(store, error):
    def lacking(config, **options):
        if config.mask_seed == 1:
            raise ValueError("while it was allocated") from error
        return train(config, **options)

    with pytest.raises(StudyError, match=f"run {CONFIGS[1].key} stopped: .* memory is short: .* fewer workers"):
        run(CONFIGS[:3], store, lacking, workers=1)
    assert [record["key"] for record in store.records()] == [CONFIGS[0].key]
    assert [record["status"] for record in run(CONFIGS[:3], store, train, workers=1)] == ["done"] * 3


def test_semaphores_of_a_killed_process_go_with_the_next_one(store, monkeypatch, tmp_path):
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    names = [f"sem.loky-{ended.pid}-a", f"sem.loky-{ended.pid}1-a", f"sem.loky-{os.getpid()}-a", "sem.mp-a"]
    monkeypatch.setattr(locks, "SHARED_MEMORY", tmp_path)
    for name in names:
        (tmp_path / name).touch()
    lock = store.root / locks.LOCK
    for holder, gone in ((os.getpid(), []), (f"{ended.pid} on another", []), (ended.pid, names[:1])):
        lock.parent.mkdir(exist_ok=True)
        lock.write_text(f"process {holder} on {platform.node()}")
        with locks.hold_lock(lock):
            pass
        assert sorted(path.name for path in tmp_path.glob("sem*")) == sorted(set(names) - set(gone))
