"""Iterative magnitude pruning: train, prune, rewind, and train again."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torch import Tensor

from randsparse.runs import methods
from randsparse.runs.config import RunConfig
from randsparse.training.methods.base import ChangingMask, finite
from randsparse.training.methods.dynamic import pruned
from randsparse.training.network import Network

if TYPE_CHECKING:
    from randsparse.training.trainer import Trainer


class Rewinding(ChangingMask):
    """Prunes and rewinds before each level but the first, which trains the source (Frankle et al. 2020, algorithm 1).

    A level ends with all epochs of its schedule and begins with `rewind_epoch` k: the weights that are left, norms and
    their statistics are bit for bit those of the first level after k epochs, the optimiser's state is zero, and the
    learning rate goes on from there. k = 0 rewinds to the initial weights (Frankle and Carbin 2019); `rewind` = "rate"
    leaves weights and optimiser as they are (Renda et al. 2020). Images come in the order of the epochs of the run.

    Each pruning removes the same share of the weights that are left, those of lowest magnitude: after j of n - 1 there
    are N_0 (N_f / N_0)^(j / (n - 1)), from N_0 of the source to N_f of the final density.
    """

    def __init__(self, config: RunConfig, network: Network, trainer: Trainer) -> None:
        super().__init__(config, network, trainer)
        self.begun: dict[str, Tensor] = {}  # the network to which weights rewind, once it is known

    def begin(self, epoch: int) -> None:
        """Keep the network to rewind to, or prune and rewind, where `epoch` (from 0) is the first to need it."""
        config, model = self.config, self.trainer.model
        if epoch == config.rewind_epoch and config.rewind == "weights":
            self.begun = {name: value.clone() for name, value in model.state_dict().items()}
        level = methods.level(config, epoch)
        if not epoch or level == methods.level(config, epoch - 1):
            return
        share = (self.end / self.start) ** (level / (config.levels - 1))
        magnitudes = {name: finite(weight) for name, weight in self.parameters.items()}
        mask = pruned(magnitudes, self.mask, round(self.start * share), config.prune_scope)
        self.count_flops(epoch * self.steps_per_epoch)
        if config.rewind == "weights":
            model.load_state_dict(self.begun)
            for state in self.trainer.optimizer.state.values():
                for value in state.values():
                    if isinstance(value, Tensor):
                        value.zero_()
        self.change(mask)

    def state(self) -> dict[str, Any]:
        return super().state() | {"begun": self.begun}

    def resume(self, state: dict[str, Any]) -> None:
        super().resume(state)
        self.begun = {name: value.to(self.trainer.device) for name, value in state["begun"].items()}
