"""Masks that change while a network trains, always inside a source mask: SET, RigL, GraNet and gradual pruning.

A method is a function of what is known at an update (`Moment`) that returns the next mask; `MaskUpdates` calls it where
one is due. N_l is the number of weights that layer l keeps, w the weights, g the gradient of the loss of the update's
batch with respect to all weights, those too that are masked (and zero): the dense gradient.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from randsparse.errors import StudyError
from randsparse.runs import methods
from randsparse.runs.config import RunConfig
from randsparse.seeds import generator
from randsparse.sparsity import densities
from randsparse.sparsity.masks import Mask
from randsparse.sparsity.scores import highest
from randsparse.training.methods.base import ChangingMask, finite, highest_of
from randsparse.training.network import Network

if TYPE_CHECKING:
    from randsparse.training.trainer import Trainer

Layers = Mapping[str, Tensor]


@dataclass(frozen=True)
class Moment:
    """What an update of the mask looks at, on one device; layers by parameter name.

    Attributes:
        magnitudes, gradients: |w| and |g|, finite.
        mask, source: the mask so far, and the one that every mask is inside of.
        count: how many weights the next mask keeps in all.
        rate: the share of a layer's kept weights that are replaced.
        scope: "global" or "layer", how pruning ranks weights.
        seed, number: the run's mask_seed and which update this is, from 1: the stream of what is drawn.
    """

    magnitudes: Layers
    gradients: Layers
    mask: Mask
    source: Mask
    count: int
    rate: float = 0.0
    scope: str = "global"
    seed: int = 0
    number: int = 1


def sparse_evolutionary(at: Moment) -> Mask:
    """SET: of each layer, the weights nearest to zero are replaced by random ones (Mocanu et al. 2018, algorithm 1).

    They are those of smallest |w|, as in Evci et al. 2020, not a share of each sign; new weights are zero, not random.
    """
    drawn = {
        name: torch.rand(kept.shape, generator=generator("grow", at.seed, f"{name}/{at.number}")).to(kept.device)
        for name, kept in at.mask.items()
    }
    return _regrown(at.mask, at, drawn)


def rigged_lottery(at: Moment) -> Mask:
    """RigL: in each layer, those of largest |g| replace those of smallest |w| (Evci et al. 2020, section 3)."""
    return _regrown(at.mask, at, at.gradients)


def gradual_pruning(at: Moment) -> Mask:
    """Gradual magnitude pruning: the `count` weights of largest |w| stay (Zhu and Gupta 2017, section 3)."""
    return pruned(at.magnitudes, at.mask, at.count, at.scope)


def gradual_regrowing(at: Moment) -> Mask:
    """GraNet: gradual pruning of all layers together, then RigL's replacement in each (Liu et al. 2021, section 4)."""
    return _regrown(pruned(at.magnitudes, at.mask, at.count), at, at.gradients)


METHODS: dict[str, Callable[[Moment], Mask]] = {
    "set": sparse_evolutionary,
    "rigl": rigged_lottery,
    "gmp": gradual_pruning,
    "granet": gradual_regrowing,
}


def replaced(kept: Tensor, source: Tensor, magnitude: Tensor, growth: Tensor, count: int) -> Tensor:
    """Return one layer's mask with `count` weights of lowest magnitude dropped, and as many of highest growth added.

    Weights of the source that do not survive can be added, those just dropped too: they then stay as they are. Of equal
    values the first ones survive, and are added. Values are 0 or more; all tensors have one shape.
    """
    survivors = highest_of(kept, magnitude, int(kept.sum()) - count)
    return survivors | highest_of(source & ~survivors, growth, count)


def pruned(magnitudes: Layers, mask: Mask, count: int, scope: str = "global") -> Mask:
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
        counts = densities.whole(have * (count / have.sum()), have, count).tolist()
        pairs = zip(mask.items(), counts, strict=True)
        return Mask({name: highest_of(kept, magnitudes[name], k) for (name, kept), k in pairs})
    flat = []
    for name, kept in mask.items():
        flat.append(torch.where(kept, magnitudes[name], -1.0).flatten())
        flat[-1][flat[-1].argmax()] = torch.inf
    parts = highest(torch.cat(flat), count).split([len(each) for each in flat])
    return Mask({name: part.view(kept.shape) for (name, kept), part in zip(mask.items(), parts, strict=True)})


def cosine(rate: float, progress: float) -> float:
    """Return rate / 2 · (1 + cos(π progress)), progress from 0 to 1 (Evci et al. 2020, section 3: f_decay)."""
    return rate / 2 * (1 + math.cos(math.pi * progress))


def cubic(start: int, end: int, progress: float) -> int:
    """Return how many weights are kept: k_end + (k_start - k_end)(1 - progress)³ (Zhu and Gupta 2017, equation 1)."""
    return end + round((start - end) * (1 - progress) ** 3)


class MaskUpdates(ChangingMask):
    """Changes the mask by `METHODS[config.method]` every `update_interval` steps.

    Updates are in the steps t_0 + jΔ, j = 1, …, n: after t_0, `update_start` of training, up to `update_end` of it. SET
    and RigL keep as many weights in every layer; gradual pruning goes from the first mask to the final density on a
    cubic schedule that ends at update n. A step of RigL that updates the mask does not update the weights (Evci et al.
    2020, algorithm 1); the others change the mask after the weights, and grow by the gradients of that step.

    Raises StudyError for an interval in which no update would fall.
    """

    def __init__(self, config: RunConfig, network: Network, trainer: Trainer) -> None:
        super().__init__(config, network, trainer)
        self.schedule = methods.Schedule(config, self.steps_per_epoch)

    def due(self, step: int) -> bool:
        return self.schedule.number(step) is not None

    def update(self, step: int) -> None:
        config, number = self.config, self.schedule.number(step)
        gradients = {name: finite(parameter.grad) for name, parameter in self.parameters.items()}
        if config.method != "rigl":
            self.trainer.keep_masked()
            self.trainer.optimizer.step()
        decays = config.prune_decay == "cosine"
        at = Moment(
            magnitudes={name: finite(parameter) for name, parameter in self.parameters.items()},
            gradients=gradients,
            mask=self.mask,
            source=self.source,
            count=cubic(self.start, self.end, number / self.schedule.updates),
            rate=cosine(config.prune_rate, self.schedule.progress(step)) if decays else config.prune_rate,
            scope=config.prune_scope,
            seed=config.mask_seed,
            number=number,
        )
        self.count_flops(step + 1, dense_gradient=config.method in ("rigl", "granet"))
        self.change(METHODS[config.method](at))


def _regrown(mask: Mask, at: Moment, growth: Layers) -> Mask:
    """Return `mask` with the moment's share of each layer replaced: ⌊rate N_l⌋ of them."""
    return Mask({
        name: replaced(kept, at.source[name], at.magnitudes[name], growth[name], int(at.rate * int(kept.sum())))
        for name, kept in mask.items()
    })  # fmt: skip
