"""Images that a network was not trained on: other datasets, noise, changed test images, and any folder of images."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from functools import lru_cache
from http.client import HTTPException
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from randsparse.data import dataset as data
from randsparse.data.dataset import Dataset
from randsparse.errors import StudyError
from randsparse.questions.beyond_accuracy.ood_sets import FOLDER, check_name
from randsparse.seeds import generator

SVHN_FILE = "test_32x32.mat"
CIFAR100_FOLDER = "cifar-100-test"
"""Its 10,000 test images as files, taken where the official archive is not unpacked."""


def _gaussian(dataset: Dataset, count: int, random: torch.Generator) -> Tensor:
    """Every value drawn from N(0.5, 1) of a range of 1, and clipped (as in Liang et al. 2018)."""
    values = torch.randn((count, *dataset.test_x.shape[1:]), generator=random)
    return (values * 255 + 127.5).clamp_(0, 255).round_().to(torch.uint8)


def _uniform(dataset: Dataset, count: int, random: torch.Generator) -> Tensor:
    """Every value drawn from 0 to 255."""
    return torch.randint(256, (count, *dataset.test_x.shape[1:]), generator=random, dtype=torch.uint8)


def _rotated(dataset: Dataset, count: int, random: torch.Generator) -> Tensor:
    """The test images a quarter turned, near to the others: what is round stays as it was."""
    return dataset.test_x[:count].cpu().rot90(1, (2, 3)).contiguous()


def _inverted(dataset: Dataset, count: int, random: torch.Generator) -> Tensor:
    """The test images with dark and bright exchanged."""
    return 255 - dataset.test_x[:count].cpu()


def _shuffled(dataset: Dataset, count: int, random: torch.Generator) -> Tensor:
    """The pixels of each test image in random order: its colours without its shapes."""
    images = dataset.test_x[:count].cpu()
    order = torch.rand((count, 1, images[0, 0].numel()), generator=random).argsort(2)
    return images.flatten(2).gather(2, order.expand(-1, images.shape[1], -1)).view(images.shape)


MADE: dict[str, Callable[[Dataset, int, torch.Generator], Tensor]] = {
    "gaussian-noise": _gaussian,
    "uniform-noise": _uniform,
    "rotated": _rotated,
    "inverted": _inverted,
    "shuffled": _shuffled,
}
"""How what is made is made."""


def load(
    name: str, dataset: Dataset, data_dir: str | Path, *, limit: int, resize: bool = False, seed: int = 0
) -> Tensor:
    """Return up to `limit` images as the network of `dataset` takes them: uint8 (n, channels, size, size), on the CPU.

    Args:
        name: one of `ood_sets.SETS` (of a dataset, its test images), or "folder:PATH": all images in the folder and
            those below it, PATH relative to `data_dir` or absolute.
        limit: of more images, so many are drawn.
        resize: bring images of another size to that of `dataset`, bilinearly and antialiased, each by itself.
        seed: of what is drawn.

    Grey images are repeated over channels; colours become grey (ITU-R 601) for a dataset without.

    Raises:
        StudyError: the name is unknown; files are missing, are no images or cannot be read; images have another size
            and `resize` is False.
    """
    check_name(name)
    if name in MADE:
        return MADE[name](dataset, min(limit, len(dataset.test_y)), generator("ood", seed, name))
    return _read(name, Path(data_dir).absolute(), limit, dataset.channels, dataset.size, resize, seed)


@lru_cache(maxsize=4)
def _read(name: str, data_dir: Path, limit: int, channels: int, size: int, resize: bool, seed: int) -> Tensor:
    random = generator("ood", seed, name)
    if name.startswith(FOLDER):
        return _folder(data_dir / name.removeprefix(FOLDER), random, limit, channels, size, resize)
    if name == "cifar100" and not (data_dir / "cifar-100-python").exists() and (data_dir / CIFAR100_FOLDER).is_dir():
        images = _folder(data_dir / CIFAR100_FOLDER, None, None, 3, 32, resize=False)
    else:
        images = _svhn(data_dir) if name == "svhn" else data.load(name, data_dir).test_x
    _check_size(name, tuple(images.shape[2:]), size, resize)
    if len(images) > limit:  # by content first, so that the order of files does not matter
        contents = [image.tobytes() for image in images.contiguous().numpy()]
        order = torch.tensor(sorted(range(len(images)), key=contents.__getitem__))
        images = images[order[torch.randperm(len(images), generator=random)[:limit]]]
    return _adapted(images, channels, size)


def _folder(
    folder: Path, random: torch.Generator | None, limit: int | None, channels: int, size: int, resize: bool
) -> Tensor:
    """Return the images of a folder, or `limit` that are drawn of them, in the order of their paths."""
    from PIL import Image, UnidentifiedImageError
    from torchvision.datasets.folder import IMG_EXTENSIONS

    if not folder.is_dir():
        raise StudyError(f"there is no folder of images {folder}: a relative path is one below the data folder")
    paths = sorted(path for path in folder.rglob("*") if path.suffix.lower() in IMG_EXTENSIONS)
    if not paths:
        raise StudyError(f"the folder {folder} has no images: put files of {', '.join(IMG_EXTENSIONS)} into it")
    if limit is not None and len(paths) > limit:
        paths = [paths[index] for index in sorted(torch.randperm(len(paths), generator=random)[:limit].tolist())]
    images = []
    for path in paths:
        try:
            with Image.open(path) as file:
                pixels = np.array(file.convert("RGB" if channels == 3 else "L"))
        except (UnidentifiedImageError, OSError) as error:
            raise StudyError(f"{path} cannot be read as an image ({error}): mend it or remove it") from None
        _check_size(path, pixels.shape[:2], size, resize)
        image = torch.from_numpy(pixels.reshape(*pixels.shape[:2], -1)).permute(2, 0, 1)
        images.append(_adapted(image[None], channels, size))
    return torch.cat(images)


def _svhn(data_dir: Path) -> Tensor:
    """Return the 26,032 test images of SVHN, downloaded into `data_dir`/svhn where there are none."""
    from torchvision.datasets import SVHN

    own = data_dir / "svhn"
    folder = data_dir if (data_dir / SVHN_FILE).exists() else own
    try:
        if not (folder / SVHN_FILE).exists():
            data_dir.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=data_dir, prefix=".download-") as place:
                SVHN(place, split="test", download=True)
                own.mkdir(exist_ok=True)
                (Path(place) / SVHN_FILE).replace(own / SVHN_FILE)
        images = SVHN(folder, split="test").data
    except (OSError, RuntimeError, HTTPException) as error:
        reason = " ".join(str(error).split())
        raise StudyError(
            f"SVHN cannot be had in {folder} ({reason}): put {SVHN.split_list['test'][0]} there, or leave it out"
        ) from None
    return torch.from_numpy(np.ascontiguousarray(images))


def _check_size(name: str | Path, shape: tuple[int, ...], size: int, resize: bool) -> None:
    if shape != (size, size) and not resize:
        raise StudyError(
            f"{name}: {shape[0]}x{shape[1]} pixels, and the network was trained on {size}x{size}: choose other images, "
            "or resize=True to resize them"
        )


def _adapted(images: Tensor, channels: int, size: int) -> Tensor:
    """Return images (N, C, H, W) with the channels and the size that a network takes."""
    from torchvision.transforms.v2.functional import resize, rgb_to_grayscale

    if images.shape[1] == 3 and channels == 1:
        images = rgb_to_grayscale(images)
    if images.shape[2:] != (size, size):
        images = resize(images, [size, size], antialias=True)
    return images.expand(-1, channels, -1, -1).contiguous()
