from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from sklearn.datasets import load_digits
from torch.nn import functional as F

from randsparse.data import dataset as data
from randsparse.data.catalogue import shape
from randsparse.data.dataset import Batches, Dataset, balanced_order, load, normalize, split_indices
from randsparse.errors import StudyError
from randsparse.seeds import generator


def made_up(samples: int = 50, channels: int = 3, size: int = 8, pad: int = 2, flip: bool = True) -> Dataset:
    """Return a dataset whose labels number its training images, so that each can be recognised in a batch."""
    images = torch.randint(0, 256, (samples, channels, size, size), dtype=torch.uint8)
    labels, none = torch.arange(samples), torch.arange(0)
    ones, zeros = (1 / 255,) * channels, (0.0,) * channels  # normalisation gives back the bytes
    return Dataset("made-up", samples, zeros, ones, pad, flip, images, labels, none, none, none, none, {})


def test_digits_are_scikit_learns_in_disjoint_parts():
    digits, dataset = load_digits(), load("digits")
    assert {part: len(indices) for part, indices in dataset.indices.items()} == {
        "train": 1197,
        "val": 240,
        "test": 360,
    }
    assert torch.cat(list(dataset.indices.values())).unique().tolist() == list(range(1797))
    for part, indices in dataset.indices.items():
        images, labels = getattr(dataset, f"{part}_x"), getattr(dataset, f"{part}_y")
        assert torch.equal(images[:, 0], torch.from_numpy(digits.images)[indices].mul(15).to(torch.uint8))
        assert torch.equal(labels, torch.from_numpy(digits.target)[indices])
        assert images.is_contiguous(memory_format=torch.channels_last)
    assert (dataset.classes, dataset.channels, dataset.size) == shape("digits") == (10, 1, 8)


def test_splits_never_change():
    indices = load("digits").indices
    first = {part: indices[part][:5].tolist() for part in indices}
    assert first == {
        "train": [223, 935, 1758, 1646, 889],
        "val": [846, 306, 1198, 412, 1306],
        "test": [1690, 938, 1599, 68, 1375],
    }


@pytest.mark.parametrize(("name", "total"), [("digits", 1797), ("cifar10", 60_000), ("cifar100", 60_000)])
def test_parts_are_disjoint_complete_and_class_balanced(name, total):
    classes = shape(name)[0]
    labels = torch.randint(0, classes, (total,), generator=torch.Generator().manual_seed(0))
    indices = split_indices(name, labels)
    assert torch.cat(list(indices.values())).unique().tolist() == list(range(total))
    if name != "digits":
        assert indices["test"].tolist() == list(range(50_000, 60_000))
        assert len(indices["val"]) == 5_000
    drawn = labels if name == "digits" else labels[:50_000]
    share = drawn.bincount(minlength=classes) / len(drawn)
    for part in ("train", "val"):
        counts = labels[indices[part]].bincount(minlength=classes)
        assert (counts - share * len(indices[part])).abs().max() <= 2


def test_every_beginning_of_a_balanced_order_is_balanced_and_random():
    labels = torch.arange(100) % 4
    order = balanced_order(labels, generator("test", 0))
    assert sorted(order.tolist()) == list(range(100))
    for end in range(1, 101):
        counts = labels[order[:end]].bincount(minlength=4)
        assert counts.max() - counts.min() <= 1
    assert not torch.equal(order, balanced_order(labels, generator("test", 1)))
    assert len({tuple(labels[order[i : i + 4]].tolist()) for i in range(0, 100, 4)}) > 5


def test_fewer_training_samples_are_a_beginning_of_more():
    small, large, full = load("digits", train_samples=100), load("digits", train_samples=300), load("digits")
    assert len(small.train_x) == len(small.train_y) == len(small.indices["train"]) == 100
    assert torch.equal(small.train_x, large.train_x[:100])
    assert torch.equal(large.indices["train"], full.indices["train"][:300])
    assert torch.equal(small.val_x, full.val_x) and torch.equal(small.test_x, full.test_x)
    assert (small.mean, small.std) == (full.mean, full.std)
    counts = small.train_y.bincount(minlength=10)
    assert counts.max() - counts.min() <= 2


@pytest.mark.parametrize("samples", [0, -1, 1198])
def test_impossible_numbers_of_training_samples_say_what_is_possible(samples):
    with pytest.raises(StudyError, match="digits: it must be 1 to 1197, or None for all"):
        load("digits", train_samples=samples)


def test_unknown_dataset_lists_what_exists():
    with pytest.raises(StudyError, match="unknown dataset 'mnist': choose one of digits, fashion-mnist, cifar10"):
        load("mnist")
    with pytest.raises(StudyError, match="unknown dataset"):
        shape("mnist")


def test_statistics_are_those_of_training_pixels_and_normalise_them():
    dataset = load("digits")
    pixels = dataset.train_x.double() / 255
    assert dataset.mean[0] == pytest.approx(pixels.mean().item())
    assert dataset.std[0] == pytest.approx(pixels.std(correction=0).item())
    normalised = normalize(dataset.train_x, dataset)
    assert normalised.mean().item() == pytest.approx(0, abs=1e-5)
    assert normalised.std().item() == pytest.approx(1, abs=1e-3)


def test_normalize_acts_by_channel_and_is_channels_last():
    dataset = replace(made_up(), mean=(0.1, 0.5, 0.9), std=(0.2, 0.3, 0.4))
    images = dataset.train_x.contiguous()
    before = images.clone()
    normalised = normalize(images, dataset)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (dataset.mean, dataset.std))
    torch.testing.assert_close(normalised, (images / 255 - mean) / std)
    assert normalised.dtype == torch.float32
    assert normalised.is_contiguous(memory_format=torch.channels_last)
    assert torch.equal(images, before)


@pytest.mark.parametrize(("pad", "flip", "size"), [(2, True, 8), (1, False, 8), (4, True, 12)])
def test_augmented_images_are_all_crops_of_the_reflected_image(pad, flip, size):
    dataset = made_up(samples=4, size=size, pad=pad, flip=flip)
    padded = F.pad(dataset.train_x.float(), (pad,) * 4, mode="reflect")
    offsets = range(2 * pad + 1)
    crops = {
        (*image[:, y : y + size, x : x + size].flip(2 if mirrored else ()).flatten().tolist(), label): (
            y,
            x,
            mirrored,
        )
        for label, image in enumerate(padded)
        for y in offsets
        for x in offsets
        for mirrored in {False, flip}
    }
    seen = set()
    batches = Batches(dataset, batch_size=4, data_seed=0)
    for epoch in range(400):
        for images, labels in batches.epoch(epoch):
            for image, label in zip(images.round(), labels, strict=True):
                seen.add(crops[*image.flatten().tolist(), label.item()])
    assert len(seen) == len(offsets) ** 2 * (1 + flip)


def test_an_epoch_shows_every_image_once_except_for_a_last_partial_batch():
    batches = Batches(made_up(samples=50), batch_size=16, data_seed=0)
    labels = [labels for _, labels in batches.epoch(0)]
    assert len(batches) == 3
    assert [len(batch) for batch in labels] == [16, 16, 16]
    assert len(torch.cat(labels).unique()) == 48


def test_batches_are_float32_channels_last():
    images, labels = next(Batches(load("digits"), batch_size=32, data_seed=0).epoch(0))
    assert images.shape == (32, 1, 8, 8) and images.dtype == torch.float32 and labels.dtype == torch.int64
    assert images.is_contiguous(memory_format=torch.channels_last)


def collect(batches: Batches, epoch: int) -> tuple[torch.Tensor, torch.Tensor]:
    images, labels = zip(*batches.epoch(epoch), strict=True)
    return torch.cat(images), torch.cat(labels)


def test_an_epoch_depends_on_seed_and_epoch_alone():
    dataset = made_up()
    first = Batches(dataset, batch_size=10, data_seed=0)
    images, labels = collect(first, 3)
    collect(first, 4)
    torch.rand(5)
    state = torch.get_rng_state()
    again_images, again_labels = collect(Batches(dataset, batch_size=10, data_seed=0), 3)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(images, again_images) and torch.equal(labels, again_labels)
    for seed, epoch in ((0, 4), (1, 3)):
        other_images, other_labels = collect(Batches(dataset, batch_size=10, data_seed=seed), epoch)
        assert not torch.equal(labels, other_labels)
        order, other_order = labels.argsort(), other_labels.argsort()
        assert not torch.equal(images[order], other_images[other_order])


def test_without_augmentation_a_batch_is_the_normalised_images():
    dataset = replace(load("digits"), pad=0)
    images, labels = collect(Batches(dataset, batch_size=399, data_seed=0), 0)
    order = torch.randperm(1197, generator=generator("order", 0, "epoch 0"))
    assert torch.equal(images, normalize(dataset.train_x[order], dataset))
    assert torch.equal(labels, dataset.train_y[order])


@pytest.mark.parametrize("batch_size", [0, 51])
def test_batches_larger_than_the_training_part_are_refused(batch_size):
    with pytest.raises(StudyError, match="it must be 1 to 50, the number of training images"):
        Batches(made_up(samples=50), batch_size, data_seed=0)


def test_to_moves_images_and_labels_and_keeps_the_rest():
    dataset = load("digits").to("meta")
    assert {getattr(dataset, f"{part}_{kind}").device.type for part in data.PARTS for kind in "xy"} == {"meta"}
    assert dataset.indices is load("digits").indices
