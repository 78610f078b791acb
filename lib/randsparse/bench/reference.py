"""The loop that one would otherwise write: the yardstick of `make bench`. No result of the study comes from it.

Images are PIL objects that torchvision transforms one by one in a DataLoader with two workers; tensors are float32 in
torch's default memory format; the mask is multiplied into the weights after each step; the loss is read at each step.
"""

from __future__ import annotations

from itertools import chain

import torch
from torch import Tensor, nn
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from randsparse.bench.timing import steps_per_second
from randsparse.data import dataset as data
from randsparse.runs.config import RunConfig
from randsparse.training import network as networks


class Pictures(Dataset):
    """The training part of a dataset as PIL images under torchvision's transforms."""

    def __init__(self, dataset: data.Dataset) -> None:
        from PIL import Image
        from torchvision import transforms

        pixels = dataset.train_x.permute(0, 2, 3, 1).numpy()
        self.images = [Image.fromarray(image.squeeze()) for image in pixels]
        self.labels = dataset.train_y.tolist()
        crop = transforms.RandomCrop(dataset.size, padding=dataset.pad, padding_mode="reflect")
        flip = [transforms.RandomHorizontalFlip()] if dataset.flip else []
        normalise = transforms.Normalize(dataset.mean, dataset.std)
        self.transform = transforms.Compose([crop, *flip, transforms.ToTensor(), normalise])

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(self.images[index]), self.labels[index]


def measure_rate(config: RunConfig, dataset: data.Dataset, device: str = "cpu", *, seconds: float) -> float:
    """Return the rate of the reference loop over about so many seconds.

    The loader's workers live through all epochs, and nothing is timed before the fourth step.
    """
    network = networks.create(config, dataset.classes, dataset.channels, dataset.size)
    model = network.model.to(device).train()
    kept = {name: mask.to(device) for name, mask in (network.mask or {}).items()}
    optimizer = torch.optim.SGD(
        model.parameters(),
        lr=config.lr,
        momentum=config.momentum,
        weight_decay=config.weight_decay,
        nesterov=config.nesterov,
    )
    loader = DataLoader(
        Pictures(dataset),
        config.batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=2,
        persistent_workers=True,
        pin_memory=device != "cpu",
    )
    batches = chain.from_iterable(loader for _ in iter(int, 1))

    def take_step() -> None:
        images, labels = next(batches)
        step(model, optimizer, kept, images.to(device, non_blocking=True), labels.to(device, non_blocking=True))

    for _ in range(3):
        take_step()
    return config.batch_size * steps_per_second(take_step, seconds)


def step(
    model: nn.Module, optimizer: torch.optim.Optimizer, kept: dict[str, Tensor], images: Tensor, labels: Tensor
) -> float:
    """One step of the reference loop; return the loss."""
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name in kept:
                parameter.mul_(kept[name])
    return loss.item()
