"""A tiny dataset on disk: one folder of images a class, of several sizes and shapes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

NAME = "folder-tiny-3-16"
CLASSES = ("ant", "bee", "cow")
TRAIN, VAL = 14, 5  # images of each class


def make(data_dir: Path) -> Path:
    """Write the dataset NAME below `data_dir` and return its folder; a class has a colour of its own, and noise."""
    root = data_dir / "tiny"
    random = np.random.default_rng(0)
    for part, count in (("train", TRAIN), ("val", VAL)):
        for label, name in enumerate(CLASSES):
            folder = root / part / name
            folder.mkdir(parents=True)
            for index in range(count):
                height, width = random.integers(18, 40, 2)
                pixels = random.integers(0, 160, (height, width, 3), dtype=np.uint8)
                pixels[:, :, label] += 80
                suffix = ("JPEG", "png", "jpg")[index % 3]
                Image.fromarray(pixels).save(folder / f"{name}{index:02}.{suffix}")
    return root
