"""The core in twelve lines each, for networks and training loops that are not the study's."""

from __future__ import annotations

import pytest
import torch
import torchvision
from torch import nn
from torch.nn import functional as F

from randsparse.sparsity import masks, scores
from randsparse.sparsity.effective import effective_density
from randsparse.sparsity.masks import Mask
from randsparse.sparsity.paths import chain
from randsparse.training.methods.dynamic import RigL

IMAGES, LABELS = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1])
WEIGHTS = 11_678_912
"""Of convolutions and the linear layer of ResNet-18 with 1000 classes."""


def resnet() -> nn.Module:
    torch.manual_seed(0)
    return torchvision.models.resnet18()


def check(model: nn.Module, mask: Mask, optimizer: torch.optim.Optimizer) -> None:
    """Exactly a tenth of the weights is left, all else is zero to the last bit, and so is what the optimiser has."""
    weights = {name: model.get_parameter(name) for name in mask}
    assert sum(int((weight != 0).sum()) for weight in weights.values()) == mask.nnz == round(WEIGHTS / 10)
    assert mask.size == WEIGHTS and list(mask) == list(masks.find_weights(model))
    for name, weight in weights.items():
        for state in [weight, *optimizer.state[weight].values()]:
            assert state.shape != mask[name].shape or (state[~mask[name]] == 0).all(), name


@pytest.mark.parametrize("kind", ["sgd", "adamw"])
def test_a_random_mask_stays_in_any_training_loop(kind):
    model = resnet()
    make = {"sgd": dict(momentum=0.9, nesterov=True, weight_decay=1e-4), "adamw": dict(weight_decay=0.1)}[kind]
    optimizer = {"sgd": torch.optim.SGD, "adamw": torch.optim.AdamW}[kind](model.parameters(), lr=0.001, **make)
    before = {name: weight.detach().clone() for name, weight in model.named_parameters()}

    mask = masks.random(model, density=0.1, rule="erk", seed=0)
    mask.apply(model)
    for _ in range(20):
        optimizer.zero_grad()
        F.cross_entropy(model(IMAGES), LABELS).backward()
        optimizer.step()

    check(model, mask, optimizer)
    for name, kept in mask.items():
        assert (model.get_parameter(name)[kept] != before[name][kept]).float().mean() > 0.9, name


def test_rigl_in_a_training_loop_of_ones_own():
    model = resnet()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)

    first = masks.random(model, density=0.1)
    method = RigL(model, first, optimizer, total_steps=12, update_interval=4)
    for _ in range(12):
        optimizer.zero_grad()
        F.cross_entropy(model(IMAGES), LABELS).backward()
        method.step()

    assert method.mask.counts == first.counts
    grown = {name: method.mask[name] & ~first[name] for name in first}
    assert all(new.any() or first[name].all() for name, new in grown.items())  # a full layer has no room
    moved = sum(int((model.get_parameter(name)[new] != 0).sum()) for name, new in grown.items())
    assert moved > 0.9 * sum(int(new.sum()) for new in grown.values())  # 2 steps and more have trained what was grown
    for name, kept in method.mask.items():
        assert (model.get_parameter(name)[~kept] == 0).all(), name


def test_a_mask_of_scores():
    model = resnet()

    found = scores.snip(model, IMAGES, LABELS, 0.1)
    mask = scores.keep(found, scores.count_kept(found, 0.1))
    mask.apply(model)

    check(model, mask, torch.optim.SGD(model.parameters(), lr=0.1))
    threshold = max(float(found[name][~kept].max()) for name, kept in mask.items())
    layers = [name for name, count in mask.counts.items() if count > 1]  # one weight stays in every layer
    assert threshold <= min(float(found[name][mask[name]].min()) for name in layers)


def test_the_effective_density_of_a_network_of_ones_own():
    model = nn.Sequential(nn.Linear(3, 2), nn.ReLU(), nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 1))

    kept = [[[1, 1, 0], [0, 0, 1]], [[1, 0], [0, 0]], [[1, 1]]]  # hidden unit 2 leads nowhere, unit 2 after it has none
    mask = Mask({f"{2 * index}.weight": torch.tensor(layer, dtype=torch.bool) for index, layer in enumerate(kept)})
    density = effective_density(mask, chain(masks.find_weights(model)))

    assert mask.density == 6 / 12 and density == pytest.approx(4 / 12)
