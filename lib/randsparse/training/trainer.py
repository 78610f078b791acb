"""The loop that trains a run, epoch by epoch, and what it has to say of it in the end."""

from __future__ import annotations

import contextlib
import itertools
import math
import time
from collections.abc import Iterable, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from randsparse.data.dataset import Dataset
from randsparse.runs import flops, interventions
from randsparse.runs.config import SCHEMA, SEMANTICS, RunConfig
from randsparse.training import environment, network
from randsparse.training.averaging import MovingAverage
from randsparse.training.costs import ChangingCosts
from randsparse.training.engines.captured import Captured
from randsparse.training.methods.base import StaticMask
from randsparse.training.metrics import autocast, correctness, input_dtype, logits, loss_and_accuracy, metrics
from randsparse.training.step import GroupedNorms, learning_rate

Record = dict[str, Any]


class EpochBatches(Protocol):
    """The batches of a run; len() is the number of them in an epoch."""

    def __len__(self) -> int: ...

    def epoch(self, epoch: int) -> Iterable[tuple[Tensor, Tensor]]:
        """Yield the images and labels of each batch of `epoch` (from 0)."""


class Trainer:
    """The state of one run, and the loop that advances it; `train.prepare` makes one from a config.

    Args:
        configs: the run; several only where they share a program, as in `engines.batched`.
        networks: of each run, for what records say of them.
        batches: of its training part, on `device`.
        model: the network to train, on `device`, as `networks` begin; `method` holds its mask and optimiser.

    Attributes:
        measures_images: whether the curve says which images are classified correctly, and how accurate the moving
            average of the network is. Training is the same without.
        epochs_are_long: whether `train` keeps a checkpoint of each.
    """

    measures_images = True
    epochs_are_long = False

    def __init__(
        self,
        configs: Sequence[RunConfig],
        networks: Sequence[network.Network],
        dataset: Dataset,
        batches: EpochBatches,
        model: nn.Module,
        method: StaticMask,
        device: str = "cpu",
    ) -> None:
        environment.keep_freed()
        self.configs, self.dataset, self.device = tuple(configs), dataset, torch.device(device)
        config = self.config = configs[0]
        self.precision = getattr(torch, config.precision)
        self.densities, self.masks = [net.density for net in networks], [net.mask for net in networks]
        self.flops = flops.count_for_network(config, dataset.classes, dataset.channels, dataset.size)
        self.batches, self.model, self.method, self.optimizer = batches, model, method, method.optimizer
        self.network: nn.Module = model  # what computes the outputs in training
        self.norms = GroupedNorms(model)
        self.costs = ChangingCosts(self.flops, method.source) if method.source else None
        averaged = self.measures_images and self.costs is None  # an average of changing masks has no mask
        self.average = MovingAverage(model) if averaged else None
        self.update = Captured(self.step) if self.device.type == "cuda" else self.step
        self.epoch, self.seconds = 0, 0.0
        self.curves: list[list[dict[str, float]]] = [[] for _ in configs]

    @property
    def diverged(self) -> list[bool]:
        """Whether the last losses of each run were not finite."""
        return [
            bool(curve) and not all(map(math.isfinite, (curve[-1]["train_loss"], curve[-1]["val_loss"])))
            for curve in self.curves
        ]

    def train_epoch(self) -> None:
        """One pass over the training part (less, where a cool-down ends), then one over the validation part."""
        started = time.perf_counter()
        steps = len(self.batches)
        first, end = (interventions.count_steps(self.config, epoch, steps) for epoch in (self.epoch, self.epoch + 1))
        self.begin()
        self.model.train()
        total: Tensor | float = 0.0
        batches = itertools.islice(self.batches.epoch(self.epoch), end - first)
        for step, (images, labels) in enumerate(batches, start=first):
            self.set_learning_rate(learning_rate(self.config, step, steps))
            total = total + self.advance(images, labels)
            if self.average:
                self.average.update()
        train_losses = self.shared(total / (end - first)).tolist()
        self.seconds += time.perf_counter() - started
        outputs, labels = self.evaluated("val")
        self.epoch += 1
        rate = learning_rate(self.config, end - 1, steps)
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
            group["lr"] = group["lr"].fill_(rate) if isinstance(group["lr"], Tensor) else rate

    def begin(self) -> None:
        """Let the method do what comes before an epoch."""
        before = self.method.mask
        self.method.begin()
        if self.costs and self.method.mask is not before:
            self.costs.count(self.method.steps, before)

    def advance(self, images: Tensor, labels: Tensor) -> Tensor:
        """Take the next step, as the run's method does it; return the losses."""
        if not self.method.due:
            losses = self.update(images, labels)
            self.method.steps += 1
            return losses
        before = self.method.mask
        losses = self.gradients(images, labels)
        self.method.step()
        self.costs.count(self.method.steps, before, self.method.dense_gradient)
        return losses

    def step(self, images: Tensor, labels: Tensor) -> Tensor:
        """Update the weights by one batch, as `batches` yields it; return the loss of each run, on the device."""
        losses = self.gradients(images, labels)
        self.method.update_weights()
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
        """Return the mean loss over some images, of each run."""
        with autocast(self.device, self.precision):
            outputs = self.network(images.to(input_dtype(self.precision)))
            return F.cross_entropy(outputs, labels, label_smoothing=self.config.label_smoothing)[None]

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
        return [outputs]

    def states(self) -> list[dict[str, Any]]:
        """Return all that the rest of each trajectory depends on; order and augmentation follow from the epoch."""
        whole = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}
        whole |= {"average": self.average.model.state_dict()} if self.average else {}
        parts = self.state_of_runs(whole)
        if self.costs:
            parts = [part | {"dynamics": self.method.state_dict() | self.costs.state_dict()} for part in parts]
        seconds = self.seconds / len(self.configs)
        return [
            part | {"epoch": self.epoch, "seconds": seconds, "curve": curve}
            for part, curve in zip(parts, self.curves, strict=True)
        ]

    def state_of_runs(self, whole: dict[str, Any]) -> list[dict[str, Any]]:
        """Return the states of networks and optimisers, of each run, from those of the model."""
        return [whole]

    def state_of_model(self, states: Sequence[dict[str, Any]]) -> dict[str, Any]:
        """Return the state of the model from those of each run."""
        return states[0]

    def resume(self, states: Sequence[dict[str, Any] | None]) -> None:
        """Go on from one state a run, all of one epoch, if there are any."""
        if states[0] is None:
            return
        whole = self.state_of_model(states)
        self.epoch, self.seconds = states[0]["epoch"], sum(state["seconds"] for state in states)
        self.method.steps = self.epoch * len(self.batches)
        if self.costs:
            self.method.load_state_dict(states[0]["dynamics"])
            self.costs.load_state_dict(states[0]["dynamics"])
        self.model.load_state_dict(whole["model"])
        self.optimizer.load_state_dict(whole["optimizer"])
        if self.average:
            self.average.model.load_state_dict(whole["average"])
            self.average.steps = self.method.steps
        self.curves = [list(state["curve"]) for state in states]

    def records(self) -> list[Record]:
        """Return the record of each run as far as it has come, without test metrics unless it is complete."""
        complete = self.config.stop_epoch is None and not all(self.diverged)
        found, labels = self.evaluated("test") if complete else (None, None)
        outputs = self.of_runs(found) if complete else [None] * len(self.configs)
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
            "density": self.density(index),
            "cost": self.cost(index),
            "environment": environment.describe_environment(self.device),
        }

    def density(self, index: int = 0) -> dict[str, Any]:
        """Return what a record says of a run's mask; of one that changes, as it is so far."""
        if self.costs is None:
            return self.densities[index]
        return network.report(self.config, self.method.mask.to("cpu"), self.model)

    def cost(self, index: int = 0) -> dict[str, float]:
        """Return seconds of training, images per second, and training FLOPs: as computed, and of kept weights only.

        A run that shares a program has its share of the program's seconds. A backward pass costs two forward passes,
        so a step is three (as in Evci et al. 2020, appendix H).
        """
        epochs, seconds = len(self.curves[index]), self.seconds / len(self.configs)
        images = interventions.count_steps(self.config, epochs, len(self.batches)) * self.config.batch_size
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
        if self.costs:
            return self.costs.mean(self.epoch * len(self.batches), self.method.mask)
        mask = self.masks[index]
        return flops.count_kept(self.flops, mask.layer_densities if mask else {})
