"""Detection metrics against cases computed by hand, and the sets of images that are to be detected."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from PIL import Image

from randsparse.data.dataset import load
from randsparse.errors import StudyError
from randsparse.questions.beyond_accuracy import ood, ood_images, ood_sets
from randsparse.questions.beyond_accuracy.ood import SCORES, OutOfDistribution, measure_detection, outlier_scores


def scores(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_detection_by_hand():
    found = measure_detection(inside=scores(0.1, 0.2, 0.4, 0.6), outside=scores(0.3, 0.5, 0.7))
    # pairs in which the outlier has the larger score: 0.7 beats 4, 0.5 beats 3, 0.3 beats 2
    assert found["auroc"] == pytest.approx(9 / 12, abs=1e-6)
    # all outliers are found from 0.3 on, with 0.4 and 0.6 of the others
    assert found["fpr95"] == pytest.approx(2 / 4, abs=1e-6)
    # precision at recall 0, 1/3, 1/3, 2/3, 2/3, 1: 1, 1, 1/2, 2/3, 1/2, 3/5
    out = 1 / 3 * 1 + 1 / 3 * (1 / 2 + 2 / 3) / 2 + 1 / 3 * (1 / 2 + 3 / 5) / 2
    assert found["aupr_out"] == pytest.approx(out, abs=1e-6)
    # the others first, from the lowest: precision at recall 0, 1/4, 2/4, 2/4, 3/4, 3/4, 1: 1, 1, 1, 2/3, 3/4, 3/5, 4/6
    inside = 1 / 4 * 1 + 1 / 4 * 1 + 1 / 4 * (2 / 3 + 3 / 4) / 2 + 1 / 4 * (3 / 5 + 4 / 6) / 2
    assert found["aupr_in"] == pytest.approx(inside, abs=1e-6)


def test_perfect_and_reversed_detection():
    good, bad = measure_detection(scores(0, 1), scores(2, 3)), measure_detection(scores(2, 3), scores(0, 1))
    assert (good["auroc"], good["fpr95"], good["aupr_in"], good["aupr_out"]) == (1, 0, 1, 1)
    assert (bad["auroc"], bad["fpr95"]) == (0, 1)


@pytest.mark.parametrize("score", SCORES)
def test_equal_logits_detect_nothing(score):
    inside, outside = (outlier_scores(torch.zeros(count, 10).double(), score) for count in (7, 5))
    found = measure_detection(inside, outside)
    assert found["auroc"] == 0.5 and found["fpr95"] == 1.0


def test_scores_by_hand():
    outputs = torch.tensor([[math.log(3), 0.0]], dtype=torch.float64)  # softmax 3/4, 1/4
    by_hand = {
        "msp": -3 / 4,
        "energy": -math.log(4),
        "max_logit": -math.log(3),
        "entropy": -(3 / 4 * math.log(3 / 4) + 1 / 4 * math.log(1 / 4)),
        "gen": (3 / 16) ** 0.1,
    }
    for score, value in by_hand.items():
        assert outlier_scores(outputs, score).item() == pytest.approx(value, abs=1e-6), score


def test_every_name_of_what_is_made_has_its_making():
    assert tuple(ood_images.MADE) == ood_sets.MADE


@pytest.mark.parametrize("name", ood_sets.MADE)
def test_made_images_are_those_of_their_seed_and_not_the_test_images(name, tmp_path):
    dataset = load("digits")
    torch.manual_seed(1)
    images = ood_images.load(name, dataset, tmp_path, limit=50)
    assert images.shape == (50, 1, 8, 8) and images.dtype == torch.uint8
    torch.manual_seed(2)
    assert torch.equal(images, ood_images.load(name, dataset, tmp_path, limit=50))
    assert not torch.equal(images, dataset.test_x[:50])
    drawn = not torch.equal(images, ood_images.load(name, dataset, tmp_path, limit=50, seed=1))
    assert drawn == (name in ("gaussian-noise", "uniform-noise", "shuffled"))
    if name == "shuffled":
        assert torch.equal(images.flatten(1).sort(1).values, dataset.test_x[:50].flatten(1).sort(1).values)
    if name == "rotated":
        assert torch.equal(images[0, 0], dataset.test_x[0, 0].rot90())


def write(folder, count=6, size=8, colours=3):
    for index in range(count):
        pixels = np.full((size, size, colours), 10 * index, np.uint8).squeeze()
        path = folder / "below" / f"{index}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)


@pytest.mark.parametrize("colours", [1, 3])
def test_a_folder_of_images(tmp_path, colours):
    write(tmp_path / "pictures", colours=colours)
    (tmp_path / "pictures" / "notes.txt").write_text("no image")
    images = ood_images.load("folder:pictures", load("digits"), tmp_path, limit=100)
    assert images[:, 0, 0, 0].tolist() == [0, 10, 20, 30, 40, 50] and images.shape == (6, 1, 8, 8)
    few = ood_images.load(f"folder:{tmp_path / 'pictures'}", load("digits"), tmp_path, limit=3)
    assert len(few) == 3 and set(few[:, 0, 0, 0].tolist()) < {0, 10, 20, 30, 40, 50}


def test_images_of_another_size_are_resized_only_when_asked(tmp_path):
    write(tmp_path / "pictures", size=16)
    with pytest.raises(StudyError, match=r"0\.png: 16x16 pixels, .* trained on 8x8: .*resize=True"):
        ood_images.load("folder:pictures", load("digits"), tmp_path, limit=100)
    images = ood_images.load("folder:pictures", load("digits"), tmp_path, limit=100, resize=True)
    assert images.shape == (6, 1, 8, 8) and images[3].unique().tolist() == [30]


def test_folders_that_hold_no_images(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(StudyError, match=r"empty has no images: put files of \.jpg"):
        ood_images.load("folder:empty", load("digits"), tmp_path, limit=9)
    with pytest.raises(StudyError, match=r"there is no folder of images .*absent"):
        ood_images.load("folder:absent", load("digits"), tmp_path, limit=9)
    (tmp_path / "empty" / "broken.png").write_bytes(b"no picture")
    with pytest.raises(StudyError, match=r"broken\.png cannot be read as an image"):
        ood_images.load("folder:empty", load("digits"), tmp_path, limit=9)


def test_cifar100_images_from_a_folder_are_as_many_as_asked_whatever_their_names(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    for root, names in ((one, "abcdef"), (other, "fedcba")):
        folder = root / "cifar-100-test" / "x"
        folder.mkdir(parents=True)
        for value, name in enumerate(names):
            Image.fromarray(np.full((32, 32, 3), 40 * value, np.uint8)).save(folder / f"{name}.png")
    like = load("digits")
    images = [ood_images.load("cifar100", like, root, limit=4, resize=True) for root in (one, other)]
    assert torch.equal(*images) and images[0].shape == (4, 1, 8, 8)


def test_svhn_that_is_damaged_stays_and_is_one_line(tmp_path):
    (tmp_path / "svhn").mkdir()
    (tmp_path / "svhn" / ood_images.SVHN_FILE).write_bytes(b"half")
    with pytest.raises(StudyError, match=r"SVHN cannot be had in .*svhn \(.*corrupted.*test_32x32\.mat"):
        ood_images.load("svhn", load("digits"), tmp_path, limit=4)
    assert (tmp_path / "svhn" / ood_images.SVHN_FILE).read_bytes() == b"half"


def test_a_download_that_fails_leaves_nothing_behind(tmp_path, monkeypatch):
    def offline(*args: object, **kwargs: object) -> None:
        raise OSError("no network")

    monkeypatch.setattr("torchvision.datasets.svhn.download_url", offline)
    with pytest.raises(StudyError, match=r"SVHN cannot be had in .*no network.*put http"):
        ood_images.load("svhn", load("digits"), tmp_path, limit=4)
    assert list(tmp_path.iterdir()) == []


def test_unknown_sets_are_errors():
    for name in ("cifar-100", "folder:"):
        with pytest.raises(StudyError, match=r"unknown set of images .*uniform-noise.*cifar100.*folder:PATH"):
            OutOfDistribution(data=name)
    with pytest.raises(StudyError, match=r"images=0 .*at least 1"):
        OutOfDistribution(images=0)


def test_the_record_of_a_folder_names_its_content(tmp_path):
    write(tmp_path / "pictures")
    first = ood._digest(ood_images.load("folder:pictures", load("digits"), tmp_path, limit=100))
    assert first != ood._digest(ood_images.load("folder:pictures", load("digits"), tmp_path, limit=3))
