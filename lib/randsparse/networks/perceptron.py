"""The multilayer perceptron: rows of a table, or the pixels of images, through layers one after another."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from randsparse.networks.architecture import Widths
from randsparse.sparsity.paths import Flow, chain


class Perceptron(nn.Module):
    """Hidden layers of linear layer, batch norm and ReLU, then a classifier; reads (N, ...) with features in all."""

    def __init__(self, classes: int, features: int, widths: Widths) -> None:
        super().__init__()
        sizes = [features, *widths.streams]
        pairs = list(zip(sizes[:-1], sizes[1:], strict=True))
        # Without bias, as the batch norm has one.
        self.hidden = nn.ModuleList(nn.Linear(inputs, outputs, bias=False) for inputs, outputs in pairs)
        self.norms = nn.ModuleList(nn.BatchNorm1d(outputs) for _, outputs in pairs)
        self.classifier = nn.Linear(sizes[-1], classes)

    def forward(self, x: Tensor) -> Tensor:
        x = x.flatten(1)
        for layer, norm in zip(self.hidden, self.norms, strict=True):
            x = F.relu(norm(layer(x)))
        return self.classifier(x)

    def flows(self) -> tuple[Flow, ...]:
        """Return the steps from input to classes."""
        return chain([*(f"hidden.{index}.weight" for index in range(len(self.hidden))), "classifier.weight"])
