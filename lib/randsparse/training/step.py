"""What a training step does to weights and statistics: the optimiser, its learning rate, the mask that it keeps to."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator

import torch
from torch import nn

from randsparse.runs import methods
from randsparse.runs.config import RunConfig
from randsparse.sparsity.masks import Mask


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

    def change(self, mask: Mask, optimizer: torch.optim.Optimizer | None = None) -> None:
        """Go on with another mask of the same parameters: what is not in it becomes zero, and so does its state.

        So a weight that comes back starts at zero, with a state of zero in `optimizer`. All changes are in place.
        """
        self.mask = mask
        for factor, keep in zip(self.factors, mask.values(), strict=True):
            factor.copy_(keep)
        torch._foreach_mul_([parameter.data for parameter in self.parameters], self.factors)
        for parameter, factor in zip(self.parameters, self.factors, strict=True):
            for state in optimizer.state.get(parameter, {}).values() if optimizer else ():
                if isinstance(state, torch.Tensor) and state.shape == factor.shape:
                    state.mul_(factor)

    def __call__(self) -> None:
        if self.mask:
            torch._foreach_mul_([parameter.grad for parameter in self.parameters], self.factors)


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

    Where training has several schedules (`methods.in_schedule`), `step` has the rate of its own.
    """
    step, total = methods.in_schedule(config, step, steps_per_epoch)
    warmup = config.warmup_epochs * steps_per_epoch
    if step < warmup:
        return config.lr * (step + 1) / (warmup + 1)
    if config.schedule == "step":
        return config.lr * config.gamma ** sum(step >= milestone * total for milestone in config.milestones)
    return config.lr * 0.5 * (1 + math.cos(math.pi * (step - warmup) / (total - warmup)))


def make_optimizer(config: RunConfig, model: nn.Module) -> torch.optim.Optimizer:
    """Return the optimiser of a network; weight decay acts on weights of convolutions and linear layers only."""
    parameters = list(model.parameters())
    embeddings = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    weights = [p for p in parameters if p.dim() > 1 and id(p) not in embeddings]
    return optimizer_of(config, weights, [p for p in parameters if p.dim() <= 1 or id(p) in embeddings])


def optimizer_of(
    config: RunConfig, weights: list[nn.Parameter], others: list[nn.Parameter]
) -> torch.optim.Optimizer:
    """Return the optimiser of parameters, with weight decay on `weights` alone.

    On a GPU the learning rate is a tensor there, which a captured step can read.
    """
    groups = [{"params": weights, "weight_decay": config.weight_decay}, {"params": others, "weight_decay": 0.0}]
    on_gpu = weights[0].is_cuda
    rate = torch.tensor(config.lr, device=weights[0].device) if on_gpu else config.lr
    if config.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=rate, fused=True, capturable=on_gpu)
    return torch.optim.SGD(groups, lr=rate, momentum=config.momentum, nesterov=config.nesterov, fused=True)
