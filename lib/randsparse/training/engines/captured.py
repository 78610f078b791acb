"""A training step recorded once on a GPU and replayed, so that small networks do not wait for Python."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

Step = Callable[[Tensor, Tensor], Tensor]


class Captured:
    """A step that runs as it is for `warmup` calls, then as one CUDA graph; the same kernels, so the same numbers.

    Inputs are copied to where the graph reads them; what is returned is overwritten by the next call. The step must
    not wait for the device, and must read what changes from tensors: weights, optimiser state, learning rate.
    """

    def __init__(self, step: Step, warmup: int = 3) -> None:
        self.step, self.left = step, warmup
        self.graph: torch.cuda.CUDAGraph | None = None

    def __call__(self, images: Tensor, labels: Tensor) -> Tensor:
        if self.graph is None:
            if self.left:  # on a stream of its own, as torch asks for before a capture
                self.left -= 1
                return self._aside(images, labels)
            self._capture(images, labels)
        self.images.copy_(images)
        self.labels.copy_(labels)
        self.graph.replay()
        return self.loss

    def _aside(self, images: Tensor, labels: Tensor) -> Tensor:
        current, side = torch.cuda.current_stream(), torch.cuda.Stream()
        side.wait_stream(current)
        with torch.cuda.stream(side):
            loss = self.step(images, labels)
        current.wait_stream(side)
        return loss

    def _capture(self, images: Tensor, labels: Tensor) -> None:
        """Record the step; recording does not execute it."""
        self.images, self.labels = images.clone(), labels.clone()
        self.graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self.graph):
            self.loss = self.step(self.images, self.labels)
