"""Batches of a run whose order and augmentation come from another seed after some epoch."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

    from randsparse.training.trainer import EpochBatches


class ForkedBatches:
    """The batches of one seed in the first epochs, and those of another seed after them.

    Args:
        before, after: the batches of both seeds, of the same images and size.
        fork_epoch: the number of epochs that `before` has.
    """

    def __init__(self, before: EpochBatches, after: EpochBatches, fork_epoch: int) -> None:
        self.before, self.after, self.fork_epoch = before, after, fork_epoch

    def __len__(self) -> int:
        return len(self.before)

    def epoch(self, epoch: int) -> Iterable[tuple[Tensor, Tensor]]:
        """Yield the batches of `epoch` (from 0)."""
        return (self.before if epoch < self.fork_epoch else self.after).epoch(epoch)
