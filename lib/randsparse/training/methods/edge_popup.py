"""Strong tickets by edge-popup: weights stay as they are drawn, and trained scores say which of them are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from randsparse.runs import methods
from randsparse.runs.config import RunConfig
from randsparse.seeds import generator
from randsparse.sparsity import densities
from randsparse.sparsity.layers import fan_in
from randsparse.sparsity.masks import Mask
from randsparse.training.methods.base import ChangingMask, finite, highest_of
from randsparse.training.methods.dynamic import cubic
from randsparse.training.network import Network
from randsparse.training.step import make_optimizer, optimizer_of

if TYPE_CHECKING:
    from randsparse.training.trainer import Trainer


class Supermask(ChangingMask):
    """Edge-popup inside a source mask (Ramanujan et al. 2020, section 3.2; in random sources, Gadhikar et al. 2023).

    Layer l computes with w ⊙ h(s), where h is one for the k_l weights of the source with the largest |s|. In the
    backward pass h is the identity, so that the gradient of a score is that of its weight in the network times the
    weight itself: ∂L/∂s = ∂L/∂(w ⊙ h) ⊙ w ⊙ sign(s), also where h is zero. The run's recipe, weight decay included,
    trains the scores; weights, scales and shifts of norms, and biases never change. Scores start uniform in
    ± fan-in^(-1/2); that |s| ranks them, and not s, is from the authors' code.

    Every layer keeps the same share of its source. The number of weights goes from that of `start_sparsity` to the
    final one by the cubic schedule of gradual pruning; with `start_sparsity` = `sparsity` it is final all the time.

    In the last `fine_tune_epochs` of training the mask stays, and the weights that it keeps are trained as those of a
    static mask, from the values that were frozen; scales, shifts and biases, too. All before is bit for bit what a run
    of so many fewer epochs does.
    """

    def __init__(self, config: RunConfig, network: Network, trainer: Trainer) -> None:
        for parameter in trainer.model.parameters():
            parameter.requires_grad_(parameter.dim() > 1)  # the others stay, and need none
        weights = {name: trainer.model.get_parameter(name) for name in network.source}
        # As the trainer masked them: zero outside the source, and so are the gradients of scores there.
        self.frozen = {name: weight.detach().clone() for name, weight in weights.items()}
        self.scores = {name: initial_scores(name, weight, config.mask_seed) for name, weight in weights.items()}
        trainer.optimizer = optimizer_of(config, list(self.scores.values()), [])
        super().__init__(config, network, trainer)
        self.limits = np.array(list(self.source.counts.values()))
        self.start = round((1 - methods.start_sparsity(config)) * self.source.size)
        self.frozen_epochs = config.epochs - config.fine_tune_epochs
        self.schedule = methods.Schedule(config, self.steps_per_epoch) if methods.anneals(config) else None
        self.count = self.start
        self.fine_tuning = False
        self.change(self.best())

    def begin(self, epoch: int) -> None:
        if epoch == self.frozen_epochs:
            self.fine_tune()

    def fine_tune(self) -> None:
        """Train the weights from now on, and no scores."""
        self.fine_tuning = True
        for parameter in self.trainer.model.parameters():
            parameter.requires_grad_(True)
        self.trainer.optimizer = make_optimizer(self.config, self.trainer.model)

    def due(self, step: int) -> bool:
        return not self.fine_tuning

    def update(self, step: int) -> None:
        for name, score in self.scores.items():
            score.grad = self.parameters[name].grad * self.frozen[name] * score.detach().sign()
        self.trainer.optimizer.step()
        self.count_flops(step + 1, dense_gradient=True)
        number = self.schedule and self.schedule.number(step)
        if number:
            self.count = cubic(self.start, self.end, number / self.schedule.updates)
        self.change(self.best())

    def best(self) -> Mask:
        """Return the mask of the largest |s| of the source: `count` in all, the same share of every layer."""
        counts = densities.whole(self.limits * (self.count / self.limits.sum()), self.limits, self.count).tolist()
        pairs = zip(self.source.items(), counts, strict=True)
        return Mask({name: highest_of(inside, finite(self.scores[name]), k) for (name, inside), k in pairs})

    def change(self, mask: Mask) -> None:
        """Go on with another mask of the frozen weights."""
        for name, weight in self.parameters.items():
            weight.data.copy_(self.frozen[name])
        super().change(mask)

    def state(self) -> dict[str, Any]:
        scores = {name: score.detach().clone() for name, score in self.scores.items()}
        return super().state() | {"scores": scores, "count": self.count, "fine_tuning": self.fine_tuning}

    def resume(self, state: dict[str, Any]) -> None:
        super().resume(state)
        if state["fine_tuning"]:
            self.fine_tune()
        self.count = state["count"]
        for name, score in self.scores.items():
            score.data.copy_(state["scores"][name])


def initial_scores(name: str, weight: Tensor, seed: int) -> nn.Parameter:
    """Return the first scores of a weight, of its kind of tensor: uniform in ± fan-in^(-1/2), by seed and name."""
    drawn = torch.rand(tuple(weight.shape), generator=generator("popup", seed, name)) * 2 - 1
    return nn.Parameter(torch.empty_like(weight).copy_(drawn * fan_in(tuple(weight.shape)) ** -0.5))
