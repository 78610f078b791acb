"""Adversarial robustness: accuracy under FGSM and PGD within a budget, and whether the attacks can be believed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from randsparse.errors import require
from randsparse.runs.evaluations import Evaluation, Subject

if TYPE_CHECKING:
    import pandas as pd

    from randsparse.data.dataset import Dataset

ATTACKS = ("fgsm", "pgd", "noise")
UNBOUNDED = 255.0
"""The budget with which any image can be made of any other."""


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
        from randsparse.questions.beyond_accuracy.attacks import OfPixels, attack_images, compute_logits
        from randsparse.training.metrics import loss_and_accuracy

        images, labels = subject.dataset.test_x[: self.images] / 255, subject.dataset.test_y[: self.images]
        network = OfPixels(subject.model, subject.dataset.mean, subject.dataset.std, subject.precision)
        network.eval().to(subject.device)
        settings = {"steps": self.steps, "restarts": self.restarts, "seed": self.seed}
        changed = attack_images(network, images, labels, self.attack, self.epsilon, **settings)
        values: dict[str, Any] = {"count": len(labels)}
        for name, batch in (("clean_", images), ("", changed)):
            loss, accuracy = loss_and_accuracy(compute_logits(network, batch), labels)
            values |= {f"{name}accuracy": accuracy, f"{name}loss": loss}
        return values


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
    """Return one row per run and sign of gradient masking (Athalye et al. 2018, section 3.1): key, check, lead, holds.

    Args:
        rows: as from `evaluations.make_frame`, those of `suite`.
        slack: by how much, as a fraction of the images, an attack that should win may be behind.

    `lead` is what the attack that should win is ahead by: accuracy, or loss in nats. Where a check fails, gradients
    mislead the attacks, and accuracy under attack says little.
    """
    import pandas as pd

    roles = {evaluation.key: role for role, evaluation in suite.items()}
    by_role = rows.assign(role=rows["evaluation"].map(roles)).pivot(index="key", columns="role")
    accuracy, loss = by_role["accuracy"], by_role["loss"]
    leads = (
        ("PGD is as strong as FGSM", accuracy["fgsm"] - accuracy["pgd"], -slack),
        ("gradients beat noise", accuracy["noise"] - accuracy["fgsm"], -slack),
        ("more steps, more loss", loss["pgd"] - loss["short"], 0.0),
        ("no image survives any change", 0.0 - accuracy["unbounded"], -slack),
    )
    parts = [pd.DataFrame({"check": check, "lead": lead, "holds": lead >= least}) for check, lead, least in leads]
    return pd.concat(parts).reset_index()
