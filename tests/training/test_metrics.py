"""Metrics against values computed by hand, and evaluation against the whole array at once."""

from __future__ import annotations

import math

import pytest
import torch

from randsparse.data.dataset import load, normalize
from randsparse.networks import registry
from randsparse.networks.initialization import initialize
from randsparse.training import metrics

LOGITS = torch.tensor([[math.log(0.8), math.log(0.2)], [math.log(0.6), math.log(0.4)]], dtype=torch.float64)


def test_metrics_by_hand():
    values = metrics.metrics(LOGITS, torch.tensor([0, 1]))
    assert values["accuracy"] == 0.5
    assert values["nll"] == pytest.approx(-(math.log(0.8) + math.log(0.4)) / 2)
    assert values["brier"] == pytest.approx((0.2**2 * 2 + 0.6**2 * 2) / 2)
    assert values["ece"] == pytest.approx((abs(1 - 0.8) + abs(0 - 0.6)) / 2)  # two images in two bins


def test_a_partial_last_batch_counts_as_much_as_its_images():
    dataset = load("digits")
    model = initialize(registry.build("wrn-10-1", 10, 1, 8), 0).double()
    model.train()
    parts = metrics.logits(model, dataset.val_x, dataset, torch.float64, batch_size=7)
    assert len(dataset.val_x) % 7 and model.training
    model.eval()
    with torch.no_grad():
        whole = model(normalize(dataset.val_x, dataset).double())
    assert torch.allclose(parts, whole)
    accuracy = (whole.argmax(1) == dataset.val_y).double().mean().item()
    assert metrics.loss_and_accuracy(parts, dataset.val_y)[1] == accuracy


def test_evaluation_changes_nothing_and_draws_nothing():
    dataset = load("digits")
    model = initialize(registry.build("wrn-10-1", 10, 1, 8), 0)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    state = torch.get_rng_state()
    first = metrics.logits(model, dataset.val_x, dataset, torch.float32)
    assert torch.equal(first, metrics.logits(model, dataset.val_x, dataset, torch.float32))
    assert torch.equal(state, torch.get_rng_state())
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
