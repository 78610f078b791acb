"""The exponential moving average of a network in training, which smooths the noise of single steps away."""

from __future__ import annotations

import copy

import torch
from torch import nn

DECAY = 0.995
"""Weight of the past in each step; the average reaches back over about 1 / (1 - DECAY) = 200 steps."""


class MovingAverage:
    """A copy of a network whose weights and batch-norm statistics are the moving averages of the network's own.

    After step t, with the decay d and the values x_1, ..., x_t after each step, the average is
    (1 - d) / (1 - d^t) * sum of d^(t - s) x_s over s: the weights sum to one, and the initial values have none.
    Training does not depend on the average: it draws no random number and writes to its own tensors only.

    Attributes:
        model: the averaged network.
        steps: the number of steps so far.
    """

    def __init__(self, model: nn.Module, decay: float = DECAY) -> None:
        self.model, self.decay, self.steps = copy.deepcopy(model), decay, 0
        self._own, self._current = _numbers(self.model), _numbers(model)

    @torch.no_grad()
    def update(self) -> None:
        """Take in the values after one more step."""
        self.steps += 1
        torch._foreach_lerp_(self._own, self._current, (1 - self.decay) / (1 - self.decay**self.steps))


def _numbers(model: nn.Module) -> list[torch.Tensor]:
    """Return all tensors of a network that hold floating-point numbers, in one order."""
    tensors = [*model.parameters(), *model.buffers()]
    return [tensor.detach() for tensor in tensors if tensor.is_floating_point()]
