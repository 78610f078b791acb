"""Continuous sparsification: every layer learns the threshold below which its weights are zero."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from randsparse.runs.config import RunConfig
from randsparse.sparsity.masks import Mask
from randsparse.training.methods.base import ChangingMask
from randsparse.training.methods.dynamic import pruned
from randsparse.training.network import Network

if TYPE_CHECKING:
    from randsparse.training.trainer import Trainer


class SoftThreshold(ChangingMask):
    """STR: layer l computes with S(w, s) = sign(w) ReLU(|w| - g(s)), g the sigmoid (Kusupati et al. 2020, section 3).

    Weights w of the source and one s a layer are trained by the run's recipe. With G = ∂L/∂S and h = 1 where
    |w| > g(s), ∂L/∂w = G ⊙ h and ∂L/∂s = -g'(s) Σ G ⊙ sign(w) ⊙ h; weight decay acts on w, and `threshold_decay` on s,
    which it draws from `threshold_init` towards 0. A weight that is zero keeps its w, and can come back.

    In the paper decay and initial value decide the final density. Here thresholds are learned until the network is as
    sparse as it has to be, or until `update_end` of training. Then S becomes the weights, and the mask stays: the exact
    number of weights with the largest |w| - g(s), one at least in every layer.
    """

    def __init__(self, config: RunConfig, network: Network, trainer: Trainer) -> None:
        self.fixed = False
        super().__init__(config, network, trainer)
        self.last = int(config.update_end * config.epochs * self.steps_per_epoch)
        self.latent = {name: weight.detach().clone() for name, weight in self.parameters.items()}
        self.thresholds = {
            name: nn.Parameter(torch.tensor(config.threshold_init, dtype=weight.dtype, device=weight.device))
            for name, weight in self.parameters.items()
        }
        thresholds = {"params": list(self.thresholds.values()), "weight_decay": config.threshold_decay}
        trainer.optimizer.add_param_group(thresholds)
        self.shrink()

    def due(self, step: int) -> bool:
        return not self.fixed

    def update(self, step: int) -> None:
        for name, weight in self.parameters.items():
            gradient, g = weight.grad * self.mask[name], self.thresholds[name].detach().sigmoid()
            self.thresholds[name].grad = -g * (1 - g) * (gradient * self.latent[name].sign()).sum()
            weight.grad = gradient
            weight.data.copy_(self.latent[name])
        self.trainer.optimizer.step()
        for name, weight in self.parameters.items():
            self.latent[name].copy_(weight.detach())
        self.count_flops(step + 1)
        self.shrink()
        if self.mask.nnz <= self.end or step + 1 >= self.last:
            self.fix()

    def margins(self) -> dict[str, Tensor]:
        """Return |w| - g(s) of every weight."""
        return {name: w.abs() - self.thresholds[name].detach().sigmoid() for name, w in self.latent.items()}

    def shrink(self) -> None:
        """Let the network compute with S(w, s), and the mask be where that is not zero."""
        margins = self.margins()
        for name, weight in self.parameters.items():
            weight.data.copy_(self.latent[name].sign() * margins[name].relu())
        self.change(Mask({name: inside & (margins[name] > 0) for name, inside in self.source.items()}))

    def fix(self) -> None:
        """Let S(w, s) be the weights from now on, of the final number."""
        highest = max(threshold.sigmoid().item() for threshold in self.thresholds.values())
        ranks = {name: (margin + highest).nan_to_num(0.0).clamp(min=0) for name, margin in self.margins().items()}
        self.fixed, self.latent = True, {}
        self.change(pruned(ranks, self.source, self.end))

    def change(self, mask: Mask) -> None:
        if self.fixed:
            super().change(mask)
        else:
            self.trainer.keep_masked.change(mask)  # the optimiser goes on with all of w

    def state(self) -> dict[str, Any]:
        thresholds = {name: threshold.detach().clone() for name, threshold in self.thresholds.items()}
        return super().state() | {"fixed": self.fixed, "latent": self.latent, "thresholds": thresholds}

    def resume(self, state: dict[str, Any]) -> None:
        self.fixed = state["fixed"]
        super().resume(state)
        self.latent = {name: w.to(self.parameters[name]) for name, w in state["latent"].items()}
        for name, threshold in self.thresholds.items():
            threshold.data.copy_(state["thresholds"][name])
