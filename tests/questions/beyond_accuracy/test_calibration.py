"""Calibration against cases computed by hand."""

from __future__ import annotations

import math

import pytest
import torch

from randsparse.errors import StudyError
from randsparse.questions.beyond_accuracy.calibration import (
    TEMPERATURES,
    Calibration,
    expected_error,
    reliability,
    temperature,
)


def binary(confidences: list[float]) -> torch.Tensor:
    """Logits of two classes, class 0 with these probabilities."""
    p = torch.tensor(confidences, dtype=torch.float64)
    return torch.stack([p.log(), (1 - p).log()], 1)


def test_equal_mass_ece_by_hand():
    outputs, labels = binary([0.6, 0.9, 0.7, 0.8]), torch.tensor([0, 0, 1, 0])
    bins = reliability(outputs, labels, 2)
    assert [b["share"] for b in bins] == [0.5, 0.5]
    assert [b["confidence"] for b in bins] == pytest.approx([0.65, 0.85])
    assert [b["accuracy"] for b in bins] == pytest.approx([0.5, 1.0])
    assert expected_error(bins) == pytest.approx((0.15 + 0.15) / 2, abs=1e-6)
    alone = reliability(outputs, labels, 15)  # fewer images than bins
    assert expected_error(alone) == pytest.approx((0.4 + 0.7 + 0.2 + 0.1) / 4, abs=1e-6)


def test_sizes_of_equal_mass_bins_differ_by_one_at_most():
    outputs = torch.randn(100, 10, generator=torch.Generator().manual_seed(0))
    shares = [b["share"] for b in reliability(outputs, torch.zeros(100, dtype=torch.long), 15)]
    assert len(shares) == 15 and math.fsum(shares) == pytest.approx(1) and set(shares) == {0.06, 0.07}


def test_images_of_one_confidence_count_alike_in_any_order():
    outputs = torch.zeros(60, 10)
    labels = torch.arange(60) % 10  # a tenth is right: class 0
    error = expected_error(reliability(outputs, labels, 15))
    assert error == pytest.approx(0, abs=1e-6)
    assert error == expected_error(reliability(outputs, labels.flip(0), 15))


@pytest.mark.parametrize("t", [0.5, 1.0, 3.0])
def test_temperature_scaling_recovers_a_known_temperature(t):
    outputs = torch.tensor([[math.log(4), 0.0]] * 5, dtype=torch.float64) * t
    labels = torch.tensor([0, 0, 0, 0, 1])  # right 4 times in 5, as the network says at that temperature
    assert temperature(outputs, labels) == pytest.approx(t, abs=1e-6)


def test_a_network_that_never_errs_has_the_lowest_temperature():
    outputs = torch.eye(3, dtype=torch.float64)
    assert temperature(outputs, torch.arange(3)) == pytest.approx(TEMPERATURES[0], rel=1e-3)


def test_images_of_one_confidence_share_their_accuracy_across_bins():
    outputs = binary([0.7, 0.9, 0.7])
    for labels in ([0, 0, 1], [1, 0, 0]):
        bins = reliability(outputs, torch.tensor(labels), 3)
        assert [b["accuracy"] for b in bins] == pytest.approx([0.5, 0.5, 1])
        assert expected_error(bins) == pytest.approx((0.2 + 0.2 + 0.1) / 3, abs=1e-6)


def test_impossible_bins():
    with pytest.raises(StudyError, match=r"bins=0 .*at least 1"):
        Calibration(bins=0)
