"""What methods that change a run's mask have in common: a source that the mask stays in, its cost and its record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from randsparse.runs import flops
from randsparse.runs.config import RunConfig
from randsparse.sparsity.masks import Mask
from randsparse.sparsity.scores import highest
from randsparse.training import network as networks

if TYPE_CHECKING:
    from randsparse.training.trainer import Trainer


class ChangingMask:
    """The mask of one run, which changes in the steps that are `due`, by what `update` does.

    Args:
        network: with the first mask and the source.
        trainer: of the run alone; it has model, batches and optimiser.

    A trainer computes the gradients of a step that is due, those of masked weights too, and calls `update` instead of
    updating the weights; all other steps are those of a static mask. Steps count from 0 over all of training.
    """

    def __init__(self, config: RunConfig, network: networks.Network, trainer: Trainer) -> None:
        self.config, self.trainer = config, trainer
        self.steps_per_epoch = len(trainer.batches)
        self.source = network.source.to(trainer.device)
        self.parameters = {name: trainer.model.get_parameter(name) for name in self.source}
        self.start, self.end = network.mask.nnz, round(config.density * network.mask.size)
        self.source_flops = self._flops(self.source)
        self.spent, self.counted = 0.0, 0  # training FLOPs of an image on kept weights, over so many steps
        self.change(network.mask.to(trainer.device))

    @property
    def mask(self) -> Mask:
        """The mask so far, on the run's device."""
        return self.trainer.keep_masked.mask

    def change(self, mask: Mask) -> None:
        """Go on with another mask."""
        self.trainer.keep_masked.change(mask, self.trainer.optimizer)

    def begin(self, epoch: int) -> None:
        """Do what comes before the steps of `epoch` (from 0)."""

    def due(self, step: int) -> bool:
        """Return whether `update` takes the place of `step`: of none, for a mask that changes between epochs alone."""
        return False

    def update(self, step: int) -> None:
        """Do what `step`, which is due, does to weights and mask, with the gradients of its batch."""

    def mean_flops(self, steps: int) -> float:
        """Return the forward FLOPs of one image on kept weights, on average over the first `steps` steps so far.

        A third of those of training, which are 3 f_S for a step, and 2 f_S + f_D where the gradient of all weights of
        the source is needed (Evci et al. 2020, appendix H), with f_S and f_D a pass through the mask and the source.
        """
        spent = self.spent + 3 * (steps - self.counted) * self._flops(self.mask)
        return spent / (3 * steps) if steps else self._flops(self.mask)

    def count_flops(self, steps: int, dense_gradient: bool = False) -> None:
        """Count those of the steps before `steps` that are not counted yet, before the mask changes.

        Args:
            dense_gradient: whether the last of them needs the gradient of all weights of the source.
        """
        flops_now = self._flops(self.mask)
        self.spent += 3 * (steps - self.counted) * flops_now
        self.spent += self.source_flops - flops_now if dense_gradient else 0.0
        self.counted = steps

    def densities(self) -> dict[str, Any]:
        """Return what a record says of the mask so far."""
        return networks.report(self.config, self.mask.to("cpu"), self.trainer.model)

    def state(self) -> dict[str, Any]:
        """Return all that later updates depend on, but for the trainer's weights and optimiser."""
        return {"mask": dict(self.mask.to("cpu")), "spent": self.spent, "counted": self.counted}

    def resume(self, state: dict[str, Any]) -> None:
        """Go on from what `state` returned; the trainer restores weights and the state of the optimiser after this."""
        self.change(Mask({name: state["mask"][name] for name in self.source}).to(self.trainer.device))
        self.spent, self.counted = state["spent"], state["counted"]

    def _flops(self, mask: Mask) -> float:
        return flops.on_kept_weights(self.trainer.flops, mask.layer_densities)


def finite(values: Tensor) -> Tensor:
    """Return magnitudes that can be ranked, as copies, also those of a run that diverges."""
    return values.detach().abs().nan_to_num(0.0)


def highest_of(among: Tensor, values: Tensor, count: int) -> Tensor:
    """Return where the `count` highest values are among some of a layer's, all 0 or more; of equal ones the first."""
    return highest(torch.where(among, values, -1.0).flatten(), count).view(among.shape)
