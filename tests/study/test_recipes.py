"""Training from disk: recipes, several processes that give what one gives, and runs that go on after a kill."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
import torch
import yaml
from safetensors.torch import load_file

import folders
from conftest import REPOSITORY
from made_up import environment
from randsparse.data import catalogue
from randsparse.data import folders as image_folders
from randsparse.errors import StudyError
from randsparse.networks.bottleneck_layers import BOTTLENECKS
from randsparse.runs import flops, store
from randsparse.runs.config import RunConfig
from randsparse.runs.store import Store, keep_comparable
from randsparse.sparsity.layers import maskable
from randsparse.study import command_line, recipes
from randsparse.sweeps import budget
from randsparse.sweeps.sweep import sweep
from randsparse.training import checkpoints, network, weights
from randsparse.training import train as training
from randsparse.training.engines.processes import Processes
from randsparse.training.step import learning_rate

RUN = RunConfig(
    dataset=folders.NAME,
    model="resnet-8",
    sparsity=0.8,
    batch_size=12,
    norm_group=3,
    epochs=3,
    precision="float64",
    label_smoothing=0.1,
)
DENSE = RUN.replace(sparsity=0.0, stop_epoch=1)


@pytest.fixture(scope="module")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folders.make(tmp_path_factory.mktemp("data")).parent


def recipe(path: Path, *configs: RunConfig) -> Path:
    path.write_text(yaml.safe_dump({"runs": [config.to_dict() for config in configs]}))
    return path


def torchrun(*arguments: object, processes: int = 2) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY / "lib"), "OMP_NUM_THREADS": "1"}
    started = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    pipes = {"capture_output": True, "text": True, "timeout": 180}
    return subprocess.run([*started, *map(str, arguments)], env=environment, **pipes)


def options(path: Path, data_dir: Path, results: Path) -> list[str]:
    place = ["--data-dir", data_dir, "--results", results]
    return list(map(str, [path, *place, "--device", "cpu", "--loaders", 0, "--quiet"]))


# The command, in a process that also writes what it has in the end; or that is killed after its first checkpoint.
SPIED = """
import hashlib, json, os, signal, sys
from pathlib import Path
from randsparse.study import command_line, recipes
from randsparse.training import checkpoints, train as training
from randsparse.training.engines import streamed
place, kill, *arguments = sys.argv[1:]
save, train, seen = checkpoints.save, training.train, []
class Kept(streamed.StreamedTrainer):
    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        seen.append(self)
def save_and_die(*arguments):
    save(*arguments)
    os.kill(os.getpid(), signal.SIGKILL)
def train_and_tell(config, **options):
    record = train(config, **options)
    tensors = [*seen[-1].model.parameters(), *seen[-1].norms.statistics()]
    digest = hashlib.sha256(b"".join(t.detach().numpy().tobytes() for t in tensors)).hexdigest()
    told = [{name: value for name, value in record.items() if name != "cost"}, digest]
    (Path(place) / f"{config.key}.{options['processes'].rank}").write_text(json.dumps(told, sort_keys=True))
    return record
streamed.StreamedTrainer, recipes.train_run = Kept, train_and_tell
if kill == "kill":
    checkpoints.save = save_and_die
sys.exit(command_line.main(["recipe", *arguments]))
"""


@pytest.fixture(scope="module")
def spied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("script") / "spied.py"
    path.write_text(SPIED)
    return path


@pytest.fixture(scope="module")
def together(data_dir: Path, spied: Path, tmp_path_factory: pytest.TempPathFactory) -> Store:
    """The results of a sparse and a dense run by two processes."""
    place = tmp_path_factory.mktemp("together")
    path = recipe(place / "recipe.yaml", RUN, DENSE)
    ended = torchrun(spied, place, "", *options(path, data_dir, place / "results"))
    assert ended.returncode == 0, ended.stderr
    assert "2 runs trained, 2 of 2 in" in ended.stdout and ended.stdout.count("\n") == 1
    return Store(place / "results")


def losses(record: dict) -> list[list[float]]:
    return [[point[name] for name in ("lr", "train_loss", "val_loss", "val_accuracy")] for point in record["curve"]]


def test_two_processes_give_the_run_of_one(together, data_dir, tmp_path):
    shared = together.get(RUN)
    alone = training.train(RUN, data_dir=data_dir, weights_root=tmp_path)
    assert shared["status"] == alone["status"] == "done" and len(shared["curve"]) == 3
    for a, b in zip(losses(shared), losses(alone), strict=True):
        assert a == pytest.approx(b, rel=1e-9)
    assert shared["test"] == pytest.approx(alone["test"], rel=1e-9)
    assert shared["density"] == alone["density"] and shared["cost"]["images"] == alone["cost"]["images"] == 108
    assert shared["environment"]["processes"] == 2 and alone["environment"]["processes"] == 1
    first, second = (load_file(weights.find_path(RUN, place)) for place in (together.root, tmp_path))
    for name in first.keys() - {name for name in first if name.endswith("num_batches_tracked")}:
        torch.testing.assert_close(first[name], second[name], rtol=1e-8, atol=1e-10)


def test_the_mask_is_that_of_the_config_and_masked_weights_are_exactly_zero(together):
    mask = network.create(RUN, *catalogue.shape(RUN.dataset)).mask
    state = load_file(weights.find_path(RUN, together.root))
    assert together.get(RUN)["density"]["realised"] == mask.density
    for name, kept in mask.items():
        assert (state[name][~kept] == 0).all() and (state[name][kept] != 0).all(), name
    assert not checkpoints.find_path(RUN, together.root / "checkpoints").exists()


def test_both_processes_have_the_same_record_and_the_same_network(together):
    for config in (RUN, DENSE):
        first, second = (together.root.with_name(f"{config.key}.{rank}").read_text() for rank in range(2))
        assert first == second and json.loads(first)[0]["key"] == config.key


def test_nothing_is_lost_by_a_kill_and_by_an_image_that_cannot_be_read(together, data_dir, spied, tmp_path, capsys):
    data, results = shutil.copytree(data_dir, tmp_path / "data"), tmp_path / "results"
    arguments = options(recipe(tmp_path / "recipe.yaml", RUN), data, results)
    checkpoint = checkpoints.find_path(RUN, results / "checkpoints")
    assert torchrun(spied, tmp_path, "kill", *arguments).returncode != 0
    assert checkpoints.load(RUN, checkpoint.parent)["epoch"] == 1 and not Store(results).has(RUN)

    image = data / "tiny" / "val" / "bee" / "bee01.png"
    content = image.read_bytes()
    image.write_bytes(content[:100])
    ended = torchrun("-m", "randsparse", "recipe", *arguments)
    (line,) = [line for line in ended.stderr.splitlines() if line.startswith("randsparse: ")]
    assert "bee01.png cannot be read as an image" in line and ended.returncode != 0 and not ended.stdout
    assert checkpoints.load(RUN, checkpoint.parent)["epoch"] == 3 and not Store(results).has(RUN)

    image.write_bytes(content)
    assert command_line.main(["recipe", *arguments]) == 0
    record, straight = Store(results).get(RUN), together.get(RUN)
    assert record["curve"] == straight["curve"] and record["test"] == pytest.approx(straight["test"], rel=1e-12)
    assert weights.find_path(RUN, results).read_bytes() == weights.find_path(RUN, together.root).read_bytes()
    assert not checkpoint.exists()
    assert command_line.main(["recipe", *arguments]) == 0
    assert capsys.readouterr().out.splitlines()[-1].startswith("0 runs trained")


def test_a_run_goes_on_bit_for_bit_and_answers_for_its_beginning(data_dir, tmp_path):
    place = {"data_dir": data_dir, "checkpoint_dir": tmp_path}
    straight = training.train(RUN, data_dir=data_dir)
    beginning = training.train(RUN.replace(stop_epoch=2), **place)
    assert beginning["status"] == "stopped" and beginning["curve"] == straight["curve"][:2]
    assert store.keep_comparable(training.train(RUN, **place)) == store.keep_comparable(straight)
    assert not checkpoints.find_path(RUN, tmp_path).exists()


def test_a_folder_with_other_images_does_not_continue_a_run(data_dir, tmp_path):
    data, place = shutil.copytree(data_dir, tmp_path / "data"), tmp_path / "checkpoints"
    training.train(RUN.replace(stop_epoch=1), data_dir=data, checkpoint_dir=place)
    image = data / "tiny" / "train" / "bee" / "bee01.png"
    image.rename(image.with_name("new.png"))
    with pytest.raises(StudyError, match=f"other images than when run {RUN.key} began.*{RUN.key}.pt"):
        training.train(RUN, data_dir=data, checkpoint_dir=place)
    assert checkpoints.find_path(RUN, place).exists()


def test_a_sweep_trains_them_too(data_dir, tmp_path):
    config = RUN.replace(stop_epoch=1, structure="node", sparsity=0.5, train_samples=24)
    (record,) = sweep([config], Store(tmp_path), workers=1, data_dir=data_dir, progress=False)
    assert record["status"] == "stopped" and record["cost"]["images"] == 24


def test_divergence_is_recorded(data_dir, tmp_path):
    record = training.train(RUN.replace(lr=1e200), data_dir=data_dir, checkpoint_dir=tmp_path)
    assert record["status"] == "diverged" and record["test"] is None and not list(tmp_path.iterdir())


def test_imagenets_networks_train_from_a_folder_with_exact_masks(data_dir):
    config = RUN.replace(
        dataset="folder-tiny-3-32", model="resnet-50", precision="float32", stop_epoch=1, train_samples=12
    )
    trainer = training.prepare([config], image_folders.load(config.dataset, data_dir, 12))
    mask = trainer.masks[0]
    assert list(mask) == list(maskable(trainer.model)) and len(mask) == 54
    before = trainer.model.conv1.weight.detach().clone()
    trainer.train_epoch()
    for name, kept in mask.items():
        assert (trainer.model.get_parameter(name)[~kept] == 0).all(), name
    assert not torch.equal(before, trainer.model.conv1.weight)
    assert trainer.densities[0]["realised"] == pytest.approx(0.2, abs=1e-6)
    assert 0.19 < trainer.densities[0]["effective"] <= trainer.densities[0]["realised"]


def test_processes_take_whole_groups_of_a_batch():
    for config, size in ((RUN, 3), (RUN.replace(norm_group=None), 2)):
        with pytest.raises(StudyError, match=f"{size} processes cannot share batches of 12 images .*norm_group"):
            training.prepare([config], None, processes=Processes(0, size))


@pytest.mark.skipif(torch.cuda.is_available(), reason="has a GPU")
def test_no_gpu_is_one_line(tmp_path, capsys):
    assert command_line.main(["recipe", str(tmp_path / "recipe.yaml"), "--device", "cuda"]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_recipes_list_combinations_each_run_once(tmp_path):
    path = tmp_path / "recipe.yaml"
    blocks = [{"sparsity": [0, 0.5], "rule": ["erk", "er"], "seed": [0, 1], "milestones": [0.3, 0.6]}, {"epochs": 7}]
    shared = {"dataset": folders.NAME, "schedule": "step"}
    path.write_text(yaml.safe_dump({"recipe": shared, "runs": blocks}))
    configs = recipes.read(path)
    assert len(configs) == len(set(configs)) == 2 + 4 + 1
    assert {(c.sparsity, c.rule, c.mask_seed, c.init_seed, c.data_seed) for c in configs[:-1]} == {
        (0.0, "erk", 0, 0, 0),
        (0.0, "erk", 0, 1, 1),
        (0.5, "erk", 0, 0, 0),
        (0.5, "erk", 1, 1, 1),
        (0.5, "er", 0, 0, 0),
        (0.5, "er", 1, 1, 1),
    }
    assert all(c.milestones == (0.3, 0.6) for c in configs[:-1]) and configs[-1].epochs == 7


RECIPE = "runs: [{dataset: folder-tiny-3-16, %s}]"


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("runs: [", "is not YAML"),
        ("- 1", "needs `runs`"),
        ("runs: []", "needs `runs`"),
        ("runs: [1]", "needs `runs`"),
        ("runs: [{epochs: 1}]\nrecipes: {}", "unknown part of a recipe 'recipes'"),
        ("runs: [{epoch: 3}]", "unknown RunConfig field 'epoch'"),
        ("runs: [{epochs: 3}]", "digits is no folder of images"),
        (RECIPE % "sparsity: 0.9999", "density"),
        (RECIPE % "norm_group: 3", "norm_group=3 is not possible: .* divisor of batch_size"),
        (RECIPE % "model: resnet-50", "too small for resnet-50"),
        (RECIPE.replace("16", "32") % "model: wrn-50-2, sparsity: 0.5, structure: node", "wrn-50-2 has bottleneck"),
    ],
)
def test_a_wrong_recipe_is_one_line_before_anything_is_written(tmp_path, text, says, capsys):
    path = tmp_path / "recipe.yaml"
    path.write_text(text)
    assert command_line.main(["recipe", *options(path, tmp_path, tmp_path / "results")]) == 2
    captured = capsys.readouterr()
    assert re.search(says, captured.err) and captured.err.count("\n") == 1 and not captured.out
    assert not (tmp_path / "results").exists()


def test_what_is_missing_on_disk_is_one_line(data_dir, tmp_path, capsys):
    path = recipe(tmp_path / "recipe.yaml", RUN)
    for arguments, says in (
        (options(tmp_path / "no.yaml", data_dir, tmp_path), "no.yaml cannot be read: No such file"),
        (options(path, tmp_path / "none", tmp_path), "none is no folder"),
        (options(path, tmp_path, tmp_path), "tiny is no folder"),
        (options(path, data_dir, path), "cannot write"),
    ):
        assert command_line.main(["recipe", *arguments]) == 2
        error = capsys.readouterr().err
        assert says in error and error.count("\n") == 1


def test_the_recipe_for_imagenet_is_the_papers():
    configs = recipes.read(REPOSITORY / "recipes" / "imagenet.yaml")
    for config in configs:
        assert config.dataset == "imagenet" and config.schedule == "step" and config.optimizer == "sgd"
        assert (config.lr, config.momentum, config.weight_decay) == (0.4, 0.9, 1e-4)
        assert (config.batch_size, config.norm_group) == (4 * 192, 192)
        assert (config.label_smoothing, config.warmup_epochs, config.gamma) == (0.1, 5.0, 0.1)
        assert config.epochs == (100 if config.sparsity else 90)
        drops = [
            epoch
            for epoch in range(1, config.epochs)
            if learning_rate(config, 1603 * epoch, 1603) < 0.5 * learning_rate(config, 1603 * epoch - 1, 1603)
        ]
        assert drops == [30, 60, 80]
    assert {config.model for config in configs} == {"wrn-50-2", "resnet-50"} == set(BOTTLENECKS)
    assert {config.sparsity for config in configs} == {0.0, 0.5, 0.7, 0.9} and len(configs) == 2 * 3 * (1 + 2 * 3)


def test_the_documented_cost_is_what_the_recipe_computes():
    text = (REPOSITORY / "docs" / "large-images.md").read_text()
    rows = re.findall(r"^\| `(.+?)` \| ([\d.]+) \| ([\d.]+) / ([\d.]+) \| ([\d.]+) / ([\d.]+) \|$", text, re.M)
    configs = recipes.read(REPOSITORY / "recipes" / "imagenet.yaml")
    assert [row[0] for row in rows] == list(dict.fromkeys(config.model for config in configs))
    for model, image, *numbers in rows:
        dense, sparse = (next(c for c in configs if c.model == model and bool(c.sparsity) == s) for s in (False, True))
        assert float(image) == round(sum(flops.count_for_config(dense).values()) / 1e9, 1)
        totals = [budget.count_training_flops(config) * config.epochs for config in (dense, sparse)]
        assert list(map(float, numbers)) == [round(n / unit, 1) for unit in (1e18, 4e14 * 3600) for n in totals]
    days = sum(budget.count_training_flops(config) * config.epochs for config in configs) / 4e14 / 86400
    assert f"all {len(configs)} runs take {days:.0f} days" in text


def start(*arguments: object, processes: int = 2) -> subprocess.Popen:
    command = [sys.executable, "-m", "randsparse", "recipe", *arguments, "--processes", str(processes)]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(list(map(str, command)), env=environment(), start_new_session=True, **pipes)


def test_processes_of_one_command_give_the_run_that_torchrun_gives(together, data_dir, tmp_path):
    process = start(*options(recipe(tmp_path / "recipe.yaml", DENSE), data_dir, tmp_path / "results"))
    out, error = process.communicate(timeout=180)
    assert process.returncode == 0 and "1 runs trained, 1 of 1 in" in out and error == ""
    found, other = Store(tmp_path / "results").get(DENSE), together.get(DENSE)
    assert found["environment"]["processes"] == 2 and keep_comparable(found) == keep_comparable(other)


def test_what_ends_one_process_is_said_in_one_line(data_dir, tmp_path):
    data = shutil.copytree(data_dir, tmp_path / "data")
    (data / "tiny" / "val" / "bee" / "bee01.png").write_bytes(b"no image")
    run = RUN.replace(epochs=2)
    process = start(*options(recipe(tmp_path / "recipe.yaml", run), data, tmp_path / "results"))
    out, error = process.communicate(timeout=180)
    assert process.returncode == 2 and not out
    assert error.startswith("randsparse: ") and "bee01.png" in error and error.count("\n") == 1


@pytest.fixture
def long(data_dir, tmp_path):
    """A run of two processes that takes longer than any test, once it is in training; they are ended at the end."""
    arguments = options(recipe(tmp_path / "recipe.yaml", RUN.replace(epochs=2000)), data_dir, tmp_path / "results")
    process = start(*arguments)
    ranks = []
    end = time.monotonic() + 120
    while not list(tmp_path.glob("results/checkpoints/*")) and time.monotonic() < end:
        time.sleep(0.2)
    ranks = psutil.Process(process.pid).children()
    assert len(ranks) == 2
    yield process, ranks
    for each in ranks:
        with contextlib.suppress(psutil.NoSuchProcess):
            each.kill()
    process.kill()
    process.communicate()


def gone(processes: list[psutil.Process], seconds: float = 10) -> bool:
    return not psutil.wait_procs(processes, timeout=seconds)[1]


def test_processes_listen_on_the_loopback_alone_and_end_with_the_one_that_was_started(long):
    process, ranks = long
    places = [place for each in ranks for place in each.net_connections("inet") if place.status == psutil.CONN_LISTEN]
    assert {place.laddr.ip for place in places} <= {"127.0.0.1", "::1"}
    assert len(places) >= 2  # they do talk to each other
    process.kill()
    assert gone(ranks)


def test_ctrl_c_ends_all_processes_with_one_line(long):
    process, ranks = long
    os.killpg(process.pid, signal.SIGINT)
    assert gone(ranks) and process.wait(timeout=10) == 130
    assert process.stderr.read() == "randsparse: stopped; the same command goes on where this one was\n"


def test_a_process_that_is_killed_ends_the_others(long):
    process, ranks = long
    ranks[1].kill()
    assert process.wait(timeout=60) != 0 and gone(ranks)
