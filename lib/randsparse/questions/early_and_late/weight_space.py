"""Where networks are in the space of their weights: lines, distances, and how the loss bends; see `landscapes`."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
import torch
from scipy.sparse.linalg import ArpackNoConvergence, LinearOperator, eigsh
from torch import Tensor, nn
from torch.nn import functional as F
from torch.optim.swa_utils import update_bn

from randsparse.data.dataset import Dataset, normalize
from randsparse.runs.evaluations import Subject
from randsparse.seeds import generator

Weights = Mapping[str, Tensor]
"""All parameters of a network, by name."""
BATCH = 500
"""Images per batch from which the statistics of batch norm are computed anew."""


def copy_weights(model: nn.Module) -> dict[str, Tensor]:
    """Return copies of the parameters of a network."""
    return {name: parameter.detach().clone() for name, parameter in model.named_parameters()}


@torch.no_grad()
def place_between(model: nn.Module, start: Weights, end: Weights, alpha: float) -> None:
    """Give a network the parameters (1 - alpha) start + alpha end."""
    for name, parameter in model.named_parameters():
        parameter.copy_(torch.lerp(start[name], end[name], alpha))


def recalibrate(model: nn.Module, inputs: Tensor) -> None:
    """Compute the running means and variances of batch norm anew, as means over batches of inputs."""
    update_bn(inputs.split(BATCH), model)
    model.eval()


def training_images(model: nn.Module, dataset: Dataset, images: int) -> tuple[Tensor, Tensor]:
    """Return the first training images, normalised, in the precision of the network's parameters, and their labels."""
    dtype = next(model.parameters()).dtype
    return normalize(dataset.train_x[:images], dataset).to(dtype), dataset.train_y[:images]


def measured(model: nn.Module, subject: Subject, images: int) -> Iterator[tuple[str, float]]:
    """Yield loss and accuracy on the first images of both parts, by the names of their values."""
    dtype = next(model.parameters()).dtype
    for part in ("train", "val"):
        inputs, labels = (getattr(subject.dataset, f"{part}_{kind}")[:images] for kind in "xy")
        outputs = subject.compute(model, inputs, subject.dataset, dtype)
        yield f"{part}_loss", F.cross_entropy(outputs, labels).item()
        yield f"{part}_accuracy", (outputs.argmax(1) == labels).double().mean().item()


def distance(start: Weights, end: Weights) -> float:
    """Return the Euclidean distance of two networks, over all parameters; masked weights are zero in both."""
    return math.sqrt(sum((end[name].double() - start[name].double()).square().sum().item() for name in end))


def barrier(values: Sequence[float]) -> float:
    """Return the highest of the values along a line minus the mean of those at its ends (Frankle et al. 2020)."""
    return max(values) - (values[0] + values[-1]) / 2


def sharpness(model: nn.Module, inputs: Tensor, labels: Tensor, tolerance: float) -> tuple[float, int | None]:
    """Return the largest eigenvalue of the Hessian of mean cross-entropy, and how many products it took.

    nan and None where the tolerance is not reached.
    """
    parameters = list(model.parameters())

    def losses() -> Iterator[Tensor]:
        for some, own in zip(inputs.split(64), labels.split(64), strict=True):
            yield F.cross_entropy(model(some), own, reduction="sum") / len(labels)

    start = torch.randn(sum(p.numel() for p in parameters), generator=generator("sharpness", 0)).double()
    try:
        return largest_eigenvalue(losses, parameters, tolerance, start)
    except ArpackNoConvergence:
        return math.nan, None


def largest_eigenvalue(
    losses: Callable[[], Sequence[Tensor]], parameters: Sequence[Tensor], tolerance: float, start: Tensor
) -> tuple[float, int]:
    """Return the largest eigenvalue of a Hessian, by Lanczos iterations (ARPACK), and how many products they took.

    Args:
        losses: gives the parts of the loss, which is their sum; the graph of one of them at a time is in memory.
        parameters: what the loss is differentiated by. Where they are zero they are held fixed: such are the weights
            that a mask removes.
        tolerance: relative error of the eigenvalue at which the iterations stop.
        start: the vector that they begin with, with an element for each element of the parameters.

    Raises:
        scipy.sparse.linalg.ArpackNoConvergence: the tolerance is not reached.
    """
    kept = torch.cat([parameter.detach().flatten() != 0 for parameter in parameters])
    sizes = [parameter.numel() for parameter in parameters]
    products = 0

    def hessian_times(values: np.ndarray) -> np.ndarray:
        nonlocal products
        products += 1
        vector = torch.zeros(len(kept), dtype=parameters[0].dtype, device=kept.device)
        vector[kept] = torch.from_numpy(values.ravel()).to(vector)
        parts = [part.view_as(p) for part, p in zip(vector.split(sizes), parameters, strict=True)]
        total = torch.zeros_like(vector)
        for loss in losses():
            gradients = torch.autograd.grad(loss, parameters, create_graph=True)
            product = torch.autograd.grad(gradients, parameters, parts)
            total += torch.cat([part.flatten() for part in product])
        return total[kept].double().cpu().numpy()

    n = int(kept.sum())
    operator = LinearOperator((n, n), hessian_times, dtype=np.float64)
    (value,) = eigsh(operator, 1, which="LA", v0=start[kept.to(start.device)].numpy(), tol=tolerance)[0]
    return float(value), products
