"""Continuous sparsification: every layer learns the threshold below which its weights are zero."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from randsparse.errors import require
from randsparse.sparsity.masks import Mask
from randsparse.training.methods.base import ChangingMask, State, count_final
from randsparse.training.methods.dynamic import prune_weights


class SoftThreshold(ChangingMask):
    """STR: layer l computes with S(w, s) = sign(w) ReLU(|w| - g(s)), g the sigmoid (Kusupati et al. 2020, section 3).

    Weights w of the source and one s a layer are trained by the optimiser. With G = ∂L/∂S and h = 1 where
    |w| > g(s), ∂L/∂w = G ⊙ h and ∂L/∂s = -g'(s) Σ G ⊙ sign(w) ⊙ h; weight decay acts on w, and `threshold_decay` on s,
    which it draws from `threshold_init` towards 0. A weight that is zero keeps its w, and can come back.

    In the paper decay and initial value decide the final density. Here thresholds are learned until the network is as
    sparse as it has to be, or until `update_end` of training. Then S becomes the weights, and the mask stays: the exact
    number of weights with the largest |w| - g(s), one at least in every layer.

    Args:
        mask: the source: that of all weights for the usual method (`masks.random` with density 1).
        optimizer: gets the thresholds as one more group of parameters; make a schedule of its rate after this.
        density: the final one, of all weights that the mask covers.
        total_steps: of all of training, of which `update_end` is a fraction.
        threshold_init: s at the start.
        threshold_decay: weight decay of s.
    """

    def __init__(
        self,
        model: nn.Module,
        mask: Mask,
        optimizer: torch.optim.Optimizer,
        *,
        density: float,
        total_steps: int,
        update_end: float = 0.75,
        threshold_init: float = -5.0,
        threshold_decay: float = 5e-4,
    ) -> None:
        require(0 < update_end <= 1, "update_end", update_end, "in (0, 1], a fraction of training")
        require(threshold_decay >= 0, "threshold_decay", threshold_decay, "0 or more")
        require(math.isfinite(threshold_init), "threshold_init", threshold_init, "finite")
        self.end, self.last = count_final(mask, density), int(update_end * total_steps)
        self.fixed = False
        super().__init__(model, mask, optimizer, source=mask)
        self.latent = {name: weight.detach().clone() for name, weight in self.parameters.items()}
        self.thresholds = {
            name: nn.Parameter(torch.tensor(threshold_init, dtype=weight.dtype, device=weight.device))
            for name, weight in self.parameters.items()
        }
        optimizer.add_param_group(
            {
                "params": list(self.thresholds.values()),
                "weight_decay": threshold_decay,
                "lr": optimizer.param_groups[0]["lr"],
            }
        )
        self.shrink()

    @property
    def due(self) -> bool:
        """Whether thresholds are still learned."""
        return not self.fixed

    def update(self) -> None:
        for name, weight in self.parameters.items():
            gradient, g = weight.grad * self.mask[name], self.thresholds[name].detach().sigmoid()
            self.thresholds[name].grad = -g * (1 - g) * (gradient * self.latent[name].sign()).sum()
            weight.grad = gradient
            weight.data.copy_(self.latent[name])
        self.optimizer.step()
        for name, weight in self.parameters.items():
            self.latent[name].copy_(weight.detach())
        self.shrink()
        if self.mask.nnz <= self.end or self.steps + 1 >= self.last:
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
        self.change(prune_weights(ranks, self.source, self.end))

    def change(self, mask: Mask) -> None:
        if self.fixed:
            super().change(mask)
        else:
            self._swap(mask)  # the optimiser goes on with all of w

    def state_dict(self) -> State:
        thresholds = {name: threshold.detach().clone() for name, threshold in self.thresholds.items()}
        latent = {name: w.clone() for name, w in self.latent.items()}
        return super().state_dict() | {"fixed": self.fixed, "latent": latent, "thresholds": thresholds}

    def load_state_dict(self, state: State) -> None:
        self.fixed = state["fixed"]
        super().load_state_dict(state)
        self.latent = {name: w.to(self.parameters[name], copy=True) for name, w in state["latent"].items()}
        for name, threshold in self.thresholds.items():
            threshold.data.copy_(state["thresholds"][name])
