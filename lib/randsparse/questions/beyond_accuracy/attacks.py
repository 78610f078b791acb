"""Attacks on a network, by the Adversarial Robustness Toolbox; `adversarial` has the evaluation that measures them."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from randsparse.errors import unknown
from randsparse.seeds import generator
from randsparse.training.metrics import autocast, input_dtype

KINDS = ("fgsm", "pgd", "noise")
BATCH = 250
"""Images attacked at once: a constant, as random starts are drawn by the batch."""


class OfPixels(nn.Module):
    """A network of pixels in 0..1, of one that takes normalised images: logits (N, classes), at least float32."""

    def __init__(
        self, model: nn.Module, mean: tuple[float, ...], std: tuple[float, ...], precision: torch.dtype = torch.float32
    ) -> None:
        super().__init__()
        self.model, self.precision = model, precision
        for name, values in (("mean", mean), ("std", std)):
            self.register_buffer(name, torch.tensor(values, dtype=input_dtype(precision)).view(1, -1, 1, 1))

    def forward(self, images: Tensor) -> Tensor:
        images = (images.to(self.mean.dtype) - self.mean) / self.std
        with autocast(images.device, self.precision):
            outputs = self.model(images.contiguous(memory_format=torch.channels_last))
        return outputs.to(self.mean.dtype)


def attack_images(
    network: nn.Module,
    images: Tensor,
    labels: Tensor,
    attack: str,
    epsilon: float,
    *,
    steps: int = 20,
    restarts: int = 1,
    seed: int = 0,
) -> Tensor:
    """Return images that differ from `images` by at most epsilon / 255 in each value, and lie in 0..1.

    Args:
        network: takes pixels in 0..1, in evaluation mode; the gradients of its parameters are left as they were.
        images: float32 (N, C, H, W) in 0..1, on the network's device.
        labels: (N,), from which the attack leads away.
        attack: one of KINDS; see `Adversarial`.
        epsilon: the budget in units of 1/255 of the pixel range.
        steps, restarts: of "pgd" alone.
        seed: of the random starts of "pgd", and of "noise".

    Raises StudyError for another attack.
    """
    if attack not in KINDS:
        raise unknown("attack", attack, KINDS)
    epsilon = epsilon / 255
    if epsilon == 0:
        return images
    if attack == "noise":
        signs = torch.randint(2, images.shape, generator=generator("attack", seed, "noise")) * 2 - 1
        changed = images + epsilon * signs.to(images.device)
    else:
        from art.attacks import evasion

        estimator = _estimator(network, images, labels)
        if attack == "fgsm":
            method = evasion.FastGradientMethod(estimator, eps=epsilon, batch_size=BATCH)
        else:
            method = evasion.ProjectedGradientDescentPyTorch(
                estimator,
                eps=epsilon,
                eps_step=min(1.0, 2.5 / steps) * epsilon,
                max_iter=steps,
                num_random_init=restarts,
                batch_size=BATCH,
                verbose=False,
            )
        with _without_gradients(network), _starts(seed):
            made = method.generate(images.cpu().numpy(), labels.cpu().numpy())
        changed = torch.from_numpy(made).to(images.device)
    return changed.clamp(images - epsilon, images + epsilon).clamp(0, 1)  # as rounding may leave either


def _estimator(network: nn.Module, images: Tensor, labels: Tensor) -> Any:
    """Return the network as the attacks take it; their loss is the mean cross-entropy."""
    from art.estimators.classification import PyTorchClassifier

    with torch.no_grad():
        classes = network(images[:1]).shape[1]
    return PyTorchClassifier(
        network,
        loss=nn.CrossEntropyLoss(),
        input_shape=tuple(images.shape[1:]),
        nb_classes=classes,
        clip_values=(0.0, 1.0),
        device_type="cpu" if images.device.type == "cpu" else "gpu",
    )


@torch.no_grad()
def compute_logits(network: nn.Module, images: Tensor) -> Tensor:
    """Return the logits of images (N, C, H, W) in 0..1: float64 (N, classes)."""
    return torch.cat([network(batch).double() for batch in images.split(2 * BATCH)])


@contextlib.contextmanager
def _without_gradients(network: nn.Module) -> Iterator[None]:
    """Ask for no gradients of parameters: attacks need those of images alone."""
    wanted = [parameter for parameter in network.parameters() if parameter.requires_grad]
    network.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in wanted:
            parameter.requires_grad_(True)


@contextlib.contextmanager
def _starts(seed: int) -> Iterator[None]:
    """Draw numbers of this seed from NumPy's global generator, as the attacks do, and leave that and torch's alone."""
    import numpy as np

    before = np.random.get_state()
    np.random.seed(generator("attack", seed, "starts").initial_seed() % 2**32)
    try:
        with torch.random.fork_rng(devices=[]):
            yield
    finally:
        np.random.set_state(before)
