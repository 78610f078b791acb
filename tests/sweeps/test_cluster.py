from __future__ import annotations

import gc
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from distributed import Client

from conftest import REPOSITORY
from made_up import environment
from randsparse.errors import StudyError
from randsparse.runs.config import RunConfig
from randsparse.runs.store import Store, keep_comparable
from randsparse.sweeps import cluster
from randsparse.sweeps.sweep import sweep
from stand_ins import CONFIGS, calls, train, train_slowly, train_with_a_kill, wait_until


class Cluster:
    """A scheduler and workers, started by the lines of docs/clusters.md, in a folder of their own."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.folder, self.processes = folder, []
        paths = os.pathsep.join(str(REPOSITORY / name) for name in ("lib", "tests", ""))
        # `environment` is that of a worker's own machine: it has a DATA_DIR that the coordinator has not.
        self.environment = {
            **environment(),
            "PYTHONPATH": paths,
            "DATA_DIR": str(folder / "data"),
            "OMP_NUM_THREADS": "1",
            "DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES": "1",
            "DASK_LOGGING__DISTRIBUTED": "error",
        }
        self.scheduler = self.start("scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard")
        wait_until(lambda: self.file.exists() and self.file.read_text().endswith("}"), 60)
        self.address = json.loads(self.file.read_text())["address"]

    @property
    def file(self) -> Path:
        return self.folder / "scheduler.json"

    def start(self, command: str, *arguments: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "dask", command, "--scheduler-file", str(self.file), *arguments]
        log = open(self.folder / "log", "ab")  # noqa: SIM115
        process = subprocess.Popen(command, cwd=self.folder, env=self.environment, stdout=log, stderr=log)
        self.processes.append(process)
        return process

    def worker(self, *arguments: str) -> subprocess.Popen:
        return self.start("worker", "--nthreads", "1", "--no-dashboard", *arguments)

    def stop(self) -> None:
        for process in reversed(self.processes):
            process.send_signal(signal.SIGINT)
        for process in self.processes:
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


@pytest.fixture(scope="module")
def two(tmp_path_factory):
    """A cluster of two workers, one of which has a GPU, or so it says."""
    made = Cluster(tmp_path_factory.mktemp("cluster"))
    made.worker("--nworkers", "1")
    made.worker("--nworkers", "1", "--resources", "GPU=1")
    yield made
    made.stop()


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "results")


def run(plan, store, cluster, train=train, **options):
    return sweep(plan, store, train=train, cluster=cluster.address, progress=False, **options)


def train_here(config: RunConfig, *, data_dir=None, checkpoint_dir=None, device=None) -> dict:
    """Gives a record of where it ran."""
    record = train_slowly(config, checkpoint_dir=checkpoint_dir)
    where = {"data_dir": str(data_dir), "DATA_DIR": os.environ.get("DATA_DIR"), "device": device}
    return record | {"environment": record["environment"] | where}


def train_and_die(config: RunConfig, *, data_dir=None, checkpoint_dir=None) -> dict:
    """Kills its own process in every run of mask seed 2, in the middle of that of another."""
    record = train_slowly(config, checkpoint_dir=checkpoint_dir)
    if config.mask_seed == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return record


def train_without_checkpoints(config: RunConfig, *, data_dir=None, checkpoint_dir=None) -> dict:
    assert checkpoint_dir is None
    return train(config, checkpoint_dir=Path(os.environ["DATA_DIR"]).parent)


def test_runs_of_a_cluster_are_those_of_this_machine(two, store, tmp_path):
    records = run(CONFIGS, store, two, train_here, data_dir="mine")
    serial = sweep(CONFIGS, Store(tmp_path / "serial"), train=train, workers=1, progress=False)
    assert list(map(keep_comparable, records)) == list(map(keep_comparable, serial))
    places = [record["environment"] for record in records]
    assert len({place["process"] for place in places}) == 2 and os.getpid() not in {p["process"] for p in places}
    assert {place["threads"] for place in places} == {1}
    assert {(place["data_dir"], place["DATA_DIR"]) for place in places} == {("None", str(two.folder / "data"))}
    assert run(CONFIGS, store, two) == records and len(calls(store)) == 6


def test_real_training_on_a_cluster_gives_the_same_records(two, store, tmp_path):
    configs = [RunConfig(epochs=2, train_samples=128, batch_size=32, sparsity=0.5, mask_seed=s) for s in range(2)]
    stopped = [config.replace(stop_epoch=1) for config in configs]
    early = sweep(stopped, store, cluster=two.address, progress=False)
    assert len(list((store.root / "checkpoints").glob("*.pt"))) == 2
    records = sweep(configs, store, cluster=two.address, progress=False)
    serial = Store(tmp_path / "serial")
    expected = sweep(configs, serial, workers=1, progress=False)
    assert [record["status"] for record in records] == ["done"] * 2
    assert list(map(keep_comparable, records)) == list(map(keep_comparable, expected))
    assert list(map(keep_comparable, early)) == list(map(keep_comparable, serial.load(stopped).values()))


def test_a_killed_worker_of_a_cluster_costs_its_run_a_retry(two, store, tmp_path):
    records = run(CONFIGS, store, two, train_with_a_kill)
    serial = sweep(CONFIGS, Store(tmp_path / "serial"), train=train, workers=1, progress=False)
    assert list(map(keep_comparable, records)) == list(map(keep_comparable, serial))
    assert sorted(calls(store)) == sorted([*(config.key for config in CONFIGS), CONFIGS[2].key])


def test_a_run_that_kills_every_worker_is_given_up_and_the_others_are_stored(two, store):
    with pytest.raises(StudyError, match=f"died.*{CONFIGS[2].key}: finished runs are stored, 1 are missing"):
        run(CONFIGS, store, two, train_and_die, retries=1)
    assert [config.mask_seed for config in CONFIGS if store.has(config)] == [0, 1, 3, 4, 5]
    assert calls(store).count(CONFIGS[2].key) == 2  # the scheduler allows one death
    assert len(run(CONFIGS, store, two)) == 6


def test_runs_on_a_gpu_go_to_workers_that_have_one(two, store, monkeypatch):
    with pytest.raises(StudyError, match="^device 'cuda': no usable GPU here"):
        run(CONFIGS, store, two, train_here, device="cuda")
    with cluster.connect(two.address) as all_workers, cluster.connect(two.address, "cuda") as gpus:
        wait_until(lambda: all_workers.slots == 2, 60)  # a worker that died is started again
        assert (all_workers.slots, gpus.slots) == (2, 1)
    records = run(CONFIGS[:2], store, two, train_here, device="cpu")
    assert {record["environment"]["device"] for record in records} == {"cpu"}


def test_an_error_that_concerns_all_runs_ends_the_sweep_and_the_cluster_is_of_use_again(two, store):
    with pytest.raises(StudyError, match="^the cluster did not train run .*Error.*need the same environment"):
        run(CONFIGS, store, two, _unknown_there())
    assert store.records() == []
    assert len(run(CONFIGS[:2], store, two)) == 2


def _unknown_there():
    """A function of a module that workers do not have."""
    import types

    module = types.ModuleType("only_here")
    exec("def train(config, **options): return {}", module.__dict__)
    sys.modules["only_here"] = module
    return module.train


def test_workers_without_the_folder_of_checkpoints_train_without(two, store, monkeypatch):
    real = Path.is_dir
    assert real(store.root) is False
    task_folder = store.root / "checkpoints"
    monkeypatch.setattr("randsparse.files.check_folder", lambda folder: None)
    assert len(run(CONFIGS[:1], store, two, train_without_checkpoints)) == 1
    assert not task_folder.exists()


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense", "tcp://no-such-host.invalid:8786"])
def test_a_scheduler_that_cannot_be_reached_is_one_line_after_a_bounded_wait(store, address, monkeypatch):
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 2.0)
    started = time.monotonic()
    with pytest.raises(StudyError, match=f"^no Dask scheduler answers at '{address}'") as caught:
        sweep(CONFIGS, store, train=train, cluster=address, progress=False)
    assert "\n" not in str(caught.value) and time.monotonic() - started < 10
    assert store.records() == []


def test_a_client_that_failed_has_ended_before_another_one_starts(monkeypatch):
    """Its end takes a lock of all clients: left to the garbage collector, that can come while another one has it."""
    monkeypatch.setattr(cluster, "CONNECT_SECONDS", 0.5)
    gc.disable()
    try:
        with pytest.raises(StudyError) as caught, cluster.connect("tcp://127.0.0.1:9"):
            pass
        assert not [each for each in gc.get_objects() if type(each) is Client], caught.value
    finally:
        gc.enable()


def test_a_cluster_without_workers_one_with_wide_workers_and_one_that_dies(tmp_path, store, monkeypatch):
    made = Cluster(tmp_path / "cluster")
    try:
        monkeypatch.setattr(cluster, "WORKER_SECONDS", 1.0)
        with pytest.raises(StudyError, match="has had no worker for a run for 1 s: start some with dask worker"):
            run(CONFIGS, store, made)
        monkeypatch.undo()
        wide = made.start("worker", "--nthreads", "2", "--no-dashboard")
        with pytest.raises(StudyError, match="has 2 threads: start it with --nthreads 1"):
            run(CONFIGS, store, made)
        wide.send_signal(signal.SIGINT)
        wide.wait()
        made.worker()
        monkeypatch.setattr(cluster, "CONNECT_SECONDS", 2.0)
        with pytest.raises(StudyError, match="^the cluster did not train run .*finished runs are stored"):
            sweep(
                CONFIGS,
                store,
                train=train_slowly,
                cluster=made.address,
                progress=False,
                finished=lambda record: made.scheduler.kill(),
            )
        assert len(store.records()) >= 1
    finally:
        made.stop()
