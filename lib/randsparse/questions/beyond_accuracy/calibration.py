"""Calibration: how far confidence is from accuracy, and what one temperature, fitted on validation, mends of it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

from randsparse.errors import require
from randsparse.runs.evaluations import Evaluation, Subject

if TYPE_CHECKING:
    from torch import Tensor

TEMPERATURES = (0.05, 20.0)
"""The range in which a temperature is sought: a network that never errs on validation has its lowest NLL at zero."""


@dataclass(frozen=True)
class Calibration(Evaluation):
    """Calibration on the test set, as it is and with the temperature that is best on the validation set.

    Values: `temperature`; accuracy, `nll` (nats), `brier` (0 to 2), `ece` (15 bins of equal width, as in run records)
    and `ece_mass` (`bins` bins of equal mass), the last four also as `<name>_scaled`; `reliability` and
    `reliability_scaled`, the rows of `reliability` for equal mass.
    """

    bins: int = 15

    kind: ClassVar[str] = "calibration"

    def check_values(self) -> None:
        require(self.bins >= 1, "bins", self.bins, "at least 1")

    def measure(self, subject: Subject) -> dict[str, Any]:
        """Return the values; see the class."""
        from randsparse.training.metrics import metrics

        labels = subject.dataset.test_y
        t = temperature(subject.val_logits, subject.dataset.val_y)
        values: dict[str, Any] = {"count": len(labels), "temperature": t}
        for suffix, outputs in (("", subject.test_logits), ("_scaled", subject.test_logits / t)):
            bins = reliability(outputs, labels, self.bins)
            measured = metrics(outputs, labels) | {"ece_mass": expected_error(bins), "reliability": bins}
            values |= {f"{name}{suffix}": value for name, value in measured.items()}
        del values["accuracy_scaled"]  # a temperature changes no prediction
        return values


def reliability(outputs: Tensor, labels: Tensor, bins: int) -> list[dict[str, float]]:
    """Return mean confidence, accuracy and share of the images in bins of equal mass, the least confident first.

    Args:
        outputs: logits (N, classes).
        labels: (N,).
        bins: their number B; their sizes differ by one at most. With N < B, each image is a bin.

    Images of one confidence count with their mean accuracy, so that their order changes nothing.
    """
    confidence, predicted = outputs.softmax(1).max(1)
    order = confidence.argsort(stable=True)
    confidence, correct = confidence[order].double(), (predicted == labels)[order].double()
    _, group, sizes = confidence.unique_consecutive(return_inverse=True, return_counts=True)
    correct = (correct.new_zeros(len(sizes)).index_add_(0, group, correct) / sizes)[group]
    parts = zip(confidence.tensor_split(bins), correct.tensor_split(bins), strict=True)
    return [
        {"confidence": p.mean().item(), "accuracy": a.mean().item(), "share": len(p) / len(confidence)}
        for p, a in parts
        if len(p)
    ]


def expected_error(bins: list[dict[str, float]]) -> float:
    """Return the expected calibration error, sum_b share_b |accuracy_b - confidence_b| (Naeini et al. 2015).

    With bins of equal mass as in Nixon et al. 2019.
    """
    return math.fsum(each["share"] * abs(each["accuracy"] - each["confidence"]) for each in bins)


def temperature(outputs: Tensor, labels: Tensor) -> float:
    """Return the T in `TEMPERATURES` with the lowest NLL of softmax(outputs / T) (Guo et al. 2017).

    NLL is convex in 1/T, so that it has one minimum.
    """
    from scipy.optimize import minimize_scalar

    from randsparse.training.metrics import loss_and_accuracy

    best = minimize_scalar(
        lambda t: loss_and_accuracy(outputs / math.exp(t), labels)[0],
        bounds=tuple(map(math.log, TEMPERATURES)),
        method="bounded",
        options={"xatol": 1e-9},
    )
    return math.exp(best.x)
