"""Strong tickets by edge-popup: weights stay as they are drawn, and trained scores say which of them are kept."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from randsparse.errors import require
from randsparse.runs.methods import Updates
from randsparse.seeds import generator
from randsparse.sparsity.layers import fan_in
from randsparse.sparsity.masks import Mask
from randsparse.training.methods.base import ChangingMask, State, count_final, make_finite
from randsparse.training.methods.dynamic import cubic, prune_weights


class EdgePopup(ChangingMask):
    """Edge-popup inside a source mask (Ramanujan et al. 2020, section 3.2; in random sources, Gadhikar et al. 2023).

    Layer l computes with w ⊙ h(s), where h is one for the k_l weights of the source with the largest |s|. In the
    backward pass h is the identity, so that the gradient of a score is that of its weight in the network times the
    weight itself: ∂L/∂s = ∂L/∂(w ⊙ h) ⊙ w ⊙ sign(s), also where h is zero. The optimiser, weight decay included,
    trains the scores; weights, scales and shifts of norms, and biases never change. Scores start uniform in
    ± fan-in^(-1/2); that |s| ranks them, and not s, is from the authors' code.

    Every layer keeps the same share of its source. The number of weights goes from that of `start_density` to the
    final one by the cubic schedule of gradual pruning; without a start density it is final all the time.

    In the last `fine_tune_steps` the mask stays, and the weights that it keeps are trained as those of a static mask,
    from the values that were frozen; scales, shifts and biases, too. All before is bit for bit what a training of so
    many fewer steps does.

    Args:
        mask: the source, of weights as they were drawn: that of all weights for the usual method.
        optimizer: of the model's parameters: the scores of weights take their places in it, and all others go, until
            weights are fine-tuned.
        density: the final one, of all weights that the mask covers.
        start_density: likewise at the start, not above that of the source.
        total_steps: of all of training; without it density and mask go on without end, as they started.
        update_interval, update_start, update_end: when the density changes, as `UpdatedMask` takes them.
        seed: of the first scores.
    """

    dense_gradient = True

    def __init__(
        self,
        model: nn.Module,
        mask: Mask,
        optimizer: torch.optim.Optimizer,
        *,
        density: float,
        start_density: float | None = None,
        total_steps: int | None = None,
        fine_tune_steps: int = 0,
        update_interval: int = 100,
        update_start: float = 0.0,
        update_end: float = 0.75,
        seed: int = 0,
    ) -> None:
        self.end = count_final(mask, density)
        self.start = self.end if start_density is None else round(start_density * mask.size)
        require(
            self.end <= self.start <= mask.nnz,
            "start_density",
            start_density,
            f"from density ({density:g}) to that of the source ({mask.density:g})",
        )
        require(
            total_steps is not None or (self.start == self.end and not fine_tune_steps),
            "total_steps",
            total_steps,
            "the number of all steps, where the density changes or weights are fine-tuned",
        )
        self.fine_tune_steps, self.fine_tuning = fine_tune_steps, False
        self.frozen_steps = None if total_steps is None else total_steps - fine_tune_steps
        require(
            fine_tune_steps >= 0 and (self.frozen_steps is None or self.frozen_steps > 0),
            "fine_tune_steps",
            fine_tune_steps,
            f"0 or more and below total_steps ({total_steps})",
        )
        anneals = self.start > self.end
        self.updates = Updates(self.frozen_steps, update_interval, update_start, update_end) if anneals else None
        self.frozen: dict[str, Tensor] = {}
        super().__init__(model, mask, optimizer, source=mask)
        # The base class has masked them: they are zero outside the source, and so are the gradients of scores there.
        self.frozen = {name: weight.detach().clone() for name, weight in self.parameters.items()}
        self.scores = {name: draw_scores(name, weight, seed) for name, weight in self.parameters.items()}
        self.count = self.start
        self._groups = [list(group["params"]) for group in optimizer.param_groups]
        self._trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self._train_scores(True)
        self.change(self.best())

    @property
    def due(self) -> bool:
        """Whether scores are trained, and no weights."""
        return not self.fine_tuning

    def step(self) -> None:
        """Take a step, of scores or of weights: call it after `backward`, instead of `optimizer.step()`."""
        super().step()
        if self.fine_tune_steps and self.steps == self.frozen_steps:
            self.fine_tuning = True
            self._train_scores(False)

    def update(self) -> None:
        for name, score in self.scores.items():
            score.grad = self.parameters[name].grad * self.frozen[name] * score.detach().sign()
            self.parameters[name].grad = None  # zero_grad() of the optimiser does not reach it, and it would add up
        self.optimizer.step()
        if number := self.updates and self.updates.number(self.steps):
            self.count = cubic(self.start, self.end, number / self.updates.updates)
        self.change(self.best())

    def best(self) -> Mask:
        """Return the mask of the largest |s| of the source: `count` in all, the same share of every layer."""
        return prune_weights(
            {name: make_finite(score) for name, score in self.scores.items()}, self.source, self.count, "layer"
        )

    def change(self, mask: Mask) -> None:
        """Go on with another mask, of the frozen weights unless they are fine-tuned."""
        if not self.fine_tuning:
            for name, weight in self.frozen.items():
                self.parameters[name].data.copy_(weight)
        super().change(mask)

    def state_dict(self) -> State:
        scores = {name: score.detach().clone() for name, score in self.scores.items()}
        own = {"scores": scores, "frozen": self.frozen, "count": self.count, "fine_tuning": self.fine_tuning}
        return super().state_dict() | own

    def load_state_dict(self, state: State) -> None:
        self.count, self.fine_tuning = state["count"], state["fine_tuning"]
        for name, weight in self.frozen.items():
            weight.copy_(state["frozen"][name])
            self.scores[name].data.copy_(state["scores"][name])
        self._train_scores(not self.fine_tuning)
        super().load_state_dict(state)

    def _train_scores(self, scores: bool) -> None:
        """Let the optimiser, as if new, train scores in the places of their weights, or what it trained before."""
        score_of = {id(weight): self.scores[name] for name, weight in self.parameters.items()}
        for group, trained in zip(self.optimizer.param_groups, self._groups, strict=True):
            group["params"] = [score_of[id(p)] for p in trained if id(p) in score_of] if scores else list(trained)
        self.optimizer.state.clear()
        for parameter in self._trained:
            parameter.requires_grad_(not scores or id(parameter) in score_of)  # the others stay, and need no gradient


def draw_scores(name: str, weight: Tensor, seed: int) -> nn.Parameter:
    """Return the first scores of a weight, of its kind of tensor: uniform in ± fan-in^(-1/2), by seed and name."""
    drawn = torch.rand(tuple(weight.shape), generator=generator("popup", seed, name)) * 2 - 1
    return nn.Parameter(torch.empty_like(weight).copy_(drawn * fan_in(tuple(weight.shape)) ** -0.5))
