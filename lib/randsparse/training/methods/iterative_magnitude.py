"""Iterative magnitude pruning: train, prune, rewind, and train again."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from randsparse.errors import StudyError, require
from randsparse.sparsity.masks import Mask
from randsparse.training.methods.base import ChangingMask, State, choose, count_final, make_finite
from randsparse.training.methods.dynamic import prune_weights


class IterativeMagnitude(ChangingMask):
    """Prunes and rewinds before each level but the first, which trains the source (Frankle et al. 2020, algorithm 1).

    A level ends with all steps of its schedule and begins with `rewind_step` k: the weights that are left, norms and
    their statistics are bit for bit those of the first level after k steps, the optimiser's state is zero, and the
    learning rate, which the training loop sets, should go on from there. k = 0 rewinds to the initial weights (Frankle
    and Carbin 2019); `rewind` = "rate" leaves weights and optimiser as they are (Renda et al. 2020).

    Each pruning removes the same share of the weights that are left, those of lowest magnitude: after j of n - 1 there
    are N_0 (N_f / N_0)^(j / (n - 1)), from N_0 of the source to N_f of the final density.

    A level that begins changes all weights, so that has to come before the forward pass: call `begin` before each, or
    before each epoch where levels are whole epochs. After the last step of a level its network is there to be looked
    at, until `begin` prunes it. `step` raises StudyError if that was left out.

    Args:
        mask: the source: that of all weights for the usual method (`masks.random` with density 1).
        density: the final one, of all weights that the mask covers.
        total_steps: of all levels: k, and a multiple of `levels`, which share the steps after it.
        levels: n, 2 or more.
        prune_scope: "global" ranks the weights of all layers together; "layer" those of each.
    """

    def __init__(
        self,
        model: nn.Module,
        mask: Mask,
        optimizer: torch.optim.Optimizer,
        *,
        density: float,
        total_steps: int,
        levels: int = 5,
        rewind: str = "weights",
        rewind_step: int = 0,
        prune_scope: str = "global",
    ) -> None:
        choose(rewind=rewind, prune_scope=prune_scope)
        require(levels >= 2, "levels", levels, "2 or more, between which weights are pruned")
        require(0 <= rewind_step < total_steps, "rewind_step", rewind_step, f"0 or more and below {total_steps}")
        require(
            (total_steps - rewind_step) % levels == 0,
            "total_steps",
            total_steps,
            f"rewind_step ({rewind_step}) and a multiple of levels ({levels}), which share the steps after it",
        )
        self.start, self.end = mask.nnz, count_final(mask, density)
        super().__init__(model, mask, optimizer, source=mask)
        self.levels, self.rewind, self.rewind_step, self.prune_scope = levels, rewind, rewind_step, prune_scope
        self.level_steps = (total_steps - rewind_step) // levels
        self.level = 0
        self.begun: dict[str, Tensor] = {}  # the network to which weights rewind, once it is known
        self.begin()

    def level_of(self, step: int) -> int:
        """Return the level of `step`, both from 0; the first level has the steps before `rewind_step`, too."""
        return min(max(0, (step - self.rewind_step) // self.level_steps), self.levels - 1)

    def begin(self) -> None:
        """Keep the network to rewind to, or prune and rewind, where the next step is the first to need it."""
        if self.steps == self.rewind_step and self.rewind == "weights" and not self.begun:
            self.begun = {name: value.clone() for name, value in self.model.state_dict().items()}
        if self.level_of(self.steps) == self.level:
            return
        self.level += 1
        share = (self.end / self.start) ** (self.level / (self.levels - 1))
        magnitudes = {name: make_finite(weight) for name, weight in self.parameters.items()}
        mask = prune_weights(magnitudes, self.mask, round(self.start * share), self.prune_scope)
        if self.rewind == "weights":
            self.model.load_state_dict(self.begun)
            for state in self.optimizer.state.values():
                for value in state.values():
                    if isinstance(value, Tensor):
                        value.zero_()
        self.change(mask)

    def step(self) -> None:
        """Take a step of the level that has begun: call it after `backward`, instead of `optimizer.step()`."""
        if self.level_of(self.steps) != self.level:
            raise StudyError(
                f"level {self.level} ended with step {self.steps}: call begin() before the forward pass of the next one"
            )
        super().step()
        if self.steps == self.rewind_step:
            self.begin()

    def state_dict(self) -> State:
        return super().state_dict() | {"level": self.level, "begun": self.begun}

    def load_state_dict(self, state: State) -> None:
        super().load_state_dict(state)
        self.level = state["level"]
        self.begun = {name: value.to(self.model.state_dict()[name].device) for name, value in state["begun"].items()}
