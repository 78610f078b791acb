"""Masks that change while a network trains, always inside a source mask: SET, RigL, GraNet and gradual pruning.

N_l is the number of weights that layer l keeps, w the weights, g the gradient of the loss of the update's batch with
respect to all weights, those too that are masked (and zero): the dense gradient.
"""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import torch
from torch import Tensor, nn

from randsparse.errors import StudyError, require
from randsparse.runs.methods import Updates
from randsparse.seeds import generator
from randsparse.sparsity import densities
from randsparse.sparsity.masks import Mask
from randsparse.sparsity.scores import highest_overall
from randsparse.training.methods.base import ChangingMask, choose, count_final, find_highest_among, make_finite

Layers = Mapping[str, Tensor]


class UpdatedMask(ChangingMask):
    """Changes the mask every `update_interval` steps, by what `next_mask` says.

    Updates are in the steps t_0 + jΔ, j = 1, …, n: after t_0, `update_start` of training, up to `update_end` of it. A
    step that updates the mask changes the weights first, and grows by the gradients of that step; RigL's does not.

    Args:
        total_steps: of all of training, from which `update_start` and `update_end`, fractions of it, follow.
        update_interval: Δ, in steps.

    Raises StudyError for an interval in which no update would fall.
    """

    weights_first = True

    def __init__(
        self,
        model: nn.Module,
        mask: Mask,
        optimizer: torch.optim.Optimizer,
        *,
        total_steps: int,
        update_interval: int = 100,
        update_start: float = 0.0,
        update_end: float = 0.75,
        source: Mask | None = None,
    ) -> None:
        super().__init__(model, mask, optimizer, source)
        self.updates = Updates(total_steps, update_interval, update_start, update_end)

    @property
    def due(self) -> bool:
        return self.updates.number(self.steps) is not None

    def update(self) -> None:
        # A layer that took no part in the forward pass has no gradient.
        gradients = {
            name: torch.zeros_like(parameter) if parameter.grad is None else make_finite(parameter.grad)
            for name, parameter in self.parameters.items()
        }
        if self.weights_first:
            self.update_weights()
        magnitudes = {name: make_finite(parameter) for name, parameter in self.parameters.items()}
        self.change(self.next_mask(self.updates.number(self.steps), magnitudes, gradients))

    def next_mask(self, number: int, magnitudes: Layers, gradients: Layers) -> Mask:
        """Return the mask that update `number`, from 1, changes to, by |w| and |g|, finite."""


class Replacing(UpdatedMask):
    """Replaces some of the weights that each layer keeps, so that their number stays.

    Args:
        schedule: the settings of `UpdatedMask`.
        prune_rate: the share of the kept weights that the first update replaces, rounded down, in (0, 1].
        prune_decay: "cosine" takes that share to 0 at `update_end`; "constant" leaves it.
    """

    def __init__(
        self,
        model: nn.Module,
        mask: Mask,
        optimizer: torch.optim.Optimizer,
        *,
        prune_rate: float = 0.3,
        prune_decay: str = "cosine",
        **schedule: object,
    ) -> None:
        require(
            0 < prune_rate <= 1,
            "prune_rate",
            prune_rate,
            "in (0, 1], the share of the kept weights that an update replaces",
        )
        choose(prune_decay=prune_decay)
        super().__init__(model, mask, optimizer, **schedule)
        self.prune_rate, self.decays = prune_rate, prune_decay == "cosine"

    def replace(self, mask: Mask, magnitudes: Layers, growth: Layers) -> Mask:
        """Return `mask` with this step's share of each layer replaced: ⌊rate N_l⌋ of them."""
        rate = cosine(self.prune_rate, self.updates.progress(self.steps)) if self.decays else self.prune_rate
        return Mask(
            {
                name: replace_weights(
                    kept, self.source[name], magnitudes[name], growth[name], int(rate * int(kept.sum()))
                )
                for name, kept in mask.items()
            }
        )


class SET(Replacing):
    """SET: of each layer, the weights nearest to zero are replaced by random ones (Mocanu et al. 2018, algorithm 1).

    They are those of smallest |w|, as in Evci et al. 2020, not a share of each sign; new weights are zero, not random.

    Args:
        settings: those of `Replacing`.
        seed: of the random weights; they depend on it, the name of the layer and the number of the update alone.
    """

    def __init__(
        self, model: nn.Module, mask: Mask, optimizer: torch.optim.Optimizer, *, seed: int = 0, **settings: object
    ) -> None:
        super().__init__(model, mask, optimizer, **settings)
        self.seed = seed

    def next_mask(self, number: int, magnitudes: Layers, gradients: Layers) -> Mask:
        drawn = {
            name: torch.rand(kept.shape, generator=generator("grow", self.seed, f"{name}/{number}")).to(kept.device)
            for name, kept in self.mask.items()
        }
        return self.replace(self.mask, magnitudes, drawn)


class RigL(Replacing):
    """RigL: in each layer, those of largest |g| replace those of smallest |w| (Evci et al. 2020, section 3).

    A step that updates the mask does not update the weights (algorithm 1).
    """

    dense_gradient, weights_first = True, False

    def next_mask(self, number: int, magnitudes: Layers, gradients: Layers) -> Mask:
        return self.replace(self.mask, magnitudes, gradients)


class GMP(UpdatedMask):
    """Gradual magnitude pruning: the weights of largest |w| stay (Zhu and Gupta 2017, section 3).

    Their number goes from that of the first mask to the final one on a cubic schedule that ends at the last update.

    Args:
        mask: the first one, that of all weights for the usual GMP (`masks.random` with density 1).
        density: the final one, of all weights that the mask covers.
        schedule: the settings of `UpdatedMask`.
        prune_scope: "global" ranks the weights of all layers together; "layer" those of each.
        source: what every mask is inside of; None for the first mask, as no weight comes back.
    """

    def __init__(
        self,
        model: nn.Module,
        mask: Mask,
        optimizer: torch.optim.Optimizer,
        *,
        density: float,
        prune_scope: str = "global",
        source: Mask | None = None,
        **schedule: object,
    ) -> None:
        choose(prune_scope=prune_scope)
        self.start, self.end = mask.nnz, count_final(mask, density)
        super().__init__(model, mask, optimizer, source=source or mask, **schedule)
        self.prune_scope = prune_scope

    def next_mask(self, number: int, magnitudes: Layers, gradients: Layers) -> Mask:
        count = cubic(self.start, self.end, number / self.updates.updates)
        return prune_weights(magnitudes, self.mask, count, self.prune_scope)


class GraNet(Replacing):
    """GraNet: gradual pruning of all layers together, then RigL's replacement in each (Liu et al. 2021, section 4).

    Args:
        mask: the first one.
        density: the final one, of all weights that the mask covers; their number falls as in `GMP`.
        settings: those of `Replacing`.
    """

    dense_gradient = True

    def __init__(
        self, model: nn.Module, mask: Mask, optimizer: torch.optim.Optimizer, *, density: float, **settings: object
    ) -> None:
        self.start, self.end = mask.nnz, count_final(mask, density)
        super().__init__(model, mask, optimizer, **settings)

    def next_mask(self, number: int, magnitudes: Layers, gradients: Layers) -> Mask:
        count = cubic(self.start, self.end, number / self.updates.updates)
        return self.replace(prune_weights(magnitudes, self.mask, count), magnitudes, gradients)


UPDATED: dict[str, type[UpdatedMask]] = {"set": SET, "rigl": RigL, "gmp": GMP, "granet": GraNet}
"""The methods whose masks are updated every so many steps, by the name of a run's method."""


def replace_weights(kept: Tensor, source: Tensor, magnitude: Tensor, growth: Tensor, count: int) -> Tensor:
    """Return one layer's mask with `count` weights of lowest magnitude dropped, and as many of highest growth added.

    Weights of the source that do not survive can be added, those just dropped too: they then stay as they are. Of equal
    values the first ones survive, and are added. Values are 0 or more; all tensors have one shape.
    """
    survivors = find_highest_among(kept, magnitude, int(kept.sum()) - count)
    return survivors | find_highest_among(source & ~survivors, growth, count)


def prune_weights(magnitudes: Layers, mask: Mask, count: int, scope: str = "global") -> Mask:
    """Return the mask of the `count` weights of `mask` that have the largest magnitude, one at least in every layer.

    Args:
        scope: "global" ranks the weights of all layers together; "layer" those of each, and each loses the same share
            (up to rounding by largest remainder).

    Raises StudyError for a count that the mask or its layers cannot have.
    """
    if not len(mask) <= count <= mask.nnz:
        raise StudyError(f"cannot keep {count} of {mask.nnz} weights in {len(mask)} layers: keep one a layer at least")
    if scope == "layer":
        have = np.array(list(mask.counts.values()))
        counts = densities.round_counts(have * (count / have.sum()), have, count).tolist()
        pairs = zip(mask.items(), counts, strict=True)
        return Mask({name: find_highest_among(kept, magnitudes[name], k) for (name, kept), k in pairs})
    return Mask(
        highest_overall({name: torch.where(kept, magnitudes[name], -1.0) for name, kept in mask.items()}, count)
    )


def cosine(rate: float, progress: float) -> float:
    """Return rate / 2 · (1 + cos(π progress)), progress from 0 to 1 (Evci et al. 2020, section 3: f_decay)."""
    return rate / 2 * (1 + math.cos(math.pi * progress))


def cubic(start: int, end: int, progress: float) -> int:
    """Return how many weights are kept: k_end + (k_start - k_end)(1 - progress)³ (Zhu and Gupta 2017, equation 1)."""
    return end + round((start - end) * (1 - progress) ** 3)
