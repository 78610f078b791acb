from __future__ import annotations

import math

import pytest
import torch

from randsparse.data.dataset import load
from randsparse.errors import StudyError
from randsparse.questions.beyond_accuracy.corruptions import SEVERITIES, STRENGTHS, Corruption, corrupt


def distance(images: torch.Tensor, changed: torch.Tensor) -> float:
    return (changed.float() - images.float()).square().mean().sqrt().item()


@pytest.mark.parametrize("corruption", STRENGTHS)
@pytest.mark.parametrize("channels", [1, 3])
def test_corruptions_grow_with_severity_and_are_the_same_every_time(corruption, channels):
    images = load("digits").test_x[:64].expand(-1, channels, -1, -1)
    before = images.clone()
    torch.manual_seed(3)
    state = torch.get_rng_state()
    changed = [corrupt(images, corruption, severity) for severity in SEVERITIES]
    assert torch.equal(torch.get_rng_state(), state) and torch.equal(images, before)
    torch.manual_seed(4)
    assert all(torch.equal(corrupt(images, corruption, s), c) for s, c in zip(SEVERITIES, changed, strict=True))
    assert all(each.dtype == torch.uint8 and each.shape == images.shape for each in changed)
    sizes = [distance(images, each) for each in changed]
    assert sizes == sorted(sizes) and 0 < sizes[0] < sizes[-1]


def test_noise_has_its_standard_deviation_and_its_seed():
    grey = torch.full((200, 1, 32, 32), 128, dtype=torch.uint8)
    noisy = corrupt(grey, "gaussian-noise", 3)
    assert distance(grey, noisy) / 255 == pytest.approx(0.08, rel=0.02)
    assert not torch.equal(noisy, corrupt(grey, "gaussian-noise", 3, seed=1))
    assert not torch.equal(noisy[0], noisy[1])


def test_contrast_and_blur_by_hand():
    image = torch.tensor([[100, 200], [100, 200]], dtype=torch.uint8).repeat(4, 4)[None, None]
    assert corrupt(image, "contrast", 2).unique().tolist() == [125, 175]  # half the distance from 150
    line = torch.zeros(1, 1, 9, 9, dtype=torch.uint8)
    line[..., 4] = 200
    weights = [math.exp(-(x**2) / 2) for x in range(-4, 5)]  # sigma 1 at severity 4
    expected = torch.tensor([round(200 * w / sum(weights)) for w in weights])
    assert (corrupt(line, "gaussian-blur", 4)[0, 0, 4] - expected).abs().max() <= 1


def test_impossible_corruptions():
    with pytest.raises(StudyError, match=r"unknown corruption 'fog': choose one of gaussian-noise, "):
        Corruption("fog")
    with pytest.raises(StudyError, match=r"severity=6 .*1 to 5"):
        Corruption(severity=6)
    assert Corruption("jpeg", 2, seed=1) == Corruption("jpeg", 2)
    assert Corruption("gaussian-noise", 2, seed=1).key != Corruption("gaussian-noise", 2).key
