"""Folders of images that do not fit into memory: listed once and split for good."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from randsparse.data.catalogue import Folder, folder
from randsparse.data.dataset import balanced_order
from randsparse.data.place import data_folder
from randsparse.errors import StudyError, require
from randsparse.seeds import generator

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's pixels, scaled to 0..1: the customary constants, of all folders, so that no run depends on a pass over
its images."""


@dataclass(frozen=True)
class Files:
    """Image files and their labels, in a fixed order; paths are below the folder of the dataset."""

    paths: np.ndarray = field(repr=False)  # bytes: an object for each of a million files is copied by every loader
    labels: Tensor = field(repr=False)

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, indices: Tensor) -> Files:
        """Return the files at `indices`, in that order."""
        return Files(self.paths[indices.numpy()], self.labels[indices])


@dataclass(frozen=True)
class ImageFolder:
    """A dataset on disk in its training, validation and test part.

    Attributes:
        root: the folder with train/ and val/. Validation images are held out from train/, test images are val/.
        digest: 16 hex digits of the names of all files.
        mean, std: of pixels scaled to 0..1, by channel.
    """

    name: str
    root: Path
    classes: int
    size: int
    digest: str
    parts: dict[str, Files]
    mean: tuple[float, ...] = MEAN
    std: tuple[float, ...] = STD
    channels: int = 3


def load(name: str, data_dir: str | Path | None = None, train_samples: int | None = None) -> ImageFolder:
    """List the images of a dataset, `<data_dir>/<folder>/train/<class>/*` and `.../val/<class>/*`, and split them.

    The validation part is `Folder.held_out` images of train/, drawn once for each dataset, with the classes in
    proportion; the test part is val/. No image is opened.

    Args:
        name: as `sources.folder` takes it.
        data_dir: the folder of datasets; None is the environment's DATA_DIR, or "data" without one.
        train_samples: None for all of the training part. Fewer are a beginning of more, with the classes in proportion.

    Raises:
        StudyError: folders are missing, have no images or other classes than they should, or the number is impossible.
    """
    described = folder(name)
    if described is None:
        raise StudyError(f"dataset {name!r} is no folder of images")
    data_dir = data_folder(data_dir)
    root = data_dir / described.name
    for place in (data_dir, root, root / "train", root / "val"):
        if not place.is_dir():
            raise StudyError(
                f"{place} is no folder: {name} needs one folder of images a class in each of {root / 'train'} and "
                f"{root / 'val'}; or set DATA_DIR to the folder that has {described.name}"
            )
    train, test = (_list(root, part, described) for part in ("train", "val"))
    if _classes(train) != _classes(test):
        odd = sorted(_classes(train) ^ _classes(test))
        raise StudyError(f"{root}: {', '.join(odd[:5])} are classes in only one of train and val: both need the same")
    order = balanced_order(train.labels, generator("split", 0, name))
    val, rest = order.tensor_split([described.held_out(len(train), described.classes)])
    if not len(rest):
        raise StudyError(
            f"{root / 'train'} has {len(train)} images of {described.classes} classes: give it more, "
            "since one a class is held out for validation"
        )
    possible = train_samples is None or 1 <= train_samples <= len(rest)
    require(possible, "train_samples", train_samples, f"1 to {len(rest)}, or None for all", name)
    parts = {"train": train.take(rest[:train_samples]), "val": train.take(val), "test": test}
    digest = hashlib.sha256(b"\n".join([*train.paths.tolist(), *test.paths.tolist()])).hexdigest()[:16]
    return ImageFolder(name, root, described.classes, described.size, digest, parts)


def _list(root: Path, part: str, described: Folder) -> Files:
    """Return the images of train/ or val/, sorted by class and name."""
    from torchvision.datasets.folder import IMG_EXTENSIONS, find_classes, make_dataset

    place = root / part
    try:
        if not (found := sorted(entry.name for entry in os.scandir(place) if entry.is_dir())):
            raise StudyError(f"{place} has no images: it needs one folder of images a class")
        if len(found) != described.classes:
            raise StudyError(f"{place} has {len(found)} classes, not {described.classes}: it needs one folder a class")
        samples = make_dataset(place, find_classes(place)[1], IMG_EXTENSIONS, allow_empty=True)
    except OSError as error:
        raise StudyError(f"{place} cannot be read: {error.strerror}") from error
    labels = torch.tensor([label for _, label in samples], dtype=torch.int64)
    counts = labels.bincount(minlength=described.classes)
    if not counts.all():
        empty = [name for name, count in zip(found, counts.tolist(), strict=True) if not count]
        raise StudyError(
            f"{place} has no images of {', '.join(empty[:5])}{', …' if len(empty) > 5 else ''}: it needs "
            f"some of every class, with names that end in {', '.join(IMG_EXTENSIONS)}"
        )
    wanted = described.images and described.images[part == "val"]
    if wanted and len(samples) != wanted:
        raise StudyError(
            f"{place} has {len(samples)} images, not the {wanted} of {described.name}: complete it, or "
            "use another name of folder and dataset"
        )
    return Files(np.array([os.fsencode(os.path.relpath(path, root)) for path, _ in samples]), labels)


def _classes(files: Files) -> set[str]:
    return {os.fsdecode(path).split(os.sep)[1] for path in files.paths.tolist()}
