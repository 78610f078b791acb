from __future__ import annotations

import hashlib
import io
import pickle
import tarfile
import urllib.request
from dataclasses import replace
from pathlib import Path
from urllib.error import URLError

import numpy as np
import pytest
import torch
from torchvision.datasets import CIFAR10

from randsparse.data import catalogue
from randsparse.data import dataset as data
from randsparse.data.dataset import load
from randsparse.errors import StudyError

PER_FILE = 20


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args, **kwargs):
        raise URLError("no network")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)
    data._load.cache_clear()


def md5(path: Path) -> str:
    return hashlib.md5(path.read_bytes()).hexdigest()


@pytest.fixture
def cifar(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a data folder with a small CIFAR-10 in the official format, and expect its checksums."""
    folder = tmp_path / "data" / "cifar-10-batches-py"
    folder.mkdir(parents=True)
    random = np.random.default_rng(0)
    names = [*(f"data_batch_{i}" for i in range(1, 6)), "test_batch"]
    for name in names:
        pixels = random.integers(0, 256, (PER_FILE, 3072), dtype=np.uint8)
        batch = {"data": pixels, "labels": [i % 10 for i in range(PER_FILE)]}
        (folder / name).write_bytes(pickle.dumps(batch))
    (folder / "batches.meta").write_bytes(pickle.dumps({"label_names": [str(i) for i in range(10)]}))
    monkeypatch.setattr(CIFAR10, "train_list", [[name, md5(folder / name)] for name in names[:-1]])
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", md5(folder / "test_batch")]])
    monkeypatch.setattr(CIFAR10, "meta", CIFAR10.meta | {"md5": md5(folder / "batches.meta")})
    small = replace(catalogue.DATASETS["cifar10"], val=10, test=PER_FILE)
    monkeypatch.setitem(catalogue.DATASETS, "cifar10", small)
    return folder.parent


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_cifar10_images_and_labels_are_those_of_the_files(cifar):
    dataset = load("cifar10", cifar)
    files = [pickle.loads((cifar / "cifar-10-batches-py" / name).read_bytes()) for name, _ in CIFAR10.train_list]
    pixels = np.concatenate([file["data"] for file in files]).reshape(-1, 3, 32, 32)
    for part in ("train", "val"):
        images = getattr(dataset, f"{part}_x")
        assert torch.equal(images, torch.from_numpy(pixels)[dataset.indices[part]])
        assert torch.equal(getattr(dataset, f"{part}_y"), dataset.indices[part] % 10)
        assert images.is_contiguous(memory_format=torch.channels_last)
    test = pickle.loads((cifar / "cifar-10-batches-py" / "test_batch").read_bytes())["data"].reshape(-1, 3, 32, 32)
    assert torch.equal(dataset.test_x, torch.from_numpy(test))
    assert (len(dataset.train_y), len(dataset.val_y), len(dataset.test_y)) == (90, 10, 20)


def test_data_dir_is_by_default_that_of_the_environment(cifar, monkeypatch):
    monkeypatch.setenv("DATA_DIR", str(cifar))
    assert torch.equal(load("cifar10").train_x, load("cifar10", cifar).train_x)


def test_files_are_read_once_a_process(cifar):
    assert load("cifar10", cifar) is load("cifar10", str(cifar))


def test_corrupt_file_is_named_and_kept(cifar):
    broken = cifar / "cifar-10-batches-py" / "data_batch_3"
    broken.write_bytes(b"not a pickle")
    before = contents(cifar)
    with pytest.raises(StudyError, match="cifar-10-batches-py: data_batch_3 is corrupt.*Nothing was changed.*DATA_DIR"):
        load("cifar10", cifar)
    assert contents(cifar) == before


def test_missing_file_is_named_and_the_others_are_kept(cifar):
    (cifar / "cifar-10-batches-py" / "test_batch").unlink()
    before = contents(cifar)
    with pytest.raises(StudyError, match="test_batch is missing"):
        load("cifar10", cifar)
    assert contents(cifar) == before


def test_failed_download_says_what_belongs_where(tmp_path):
    folder = tmp_path / "none" / "yet"
    with pytest.raises(StudyError) as raised:
        load("cifar10", folder)
    message = str(raised.value)
    for part in ("no network", CIFAR10.url, str(folder / "cifar-10-batches-py"), "data_batch_5", "DATA_DIR"):
        assert part in message
    assert "\n" not in message
    assert contents(tmp_path) == {} and not folder.parent.exists(), "no folder was made for nothing"


@pytest.mark.parametrize(("name", "folder"), [("cifar100", "cifar-100-python"), ("fashion-mnist", "FashionMNIST")])
def test_other_datasets_fail_alike(name, folder, tmp_path):
    with pytest.raises(StudyError, match=f"could not be downloaded .*no network.* {folder}"):
        load(name, tmp_path)
    assert contents(tmp_path) == {}


def test_folder_that_cannot_be_written_is_a_study_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(StudyError, match="CIFAR10 .*file"):
        load("cifar10", tmp_path / "file")


def test_official_archive_in_the_folder_is_unpacked(cifar, monkeypatch):
    wanted = contents(cifar)
    with tarfile.open(cifar / CIFAR10.filename, "w:gz") as archive:
        archive.add(cifar / "cifar-10-batches-py", "cifar-10-batches-py")
    monkeypatch.setattr(CIFAR10, "tgz_md5", md5(cifar / CIFAR10.filename))
    (cifar / "cifar-10-batches-py").rename(cifar.parent / "elsewhere")
    assert len(load("cifar10", cifar).train_y) == 90
    assert contents(cifar) == wanted | {CIFAR10.filename: (cifar / CIFAR10.filename).read_bytes()}


class Truncated(io.BytesIO):
    """The response of a server that sends the beginning of a file."""

    url, length = None, 100


def test_broken_download_leaves_nothing_and_keeps_a_corrupt_archive(cifar, monkeypatch):
    (cifar / "cifar-10-batches-py").rename(cifar.parent / "elsewhere")
    (cifar / CIFAR10.filename).write_bytes(b"half of it")
    monkeypatch.setattr(urllib.request, "urlopen", lambda *args, **kwargs: Truncated(b"beginning"))
    with pytest.raises(StudyError, match="could not be downloaded .*corrupted"):
        load("cifar10", cifar)
    assert contents(cifar) == {CIFAR10.filename: b"half of it"}


def test_two_processes_may_download_at_once(cifar, tmp_path):
    folder = cifar / "cifar-10-batches-py"
    catalogue.download(CIFAR10, folder, cifar)  # fails here, but the other process has brought the files
    assert len(load("cifar10", cifar).train_y) == 90


def test_fashion_mnist_is_read_and_checked(tmp_path, monkeypatch):
    folder = tmp_path / "FashionMNIST" / "raw"
    folder.mkdir(parents=True)
    pixels = np.random.default_rng(0).integers(0, 256, (60, 28, 28), dtype=np.uint8)
    for part, chosen in (("train", range(50)), ("t10k", range(50, 60))):
        images = bytes([0, 0, 8, 3, 0, 0, 0, len(chosen), 0, 0, 0, 28, 0, 0, 0, 28]) + pixels[chosen].tobytes()
        labels = bytes([0, 0, 8, 1, 0, 0, 0, len(chosen), *(i % 10 for i in chosen)])
        (folder / f"{part}-images-idx3-ubyte").write_bytes(images)
        (folder / f"{part}-labels-idx1-ubyte").write_bytes(labels)
    small = replace(catalogue.DATASETS["fashion-mnist"], val=10, test=10)
    monkeypatch.setitem(catalogue.DATASETS, "fashion-mnist", small)
    with pytest.raises(StudyError, match="train-images-idx3-ubyte is corrupt"):
        load("fashion-mnist", tmp_path)
    monkeypatch.setattr(catalogue, "FASHION_MNIST", {path.name: md5(path) for path in folder.iterdir()})
    dataset = load("fashion-mnist", tmp_path)
    assert torch.equal(dataset.train_x[:, 0], torch.from_numpy(pixels)[dataset.indices["train"]])
    assert torch.equal(dataset.test_x[:, 0], torch.from_numpy(pixels[50:]))
    assert torch.equal(dataset.val_y, dataset.indices["val"] % 10)


@pytest.mark.parametrize("name", ["digits", "breast-cancer", "docstrings"])
def test_the_number_of_training_samples_is_known_without_loading(name):
    assert catalogue.training_samples(name) == len(data.load(name).train_y)
    assert catalogue.training_samples("folder-flowers-102-224") is None
