"""A mask in force on a network: masked weights stay at exactly zero in any training loop, with any optimiser."""

from __future__ import annotations

import weakref
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.optim.optimizer import register_optimizer_step_post_hook

from randsparse.errors import StudyError


class Applied:
    """What `Mask.apply` returns: it holds masked weights at zero until `remove`, or the end of a `with` block.

    Masked weights are set to zero at once, and every gradient of theirs is zero. A weight at zero with a gradient of
    zero stays there under momentum and weight decay. An optimiser that has moved it before would go on moving it, so
    after each step of any `torch.optim` optimiser the weights are set to zero again, and so is what it keeps of them.
    """

    def __init__(self, model: nn.Module, mask: Mapping[str, Tensor]) -> None:
        self._parameters = find_covered(model, mask)
        self._dropped = {name: (~mask[name]).to(parameter.device) for name, parameter in self._parameters.items()}
        self.zero()
        trained = {name: parameter for name, parameter in self._parameters.items() if parameter.requires_grad}
        self._handles = [parameter.register_hook(_Hook(self, name)) for name, parameter in trained.items()]
        # Torch keeps hooks of optimisers for good: this one must not keep the network in memory.
        own = weakref.ref(self)
        handle = register_optimizer_step_post_hook(lambda optimizer, *_: _zero_after_step(own, optimizer))
        self._handles.append(handle)
        weakref.finalize(self, handle.remove)

    @torch.no_grad()
    def zero(self, optimizer: torch.optim.Optimizer | None = None) -> None:
        """Set masked weights to zero now, and what `optimizer` keeps of them."""
        for name, parameter in self._parameters.items():
            dropped = self._dropped[name].to(parameter.device)
            parameter.masked_fill_(dropped, 0)
            for state in optimizer.state.get(parameter, {}).values() if optimizer else ():
                if isinstance(state, Tensor) and state.shape == dropped.shape:
                    state.masked_fill_(dropped, 0)

    def remove(self) -> None:
        """Let all weights be trained again; those that are zero start from there."""
        for handle in self._handles:
            handle.remove()

    def __enter__(self) -> Applied:
        return self

    def __exit__(self, *_: object) -> None:
        self.remove()


class _Hook:
    """Sets the gradients of masked weights of one parameter to zero; as long as it is there, so is its `Applied`."""

    def __init__(self, applied: Applied, name: str) -> None:
        self.applied, self.name = applied, name

    def __call__(self, gradient: Tensor) -> Tensor:
        return gradient.masked_fill(self.applied._dropped[self.name].to(gradient.device), 0)


def _zero_after_step(own: weakref.ref[Applied], optimizer: torch.optim.Optimizer) -> None:
    if applied := own():
        applied.zero(optimizer)


def find_covered(model: nn.Module, mask: Mapping[str, Tensor]) -> dict[str, nn.Parameter]:
    """Return the parameters of a model that a mask covers, by name.

    Raises StudyError for a mask of another network, and for a model on which another mask is in force.
    """
    parameters = dict(model.named_parameters())
    for name, kept in mask.items():
        if name not in parameters:
            raise StudyError(f"the mask covers {name!r}, which the model does not have: make it of this model's shapes")
        shape = tuple(parameters[name].shape)
        if shape != tuple(kept.shape):
            raise StudyError(
                f"the mask of {name!r} has shape {tuple(kept.shape)}, the weight {shape}: make the mask "
                "of this model's shapes"
            )
        if any(isinstance(hook, _Hook) for hook in (parameters[name]._backward_hooks or {}).values()):
            raise StudyError(f"a mask is in force on {name!r} already: remove() what Mask.apply returned first")
    return {name: parameters[name] for name in mask}
