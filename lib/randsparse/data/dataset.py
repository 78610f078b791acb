"""Datasets as tensors, their fixed splits, and batches: images as bytes that are augmented on the device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from randsparse.data import texts
from randsparse.data.catalogue import Source, source
from randsparse.data.place import data_folder
from randsparse.data.tables import Table
from randsparse.data.texts import Text
from randsparse.errors import require
from randsparse.seeds import generator

PARTS = ("train", "val", "test")


@dataclass(frozen=True, eq=False)
class Dataset:
    """A dataset in its training, validation and test part; its tensors are shared, so never change them.

    Images are uint8 (N, channels, size, size) in channels-last memory, labels int64 (N,). `mean` and `std`
    are those of the whole training part's pixels, one a channel, of images scaled to 0..1. `indices` has the
    positions of each part among all images as they are published, the official test images last.

    Rows of a table are float32 (N, features), already standardised by `mean` and `std` of each feature in the whole
    training part. Texts are tokens, int32 (N, length), without these; `vocabulary` is the number of different tokens.
    Neither is augmented.
    """

    name: str
    classes: int
    mean: tuple[float, ...]
    std: tuple[float, ...]
    pad: int
    flip: bool
    train_x: Tensor = field(repr=False)
    train_y: Tensor = field(repr=False)
    val_x: Tensor = field(repr=False)
    val_y: Tensor = field(repr=False)
    test_x: Tensor = field(repr=False)
    test_y: Tensor = field(repr=False)
    indices: dict[str, Tensor] = field(repr=False)
    vocabulary: int = 0

    @property
    def channels(self) -> int:
        """The number of colours of an image, of features of a row, or of tokens that there are."""
        return self.vocabulary or self.train_x.shape[1]

    @property
    def size(self) -> int:
        """Height and width of an image, 1 of a row, the length of a text."""
        return self.train_x.shape[-1] if self.vocabulary or self.train_x.dim() > 2 else 1

    def to(self, device: torch.device | str) -> Dataset:
        """Return the dataset with its images and labels on `device`."""
        tensors = {f.name: getattr(self, f.name) for f in fields(self) if f.name.endswith(("_x", "_y"))}
        return replace(self, **{name: tensor.to(device) for name, tensor in tensors.items()})


def load(name: str, data_dir: str | Path | None = None, train_samples: int | None = None) -> Dataset:
    """Return a dataset, with the first `train_samples` of its training part if given.

    Args:
        name: one that `sources.source` takes.
        data_dir: the folder of downloaded files; None is the environment's DATA_DIR, or "data" without one.
        train_samples: None for all. Fewer are a beginning of more, with the classes in proportion.

    Raises:
        StudyError: the name or number is impossible, or files are missing, corrupt or not to be had.
    """
    source(name)
    dataset = _load(name, data_folder(data_dir))
    if train_samples is None:
        return dataset
    most = len(dataset.train_y)
    require(1 <= train_samples <= most, "train_samples", train_samples, f"1 to {most}, or None for all", name)
    indices = dataset.indices | {"train": dataset.indices["train"][:train_samples]}
    train_x, train_y = dataset.train_x[:train_samples], dataset.train_y[:train_samples]
    return replace(dataset, train_x=train_x, train_y=train_y, indices=indices)


@lru_cache(maxsize=2)
def _load(name: str, data_dir: Path) -> Dataset:
    described = source(name)
    samples, labels = described.read(data_dir)
    labels = torch.from_numpy(labels).long()
    indices = split_indices(name, labels)
    make = {"images": _images, "table": _rows, "text": _tokens}[described.kind]
    inputs, facts = make(described, samples, indices)
    parts = {f"{part}_x": inputs[part] for part in PARTS} | {f"{part}_y": labels[indices[part]] for part in PARTS}
    return Dataset(name, described.classes, **facts, **parts, indices=indices)


Parts = dict[str, Tensor]
Facts = dict[str, Any]


def _images(described: Source, images: np.ndarray, indices: Parts) -> tuple[Parts, Facts]:
    """Return the images of each part, and what the dataset says of them."""
    tensor = torch.from_numpy(images)
    parts = {part: tensor[indices[part]].permute(0, 3, 1, 2) for part in PARTS}  # channels last in memory
    mean, std = pixel_statistics(parts["train"])
    return parts, {"mean": mean, "std": std, "pad": described.pad, "flip": described.flip}


def _rows(described: Table, rows: np.ndarray, indices: Parts) -> tuple[Parts, Facts]:
    """Return the standardised rows of each part, and mean and standard deviation of each feature (1 for a constant)."""
    tensor = torch.from_numpy(rows).double()
    mean, std = tensor[indices["train"]].mean(0), tensor[indices["train"]].std(0, correction=0)
    std = torch.where(std > 0, std, 1.0)
    parts = {part: ((tensor[indices[part]] - mean) / std).float() for part in PARTS}
    return parts, {"mean": tuple(mean.tolist()), "std": tuple(std.tolist()), "pad": 0, "flip": False}


def _tokens(described: Text, samples: Sequence[str], indices: Parts) -> tuple[Parts, Facts]:
    """Return the tokens of each part, of the vocabulary of the training part."""
    own = {part: [samples[index] for index in indices[part].tolist()] for part in PARTS}
    tokens = texts.vocabulary(own["train"], described.vocabulary)
    parts = {part: torch.from_numpy(texts.encode(own[part], tokens, described.length)) for part in PARTS}
    return parts, {"mean": (), "std": (), "pad": 0, "flip": False, "vocabulary": described.vocabulary}


def split_indices(name: str, labels: Tensor) -> dict[str, Tensor]:
    """Return the fixed positions of the training, validation and test part among all images of a dataset.

    The parts are disjoint and hold the classes in proportion, as every beginning of the training part does.
    """
    described, random = source(name), generator("split", 0, name)
    if described.official_test:
        labelled = len(labels) - described.test
        rest, test = balanced_order(labels[:labelled], random), torch.arange(labelled, len(labels))
    else:
        test, rest = balanced_order(labels, random).tensor_split([described.test])
    val, train = rest.tensor_split([described.val])
    return {"train": train, "val": val, "test": test}


def balanced_order(labels: Tensor, random: torch.Generator) -> Tensor:
    """Return a random order in which every beginning holds the classes in proportion to their sizes.

    The j-th of n images of a class comes at (j + 1/2)/n of the way, ties in random order.
    """
    order = torch.randperm(len(labels), generator=random)
    place = torch.empty(len(labels), dtype=torch.float64)
    for label in labels.unique():
        of_class = (labels[order] == label).nonzero().flatten()
        place[of_class] = (torch.arange(len(of_class), dtype=torch.float64) + 0.5) / len(of_class)
    return order[place.argsort(stable=True)]


def pixel_statistics(images: Tensor) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Return mean and standard deviation of each channel of uint8 images (N, C, H, W) when scaled to 0..1."""
    values = torch.arange(256, dtype=torch.float64) / 255
    counts = torch.stack([channel.flatten().bincount(minlength=256) for channel in images.unbind(1)]).double()
    share = counts / counts.sum(1, keepdim=True)  # exact and small, unlike 10^8 pixels as floats
    mean = share @ values
    std = (share @ values.square() - mean.square()).sqrt()
    return tuple(mean.tolist()), tuple(std.tolist())


def normalize(images: Tensor, dataset: Dataset) -> Tensor:
    """Return uint8 images (N, C, H, W) as float32 in channels-last memory: (x/255 - mean)/std by channel.

    Rows of a table and tokens of texts, (N, features or length), are as they should be, and become float32.
    """
    if images.dim() == 2:
        return images.float()
    scale, shift = _affine(dataset.mean, dataset.std, images.device)
    return images.to(torch.float32, memory_format=torch.channels_last).mul_(scale).add_(shift)


@lru_cache
def _affine(mean: tuple[float, ...], std: tuple[float, ...], device: torch.device) -> tuple[Tensor, Tensor]:
    scale = [1 / (255 * s) for s in std]
    shift = [-m / s for m, s in zip(mean, std, strict=True)]
    return tuple(torch.tensor(values, device=device).view(1, -1, 1, 1) for values in (scale, shift))


class Batches:
    """The training part in random order, augmented and normalised; len() is the number of batches an epoch.

    Order and augmentation of an epoch depend on (data_seed, epoch) alone. All batches have `batch_size`
    images, and what is left over at the end of an epoch is not used.

    Raises:
        StudyError: the training part is smaller than one batch.
    """

    def __init__(self, dataset: Dataset, batch_size: int, data_seed: int, device: torch.device | str = "cpu") -> None:
        self.dataset, self.batch_size, self.data_seed = dataset.to(device), batch_size, data_seed
        self.device = torch.device(device)
        samples = len(dataset.train_y)
        allowed = f"1 to {samples}, the number of training images"
        require(1 <= batch_size <= samples, "batch_size", batch_size, allowed, dataset.name)
        self.of_images = dataset.train_x.dim() > 2
        if self.of_images:
            self.pixels = self.dataset.train_x.permute(0, 2, 3, 1).reshape(-1, dataset.channels)

    def __len__(self) -> int:
        return len(self.dataset.train_y) // self.batch_size

    def epoch(self, epoch: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches of an epoch: images float32 (batch_size, C, size, size) and labels (batch_size,).

        Rows and tokens come as `normalize` returns them, (batch_size, features or length).

        Each image is reflect-padded by `dataset.pad`, cropped at random to its size and, if `dataset.flip`,
        mirrored half of the time: one look-up of pixels in the unpadded images does it all.
        """
        size, samples = self.dataset.size, len(self.dataset.train_y)
        random = generator("order", self.data_seed, f"epoch {epoch}")
        order = torch.randperm(samples, generator=random).to(self.device)
        batches = [slice(k * self.batch_size, (k + 1) * self.batch_size) for k in range(len(self))]
        if not self.of_images:
            for batch in batches:
                inputs = self.dataset.train_x[order[batch]]
                yield normalize(inputs, self.dataset), self.dataset.train_y[order[batch]]
            return
        rows, columns = (table.to(self.device) for table in self._crops(samples, epoch))
        for batch in batches:
            lines = order[batch, None] * size + rows[batch]
            pixels = lines[:, :, None] * size + columns[batch, None, :]
            images = self.pixels.index_select(0, pixels.flatten()).view(*pixels.shape, -1).permute(0, 3, 1, 2)
            yield normalize(images, self.dataset), self.dataset.train_y[order[batch]]

    def _crops(self, samples: int, epoch: int) -> tuple[Tensor, Tensor]:
        """Return which rows and columns of its image each augmented image shows, both (samples, size)."""
        random = generator("augmentation", self.data_seed, f"epoch {epoch}")
        size, pad = self.dataset.size, self.dataset.pad
        top, left = torch.randint(2 * pad + 1, (2, samples, 1), generator=random)
        flipped = torch.rand(samples, 1, generator=random) < (0.5 if self.dataset.flip else 0.0)
        along = torch.arange(size)
        padded = torch.arange(-pad, size + pad).abs()
        padded = torch.minimum(padded, 2 * (size - 1) - padded)  # 2 1 | 0 1 2 .. n-1 | n-2 ..
        return padded[top + along], padded[left + torch.where(flipped, size - 1 - along, along)]
