"""Where data comes from: scikit-learn's digits, torchvision's datasets, checked before they are read, and folders.

Tables and texts are described in `tables` and `texts`; here is what the name of any dataset stands for.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import tempfile
from collections import ChainMap
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException
from pathlib import Path
from typing import ClassVar

import numpy as np

from randsparse.data import extensions
from randsparse.data.tables import TABLES, Table
from randsparse.data.texts import TEXTS, Text
from randsparse.errors import StudyError, unknown

Images = tuple[np.ndarray, np.ndarray]
"""uint8 (N, height, width, channels) and labels (N,)."""

FASHION_MNIST = {
    "train-images-idx3-ubyte": "f4a8712d7a061bf5bd6d2ca38dc4d50a",
    "train-labels-idx1-ubyte": "9018921c3c673c538a1fc5bad174d6f9",
    "t10k-images-idx3-ubyte": "8181f5470baa50b63fa0f6fddb340f0a",
    "t10k-labels-idx1-ubyte": "15d484375f8d13e6eb1aabb0c3f46965",
}
"""The MD5 of the unpacked files, which torchvision has for the packed ones only."""


@dataclass(frozen=True)
class Source:
    """A dataset of images as it is published, and what the study makes of it.

    Args:
        read: returns all images, the official test part (if there is one) last.
        samples: the number of images, all parts together.
        val, test: that in these parts.
        official_test: whether the last `test` images are the test part; drawn from all otherwise.
        pad, flip: the augmentation: random crops after reflect-padding by `pad` pixels, horizontal flips.
    """

    read: Callable[[Path], Images]
    classes: int
    channels: int
    size: int
    samples: int
    val: int
    test: int
    official_test: bool
    pad: int
    flip: bool
    kind: ClassVar[str] = "images"

    @property
    def shape(self) -> tuple[int, int, int]:
        """(classes, channels, size)."""
        return self.classes, self.channels, self.size


def read_digits(data_dir: Path) -> Images:
    """Return the 1797 digits that scikit-learn ships, 8x8, 17 grey levels times 15; `data_dir` is unused."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    return (digits.images * 15).astype(np.uint8)[..., None], digits.target


def read_official(kind: str, data_dir: Path) -> Images:
    """Return the training images, then the test images, of the torchvision dataset of that name.

    Downloads them where none of the files is there. Files that are there are never changed.

    Raises:
        StudyError: files are missing, corrupt or not readable, or cannot be downloaded.
    """
    import torchvision.datasets

    dataset = getattr(torchvision.datasets, kind)
    folder, checksums = expected_files(dataset, data_dir)
    try:
        if not any((folder / name).exists() for name in checksums):
            download(dataset, folder, data_dir)
        check(folder, checksums)
        parts = [dataset(data_dir, train=train) for train in (True, False)]
    except OSError as error:
        raise StudyError(f"{kind} cannot be read from {folder}: {error}") from error
    images = np.ascontiguousarray(np.concatenate([np.asarray(part.data) for part in parts]))
    labels = np.concatenate([np.asarray(part.targets) for part in parts])
    return images.reshape(*images.shape[:3], -1), labels


def expected_files(dataset: type, data_dir: Path) -> tuple[Path, dict[str, str]]:
    """Return the folder of a torchvision dataset, and the MD5 of every file that belongs there."""
    if dataset.__name__ == "FashionMNIST":
        return data_dir / "FashionMNIST" / "raw", FASHION_MNIST
    files = dict([*dataset.train_list, *dataset.test_list])
    return data_dir / dataset.base_folder, files | {dataset.meta["filename"]: dataset.meta["md5"]}


def check(folder: Path, checksums: dict[str, str]) -> None:
    """Raise StudyError that names the files in `folder` that are missing or differ from their MD5."""
    from torchvision.datasets.utils import check_md5

    there = {name: (folder / name).exists() for name in checksums}
    wrong = [f"{name} is missing" for name in checksums if not there[name]]
    corrupt = [name for name in checksums if there[name] and not check_md5(folder / name, checksums[name])]
    wrong += [f"{name} is corrupt (not its official MD5)" for name in corrupt]
    if wrong:
        raise StudyError(
            f"{folder}: {'; '.join(wrong)}. Nothing was changed: restore the file, or move the folder away "
            "to have it downloaded anew, or set DATA_DIR to where a good copy is"
        )


def download(dataset: type, folder: Path, data_dir: Path) -> None:
    """Download a torchvision dataset into `folder`, which appears complete or not at all.

    An archive that is already in `data_dir` is used if it is the official one. Raises StudyError that says
    what belongs where when the download fails.
    """
    made = [folder for folder in (data_dir, *data_dir.parents) if not folder.exists()]
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=data_dir, prefix=".download-") as place:
            archive = data_dir / getattr(dataset, "filename", "")
            if archive.is_file():
                shutil.copy(archive, place)
            dataset(place, download=True)
            folder.parent.mkdir(parents=True, exist_ok=True)
            (Path(place) / folder.relative_to(data_dir)).rename(folder)
    except (OSError, RuntimeError, HTTPException) as error:
        files = expected_files(dataset, data_dir)[1]
        if all((folder / name).exists() for name in files):
            return  # another process was faster
        for new in made:
            with contextlib.suppress(OSError):
                new.rmdir()
        url = getattr(dataset, "url", None) or dataset.mirrors[0]
        reason = " ".join(str(error).split())
        raise StudyError(
            f"{dataset.__name__} is not in {data_dir} and could not be downloaded ({reason}): unpack {url} "
            f"so that {folder} holds {', '.join(files)}, or set DATA_DIR to the folder that has "
            f"{folder.relative_to(data_dir)}"
        ) from error


@dataclass(frozen=True)
class Folder:
    """Images in one folder a class, below train/ and val/, that are streamed from disk: `image_folders` reads them.

    Args:
        name: the folder, below the folder of datasets.
        classes, size: the number of classes, and the height and width of the square that a network sees.
        images: how many there are in train/ and in val/ as published; None where any number will do.
    """

    name: str
    classes: int
    size: int
    images: tuple[int, int] | None = None

    @staticmethod
    def held_out(images: int, classes: int) -> int:
        """Return how many of the images in train/ are for validation: a tenth, from one to 50 a class."""
        return min(max(images // 10, classes), 50 * classes)


FOLDERS: dict[str, Folder] = {"imagenet": Folder("imagenet", 1000, 224, (1_281_167, 50_000))}
FOLDER_FORM = "folder-<name>-<classes>-<size>, such as folder-flowers-102-224"


def folder(name: str) -> Folder | None:
    """Return the image folder that the name of a dataset stands for, or None where it stands for none.

    It is one of FOLDERS, or says all itself: folder-flowers-102-224 is the folder flowers, with 102 classes, seen at
    224x224. No file is looked at. Raises StudyError for the long form of one of FOLDERS: it has one name.
    """
    match = re.fullmatch(r"folder-([A-Za-z0-9_.-]*[A-Za-z0-9_])-([1-9][0-9]*)-([1-9][0-9]*)", name)
    if match is None:
        return FOLDERS.get(name)
    found = Folder(match[1], int(match[2]), int(match[3]))
    for short, known in FOLDERS.items():
        if (found.name, found.classes, found.size) == (known.name, known.classes, known.size):
            raise StudyError(f"dataset {name!r} has a shorter name: {short}")
    return found


DATASETS: dict[str, Source] = {
    "digits": Source(read_digits, 10, 1, 8, 1797, 240, 360, official_test=False, pad=1, flip=False),
    "fashion-mnist": Source(
        partial(read_official, "FashionMNIST"), 10, 1, 28, 70_000, 5_000, 10_000, official_test=True, pad=2, flip=True
    ),
    "cifar10": Source(
        partial(read_official, "CIFAR10"), 10, 3, 32, 60_000, 5_000, 10_000, official_test=True, pad=4, flip=True
    ),
    "cifar100": Source(
        partial(read_official, "CIFAR100"), 100, 3, 32, 60_000, 5_000, 10_000, official_test=True, pad=4, flip=True
    ),
}


KNOWN = ChainMap(TEXTS, TABLES, DATASETS)
"""All datasets that fit into memory, also those that are added later."""


def source(name: str) -> Source | Table | Text:
    """Return the description of a dataset that fits into memory; raises StudyError for a name that is none."""
    if folder(name):
        raise StudyError(f"images of {name} are streamed from disk, not loaded: choose one of {', '.join(DATASETS)}")
    if name not in KNOWN:
        extensions.load()
    if name not in KNOWN:
        raise unknown("dataset", name, (*KNOWN, *FOLDERS, FOLDER_FORM))
    return KNOWN[name]


def shape(name: str) -> tuple[int, int, int]:
    """Return what a network has to know of a dataset, unloaded: the number of classes, and the shape of a sample.

    (classes, channels, size) of images, (classes, features, 1) of a table, (classes, vocabulary, length) of texts.
    Raises StudyError for an unknown name.
    """
    if streamed := folder(name):
        return streamed.classes, 3, streamed.size
    return source(name).shape


def kind(name: str) -> str:
    """Return what the samples of a dataset are: "images", "table" or "text"; raises StudyError for an unknown name."""
    return Source.kind if folder(name) else source(name).kind


def training_samples(name: str) -> int | None:
    """Return how many samples a dataset has to train on, None if only its folder says that; raises as `source`."""
    if streamed := folder(name):
        return streamed.images and streamed.images[0] - streamed.held_out(streamed.images[0], streamed.classes)
    described = source(name)
    return described.samples - described.val - described.test
