"""What the loss is like between an early network and a late one, between two ends of one beginning, and around one."""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any, ClassVar

from randsparse.errors import StudyError, require
from randsparse.runs.config import RunConfig
from randsparse.runs.evaluations import Evaluation, Subject

STARTS = ("checkpoint", "unforked")


@dataclass(frozen=True)
class Line(Evaluation):
    """Loss and accuracy on the straight line between two networks of one shape, which ends at that of the run.

    It starts at what the run was after `epoch` ("checkpoint"), or at the end of the run of which it is a fork
    ("unforked"; Frankle et al. 2020, Draxler et al. 2018). The network at alpha, `points` values from 0 to 1, has the
    parameters (1 - alpha) start + alpha end, and the statistics of batch norm that the training images give it: this
    holds for both ends, too. The first `images` images of the training part, not augmented, and of the validation part
    are classified, in float32 where the run has bfloat16.

    Values: lists along the line (`alpha`, `<part>_loss` in nats, `<part>_accuracy`, of "train" and "val");
    `<part>_loss_barrier` and `<part>_error_barrier`, the highest value minus the mean of both ends; `distance` of the
    ends over all kept weights, biases and parameters of norms, `relative_distance` (to the norm of the end).
    """

    start: str = "checkpoint"
    epoch: int = 1
    points: int = 11
    images: int = 2000

    kind: ClassVar[str] = "line"
    choices: ClassVar[dict[str, tuple[str, ...]]] = {"start": STARTS}

    def check_values(self) -> None:
        require(self.epoch >= 1, "epoch", self.epoch, "at least 1")
        require(self.points >= 2, "points", self.points, "at least 2, the ends")
        require(self.images >= 2, "images", self.images, "at least 2")

    def without_effect(self) -> set[str]:
        return {"epoch"} if self.start == "unforked" else set()

    def others(self, run: RunConfig) -> tuple[RunConfig]:
        """Return the run that the line starts from; raises StudyError for one that is no fork, or has no such epoch."""
        if self.start == "unforked":
            return (find_unforked(run),)
        if self.epoch >= run.last_epoch:
            raise StudyError(
                f"run {run.key} ends after epoch {run.last_epoch}: a line to its end must start before, and not at "
                f"epoch={self.epoch}"
            )
        return (run.replace(stop_epoch=self.epoch),)

    def measure(self, subject: Subject) -> dict[str, Any]:
        """Return the values; see the class."""
        from randsparse.questions.early_and_late import weight_space

        start = weight_space.copy_weights(subject.network_of(*self.others(subject.run)))
        end, model = weight_space.copy_weights(subject.model), copy.deepcopy(subject.model)
        inputs, _ = weight_space.training_images(model, subject.dataset, self.images)
        alphas = [point / (self.points - 1) for point in range(self.points)]
        values: dict[str, Any] = {"alpha": alphas}
        for alpha in alphas:
            weight_space.place_between(model, start, end, alpha)
            weight_space.recalibrate(model, inputs)
            for name, value in weight_space.measured(model, subject, self.images):
                values.setdefault(name, []).append(value)
        for part in ("train", "val"):
            errors = [1 - accuracy for accuracy in values[f"{part}_accuracy"]]
            values[f"{part}_loss_barrier"] = weight_space.barrier(values[f"{part}_loss"])
            values[f"{part}_error_barrier"] = weight_space.barrier(errors)
        values["distance"] = weight_space.distance(start, end)
        zero = {name: value * 0 for name, value in end.items()}
        return values | {"relative_distance": values["distance"] / weight_space.distance(zero, end)}


@dataclass(frozen=True)
class Sharpness(Evaluation):
    """The largest eigenvalue of the Hessian of the training loss: of mean cross-entropy, without weight decay.

    On the first `images` training images, not augmented, in evaluation mode, in float32 where the run has bfloat16; by
    all parameters that the network keeps. A run with `stop_epoch` is measured after that epoch.

    Values: `sharpness`; null if `tolerance`, its relative error, is not reached; `products`, those of the Hessian with
    a vector that it took.
    """

    images: int = 256
    tolerance: float = 1e-3

    kind: ClassVar[str] = "sharpness"

    def check_values(self) -> None:
        require(self.images >= 1, "images", self.images, "at least 1")
        require(0 < self.tolerance < 1, "tolerance", self.tolerance, "between 0 and 1, a relative error")

    def measure(self, subject: Subject) -> dict[str, Any]:
        """Return the values; see the class."""
        from randsparse.questions.early_and_late import weight_space

        model = copy.deepcopy(subject.model).requires_grad_(True)
        inputs, labels = weight_space.training_images(model, subject.dataset, self.images)
        value, products = weight_space.sharpness(model, inputs, labels, self.tolerance)
        return {"sharpness": value, "products": products}


def find_unforked(run: RunConfig) -> RunConfig:
    """Return the run of which `run` is a fork; raises StudyError for one that is none."""
    if run.fork_seed is None:
        raise StudyError(f"run {run.key} is no fork: it has no fork_seed")
    return run.replace(fork_seed=None, fork_epoch=0)
