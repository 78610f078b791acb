"""Robustness to corruptions that are made here, of the study's own kinds and strengths.

They are of the kinds of CIFAR-10-C (Hendrycks & Dietterich 2019), made by torchvision, and are not its files: numbers
compare networks of this study with each other, not with published ones.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from randsparse.errors import require
from randsparse.runs.evaluations import Evaluation, Subject

if TYPE_CHECKING:
    import torch
    from torch import Tensor

STRENGTHS: dict[str, tuple[float, ...]] = {
    "gaussian-noise": (0.02, 0.05, 0.08, 0.12, 0.16),  # standard deviation, of a pixel range of 1
    "gaussian-blur": (0.4, 0.6, 0.8, 1.0, 1.4),  # standard deviation in pixels
    "contrast": (0.75, 0.5, 0.35, 0.2, 0.1),  # factor on the distance from the image's mean grey
    "jpeg": (80, 60, 40, 20, 10),  # quality, of 100
}
"""What the severities 1 to 5 of each corruption mean."""
SEVERITIES = range(1, 6)
BATCH = 1000
BLUR_REACH = 4.0
"""Half the width of the blur's kernel, in standard deviations."""


@dataclass(frozen=True)
class Corruption(Evaluation):
    """Accuracy, NLL, Brier score and ECE (as in run records) on the corrupted test images, or the first `images`.

    Also `count`, and `clean_accuracy`, that on the same images as they are.
    """

    corruption: str = "gaussian-noise"
    severity: int = 1
    images: int | None = None
    seed: int = 0  # of the noise

    kind: ClassVar[str] = "corruption"
    version: ClassVar[int] = 2
    choices: ClassVar[dict[str, tuple[str, ...]]] = {"corruption": tuple(STRENGTHS)}

    def check_values(self) -> None:
        require(self.severity in SEVERITIES, "severity", self.severity, "1 to 5")
        require(self.images is None or self.images >= 1, "images", self.images, "None (all) or at least 1")

    def without_effect(self) -> set[str]:
        return set() if self.corruption == "gaussian-noise" else {"seed"}

    def measure(self, subject: Subject) -> dict[str, Any]:
        """Return the values; see the class."""
        from randsparse.training.metrics import loss_and_accuracy, metrics

        images, labels = subject.dataset.test_x[: self.images], subject.dataset.test_y[: self.images]
        outputs = subject.logits(corrupt(images, self.corruption, self.severity, self.seed))
        _, clean = loss_and_accuracy(subject.test_logits[: self.images], labels)
        return {"count": len(labels), **metrics(outputs, labels), "clean_accuracy": clean}


def corrupt(images: Tensor, corruption: str, severity: int, seed: int = 0) -> Tensor:
    """Return uint8 images (N, C, H, W), C of 1 or 3, corrupted with one of STRENGTHS at a severity of 1 to 5.

    On the CPU, in batches, so that neither device nor what was drawn before changes the result.
    """
    import torch

    from randsparse.seeds import generator

    change, strength = _CHANGES[corruption], STRENGTHS[corruption][severity - 1]
    random = generator("corruption", seed, corruption)
    batches = images.cpu().contiguous().split(BATCH)
    return torch.cat([change(batch, strength, random) for batch in batches])


def _noise(images: Tensor, sigma: float, random: torch.Generator) -> Tensor:
    import torch
    from torchvision.transforms.v2.functional import gaussian_noise

    with torch.random.fork_rng(devices=[]):  # it draws from the global generator
        torch.set_rng_state(random.get_state())
        noisy = gaussian_noise(images, sigma=sigma)
        random.set_state(torch.get_rng_state())
    return noisy


def _blur(images: Tensor, sigma: float, random: torch.Generator) -> Tensor:
    from torchvision.transforms.v2.functional import gaussian_blur

    reach = min(round(BLUR_REACH * sigma), images.shape[-1] - 1)  # reflected at the border, at most once
    return gaussian_blur(images, [2 * reach + 1] * 2, [sigma] * 2)


def _contrast(images: Tensor, factor: float, random: torch.Generator) -> Tensor:
    from torchvision.transforms.v2.functional import adjust_contrast

    return adjust_contrast(images, factor)


def _jpeg(images: Tensor, quality: float, random: torch.Generator) -> Tensor:
    from torchvision.transforms.v2.functional import jpeg

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of the codec that torchvision itself calls
        return jpeg(images, int(quality))


_CHANGES: dict[str, Callable[[Tensor, float, torch.Generator], Tensor]] = {
    "gaussian-noise": _noise,
    "gaussian-blur": _blur,
    "contrast": _contrast,
    "jpeg": _jpeg,
}
