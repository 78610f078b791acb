"""What training under a mask that changes costs, in FLOPs on kept weights."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from randsparse.runs import flops
from randsparse.sparsity.masks import Mask


class ChangingCosts:
    """Counts the FLOPs of one image in training, step by step, as the mask changes.

    A step is 3 f_S, and 2 f_S + f_D where the gradient of all weights of the source is needed (Evci et al. 2020,
    appendix H), with f_S and f_D a forward pass through the mask and the source.

    Args:
        layers: the forward FLOPs of one image by layer, of a dense network.
    """

    def __init__(self, layers: Mapping[str, float], source: Mask) -> None:
        self.layers = layers
        self.source = self._of(source)
        self.spent, self.counted = 0.0, 0  # training FLOPs of an image on kept weights, over so many steps

    def count(self, steps: int, mask: Mask, dense_gradient: bool = False) -> None:
        """Count those of the steps before `steps` that are not counted yet, which `mask` had.

        Args:
            dense_gradient: whether the last of them needs the gradient of all weights of the source.
        """
        flops_now = self._of(mask)
        self.spent += 3 * (steps - self.counted) * flops_now
        self.spent += self.source - flops_now if dense_gradient else 0.0
        self.counted = steps

    def mean(self, steps: int, mask: Mask) -> float:
        """Return the forward FLOPs of one image, on average over the first `steps` steps, the last ones with `mask`.

        They are a third of those of training.
        """
        spent = self.spent + 3 * (steps - self.counted) * self._of(mask)
        return spent / (3 * steps) if steps else self._of(mask)

    def state_dict(self) -> dict[str, Any]:
        """Return what has been counted."""
        return {"spent": self.spent, "counted": self.counted}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        self.spent, self.counted = state["spent"], state["counted"]

    def _of(self, mask: Mask) -> float:
        return flops.count_kept(self.layers, mask.layer_densities)
