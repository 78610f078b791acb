"""Training on images that are streamed from disk, by one process or by several that share every batch."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from randsparse.data import folders
from randsparse.data.folders import ImageFolder, StreamedBatches
from randsparse.errors import StudyError
from randsparse.runs.config import RunConfig
from randsparse.training import checkpoints, weights
from randsparse.training.engines.processes import Processes
from randsparse.training.metrics import autocast, input_dtype
from randsparse.training.trainer import Record, Trainer

EVALUATION_BATCH = 256
ALONE = Processes()


def train(
    config: RunConfig,
    *,
    data_dir: str | Path | None = None,
    checkpoint_dir: Path | None = None,
    weights_root: Path | None = None,
    device: str = "cpu",
    processes: Processes = ALONE,
    loaders: int | None = None,
    progress: bool = False,
    finished: Callable[[Record], None] | None = None,
) -> Record:
    """Train `config`, of a dataset that is a folder, and return its record, as `training.train` does.

    All of `processes` call this and get the same record; the first one alone writes files. With `checkpoint_dir`, it
    leaves the state of every epoch there, from which the run goes on bit for bit with as many processes, and up to
    rounding with fewer or more.

    Args:
        device: of this process.
        loaders: processes that read images ahead for this one; None for one for each of its cores, up to 16.
        progress: whether the first process shows a bar of the steps of each epoch.
        finished: called with the record by the first process, before the checkpoint goes.

    Raises:
        StudyError: the folder is not as `image_folders.load` needs it, has an image that cannot be read, or is another
            than that of the checkpoint; processes cannot share the batches. Checkpoints stay.
    """
    dataset = processes.each_does(lambda: folders.load(config.dataset, data_dir, config.train_samples))
    if len(set(processes.gathered(dataset.digest))) > 1:
        raise StudyError(f"{dataset.root} has other images on one machine than on another: give all the same")
    loaders = _loaders() if loaders is None else loaders
    trainer = StreamedTrainer(config, dataset, device, processes, loaders, progress)
    state = processes.first_does(lambda: checkpoints.load(config, checkpoint_dir))
    if state and state["images"] != dataset.digest:
        raise StudyError(f"{dataset.root} has other images than when run {config.key} began: restore them, or remove "
                         f"{checkpoints.path_of(config, checkpoint_dir)} to train it anew")  # fmt: skip
    trainer.resume([state])
    while trainer.epoch < config.last_epoch and not trainer.diverged[0]:
        trainer.train_epoch()
        if checkpoint_dir and not trainer.diverged[0]:
            processes.first_does(lambda: checkpoints.save(trainer.states()[0], config, checkpoint_dir))
    record = trainer.records()[0]

    def keep() -> None:
        if weights_root and record["status"] == "done":
            weights.save(trainer.model.state_dict(), config, weights_root)
        if finished:
            finished(record)
        if config.stop_epoch is None:
            checkpoints.remove(config, checkpoint_dir)

    processes.first_does(keep)
    return record


class StreamedTrainer(Trainer):
    """A trainer whose images come from disk, and whose batches are shared by processes.

    Each process computes the gradients of its part of a batch, in whole groups of `norm_group` images; their mean is
    that of the batch, so that neither what a run is nor its batch-norm statistics depend on the number of processes.
    """

    measures_images = False  # running statistics are those of a process until the end of an epoch, and images are many

    def __init__(
        self,
        config: RunConfig,
        dataset: ImageFolder,
        device: str = "cpu",
        processes: Processes = ALONE,
        loaders: int = 0,
        progress: bool = False,
    ) -> None:
        self.processes, self.loaders, self.progress = processes, loaders, progress
        _check_shares(config, processes)
        super().__init__([config], dataset, device)
        self.update, self.bar = self.step, tqdm(disable=True)
        if processes.size > 1:
            devices = [self.device] if self.device.type == "cuda" else None
            # Batch norm's running statistics are averaged after an epoch; no process's are those of all.
            self.network = DistributedDataParallel(self.model, devices, broadcast_buffers=False)

    def make_batches(self) -> StreamedBatches:
        place = (self.device, self.processes, self.loaders)
        return StreamedBatches(self.dataset, self.config.batch_size, self.config.data_seed, *place)

    def train_epoch(self) -> None:
        shown = self.progress and self.processes.first
        described = f"{self.config.key} epoch {self.epoch + 1} of {self.config.last_epoch}"
        with tqdm(desc=described, total=len(self.batches), disable=not shown, mininterval=5) as self.bar:
            super().train_epoch()

    def step(self, images: Tensor, labels: Tensor) -> Tensor:
        losses = super().step(images, labels)
        self.bar.update()
        return losses

    def accumulating(self, last: bool) -> contextlib.AbstractContextManager[object]:
        if last or self.processes.size == 1:
            return contextlib.nullcontext()
        return self.network.no_sync()

    def shared(self, losses: Tensor) -> Tensor:
        self.processes.mean(losses, *self.norms.statistics())
        return losses

    @torch.no_grad()
    def evaluated(self, part: str, model: nn.Module | None = None) -> tuple[Tensor, Tensor]:
        model = model or self.model
        model.eval()
        place = (self.device, self.processes, EVALUATION_BATCH, self.loaders)

        def own_share() -> Tensor:
            outputs = [torch.empty(0, self.dataset.classes, dtype=torch.float64, device=self.device)]
            for images in folders.evaluation_batches(self.dataset, part, *place):
                with autocast(self.device, self.precision):
                    outputs.append(model(images.to(input_dtype(self.precision))).double())
            return torch.cat(outputs)

        labels = self.dataset.parts[part].labels.to(self.device)
        return self.processes.interleaved(self.processes.each_does(own_share), len(labels)), labels

    def states(self) -> list[dict[str, object]]:
        return [state | {"images": self.dataset.digest} for state in super().states()]

    def records(self) -> list[Record]:
        more = {"processes": self.processes.size, "images": self.dataset.digest}
        return [record | {"environment": record["environment"] | more} for record in super().records()]


def _check_shares(config: RunConfig, processes: Processes) -> None:
    groups = config.batch_size // (config.norm_group or config.batch_size)
    if groups % processes.size:
        raise StudyError(
            f"{processes.size} processes cannot share batches of {config.batch_size} images in {groups} groups of "
            f"norm_group={config.norm_group}: start a number of processes that divides {groups}, or use another "
            "norm_group (it is part of what a run is)"
        )


def _loaders() -> int:
    """Return how many of this machine's cores are this process's share, up to 16."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(16, cores // int(os.environ.get("LOCAL_WORLD_SIZE", 1)))
