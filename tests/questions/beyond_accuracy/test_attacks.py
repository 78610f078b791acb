"""Attacks against a network whose gradients are known, and their bounds."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from randsparse.data.dataset import load
from randsparse.errors import StudyError
from randsparse.networks import registry
from randsparse.networks.initialization import initialize
from randsparse.questions.beyond_accuracy.adversarial import ATTACKS
from randsparse.questions.beyond_accuracy.attacks import KINDS, OfPixels, attack_images


class Linear(nn.Module):
    """Two classes, of images of 1x1x2: logits (0, w.x)."""

    def __init__(self, *weights: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(weights))

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        score = images.flatten(1) @ self.weight
        return torch.stack([torch.zeros_like(score), score], 1)


def test_fgsm_by_hand():
    # the loss of class 1 falls with w.x, that of class 0 rises with it: x - or + epsilon sign(w), in 0..1
    network = Linear(2.0, -3.0)
    images = torch.tensor([[0.5, 0.5], [0.5, 0.5], [0.01, 0.99]]).view(3, 1, 1, 2)
    made = attack_images(network, images, torch.tensor([1, 0, 1]), "fgsm", 8)
    e = 8 / 255
    expected = torch.tensor([[0.5 - e, 0.5 + e], [0.5 + e, 0.5 - e], [0.0, 1.0]]).view(3, 1, 1, 2)
    assert (made - expected).abs().max() < 1e-6


def test_fgsm_acts_on_pixels_not_on_normalised_images():
    network = OfPixels(Linear(2.0, -3.0), (0.3,), (0.2,)).eval()
    images = torch.full((1, 1, 1, 2), 0.5)
    outputs = network(images)
    assert outputs[0, 1].item() == pytest.approx((2 - 3) * (0.5 - 0.3) / 0.2, abs=1e-6)
    made = attack_images(network, images, torch.tensor([0]), "fgsm", 51)
    assert made.flatten().tolist() == pytest.approx([0.7, 0.3], abs=1e-6)


@pytest.fixture(scope="module")
def network() -> OfPixels:
    dataset = load("digits")
    model = initialize(registry.build("wrn-10-1", 10, 1, 8), 0)
    return OfPixels(model, dataset.mean, dataset.std).eval()


@pytest.mark.parametrize("attack", ATTACKS)
@pytest.mark.parametrize("epsilon", [0.5, 8, 255])
def test_no_attack_leaves_its_budget_or_the_pixel_range(network, attack, epsilon):
    dataset = load("digits")
    images, labels = dataset.test_x[:40] / 255, dataset.test_y[:40]
    made = attack_images(network, images, labels, attack, epsilon, steps=3, restarts=2)
    assert made.dtype == images.dtype and made.shape == images.shape
    assert (made - images).abs().max() <= epsilon / 255 + 1e-6
    assert made.min() >= 0 and made.max() <= 1
    assert not torch.equal(made, images)


def test_attacks_raise_the_loss_and_leave_the_network_and_the_generators_alone(network):
    dataset = load("digits")
    images, labels = dataset.test_x[:60] / 255, dataset.test_y[:60]
    before = {name: value.clone() for name, value in network.state_dict().items()}
    torch_state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()

    def loss(attack: str, **options: int) -> float:
        made = attack_images(network, images, labels, attack, 16, **options)
        return nn.functional.cross_entropy(network(made), labels).item()

    clean = nn.functional.cross_entropy(network(images), labels).item()
    assert clean < loss("fgsm") <= loss("pgd", steps=10)
    assert loss("noise") < loss("fgsm")
    assert torch.equal(torch.get_rng_state(), torch_state) and (np.random.get_state()[1] == numpy_state).all()
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())
    assert all(p.requires_grad and p.grad is None for p in network.parameters()) and not network.training


def test_starts_depend_on_the_seed_alone(network):
    dataset = load("digits")
    images, labels = dataset.test_x[:30] / 255, dataset.test_y[:30]
    one = [attack_images(network, images, labels, "pgd", 4, steps=2, seed=seed) for seed in (0, 0, 1)]
    assert torch.equal(one[0], one[1]) and not torch.equal(one[0], one[2])


def test_a_budget_of_zero_changes_nothing(network):
    images = load("digits").test_x[:5] / 255
    assert torch.equal(attack_images(network, images, torch.zeros(5).long(), "pgd", 0), images)


def test_the_attacks_are_those_of_the_evaluation_and_no_others(network):
    images = load("digits").test_x[:2] / 255
    assert KINDS == ATTACKS
    with pytest.raises(StudyError, match="unknown attack 'cw': choose one of fgsm, pgd, noise"):
        attack_images(network, images, torch.zeros(2).long(), "cw", 8)
