"""Batches of images that do not fit into memory: read from disk, augmented, and shared by processes."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor
from torch.utils.data import DataLoader, default_collate
from torch.utils.data import Dataset as TorchDataset

from randsparse.data.dataset import normalize
from randsparse.data.folders import Files, ImageFolder
from randsparse.errors import StudyError
from randsparse.seeds import generator
from randsparse.training.engines.processes import Processes

MARGIN = 256 / 224
"""In evaluation the shorter side of an image is this much longer than the square that is cut from its centre."""

Item = tuple[Tensor, int] | str
"""An image, uint8 (3, size, size), and its label; or what is wrong with its file."""


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
            raise StudyError(
                f"batch_size={batch_size} is not possible with {dataset.name}: it must be 1 to {samples}, "
                "the number of training images"
            )

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
    wrong = [item for item in items if isinstance(item, str)]
    return wrong[0] if wrong else default_collate(items)


def _on_device(batch: tuple[Tensor, Tensor], dataset: ImageFolder, device: torch.device) -> tuple[Tensor, Tensor]:
    images, labels = (tensor.to(device, non_blocking=True) for tensor in batch)
    return normalize(images, dataset), labels
