"""What a training step does to weights and statistics: the optimiser, its learning rate, and norms in groups."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator

import torch
from torch import nn

from randsparse.runs import interventions, methods
from randsparse.runs.config import RunConfig


class GroupedNorms:
    """Batch norms that see a batch in groups: each normalises by its own statistics, all count in the running ones.

    After the K groups of a step these are (1 - m) r + m mean(s_1, ..., s_K), with r what they were and m the momentum
    of the norms: group k from 0 has m / (K - (K - 1 - k) m). So many steps later, the mean over processes that had some
    of the groups each is what one process with all of them has.
    """

    def __init__(self, model: nn.Module) -> None:
        norms = (nn.BatchNorm1d, nn.BatchNorm2d)
        self.momenta = {m: m.momentum for m in model.modules() if isinstance(m, norms)}

    @contextlib.contextmanager
    def group(self, index: int, groups: int) -> Iterator[None]:
        """Let the norms take part in the pass of group `index` (from 0) of `groups`."""
        momenta = self.momenta if groups > 1 else {}
        for norm, m in momenta.items():
            norm.momentum = m / (groups - (groups - 1 - index) * m)
        try:
            yield
        finally:
            for norm, m in momenta.items():
                norm.momentum = m

    def statistics(self) -> list[torch.Tensor]:
        """Return the running means and variances of all norms."""
        return [value for norm in self.momenta for value in (norm.running_mean, norm.running_var)]


def learning_rate(config: RunConfig, step: int, steps_per_epoch: int) -> float:
    """Return the rate of `step` (from 0): linear warm-up, then a cosine to 0 or steps by `gamma` at the milestones.

    Where training has several schedules (`methods.place_in_schedule`), `step` has the rate of its own. Step k
    (from 0) of the K steps of a cool-down has 1 - k/K of the rate with which the cool-down begins.
    """
    if config.cooldown_epoch:
        first, steps = interventions.find_cooldown_steps(config, steps_per_epoch)
        if step > first:
            return _scheduled(config, first, steps_per_epoch) * (1 - (step - first) / steps)
    return _scheduled(config, step, steps_per_epoch)


def _scheduled(config: RunConfig, step: int, steps_per_epoch: int) -> float:
    """Return the rate of a step in the ordinary schedule."""
    step, total = methods.place_in_schedule(config, step, steps_per_epoch)
    warmup = config.warmup_epochs * steps_per_epoch
    if step < warmup:
        return config.lr * (step + 1) / (warmup + 1)
    if config.schedule == "step":
        return config.lr * config.gamma ** sum(step >= milestone * total for milestone in config.milestones)
    return config.lr * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (total - warmup)))


def make_optimizer(config: RunConfig, model: nn.Module) -> torch.optim.Optimizer:
    """Return the optimiser of a network; weight decay acts on weights of convolutions and linear layers only.

    On a GPU the learning rate is a tensor there, which a captured step can read.
    """
    embeddings = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    weights = [p for p in model.parameters() if p.dim() > 1 and id(p) not in embeddings]
    others = [p for p in model.parameters() if p.dim() <= 1 or id(p) in embeddings]
    groups = [{"params": weights, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
    on_gpu = weights[0].is_cuda
    rate = torch.tensor(config.lr, device=weights[0].device) if on_gpu else config.lr
    if config.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=rate, fused=True, capturable=on_gpu)
    return torch.optim.SGD(groups, lr=rate, momentum=config.momentum, nesterov=config.nesterov, fused=True)
