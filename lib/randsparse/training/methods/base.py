"""What a training loop asks of a method, and what the methods that change a mask have in common.

A method takes a network, a mask and an optimiser, and its own settings as keyword arguments. In a training loop,
`method.step()` stands where `optimizer.step()` stood:

    mask = masks.random(model, density=0.1)
    method = RigL(model, mask, optimizer, total_steps=len(batches) * epochs)
    for images, labels in batches:
        optimizer.zero_grad()
        loss(model(images), labels).backward()
        method.step()

It takes the step of the optimiser itself, except where changing the mask takes the place of that, and keeps masked
weights and what the optimiser has of them at exactly zero. So a method needs the gradients of masked weights too: leave
them as `backward` made them, without `Mask.apply`. A schedule of the learning rate is made after the method, and its
step follows that of the method. `method.mask` is the mask so far. To go on later, save `method.state_dict()` beside
those of network and optimiser, and load it before theirs.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from randsparse.errors import StudyError, require, unknown
from randsparse.runs.methods import CHOICES
from randsparse.sparsity.applied import find_covered
from randsparse.sparsity.masks import Mask
from randsparse.sparsity.scores import find_highest

State = dict[str, Any]


class StaticMask:
    """Trains a network under a mask that stays; with None, all of it.

    Zeroes masked weights once, then their gradients in every step in one fused call. A weight that starts at zero with
    a zero gradient stays zero, and so does its optimiser state, under momentum, Nesterov and weight decay, for SGD and
    AdamW. It is the base of all methods, and all that the study's trainer asks of one.

    Attributes:
        optimizer: what updates weights; its learning rate is the trainer's.
        mask: the mask so far; None where nothing is masked.
        source: the mask that every mask is inside of; None for a mask that stays.
        steps: how many steps have been taken.
        due: whether the next step does more than `update_weights`, that is `update`.
        dense_gradient: whether steps that are due need the gradient of all weights of the source.

    Raises StudyError for a mask of another network, and for an optimiser that does not train what is masked.
    """

    source: Mask | None = None
    dense_gradient = False
    due: bool = False

    def __init__(self, model: nn.Module, mask: Mask | None, optimizer: torch.optim.Optimizer) -> None:
        self.model, self.optimizer, self.mask, self.steps = model, optimizer, mask, 0
        self.parameters = find_covered(model, mask or {})
        trained = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
        for name, parameter in self.parameters.items():
            if id(parameter) not in trained:
                raise StudyError(f"the optimiser does not train {name!r}: make it of all parameters of the model")
        self._factors = [torch.empty_like(self.parameters[name]).copy_(keep) for name, keep in (mask or {}).items()]
        self._zero_weights()

    def begin(self) -> None:
        """Do what comes before the forward pass of the next step, if that is not done: nothing, for most methods."""

    def step(self) -> None:
        """Take a step, and change the mask if that is due: call it after `backward`, instead of `optimizer.step()`."""
        if self.due:
            self.update()
        else:
            self.update_weights()
        self.steps += 1

    def update(self) -> None:
        """Do what the next step, which is due, does to weights and mask."""

    def update_weights(self) -> None:
        """Update the weights that are kept, without counting a step: by operations on tensors, as a graph needs."""
        self.mask_gradients()
        self.optimizer.step()

    def mask_gradients(self) -> None:
        """Zero the gradients of the weights that are not kept."""
        pairs = zip(self.parameters.values(), self._factors, strict=True)
        seen = [(parameter.grad, factor) for parameter, factor in pairs if parameter.grad is not None]
        if seen:
            torch._foreach_mul_(*map(list, zip(*seen, strict=True)))

    def state_dict(self) -> State:
        """Return how many steps have been taken; network and optimiser have states of their own."""
        return {"steps": self.steps}

    def load_state_dict(self, state: State) -> None:
        """Go on from what `state_dict` returned."""
        self.steps = state["steps"]

    def _zero_weights(self) -> None:
        if self._factors:
            torch._foreach_mul_([parameter.data for parameter in self.parameters.values()], self._factors)


class ChangingMask(StaticMask):
    """Trains a network under a mask that changes in the steps that are `due`, by what `update` does.

    Args:
        mask: the first one.
        source: the mask that every mask is inside of; None for all weights that `mask` covers.

    Raises StudyError, too, for a first mask that is not inside the source.
    """

    source: Mask

    def __init__(
        self, model: nn.Module, mask: Mask, optimizer: torch.optim.Optimizer, source: Mask | None = None
    ) -> None:
        super().__init__(model, mask, optimizer)
        devices = {name: parameter.device for name, parameter in self.parameters.items()}
        source = source or Mask({name: torch.ones_like(kept) for name, kept in mask.items()})
        if source.keys() != mask.keys() or any((mask[name] & ~source[name]).any() for name in mask):
            raise StudyError("the first mask keeps weights outside its source: draw it by masks.draw_inside")
        self.source = Mask({name: source[name].to(device) for name, device in devices.items()})
        self.change(Mask({name: mask[name].to(device) for name, device in devices.items()}))

    def change(self, mask: Mask) -> None:
        """Go on with another mask of the same parameters: what is not in it becomes zero, and so does its state.

        So a weight that comes back starts at zero, with a state of zero in the optimiser. All changes are in place.
        """
        self._swap(mask)
        for parameter, factor in zip(self.parameters.values(), self._factors, strict=True):
            for state in self.optimizer.state.get(parameter, {}).values():
                if isinstance(state, Tensor) and state.shape == factor.shape:
                    state.mul_(factor)

    def state_dict(self) -> State:
        """Return the mask, and all else that later steps depend on, but for network and optimiser."""
        return super().state_dict() | {"mask": dict(self.mask.to("cpu"))}

    def load_state_dict(self, state: State) -> None:
        """Go on from what `state_dict` returned; load the states of network and optimiser after it."""
        super().load_state_dict(state)
        self.change(Mask({name: state["mask"][name].to(own.device) for name, own in self.parameters.items()}))

    def _swap(self, mask: Mask) -> None:
        """Go on with another mask, and leave what the optimiser keeps of the weights."""
        self.mask = mask
        for factor, keep in zip(self._factors, mask.values(), strict=True):
            factor.copy_(keep)
        self._zero_weights()


def choose(**values: str) -> None:
    """Raise StudyError for a setting that is none of `CHOICES`."""
    for name, value in values.items():
        if value not in CHOICES[name]:
            raise unknown(name, value, CHOICES[name])


def count_final(mask: Mask, density: float) -> int:
    """Return how many weights a mask of the final density keeps; raises StudyError for one above that of `mask`."""
    require(0 < density <= 1, "density", density, "in (0, 1], a fraction of all weights that the mask covers")
    count = round(density * mask.size)
    require(
        len(mask) <= count <= mask.nnz,
        "density",
        density,
        f"at most that of the first mask ({mask.density:g}), with a weight for each of its {len(mask)} layers",
    )
    return count


def make_finite(values: Tensor) -> Tensor:
    """Return magnitudes that can be ranked, as copies, also those of a run that diverges."""
    return values.detach().abs().nan_to_num(0.0)


def find_highest_among(among: Tensor, values: Tensor, count: int) -> Tensor:
    """Return where the `count` highest values are among some of a layer's, all 0 or more; of equal ones the first."""
    return find_highest(torch.where(among, values, -1.0).flatten(), count).view(among.shape)
