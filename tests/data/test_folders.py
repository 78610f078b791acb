"""Datasets on disk: names, splits, what a network sees of an image, and one clear line for what is wrong."""

from __future__ import annotations

import shutil
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import folders
from folders import CLASSES, NAME, TRAIN, VAL
from randsparse.data import catalogue
from randsparse.data import dataset as data
from randsparse.data.folders import MEAN, STD, load
from randsparse.errors import StudyError
from randsparse.runs.config import RunConfig
from randsparse.sweeps import budget
from randsparse.training.engines.processes import Processes
from randsparse.training.engines.streamed_batches import StreamedBatches, _Images, evaluation_batches

CPU, ALONE = torch.device("cpu"), Processes()


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return folders.make(tmp_path_factory.mktemp("data"))


@pytest.fixture
def root(made: Path, tmp_path: Path) -> Path:
    """A copy that a test may damage."""
    return shutil.copytree(made, tmp_path / "tiny")


def batches(root: Path, seed=0, epoch=0, processes=ALONE, loaders=0, size=12):
    stream = StreamedBatches(load(NAME, root.parent), size, seed, CPU, processes, loaders)
    return list(stream.epoch(epoch))


def test_a_name_says_all_that_a_network_depends_on():
    assert catalogue.shape("imagenet") == (1000, 3, 224)
    assert catalogue.shape("folder-my-birds-2-200-64") == (200, 3, 64)
    assert catalogue.folder("folder-my-birds-2-200-64").name == "my-birds-2"
    assert (
        RunConfig(dataset="imagenet", model="wrn-50-2", sparsity=0.5).key
        == RunConfig.from_dict({"dataset": "imagenet", "model": "wrn-50-2", "sparsity": 0.5}).key
    )


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (dict(dataset="folder-birds-64"), "unknown dataset .* imagenet, folder-<name>-<classes>-<size>"),
        (dict(dataset="folder-imagenet-1000-224"), "shorter name: imagenet"),
        (dict(dataset="folder-birds-3-4"), "4x4 are too small"),
        (dict(dataset="folder-birds-3-16", model="resnet-50"), "16x16 are too small for resnet-50"),
        (dict(dataset="imagenet", engine="batched"), "engine='batched' .* streamed from disk"),
        (dict(dataset="imagenet", sparsity=0.5, rule="grasp"), "rule='grasp' .* streamed from disk"),
        (dict(dataset="imagenet", sparsity=0.5, criterion="snip"), "criterion='snip' .* streamed from disk"),
    ],
)
def test_what_cannot_be_trained_is_refused_at_once(values, says):
    with pytest.raises(StudyError, match=says):
        RunConfig(**values)


def test_streamed_images_are_not_loaded_and_imagenet_has_its_published_size():
    with pytest.raises(StudyError, match="streamed from disk, not loaded"):
        data.load("imagenet")
    images = catalogue.FOLDERS["imagenet"].images[0]
    assert catalogue.Folder.held_out(images, 1000) == 50_000
    run = RunConfig(dataset="imagenet", model="wrn-10-1", batch_size=1)
    assert budget.count_training_flops(run) == budget.count_training_flops(run.replace(train_samples=images - 50_000))
    assert budget.count_training_flops(run.replace(dataset="folder-birds-3-16")) is None


def test_parts_are_disjoint_fixed_and_hold_the_classes_in_proportion(made):
    dataset = load(NAME, made.parent)
    paths = {part: files.paths.tolist() for part, files in dataset.parts.items()}
    assert {part: len(files) for part, files in paths.items()} == {"train": 3 * TRAIN - 4, "val": 4, "test": 3 * VAL}
    assert len({path for part in paths.values() for path in part}) == 3 * (TRAIN + VAL)
    assert all(path.startswith(b"val/") == (part == "test") for part in paths for path in paths[part])
    for files in dataset.parts.values():
        assert [CLASSES[label] for label in files.labels] == [str(path).split("/")[1] for path in files.paths]
        counts = Counter(files.labels.tolist())
        assert max(counts.values()) - min(counts[label] for label in range(3)) <= 1
    again = load(NAME, made.parent, train_samples=9)
    assert again.parts["train"].paths.tolist() == paths["train"][:9]
    assert again.parts["val"].paths.tolist() == paths["val"] and again.digest == dataset.digest
    assert set(Counter(again.parts["train"].labels.tolist()).values()) <= {2, 3, 4}


def test_evaluation_sees_the_normalised_centre(made):
    dataset = load(NAME, made.parent)
    seen = torch.cat(list(evaluation_batches(dataset, "test", CPU, ALONE, batch_size=4)))
    assert seen.shape == (15, 3, 16, 16) and seen.dtype == torch.float32
    for image, path in zip(seen, dataset.parts["test"].paths.tolist(), strict=True):
        original = Image.open(made / path.decode()).convert("RGB")
        scale = 18 / min(original.size)
        size = [int(18 * side / min(original.size)) if scale else 0 for side in original.size]
        pixels = np.asarray(original.resize(size, Image.Resampling.BILINEAR)) / 255
        top, left = (round((pixels.shape[axis] - 16) / 2) for axis in (0, 1))
        centre = (pixels[top : top + 16, left : left + 16] - MEAN) / STD
        torch.testing.assert_close(image, torch.from_numpy(centre).permute(2, 0, 1).float())


def test_evaluation_shares_are_interleaved(made):
    dataset = load(NAME, made.parent)
    whole = torch.cat(list(evaluation_batches(dataset, "test", CPU, ALONE, 4)))
    for rank in range(2):
        share = torch.cat(list(evaluation_batches(dataset, "test", CPU, Processes(rank, 2), 4, loaders=rank)))
        assert torch.equal(share, whole[rank::2])


def test_augmentation_depends_on_seed_epoch_and_image_alone(made, monkeypatch):
    state = torch.get_rng_state()
    first = batches(made)
    assert torch.equal(state, torch.get_rng_state())
    assert len(first) == 3 and first[0][0].shape == (12, 3, 16, 16)
    torch.manual_seed(5)
    for again in (batches(made), batches(made, loaders=2)):
        for (a, la), (b, lb) in zip(first, again, strict=True):
            assert torch.equal(a, b) and torch.equal(la, lb)
    assert not torch.equal(first[0][0], batches(made, epoch=1)[0][0])
    assert not torch.equal(first[0][0], batches(made, seed=1)[0][0])
    monkeypatch.setattr(Processes, "agree", lambda self, error: None)
    parts = [batches(made, processes=Processes(rank, 3)) for rank in range(3)]
    for (images, labels), *shares in zip(first, *parts, strict=True):
        assert torch.equal(images, torch.cat([share[0] for share in shares]))
        assert torch.equal(labels, torch.cat([share[1] for share in shares]))


def test_images_are_cropped_and_mirrored(made):
    dataset = load(NAME, made.parent)
    images = [_Images(dataset, dataset.parts["train"], (0, epoch))[0][0] for epoch in range(8)]
    assert len({image.numpy().tobytes() for image in images}) == 8 and images[0].dtype == torch.uint8


def broken(root: Path, part: str, content: bytes = b"no image") -> Path:
    path = sorted((root / part / "bee").iterdir())[1]
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("loaders", [0, 1])
def test_an_image_that_cannot_be_read_is_named_in_one_line(root, loaders):
    dataset = load(NAME, root.parent)
    path = root / dataset.parts["train"].paths[0].decode()
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])  # as of a copy that was cut short
    with pytest.raises(StudyError, match=f"{path.name} cannot be read as an image") as error:
        batches(root, size=38, loaders=loaders)
    assert "\n" not in str(error.value)
    path = broken(root, "val")
    with pytest.raises(StudyError, match=f"{path.name} cannot be read as an image"):
        list(evaluation_batches(dataset, "test", CPU, ALONE, 4, loaders))


def nothing(root: Path) -> None:
    """Leave the dataset as it is."""


def without(*parts: str):
    def change(root: Path) -> None:
        shutil.rmtree(root.joinpath(*parts))

    return change


def without_images(root: Path) -> None:
    for path in root.glob("train/*/*"):
        path.rename(path.with_suffix(".txt"))


def one_image_a_class(root: Path) -> None:
    for folder in root.glob("train/*"):
        for path in sorted(folder.iterdir())[1:]:
            path.unlink()


@pytest.mark.parametrize(
    ("change", "name", "says"),
    [
        (without(), NAME, r"tiny is no folder.*one folder of images a class.*DATA_DIR"),
        (without("train"), NAME, r"tiny/train is no folder"),
        (without("val"), NAME, r"tiny/val is no folder"),
        (lambda root: [without("val", name)(root) for name in CLASSES], NAME, "tiny/val has no images"),
        (without_images, NAME, r"tiny/train has no images of ant, bee, cow.*\.jpg"),
        (without("train", "bee"), NAME, "tiny/train has 2 classes, not 3"),
        (nothing, "folder-tiny-4-16", "tiny/train has 3 classes, not 4"),
        (lambda root: (root / "val" / "bee").rename(root / "val" / "dog"), NAME, "bee, dog are classes in only one"),
        (one_image_a_class, NAME, "tiny/train has 3 images of 3 classes: give it more"),
    ],
)
def test_a_folder_that_is_not_as_it_should_be_is_one_line(root, change, name, says):
    change(root)
    with pytest.raises(StudyError, match=says) as error:
        load(name, root.parent)
    assert "\n" not in str(error.value)


def test_no_data_folder_impossible_numbers_and_an_incomplete_imagenet(root, monkeypatch):
    with pytest.raises(StudyError, match="nowhere is no folder"):
        load(NAME, root / "nowhere")
    monkeypatch.setenv("DATA_DIR", str(root.parent))
    for number in (0, 39):
        with pytest.raises(StudyError, match=f"train_samples={number} is not possible .* 1 to 38"):
            load(NAME, train_samples=number)
    with pytest.raises(StudyError, match="batch_size=39 is not possible .* 1 to 38"):
        batches(root, size=39)
    monkeypatch.setitem(catalogue.FOLDERS, "tiny-net", catalogue.Folder("tiny", 3, 16, (42, 16)))
    with pytest.raises(StudyError, match="tiny/val has 15 images, not the 16 of tiny"):
        load("tiny-net")
