"""Training on images that are streamed from disk, by one process or by several that share every batch."""

from __future__ import annotations

import contextlib
import inspect
import os
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from tqdm import tqdm

from randsparse.errors import StudyError
from randsparse.runs.config import RunConfig
from randsparse.training.engines.processes import ALONE, Processes
from randsparse.training.engines.streamed_batches import evaluation_batches
from randsparse.training.metrics import outputs_of
from randsparse.training.trainer import Record, Trainer

EVALUATION_BATCH = 256


_NAMES_SYNC = "forward_sync_buffers" in inspect.signature(DistributedDataParallel).parameters


class StreamedTrainer(Trainer):
    """A trainer whose images come from disk, and whose batches are shared by processes.

    Each process computes the gradients of its part of a batch, in whole groups of `norm_group` images; their mean is
    that of the batch, so that neither what a run is nor its batch-norm statistics depend on the number of processes.

    Args:
        parts, more: those of `Trainer`, with `StreamedBatches` of the same processes.
        loaders: processes that read images ahead in evaluation; 0 for none.
        progress: whether the first process shows a bar of the steps of each epoch.
    """

    measures_images = False  # running statistics are those of a process until the end of an epoch, and images are many
    epochs_are_long = True

    def __init__(
        self, *parts: Any, processes: Processes = ALONE, loaders: int = 0, progress: bool = False, **more: Any
    ) -> None:
        super().__init__(*parts, **more)
        self.processes, self.loaders, self.progress = processes, loaders, progress
        self.update, self.bar = self.step, tqdm(disable=True)
        if processes.size > 1:
            devices = [self.device] if self.device.type == "cuda" else None
            # Batch norm's running statistics are averaged after an epoch; no process's are those of all.
            name = "forward_sync_buffers" if _NAMES_SYNC else "broadcast_buffers"  # of earlier versions of torch
            self.network = DistributedDataParallel(self.model, devices, **{name: False})

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

    def evaluated(self, part: str, model: nn.Module | None = None) -> tuple[Tensor, Tensor]:
        def own_share() -> Tensor:
            none = torch.empty(0, self.dataset.classes, dtype=torch.float64, device=self.device)
            place = (self.device, self.processes, EVALUATION_BATCH, self.loaders)
            batches = evaluation_batches(self.dataset, part, *place)
            return torch.cat([none, *outputs_of(model or self.model, batches, self.precision)])

        labels = self.dataset.parts[part].labels.to(self.device)
        return self.processes.interleaved(self.processes.each_does(own_share), len(labels)), labels

    def states(self) -> list[dict[str, object]]:
        return [state | {"images": self.dataset.digest} for state in super().states()]

    def records(self) -> list[Record]:
        more = {"processes": self.processes.size, "images": self.dataset.digest}
        return [record | {"environment": record["environment"] | more} for record in super().records()]


def check_shares(config: RunConfig, processes: Processes) -> None:
    """Raise StudyError if processes cannot share the batches of a run in whole groups of `norm_group` images."""
    groups = config.batch_size // (config.norm_group or config.batch_size)
    if groups % processes.size:
        raise StudyError(
            f"{processes.size} processes cannot share batches of {config.batch_size} images in {groups} groups of "
            f"norm_group={config.norm_group}: start a number of processes that divides {groups}, or use another "
            "norm_group (it is part of what a run is)"
        )


def count_loaders() -> int:
    """Return how many of this machine's cores are this process's share, up to 16."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(16, cores // int(os.environ.get("LOCAL_WORLD_SIZE", 1)))
