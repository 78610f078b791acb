"""Adversarial robustness: accuracy under FGSM and PGD within a budget, and whether the attacks can be believed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import torch
from torch import Tensor, nn

from randsparse.data import Dataset
from randsparse.evaluation import autocast, input_dtype, loss_and_accuracy
from randsparse.evaluations import Evaluation, Subject, require
from randsparse.seeds import generator

if TYPE_CHECKING:
    import pandas as pd

ATTACKS = ("fgsm", "pgd", "noise")
UNBOUNDED = 255.0
"""The budget with which any image can be made of any other."""
BATCH = 250
"""Images attacked at once: a constant, as random starts are drawn by the batch."""


@dataclass(frozen=True)
class Adversarial(Evaluation):
    """Accuracy and loss on test images, or the first `images`, each pixel of which an attack changed by up to epsilon.

    Attacks (by the Adversarial Robustness Toolbox, on the network's own loss): "fgsm", one step (Goodfellow et al.
    2015); "pgd", `steps` steps of 2.5 epsilon / steps from each of `restarts` random starts, of which the last that
    succeeds counts (Madry et al. 2018); "noise", random signs, which know nothing of the network.

    Values: `count`; `accuracy` and `loss` (mean cross-entropy in nats), under attack and as `clean_...` without.
    """

    attack: str = "pgd"
    epsilon: float = 8.0  # in units of 1/255 of the pixel range, 0 to 255
    steps: int = 20
    restarts: int = 1
    images: int | None = None
    seed: int = 0

    kind: ClassVar[str] = "adversarial"
    choices: ClassVar[dict[str, tuple[str, ...]]] = {"attack": ATTACKS}

    def check_values(self) -> None:
        require(0 <= self.epsilon <= UNBOUNDED, "epsilon", self.epsilon, "a budget of 0 to 255, in units of 1/255")
        for name in ("steps", "restarts"):
            require(getattr(self, name) >= 1, name, getattr(self, name), "at least 1")
        require(self.images is None or self.images >= 1, "images", self.images, "None (all) or at least 1")

    def without_effect(self) -> set[str]:
        return {"pgd": set(), "fgsm": {"steps", "restarts", "seed"}, "noise": {"steps", "restarts"}}[self.attack]

    def check(self, dataset: Dataset, data_dir: Path) -> None:
        import art.config  # noqa: F401, its first import writes ~/.art/config.json: here, before many processes do

    def measure(self, subject: Subject) -> dict[str, Any]:
        """Return the values; see the class."""
        images, labels = subject.dataset.test_x[: self.images] / 255, subject.dataset.test_y[: self.images]
        network = OfPixels(subject.model, subject.dataset.mean, subject.dataset.std, subject.precision).eval()
        network.to(subject.device)
        values: dict[str, Any] = {"count": len(labels)}
        for name, batch in (("clean_", images), ("", attacked(network, images, labels, self))):
            loss, accuracy = loss_and_accuracy(_outputs(network, batch), labels)
            values |= {f"{name}accuracy": accuracy, f"{name}loss": loss}
        return values


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


def attacked(network: nn.Module, images: Tensor, labels: Tensor, attack: Adversarial) -> Tensor:
    """Return images that differ from `images` by at most attack.epsilon / 255 in each value, and lie in 0..1.

    Args:
        network: takes pixels in 0..1, in evaluation mode; the gradients of its parameters are left as they were.
        images: float32 (N, C, H, W) in 0..1, on the network's device.
        labels: (N,), from which the attack leads away.
    """
    epsilon = attack.epsilon / 255
    if epsilon == 0:
        return images
    if attack.attack == "noise":
        signs = torch.randint(2, images.shape, generator=generator("attack", attack.seed, "noise")) * 2 - 1
        changed = images + epsilon * signs.to(images.device)
    else:
        from art.attacks import evasion

        estimator = _estimator(network, images, labels)
        if attack.attack == "fgsm":
            method = evasion.FastGradientMethod(estimator, eps=epsilon, batch_size=BATCH)
        else:
            method = evasion.ProjectedGradientDescentPyTorch(
                estimator, eps=epsilon, eps_step=min(1.0, 2.5 / attack.steps) * epsilon, max_iter=attack.steps,
                num_random_init=attack.restarts, batch_size=BATCH, verbose=False,
            )  # fmt: skip
        with _without_gradients(network), _starts(attack.seed):
            made = method.generate(images.cpu().numpy(), labels.cpu().numpy())
        changed = torch.from_numpy(made).to(images.device)
    return changed.clamp(images - epsilon, images + epsilon).clamp(0, 1)  # as rounding may leave either


def masking_suite(
    epsilon: float = 8.0, steps: int = 20, restarts: int = 1, images: int | None = None, seed: int = 0
) -> dict[str, Adversarial]:
    """Return the attacks that `masking_checks` compares, by what they are for.

    Raises StudyError for impossible values, as of a budget of nothing.
    """
    require(0 < epsilon < UNBOUNDED, "epsilon", epsilon, "above 0 and below 255, in units of 1/255")
    require(steps >= 4, "steps", steps, "at least 4")
    pgd = {"attack": "pgd", "restarts": restarts, "images": images, "seed": seed}
    return {
        "noise": Adversarial("noise", epsilon, images=images, seed=seed),
        "fgsm": Adversarial("fgsm", epsilon, images=images),
        "short": Adversarial(epsilon=epsilon, steps=steps // 4, **pgd),
        "pgd": Adversarial(epsilon=epsilon, steps=steps, **pgd),
        "unbounded": Adversarial(epsilon=UNBOUNDED, steps=steps, **pgd),
    }


def masking_checks(rows: pd.DataFrame, suite: dict[str, Adversarial], slack: float = 0.01) -> pd.DataFrame:
    """Return one row a run and sign of gradient masking (Athalye et al. 2018, section 3.1): key, check, lead, holds.

    Args:
        rows: as from `evaluations.frame`, with those of `suite`.
        slack: by how much, as a fraction of the images, an attack that should win may be behind.

    `lead` is what the attack that should win is ahead by: accuracy, or loss in nats. Where a check fails, gradients
    mislead the attacks, and accuracy under attack says little.
    """
    import pandas as pd

    roles = {evaluation.key: role for role, evaluation in suite.items()}
    rows = rows[rows["evaluation"].isin(roles)]
    checks = []
    for key, group in rows.groupby("key", sort=False):
        of = group.assign(role=group["evaluation"].map(roles)).set_index("role")
        accuracy, loss = of["accuracy"], of["loss"]
        for check, lead, least in (
            ("PGD is as strong as FGSM", accuracy["fgsm"] - accuracy["pgd"], -slack),
            ("gradients beat noise", accuracy["noise"] - accuracy["fgsm"], -slack),
            ("more steps, more loss", loss["pgd"] - loss["short"], 0.0),
            ("no image survives any change", 0.0 - accuracy["unbounded"], -slack),
        ):
            checks.append({"key": key, "check": check, "lead": lead, "holds": bool(lead >= least)})
    return pd.DataFrame(checks, columns=["key", "check", "lead", "holds"])


def _estimator(network: nn.Module, images: Tensor, labels: Tensor) -> Any:
    """Return the network as the attacks take it; their loss is the mean cross-entropy."""
    from art.estimators.classification import PyTorchClassifier

    with torch.no_grad():
        classes = network(images[:1]).shape[1]
    device = "cpu" if images.device.type == "cpu" else "gpu"
    shape = tuple(images.shape[1:])
    return PyTorchClassifier(network, nn.CrossEntropyLoss(), shape, classes, clip_values=(0.0, 1.0), device_type=device)


@torch.no_grad()
def _outputs(network: nn.Module, images: Tensor) -> Tensor:
    return torch.cat([network(batch).double() for batch in images.split(2 * BATCH)])


@contextlib.contextmanager
def _without_gradients(network: nn.Module) -> Iterator[None]:
    """Ask for no gradients of parameters: attacks need those of images alone."""
    wanted = [parameter for parameter in network.parameters() if parameter.requires_grad]
    for parameter in wanted:
        parameter.requires_grad_(False)
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
