"""Tables as datasets: one row of numbers a sample."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np


@dataclass(frozen=True)
class Table:
    """A dataset of rows of numbers, as it is published.

    Args:
        read: returns all rows, floats (N, features), and their labels (N,); it is given the folder of datasets.
        samples: the number of rows; `val` and `test` of them, drawn from all, are these parts.
    """

    read: Callable[[Path], tuple[np.ndarray, np.ndarray]]
    classes: int
    features: int
    samples: int
    val: int
    test: int
    kind: ClassVar[str] = "table"
    official_test: ClassVar[bool] = False

    @property
    def shape(self) -> tuple[int, int, int]:
        """(classes, features, 1), as of images of one pixel with so many colours."""
        return self.classes, self.features, 1


def read_breast_cancer(data_dir: Path | None = None) -> tuple[np.ndarray, np.ndarray]:
    """Return the 569 cell samples that scikit-learn ships, 30 features, malignant (0) or benign; no files needed."""
    from sklearn.datasets import load_breast_cancer

    return load_breast_cancer(return_X_y=True)


TABLES: dict[str, Table] = {
    "breast-cancer": Table(read_breast_cancer, classes=2, features=30, samples=569, val=100, test=200),
}
