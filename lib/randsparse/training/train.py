"""Train runs: configs in, records out."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from randsparse.data import folders
from randsparse.data.catalogue import folder
from randsparse.data.dataset import Batches, Dataset, load
from randsparse.data.folders import ImageFolder
from randsparse.errors import StudyError
from randsparse.runs.config import RunConfig
from randsparse.runs.records import WITHOUT_WEIGHTS
from randsparse.training import checkpoints, methods, network, weights
from randsparse.training.engines import batched, programs, streamed
from randsparse.training.engines.processes import ALONE, Processes
from randsparse.training.engines.streamed_batches import StreamedBatches
from randsparse.training.metrics import input_dtype
from randsparse.training.step import make_optimizer
from randsparse.training.trainer import EpochBatches, Record, Trainer

State = dict[str, Any]
SECONDS_BETWEEN_CHECKPOINTS = 15.0


def train(config: RunConfig, **options: Any) -> Record:
    """Train `config` and return its record, a JSON value, as `runs.Store` keeps it.

    The test set is evaluated once, after the last epoch of a complete run. A loss that is no longer finite ends the run
    with status "diverged". `options` are those of `train_together`.
    """
    return train_together([config], **options)[0]


def train_together(
    configs: Sequence[RunConfig],
    *,
    data_dir: str | Path | None = None,
    checkpoint_dir: Path | None = None,
    weights_root: Path | None = None,
    device: str = "cpu",
    processes: Processes = ALONE,
    loaders: int | None = None,
    progress: bool = False,
    finished: Callable[[Record], None] | None = None,
) -> list[Record]:
    """Train runs that share a program (`programs.find_shared_program`), or a single one; return their records in order.

    As `train`, which gives the same records one by one.

    Args:
        checkpoint_dir: training goes on bit for bit from an earlier part of the same trajectory that is there, and
            leaves its state there when it stops before the last epoch.
        weights_root: the folder below which the weights at the end of each run are left (`weights.save`).
        device: of this process.
        processes: those that train one run together, whose dataset is a folder: all of them call this and get the same
            record, and the first one alone writes files. With another number of them a run goes on up to rounding.
        loaders: processes that read images of a folder ahead for this one; None for one for each of its cores, to 16.
        progress: whether the first process shows a bar of the steps of each epoch, of images in a folder.
        finished: called with each record by the first process, before its checkpoint goes.

    Raises:
        StudyError: the runs share no program; data are missing or cannot be read, or are other than those of the
            checkpoint; processes cannot share the batches. Checkpoints stay.
    """
    dataset = processes.each_does(lambda: _load(configs[0], data_dir, device, processes))
    states = processes.first_does(lambda: [_begun(config, checkpoint_dir, weights_root) for config in configs])
    if isinstance(dataset, ImageFolder):
        _check_images(dataset, configs[0], states[0], checkpoint_dir, processes)
    begun = [state["epoch"] if state else 0 for state in states]
    records: dict[int, Record] = {}
    for epoch in sorted(set(begun)):  # lanes keep step
        members = [index for index, start in enumerate(begun) if start == epoch]
        trainer = prepare([configs[index] for index in members], dataset, device, processes, loaders, progress)
        trainer.resume([states[index] for index in members])
        _advance(trainer, checkpoint_dir, processes)
        own = trainer.records()
        processes.first_does(lambda: _keep(trainer, own, checkpoint_dir, weights_root, finished))  # noqa: B023
        records |= zip(members, own, strict=True)
    return [records[index] for index in range(len(configs))]


def prepare(
    configs: Sequence[RunConfig],
    dataset: Dataset | ImageFolder,
    device: str = "cpu",
    processes: Processes = ALONE,
    loaders: int | None = 0,
    progress: bool = False,
) -> Trainer:
    """Return the trainer of a run, or of several that share a program, before its first step.

    Arguments are those of `train_together`, with the dataset as it is loaded.

    Raises StudyError for runs that share no program, and for processes that cannot share the batches.
    """
    config = programs.find_shared_recipe(configs)
    if processes.size > 1:
        streamed.check_shares(config, processes)
    nets = [network.create(each, dataset.classes, dataset.channels, dataset.size, dataset) for each in configs]
    (model, mask), make, options = (nets[0].model, nets[0].mask), Trainer, {}
    if config.engine == "batched":
        (model, mask), make = batched.combine(nets), batched.BatchedTrainer
    elif isinstance(dataset, ImageFolder):
        loaders = streamed.count_loaders() if loaders is None else loaders
        make, options = streamed.StreamedTrainer, {"processes": processes, "loaders": loaders, "progress": progress}
    batches = _batches(configs, dataset, device, options)
    layout = torch.channels_last if config.memory_format == "channels_last" else torch.contiguous_format
    model = model.to(device, input_dtype(getattr(torch, config.precision)), memory_format=layout)
    optimizer = make_optimizer(config, model)
    method = methods.make(config, model, mask, nets[0].source, optimizer, len(batches))
    return make(configs, nets, dataset, batches, model, method, device, **options)


def _batches(
    configs: Sequence[RunConfig], dataset: Dataset | ImageFolder, device: str, options: dict[str, Any]
) -> EpochBatches:
    """Return the batches of a run, or of several that share a program; `options` are those of their trainer."""
    config = configs[0]

    @cache
    def of_order(seed: int, fork_seed: int | None = None, fork_epoch: int = 0) -> EpochBatches:
        if fork_seed is not None:
            return ForkedBatches(of_order(seed), of_order(fork_seed), fork_epoch)
        if isinstance(dataset, ImageFolder):
            place = (torch.device(device), options["processes"], options["loaders"])
            return StreamedBatches(dataset, config.batch_size, seed, *place)
        return Batches(dataset, config.batch_size, seed, device)

    lanes = [of_order(each.data_seed, each.fork_seed, each.fork_epoch) for each in configs]
    return batched.LaneBatches(lanes) if config.engine == "batched" else lanes[0]


class ForkedBatches:
    """The batches of one seed in the first epochs, and those of another seed after them.

    Args:
        before, after: the batches of both seeds, of the same images and size.
        fork_epoch: the number of epochs that `before` has.
    """

    def __init__(self, before: EpochBatches, after: EpochBatches, fork_epoch: int) -> None:
        self.before, self.after, self.fork_epoch = before, after, fork_epoch

    def __len__(self) -> int:
        return len(self.before)

    def epoch(self, epoch: int) -> Iterable[tuple[Tensor, Tensor]]:
        """Yield the batches of `epoch` (from 0)."""
        return (self.before if epoch < self.fork_epoch else self.after).epoch(epoch)


def _begun(config: RunConfig, checkpoint_dir: Path | None, weights_root: Path | None) -> State | None:
    """Return the state from which a run goes on: not one beyond its end where its own weights are wanted."""
    state = checkpoints.load(config, checkpoint_dir)
    return None if state and weights_root and state["epoch"] > config.last_epoch else state


def _load(config: RunConfig, data_dir: str | Path | None, device: str, processes: Processes) -> Dataset | ImageFolder:
    """Return the dataset of a run: in memory, on the device; or as a folder of images, as several processes need it."""
    if folder(config.dataset) or processes.size > 1:
        return folders.load(config.dataset, data_dir, config.train_samples)
    return load(config.dataset, data_dir, config.train_samples).to(device)


def _check_images(
    dataset: ImageFolder, config: RunConfig, state: State | None, checkpoint_dir: Path | None, processes: Processes
) -> None:
    """Raise StudyError if processes have other images, or a checkpoint was made with others."""
    if len(set(processes.gathered(dataset.digest))) > 1:
        raise StudyError(f"{dataset.root} has other images on one machine than on another: give all the same")
    if state and state["images"] != dataset.digest:
        raise StudyError(
            f"{dataset.root} has other images than when run {config.key} began: restore them, or remove "
            f"{checkpoints.find_path(config, checkpoint_dir)} to train it anew"
        )


def _advance(trainer: Trainer, checkpoint_dir: Path | None, processes: Processes) -> None:
    """Train to the last epoch, and keep checkpoints of that: few of a trainer whose epochs are short."""
    config = trainer.config
    saved = time.monotonic()
    while trainer.epoch < config.last_epoch and not all(trainer.diverged):
        trainer.train_epoch()
        late = time.monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS or trainer.epoch == config.last_epoch
        if checkpoint_dir and (trainer.epochs_are_long or (late and trainer.epoch < config.trajectory.last_epoch)):
            processes.first_does(lambda: _save(trainer, checkpoint_dir))
            saved = time.monotonic()


def _save(trainer: Trainer, checkpoint_dir: Path) -> None:
    """Keep the state of each run that has not diverged."""
    for config, state, diverged in zip(trainer.configs, trainer.states(), trainer.diverged, strict=True):
        if not diverged:
            checkpoints.save(state, config, checkpoint_dir)


def _keep(
    trainer: Trainer,
    records: list[Record],
    checkpoint_dir: Path | None,
    weights_root: Path | None,
    finished: Callable[[Record], None] | None,
) -> None:
    """Keep what is left of runs as far as they go: weights and records; then no checkpoints of complete runs."""
    states = trainer.states() if weights_root else [{}] * len(records)
    for config, state, record in zip(trainer.configs, states, records, strict=True):
        if weights_root and record["status"] not in WITHOUT_WEIGHTS:
            weights.save(state["model"], config, weights_root)
        if finished:
            finished(record)
        if config.stop_epoch is None:
            checkpoints.remove(config, checkpoint_dir)
