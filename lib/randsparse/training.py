"""Train one run: a config in, a record out."""

from __future__ import annotations

import math
import platform
import time
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from randsparse import checkpoints, networks
from randsparse.config import SCHEMA, SEMANTICS, RunConfig
from randsparse.data import Batches, Dataset, load
from randsparse.evaluation import autocast, input_dtype, logits, loss_and_accuracy, metrics
from randsparse.masks import Mask

Record = dict[str, Any]
SECONDS_BETWEEN_CHECKPOINTS = 15.0


def train(
    config: RunConfig,
    *,
    data_dir: str | Path | None = None,
    checkpoint_dir: Path | None = None,
    device: str = "cpu",
) -> Record:
    """Train `config` and return its record, a JSON value, as `runs.Store` keeps it.

    With `checkpoint_dir`, goes on bit for bit from an earlier part of the same trajectory, and leaves one there when
    it stops before the last epoch. The test set is evaluated once, after the last epoch of a complete run. A loss
    that is no longer finite ends the run with status "diverged".
    """
    dataset = load(config.dataset, data_dir, config.train_samples).to(device)
    trainer = Trainer(config, dataset, device)
    trainer.resume(checkpoints.load(config, checkpoint_dir))
    saved = time.monotonic()
    while trainer.epoch < config.last_epoch and not trainer.diverged:
        trainer.train_epoch()
        due = time.monotonic() - saved > SECONDS_BETWEEN_CHECKPOINTS or trainer.epoch == config.last_epoch
        if checkpoint_dir and due and trainer.epoch < config.epochs and not trainer.diverged:
            checkpoints.save(trainer.state(), config, checkpoint_dir)
            saved = time.monotonic()
    record = trainer.record()
    if record["status"] == "done":
        checkpoints.remove(config, checkpoint_dir)
    return record


class Trainer:
    """The state of one run and the loop that advances it."""

    def __init__(self, config: RunConfig, dataset: Dataset, device: str = "cpu") -> None:
        self.config, self.dataset, self.device = config, dataset, torch.device(device)
        self.precision = getattr(torch, config.precision)
        network = networks.create(config, dataset.classes, dataset.channels, dataset.size)
        self.density = network.density
        layout = torch.channels_last if config.memory_format == "channels_last" else torch.contiguous_format
        self.model = network.model.to(self.device, input_dtype(self.precision), memory_format=layout)
        self.optimizer = make_optimizer(config, self.model)
        self.keep_masked = Masking(self.model, network.mask)
        self.batches = Batches(dataset, config.batch_size, config.data_seed, device)
        self.flops = forward_flops(self.model, dataset, input_dtype(self.precision))
        self.epoch, self.seconds, self.curve = 0, 0.0, []

    @property
    def diverged(self) -> bool:
        """Whether the last epoch's losses were not finite."""
        return bool(self.curve) and not all(math.isfinite(self.curve[-1][k]) for k in ("train_loss", "val_loss"))

    def train_epoch(self) -> None:
        """One pass over the training part, then one over the validation part."""
        started = time.perf_counter()
        self.model.train()
        steps = len(self.batches)
        total = torch.zeros((), device=self.device)
        for step, (images, labels) in enumerate(self.batches.epoch(self.epoch), start=self.epoch * steps):
            for group in self.optimizer.param_groups:
                group["lr"] = learning_rate(self.config, step, steps)
            total += self.step(images, labels)
        train_loss = total.item() / steps
        self.seconds += time.perf_counter() - started
        outputs = logits(self.model, self.dataset.val_x, self.dataset, self.precision)
        val_loss, val_accuracy = loss_and_accuracy(outputs, self.dataset.val_y)
        self.epoch += 1
        self.curve.append(
            {
                "epoch": self.epoch,
                "lr": learning_rate(self.config, self.epoch * steps - 1, steps),
                "train_loss": train_loss,
                "val_loss": val_loss,
                "val_accuracy": val_accuracy,
            }
        )

    def step(self, images: Tensor, labels: Tensor) -> Tensor:
        """Update the weights by one batch, float32 (B, C, H, W) and int64 (B,); return its loss, on the device."""
        with autocast(self.device, self.precision):
            outputs = self.model(images.to(input_dtype(self.precision)))
            loss = F.cross_entropy(outputs, labels, label_smoothing=self.config.label_smoothing)
        self.optimizer.zero_grad()
        loss.backward()
        self.keep_masked()
        self.optimizer.step()
        return loss.detach()

    def state(self) -> dict[str, Any]:
        """Return all that the rest of the trajectory depends on; order and augmentation are functions of the epoch."""
        return {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "epoch": self.epoch,
            "seconds": self.seconds,
            "curve": self.curve,
        }

    def resume(self, state: dict[str, Any] | None) -> None:
        """Go on from `state`, if there is one."""
        if state is None:
            return
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.epoch, self.seconds, self.curve = state["epoch"], state["seconds"], list(state["curve"])

    def record(self) -> Record:
        """Return the record of the run as far as it has come, without test metrics unless it is complete."""
        config, curve = self.config, self.curve[: self.config.last_epoch]
        status, reason, test = "stopped", None, None
        if self.diverged:
            status, reason = "diverged", f"loss not finite in epoch {self.epoch}"
        elif config.stop_epoch is None:
            status = "done"
            test = metrics(logits(self.model, self.dataset.test_x, self.dataset, self.precision), self.dataset.test_y)
        return {
            "schema": SCHEMA,
            "semantics": SEMANTICS,
            "key": config.key,
            "config": config.to_dict(),
            "status": status,
            "reason": reason,
            "curve": curve,
            "test": test,
            "density": self.density,
            "cost": self.cost(),
            "environment": environment(self.device),
        }

    def cost(self) -> dict[str, float]:
        """Return seconds of training, images per second, and training FLOPs: as computed, and of kept weights only.

        A backward pass costs two forward passes, so a step is three (as in Evci et al. 2020, appendix H).
        """
        images = self.epoch * len(self.batches) * self.config.batch_size
        return {
            "epochs": self.epoch,
            "images": images,
            "seconds": self.seconds,
            "images_per_second": images / self.seconds if self.seconds else 0.0,
            "flops": 3.0 * images * sum(self.flops.values()),
            "sparse_flops": 3.0 * images * self.sparse_flops(),
        }

    def sparse_flops(self) -> float:
        """Return the forward FLOPs of one image that fall on kept weights."""
        mask = self.keep_masked.mask
        densities = mask.layer_densities if mask else {}
        return sum(n * densities.get(f"{layer}.weight", 1.0) for layer, n in self.flops.items())


class Masking:
    """Keeps masked weights at exactly zero: zeroes them once, then the gradients of every step in one fused call.

    A weight that starts at zero with a zero gradient stays zero, and so does its optimiser state, under momentum,
    Nesterov and weight decay, for SGD and AdamW.
    """

    def __init__(self, model: nn.Module, mask: Mask | None) -> None:
        self.mask = mask
        parameters = dict(model.named_parameters())
        self.parameters = [parameters[name] for name in mask or ()]
        self.factors = [
            torch.empty_like(parameters[name]).copy_(keep) for name, keep in (mask.items() if mask else ())
        ]
        if mask:
            torch._foreach_mul_([parameter.data for parameter in self.parameters], self.factors)

    def __call__(self) -> None:
        if self.mask:
            torch._foreach_mul_([parameter.grad for parameter in self.parameters], self.factors)


def learning_rate(config: RunConfig, step: int, steps_per_epoch: int) -> float:
    """Return the rate of `step` (from 0): linear warm-up, then a cosine to 0 or steps by `gamma` at the milestones."""
    total, warmup = config.epochs * steps_per_epoch, config.warmup_epochs * steps_per_epoch
    if step < warmup:
        return config.lr * (step + 1) / (warmup + 1)
    if config.schedule == "step":
        return config.lr * config.gamma ** sum(step >= milestone * total for milestone in config.milestones)
    return config.lr * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (total - warmup)))


def make_optimizer(config: RunConfig, model: nn.Module) -> torch.optim.Optimizer:
    """Return the optimiser; weight decay acts on weights of convolutions and linear layers only."""
    weights = [p for p in model.parameters() if p.dim() > 1]
    others = [p for p in model.parameters() if p.dim() <= 1]
    groups = [{"params": weights, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
    if config.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=config.lr, fused=True)
    return torch.optim.SGD(groups, lr=config.lr, momentum=config.momentum, nesterov=config.nesterov, fused=True)


@torch.no_grad()
def forward_flops(model: nn.Module, dataset: Dataset, dtype: torch.dtype) -> dict[str, float]:
    """Return the forward FLOPs of one image by layer name, of convolutions and linear layers, as torch counts them."""
    image = torch.zeros(1, dataset.channels, dataset.size, dataset.size, device=dataset.train_x.device, dtype=dtype)
    model.eval()
    with FlopCounterMode(display=False) as counter:
        model(image)
    layers = {name for name, module in model.named_modules() if isinstance(module, nn.Conv2d | nn.Linear)}
    counts: dict[str, float] = {}
    for name, by_operation in counter.get_flop_counts().items():
        layer = name.partition(".")[2]
        if layer in layers:
            counts[layer] = float(sum(by_operation.values()))
    return counts


def environment(device: torch.device) -> dict[str, str | int]:
    """Return the versions and the kind of machine that a run was made with; nothing that names the machine."""
    accelerator = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.machine()
    return {
        "device": device.type,
        "hardware": accelerator,
        "python": platform.python_version(),
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
    }

