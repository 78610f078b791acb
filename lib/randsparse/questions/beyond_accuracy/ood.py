"""Out-of-distribution detection: whether a network is less sure of images of another kind."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from randsparse.errors import require
from randsparse.questions.beyond_accuracy.ood_sets import check_name
from randsparse.runs.evaluations import Evaluation, Subject

if TYPE_CHECKING:
    from torch import Tensor

    from randsparse.data.dataset import Dataset

SCORES = ("msp", "energy", "max_logit", "entropy", "gen")
"""Outlier scores of logits, by pytorch-ood: maximum softmax probability (Hendrycks & Gimpel 2017), energy (Liu et al.
2020), maximum logit (Hendrycks et al. 2022), entropy of the softmax, and generalised entropy (Liu et al. 2023)."""


@dataclass(frozen=True)
class OutOfDistribution(Evaluation):
    """Detection of the images of `data` among the test images, by each of SCORES.

    `data` is one of `ood_sets.SETS` or "folder:PATH", PATH below the data folder unless absolute. A name stands for
    fixed images: the record of a folder has their digest, but its key only the path. There are as many of both
    sorts as there are test images, or `images`; of a smaller set, all.

    Values: `count` and `ood_count`, `ood_digest`, and `<metric>_<score>` of SCORES and the metrics of
    `measure_detection`.
    """

    data: str = "gaussian-noise"
    resize: bool = False  # images of another size, bilinearly; without it they are an error
    images: int | None = None
    seed: int = 0  # of what is drawn

    kind: ClassVar[str] = "ood"

    def check_values(self) -> None:
        check_name(self.data)
        require(self.images is None or self.images >= 1, "images", self.images, "None (all) or at least 1")

    def check(self, dataset: Dataset, data_dir: Path) -> None:
        self.outliers(dataset, data_dir)

    def measure(self, subject: Subject) -> dict[str, Any]:
        """Return the values; see the class."""
        outliers = self.outliers(subject.dataset, subject.data_dir)
        inside, outside = subject.test_logits[: self.images], subject.logits(outliers)
        values = {"count": len(inside), "ood_count": len(outside), "ood_digest": _digest(outliers)}
        for score in SCORES:
            measured = measure_detection(outlier_scores(inside, score), outlier_scores(outside, score))
            values |= {f"{name}_{score}": value for name, value in measured.items()}
        return values

    def outliers(self, dataset: Dataset, data_dir: Path) -> Tensor:
        """Return the images of `data` for runs on `dataset`; raises as `ood_images.load`."""
        from randsparse.questions.beyond_accuracy import ood_images

        limit = len(dataset.test_y[: self.images])
        return ood_images.load(self.data, dataset, data_dir, limit=limit, resize=self.resize, seed=self.seed)


def outlier_scores(outputs: Tensor, score: str) -> Tensor:
    """Return the outlier scores (N,), larger for outliers, of logits (N, classes) by one of SCORES."""
    from pytorch_ood import detector

    kinds = {
        "msp": detector.MaxSoftmax,
        "energy": detector.EnergyBased,
        "max_logit": detector.MaxLogit,
        "entropy": detector.Entropy,
        "gen": detector.GEN,
    }
    return kinds[score].score(outputs)


def measure_detection(inside: Tensor, outside: Tensor) -> dict[str, float]:
    """Return how well outlier scores (larger for outliers) tell outliers apart: fractions by metric, by pytorch-ood.

    Args:
        inside: scores (N,) of images as the network was trained on.
        outside: scores (M,) of outliers.

    `auroc`: the probability that an outlier has the larger score, ties counting half. `aupr_out`, `aupr_in`: area under
    precision and recall (trapezoidal) with outliers, or the others, as positives. `fpr95`: the fraction of the
    others at or above the highest threshold that finds 95 % of the outliers.
    """
    import torch
    from pytorch_ood.metrics import functional

    scores = torch.cat([inside, outside])
    labels = torch.cat([torch.zeros_like(inside), -torch.ones_like(outside)])
    return {
        "auroc": functional.auroc(scores, labels).item(),
        "aupr_in": functional.aupr(scores, labels, "id").item(),
        "aupr_out": functional.aupr(scores, labels, "ood").item(),
        "fpr95": functional.fpr_at_tpr(scores, labels, 0.95).item(),
    }


def _digest(images: Tensor) -> str:
    """Return 16 hex digits of the images, in order."""
    return hashlib.sha256(images.contiguous().numpy().tobytes()).hexdigest()[:16]
