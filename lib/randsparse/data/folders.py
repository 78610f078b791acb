"""Folders of images that do not fit into memory: listed once, split for good, and streamed from disk in batches."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from randsparse.data.catalogue import Folder, folder
from randsparse.data.dataset import balanced_order, normalize
from randsparse.data.place import data_folder
from randsparse.errors import StudyError
from randsparse.seeds import generator
from randsparse.training.engines.processes import Processes

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
"""Of ImageNet's pixels, scaled to 0..1: the customary constants, of all folders, so that no run depends on a pass over
its images."""
MARGIN = 256 / 224
"""In evaluation the shorter side of an image is this much longer than the square that is cut from its centre."""

Item = tuple[Tensor, int] | str
"""An image, uint8 (3, size, size), and its label; or what is wrong with its file."""


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
        raise StudyError(f"{root / 'train'} has {len(train)} images of {described.classes} classes: give it more, "
                         "since one a class is held out for validation")  # fmt: skip
    if train_samples is not None and not 1 <= train_samples <= len(rest):
        raise StudyError(f"train_samples={train_samples} is not possible with {name}: it must be 1 to {len(rest)}, or "
                         "None for all")  # fmt: skip
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
        raise StudyError(f"{place} has no images of {', '.join(empty[:5])}{', …' if len(empty) > 5 else ''}: it needs "
                         f"some of every class, with names that end in {', '.join(IMG_EXTENSIONS)}")  # fmt: skip
    wanted = described.images and described.images[part == "val"]
    if wanted and len(samples) != wanted:
        raise StudyError(f"{place} has {len(samples)} images, not the {wanted} of {described.name}: complete it, or "
                         "use another name of folder and dataset")  # fmt: skip
    return Files(np.array([os.fsencode(os.path.relpath(path, root)) for path, _ in samples]), labels)


def _classes(files: Files) -> set[str]:
    return {os.fsdecode(path).split(os.sep)[1] for path in files.paths.tolist()}


class StreamedBatches:
    """The training part in random order, augmented and normalised: this process's share of every batch.

    Each image is cut out at random (8 to 100 % of its area, sides 3:4 to 4:3), resized to the dataset's size, and
    mirrored half of the time. Its order depends on (data_seed, epoch), its augmentation on (data_seed, epoch, image),
    and neither on how many processes or loaders there are. What is left over at the end of an epoch is not used.

    Args:
        batch_size: of all processes together, so a multiple of their number.
        loaders: processes that read images ahead; 0 for none.

    Raises:
        StudyError: the training part is smaller than one batch.
    """

    def __init__(
        self,
        dataset: ImageFolder,
        batch_size: int,
        data_seed: int,
        device: torch.device,
        processes: Processes,
        loaders: int = 0,
    ) -> None:
        self.dataset, self.batch_size, self.data_seed = dataset, batch_size, data_seed
        self.device, self.processes, self.loaders = device, processes, loaders
        samples = len(dataset.parts["train"])
        if not 1 <= batch_size <= samples:
            raise StudyError(f"batch_size={batch_size} is not possible with {dataset.name}: it must be 1 to {samples}, "
                             "the number of training images")  # fmt: skip

    def __len__(self) -> int:
        return len(self.dataset.parts["train"]) // self.batch_size

    def epoch(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the share of each batch: images float32 (batch_size / processes, 3, size, size), and labels.

        Raises StudyError, in all processes at the same batch, for an image that cannot be read.
        """
        files = self.dataset.parts["train"]
        order = torch.randperm(len(files), generator=generator("order", self.data_seed, f"epoch {epoch}"))
        share = self.batch_size // self.processes.size
        starts = range(self.processes.rank * share, len(self) * self.batch_size, self.batch_size)
        images = _Images(self.dataset, files, (self.data_seed, epoch))
        for batch in _loaded(images, [order[start : start + share] for start in starts], self.device, self.loaders):
            self.processes.agree(batch if isinstance(batch, str) else None)
            yield _on_device(batch, self.dataset, self.device)


def evaluation_batches(
    dataset: ImageFolder, part: str, device: torch.device, processes: Processes, batch_size: int, loaders: int = 0
) -> Iterator[Tensor]:
    """Yield this process's images of a part, one in every `processes.size` from its rank on, normalised.

    The centre of each image, float32 (up to batch_size, 3, size, size). Raises StudyError for an image that cannot be
    read; other processes do not learn of it.
    """
    files = dataset.parts[part]
    own = torch.arange(processes.rank, len(files), processes.size)
    for batch in _loaded(_Images(dataset, files), list(own.split(batch_size)), device, loaders):
        if isinstance(batch, str):
            raise StudyError(batch)
        yield _on_device(batch, dataset, device)[0]


class _Images(TorchDataset):
    """Images as tensors: augmented if there is (data_seed, epoch), else their centre."""

    def __init__(self, dataset: ImageFolder, files: Files, augmentation: tuple[int, int] | None = None) -> None:
        from torchvision import transforms

        self.root, self.files, self.augmentation, size = dataset.root, files, augmentation, dataset.size
        random = [transforms.RandomResizedCrop(size), transforms.RandomHorizontalFlip()]
        centre = [transforms.Resize(round(size * MARGIN)), transforms.CenterCrop(size)]
        self.transform = transforms.Compose([*(random if augmentation else centre), transforms.PILToTensor()])

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> Item:
        from torchvision.datasets.folder import pil_loader

        path = self.root / os.fsdecode(self.files.paths[index])
        try:
            image = pil_loader(path)
        except Exception as error:  # Pillow raises many kinds for a damaged file
            reason = " ".join(str(error).split())
            return f"{path} cannot be read as an image ({reason}): restore it, then run the same command again"
        with torch.random.fork_rng(devices=[]):  # torchvision draws from the process's own generator
            if self.augmentation:
                seed, epoch = self.augmentation
                random = generator("augmentation", seed, f"epoch {epoch} image {index}")
                torch.default_generator.manual_seed(random.initial_seed())
            return self.transform(image), int(self.files.labels[index])


def _loaded(
    images: _Images, batches: Sequence[Tensor], device: torch.device, loaders: int
) -> Iterator[tuple[Tensor, Tensor] | str]:
    """Yield batches of images and labels on the CPU, or what is wrong with one of their files."""
    yield from DataLoader(
        images,
        batch_sampler=[batch.tolist() for batch in batches],
        num_workers=loaders,
        collate_fn=_collate,
        pin_memory=device.type == "cuda",
        generator=torch.Generator(),
    )


def _collate(items: list[Item]) -> tuple[Tensor, Tensor] | str:
    for item in items:
        if isinstance(item, str):
            return item
    return torch.stack([image for image, _ in items]), torch.tensor([label for _, label in items])


def _on_device(batch: tuple[Tensor, Tensor], dataset: ImageFolder, device: torch.device) -> tuple[Tensor, Tensor]:
    images, labels = (tensor.to(device, non_blocking=True) for tensor in batch)
    return normalize(images, dataset), labels
