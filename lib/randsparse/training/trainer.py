"""Train runs: configs in, records out."""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from randsparse.data.catalogue import folder
from randsparse.data.dataset import Batches, Dataset, load
from randsparse.errors import StudyError
from randsparse.runs import flops
from randsparse.runs.config import SCHEMA, SEMANTICS, RunConfig
from randsparse.training import checkpoints, memory, network, weights
from randsparse.training.averaging import MovingAverage
from randsparse.training.engines import batched, programs
from randsparse.training.engines.captured import Captured
from randsparse.training.environment import environment
from randsparse.training.methods import changing_mask
from randsparse.training.metrics import autocast, correctness, input_dtype, logits, loss_and_accuracy, metrics
from randsparse.training.step import GroupedNorms, Masking, learning_rate, make_optimizer

Record = dict[str, Any]
SECONDS_BETWEEN_CHECKPOINTS = 15.0


def train(
    config: RunConfig,
    *,
    data_dir: str | Path | None = None,
    checkpoint_dir: Path | None = None,
    weights_root: Path | None = None,
    device: str = "cpu",
) -> Record:
    """Train `config` and return its record, a JSON value, as `runs.Store` keeps it.

    With `checkpoint_dir`, goes on bit for bit from an earlier part of the same trajectory, and leaves one there when
    it stops before the last epoch. With `weights_root`, leaves the final weights of a complete run there
    (`weights.save`). The test set is evaluated once, after the last epoch of a complete run. A loss that is no longer
    finite ends the run with status "diverged".
    """
    options = {"data_dir": data_dir, "checkpoint_dir": checkpoint_dir, "weights_root": weights_root, "device": device}
    return train_together([config], **options)[0]


def train_together(
    configs: Sequence[RunConfig],
    *,
    data_dir: str | Path | None = None,
    checkpoint_dir: Path | None = None,
    weights_root: Path | None = None,
    device: str = "cpu",
) -> list[Record]:
    """Train runs that share a program (`programs.together`), or a single one, and return their records in order.

    As `train`, which gives the same records one by one. Raises StudyError for runs that share none.
    """
    if folder(configs[0].dataset):
        from randsparse.training.engines import streamed  # which imports this file

        options = {"data_dir": data_dir, "checkpoint_dir": checkpoint_dir, "weights_root": weights_root}
        return [streamed.train(config, **options, device=device) for config in configs]
    states = [checkpoints.load(config, checkpoint_dir) for config in configs]
    begun = [state["epoch"] if state else 0 for state in states]
    records: dict[int, Record] = {}
    for epoch in sorted(set(begun)):  # lanes keep step
        members = [index for index, start in enumerate(begun) if start == epoch]
        dataset = load(configs[0].dataset, data_dir, configs[0].train_samples).to(device)
        trainer = Trainer([configs[index] for index in members], dataset, device)
        trainer.resume([states[index] for index in members])
        _train(trainer, checkpoint_dir)
        if weights_root and trainer.epoch == trainer.config.epochs:
            for config, state, diverged in zip(trainer.configs, trainer.states(), trainer.diverged, strict=True):
                if not diverged:
                    weights.save(state["model"], config, weights_root)
        records |= zip(members, trainer.records(), strict=True)
    return [records[index] for index in range(len(configs))]


def _train(trainer: Trainer, checkpoint_dir: Path | None) -> None:
    """Train to the last epoch, and keep the checkpoints of that."""
    config = trainer.configs[0]
    saved = time.monotonic()
    while trainer.epoch < config.last_epoch and not all(trainer.diverged):
        trainer.train_epoch()
        due = time.monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS or trainer.epoch == config.last_epoch
        if checkpoint_dir and due and trainer.epoch < config.epochs:
            for each, state, diverged in zip(trainer.configs, trainer.states(), trainer.diverged, strict=True):
                if not diverged:
                    checkpoints.save(state, each, checkpoint_dir)
            saved = time.monotonic()
    for each in trainer.configs:
        if trainer.epoch == each.epochs:
            checkpoints.remove(each, checkpoint_dir)


class Trainer:
    """The state of one run, or of several in one program, and the loop that advances it.

    Args:
        configs: one run, or up to `programs.LANES` that `programs.together` says can share a program.

    Attributes:
        measures_images: whether the curve says which images are classified correctly, and how accurate the moving
            average of the network is. Training is the same without.
    """

    measures_images = True

    def __init__(self, configs: Sequence[RunConfig], dataset: Dataset, device: str = "cpu") -> None:
        memory.keep_freed()
        self.configs, self.dataset, self.device = tuple(configs), dataset, torch.device(device)
        config = self.config = programs.shared(self.configs)
        self.precision = getattr(torch, config.precision)
        nets = [network.create(each, dataset.classes, dataset.channels, dataset.size, dataset) for each in configs]
        self.densities, self.masks = [net.density for net in nets], [net.mask for net in nets]
        self.flops = flops.of_network(config, dataset.classes, dataset.channels, dataset.size)
        self.batched = config.engine == "batched"
        if self.batched:
            shapes = {name: p.shape for name, p in nets[0].model.named_parameters()}
            if any({name: p.shape for name, p in net.model.named_parameters()} != shapes for net in nets):
                raise StudyError("runs of one program must have networks of one shape")
            model, mask = batched.stack([net.model for net in nets]), batched.stack_masks(self.masks, shapes)
            seeds = [each.data_seed for each in configs]
            self.batches = batched.LaneBatches(dataset, config.batch_size, seeds, device)
        else:
            model, mask = nets[0].model, nets[0].mask
            self.batches = self.make_batches()
        layout = torch.channels_last if config.memory_format == "channels_last" else torch.contiguous_format
        self.model = model.to(self.device, input_dtype(self.precision), memory_format=layout)
        self.optimizer = make_optimizer(config, self.model)
        self.keep_masked = Masking(self.model, mask)
        self.network: nn.Module = self.model  # what computes the outputs in training
        self.norms = GroupedNorms(self.model)
        self.dynamics = changing_mask(config, nets[0], self)
        averaged = self.measures_images and self.dynamics is None  # an average of changing masks has no mask
        self.average = MovingAverage(self.model) if averaged else None
        self.update = Captured(self.step) if self.device.type == "cuda" else self.step
        self.epoch, self.seconds = 0, 0.0
        self.curves: list[list[dict[str, float]]] = [[] for _ in configs]

    @property
    def diverged(self) -> list[bool]:
        """Whether the last losses of each run were not finite."""
        return [bool(curve) and not all(map(math.isfinite, (curve[-1]["train_loss"], curve[-1]["val_loss"])))
                for curve in self.curves]  # fmt: skip

    def train_epoch(self) -> None:
        """One pass over the training part, then one over the validation part."""
        started = time.perf_counter()
        if self.dynamics:
            self.dynamics.begin(self.epoch)
        self.model.train()
        steps = len(self.batches)
        total: Tensor | float = 0.0
        for step, (images, labels) in enumerate(self.batches.epoch(self.epoch), start=self.epoch * steps):
            self.set_learning_rate(learning_rate(self.config, step, steps))
            total = total + self.advance(step, images, labels)
            if self.average:
                self.average.update()
        train_losses = self.shared(total / steps).tolist()
        self.seconds += time.perf_counter() - started
        outputs, labels = self.evaluated("val")
        self.epoch += 1
        rate = learning_rate(self.config, self.epoch * steps - 1, steps)
        outputs, more = self.of_runs(outputs), self.more_of_validation(outputs, labels)
        rows = zip(self.curves, self.diverged, train_losses, outputs, more, strict=False)  # spare lanes have no curve
        for curve, diverged, train_loss, output, measured in rows:
            if diverged:
                continue
            val_loss, val_accuracy = loss_and_accuracy(output, labels)
            point = {"train_loss": train_loss, "val_loss": val_loss, "val_accuracy": val_accuracy}
            curve.append({"epoch": self.epoch, "lr": rate, **point, **measured})

    def more_of_validation(self, outputs: Tensor, labels: Tensor) -> list[dict[str, Any]]:
        """Return `records.MARKS` of each run's curve after this epoch, {} where not measured, from its logits."""
        if not self.measures_images:
            return [{} for _ in self.configs]
        found: list[dict[str, Any]] = [{"val_correct": correctness(each, labels)} for each in self.of_runs(outputs)]
        if self.average:
            averaged, _ = self.evaluated("val", self.average.model)
            for point, output in zip(found, self.of_runs(averaged), strict=True):
                point["ema_val_accuracy"] = loss_and_accuracy(output, labels)[1]
                point["ema_val_correct"] = correctness(output, labels)
        return found

    def set_learning_rate(self, rate: float) -> None:
        """Set the rate of the next step, in place where it is a tensor that a captured step reads."""
        for group in self.optimizer.param_groups:
            if isinstance(group["lr"], Tensor):
                group["lr"].fill_(rate)
            else:
                group["lr"] = rate

    def advance(self, step: int, images: Tensor, labels: Tensor) -> Tensor:
        """Take `step`, counted from 0 over all of training, as the run's method does it; return the losses."""
        if self.dynamics is None or not self.dynamics.due(step):
            return self.update(images, labels)
        losses = self.gradients(images, labels)
        self.dynamics.update(step)
        return losses

    def step(self, images: Tensor, labels: Tensor) -> Tensor:
        """Update the weights by one batch, as `batches` yields it; return the loss of each lane, on the device."""
        losses = self.gradients(images, labels)
        self.keep_masked()
        self.optimizer.step()
        return losses

    def gradients(self, images: Tensor, labels: Tensor) -> Tensor:
        """Compute the gradients of one batch, those of masked weights too; return the loss of each lane.

        The images of a batch pass in groups of `norm_group`, each with the batch-norm statistics of its own.
        """
        self.model.zero_grad()
        size = self.config.norm_group or len(labels)
        groups = list(zip(images.split(size), labels.split(size), strict=True))
        total: Tensor | float = 0.0
        for index, group in enumerate(groups):
            with self.norms.group(index, len(groups)), self.accumulating(last=index == len(groups) - 1):
                losses = self.losses(*group) / len(groups)
                losses.sum().backward()
            total = total + losses.detach()
        return total

    def losses(self, images: Tensor, labels: Tensor) -> Tensor:
        """Return the mean loss over some images of each lane."""
        with autocast(self.device, self.precision):
            outputs = self.network(images.to(input_dtype(self.precision)))
            smoothing = self.config.label_smoothing
            if self.batched:
                by_image = F.cross_entropy(outputs.transpose(1, 2), labels, label_smoothing=smoothing, reduction="none")
                return by_image.mean(0)
            return F.cross_entropy(outputs, labels, label_smoothing=smoothing)[None]

    def make_batches(self) -> Batches:
        """Return the batches of a run that has its program to itself."""
        return Batches(self.dataset, self.config.batch_size, self.config.data_seed, self.device)

    def accumulating(self, last: bool) -> contextlib.AbstractContextManager[object]:
        """Return the context of one group's pass, the last of a step or not."""
        return contextlib.nullcontext()

    def shared(self, losses: Tensor) -> Tensor:
        """Return the losses of an epoch, over all processes that train this run."""
        return losses

    def evaluated(self, part: str, model: nn.Module | None = None) -> tuple[Tensor, Tensor]:
        """Return the logits of the images of a part ("val" or "test"), and their labels.

        Args:
            model: the network that computes them, by default the one that is trained.
        """
        images, labels = (getattr(self.dataset, f"{part}_{kind}") for kind in "xy")
        return logits(model or self.model, images, self.dataset, self.precision), labels

    def of_runs(self, outputs: Tensor) -> list[Tensor]:
        """Return the logits of each run, (N, classes), from those of the model."""
        return list(outputs.unbind(1))[: len(self.configs)] if self.batched else [outputs]

    def states(self) -> list[dict[str, Any]]:
        """Return all that the rest of each trajectory depends on; order and augmentation follow from the epoch."""
        whole = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        whole |= {"average": self.average.model.state_dict()} if self.average else {}
        parts = [batched.lane_state(whole, lane) for lane in range(len(self.configs))] if self.batched else [whole]
        if self.dynamics:
            parts = [part | {"dynamics": self.dynamics.state()} for part in parts]
        seconds = self.seconds / len(self.configs)
        return [part | {"epoch": self.epoch, "seconds": seconds, "curve": curve}
                for part, curve in zip(parts, self.curves, strict=True)]  # fmt: skip

    def resume(self, states: Sequence[dict[str, Any] | None]) -> None:
        """Go on from one state a run, all of one epoch, if there are any."""
        if states[0] is None:
            return
        first = batched.stack_state(list(states)) if self.batched else states[0]
        if self.dynamics:
            self.dynamics.resume(states[0]["dynamics"])
        self.model.load_state_dict(first["model"])
        self.optimizer.load_state_dict(first["optimizer"])
        self.epoch, self.seconds = states[0]["epoch"], sum(state["seconds"] for state in states)
        if self.average:
            self.average.model.load_state_dict(first["average"])
            self.average.steps = self.epoch * len(self.batches)
        self.curves = [list(state["curve"]) for state in states]

    def records(self) -> list[Record]:
        """Return the record of each run as far as it has come, without test metrics unless it is complete."""
        outputs: list[Tensor | None] = [None] * len(self.configs)
        labels = None
        if self.config.stop_epoch is None and not all(self.diverged):
            found, labels = self.evaluated("test")
            outputs = self.of_runs(found)
        return [self._record(index, output, labels) for index, output in enumerate(outputs)]

    def _record(self, index: int, output: Tensor | None, labels: Tensor | None) -> Record:
        config, curve = self.configs[index], self.curves[index][: self.config.last_epoch]
        status, reason, test = "stopped", None, None
        if self.diverged[index]:
            status, reason = "diverged", f"loss not finite in epoch {len(curve)}"
        elif output is not None:
            status, test = "done", metrics(output, labels)
            test |= {"correct": correctness(output, labels)} if self.measures_images else {}
        return {
            "schema": SCHEMA,
            "semantics": SEMANTICS,
            "key": config.key,
            "config": config.to_dict(),
            "status": status,
            "reason": reason,
            "curve": curve,
            "test": test,
            "density": self.dynamics.densities() if self.dynamics else self.densities[index],
            "cost": self.cost(index),
            "environment": environment(self.device),
        }

    def cost(self, index: int = 0) -> dict[str, float]:
        """Return seconds of training, images per second, and training FLOPs: as computed, and of kept weights only.

        A run that shares a program has its share of the program's seconds. A backward pass costs two forward passes,
        so a step is three (as in Evci et al. 2020, appendix H).
        """
        epochs, seconds = len(self.curves[index]), self.seconds / len(self.configs)
        images = epochs * len(self.batches) * self.config.batch_size
        return {
            "epochs": epochs,
            "images": images,
            "seconds": seconds,
            "images_per_second": images / seconds if seconds else 0.0,
            "flops": 3.0 * images * sum(self.flops.values()),
            "sparse_flops": 3.0 * images * self.sparse_flops(index),
        }

    def sparse_flops(self, index: int = 0) -> float:
        """Return the forward FLOPs of one image that fall on kept weights; where the mask changes, on average."""
        if self.dynamics:
            return self.dynamics.mean_flops(self.epoch * len(self.batches))
        mask = self.masks[index]
        return flops.on_kept_weights(self.flops, mask.layer_densities if mask else {})
