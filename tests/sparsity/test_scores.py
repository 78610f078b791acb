"""Scores of weights before training: against hand-made computations, and what they leave as it was."""

from __future__ import annotations

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from randsparse.data import dataset
from randsparse.errors import StudyError
from randsparse.networks import registry
from randsparse.networks.initialization import initialize
from randsparse.sparsity import scores
from randsparse.sparsity.layers import maskable


@pytest.fixture(scope="module")
def digits() -> dataset.Dataset:
    return dataset.load("digits")


def first_images(of: dataset.Dataset, count: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Return the first training images, normalised, and their labels."""
    return dataset.normalize(of.train_x[:count], of), of.train_y[:count]


@pytest.fixture
def three_layers() -> nn.Module:
    """Three linear layers with ReLU, and biases that are not zero."""
    torch.manual_seed(1)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 20), nn.ReLU(), nn.Linear(20, 16), nn.ReLU(), nn.Linear(16, 10))


@pytest.fixture
def tiny() -> tuple[nn.Module, torch.Tensor, torch.Tensor]:
    """A network of 26 weights, ten inputs and labels."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4, bias=False), nn.Tanh(), nn.Linear(4, 2), nn.Softplus(), nn.Linear(2, 3))
    return model.double(), torch.randn(10, 3), torch.randint(3, (10,))


def backpropagated(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> list[np.ndarray]:
    """Return |g ⊙ θ| of the three layers by the chain rule, in float64."""
    linear = [module for module in model if isinstance(module, nn.Linear)]
    layers = [(m.weight.detach().double().numpy(), m.bias.detach().double().numpy()) for m in linear]
    inputs, open_ = [images.double().flatten(1).numpy()], []
    for weight, bias in layers[:-1]:
        before = inputs[-1] @ weight.T + bias
        open_.append(before > 0)
        inputs.append(np.maximum(before, 0))
    outputs = inputs[-1] @ layers[-1][0].T + layers[-1][1]
    exp = np.exp(outputs - outputs.max(1, keepdims=True))
    delta = (exp / exp.sum(1, keepdims=True) - np.eye(10)[labels.numpy()]) / len(labels)
    found = []
    for index in (2, 1, 0):
        weight = layers[index][0]
        found.insert(0, np.abs(delta.T @ inputs[index] * weight))
        if index:
            delta = (delta @ weight) * open_[index - 1]
    return found


def test_snip_ratio_is_that_of_the_chain_rule_by_hand(three_layers, digits):
    images, labels = first_images(digits, 100)
    found = scores.snip(three_layers, images, labels, 0.1)
    by_hand = backpropagated(three_layers, images, labels)
    for each, expected in zip(found.values(), by_hand, strict=True):
        assert np.allclose(each.numpy(), expected, rtol=1e-9, atol=1e-15)
    total = sum(each.size for each in by_hand)
    for density in (0.02, 0.1, 0.5, 0.9):
        kept = np.sort(np.concatenate([each.ravel() for each in by_hand]))[-round(density * total) :]
        counts = scores.count_kept(found, density)
        for (name, count), expected in zip(counts.items(), by_hand, strict=True):
            assert count / expected.size == pytest.approx((expected >= kept[0]).mean(), abs=1e-6), name
        assert sum(counts.values()) == round(density * total)


def gradient(model: nn.Module, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Return the gradient that GraSP speaks of, of all weights in one vector."""
    loss = F.cross_entropy(model(images.double()) / 200, labels)
    weights = [model.get_parameter(name) for name in maskable(model)]
    return torch.cat([each.flatten() for each in torch.autograd.grad(loss, weights)])


@pytest.mark.parametrize("chunk", [250, 3])
def test_grasp_is_that_of_the_explicit_hessian(tiny, monkeypatch, chunk):
    monkeypatch.setattr(scores, "CHUNK", chunk)
    model, images, labels = tiny
    names = list(maskable(model))
    sizes = [model.get_parameter(name).numel() for name in names]

    def loss(flat: torch.Tensor) -> torch.Tensor:
        parts = zip(names, flat.split(sizes), strict=True)
        values = {name: part.view_as(model.get_parameter(name)) for name, part in parts}
        return F.cross_entropy(torch.func.functional_call(model, values, images.double()) / 200, labels)

    theta = torch.cat([model.get_parameter(name).detach().flatten() for name in names])
    hessian = torch.autograd.functional.hessian(loss, theta)
    expected = theta * (hessian @ gradient(model, images, labels))
    found = torch.cat([each.flatten() for each in scores.grasp(model, images, labels, 0.5).values()])
    assert torch.allclose(found, expected, rtol=1e-9, atol=1e-18) and found.abs().max() > 1e-9


def test_grasp_keeps_what_the_gradient_norm_would_lose_most_by(tiny):
    model, images, labels = tiny
    found = scores.grasp(model, images, labels, 0.5)
    before = gradient(model, images, labels).square().sum()
    ends = [(name, end) for name, each in found.items() for end in (each.argmin(), each.argmax())]
    assert min(found[name].flatten()[end] for name, end in ends) < 0  # there are weights that the norm gains by
    for name, end in ends:
        changed = copy.deepcopy(model)
        with torch.no_grad():
            changed.get_parameter(name).view(-1)[end] *= 1 - 1e-4
        change = gradient(changed, images, labels).square().sum() - before
        assert change.item() == pytest.approx(-2e-4 * found[name].flatten()[end].item(), rel=1e-2)


def positive(model: nn.Module) -> nn.Module:
    model = copy.deepcopy(model).double().eval()
    for parameter in model.parameters():
        parameter.data.abs_()
    return model


@pytest.mark.parametrize("name", ["wrn-10-1", "resnet-8"])
def test_synaptic_flow_is_conserved_where_all_paths_pass(name):
    model = positive(initialize(registry.build(name, 10, 1, 8), 0))
    ones = torch.ones(1, 1, 8, 8, dtype=torch.float64)
    through = model(ones).sum().item()
    found = scores.saliency(model, ones)
    for layer in ("stem.weight", "classifier.weight"):
        assert found[layer].sum().item() == pytest.approx(through, rel=1e-9)
    assert all((each >= 0).all() for each in found.values())


def test_synflow_prunes_round_by_round_and_needs_no_data(digits):
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 20, bias=False), nn.ReLU(), nn.Linear(20, 10, bias=False))
    initialize(model, 0)
    shape, density = torch.ones(1, 1, 8, 8), 0.03
    alive = positive(model)
    total = sum(p.numel() for p in alive.parameters())
    for step in range(1, 21):  # by sorting, and zeros for what has gone
        flow = torch.cat([each.flatten() for each in scores.saliency(alive, shape.double()).values()])
        kept = torch.zeros(total, dtype=torch.bool)
        kept[flow.argsort(descending=True)[: round(total * density ** (step / 20))]] = True
        for weight, stays in zip(alive.parameters(), kept.split([1280, 200]), strict=True):
            weight.data *= stays.view_as(weight)
    found = scores.synflow(model, shape, None, density, rounds=20)
    mask = scores.keep(found, scores.count_kept(found, density))
    assert torch.equal(torch.cat([each.flatten() for each in mask.values()]), kept)
    other = scores.synflow(model, torch.randn(5, 1, 8, 8), torch.zeros(5), density, rounds=20)
    assert all(torch.equal(found[name], other[name]) for name in found)
    ranks = torch.cat([each.flatten() for each in found.values()])
    assert torch.equal(ranks.sort().values, torch.arange(total, dtype=torch.float64))


def test_synflow_keeps_every_layer_of_a_deep_network_in_float64():
    model = initialize(registry.build("resnet-110", 10, 1, 8), 0)
    found = scores.saliency(positive(model), torch.ones(1, 1, 8, 8, dtype=torch.float64))
    assert max(each.max() for each in found.values()) > torch.finfo(torch.float32).max  # and finite
    with pytest.raises(StudyError, match="scores of stem.weight are not finite"):
        scores.saliency(positive(model).float(), torch.ones(1, 1, 8, 8))


def test_magnitude_is_that_of_the_weights(three_layers):
    found = scores.magnitude(three_layers, torch.ones(1, 1, 8, 8), None, 0.1)
    assert all(torch.equal(each, three_layers.get_parameter(name).abs().double()) for name, each in found.items())


@pytest.mark.parametrize("name", scores.SCORES)
def test_scores_leave_the_network_and_random_numbers_as_they_were(name, digits):
    model = initialize(registry.build("wrn-10-1", 10, 1, 8), 0).train()
    model.stem.eval()
    before = copy.deepcopy(model.state_dict())
    modes = [module.training for module in model.modules()]
    flags = [parameter.requires_grad for parameter in model.parameters()]
    images, labels = first_images(digits, 64)
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    found = scores.SCORES[name](model, images, labels, 0.1)
    assert torch.equal(torch.get_rng_state(), state) and (np.random.get_state()[1] == numpy_state).all()
    after = model.state_dict()
    assert all(torch.equal(after[key], value) and after[key].dtype == value.dtype for key, value in before.items())
    assert [module.training for module in model.modules()] == modes
    assert [parameter.requires_grad for parameter in model.parameters()] == flags
    assert all(parameter.grad is None for parameter in model.parameters())
    assert {key: tuple(each.shape) for key, each in found.items()} == maskable(model)
    assert all(each.dtype == torch.float64 and not each.requires_grad for each in found.values())


@pytest.mark.parametrize("name", scores.SCORES)
def test_batch_norm_has_the_mode_of_the_score_whatever_that_of_the_network(name, digits):
    model = initialize(registry.build("wrn-10-1", 10, 1, 8), 0)
    images, labels = first_images(digits, 64)
    one, other = (scores.SCORES[name](model.train(mode), images, labels, 0.1) for mode in (True, False))
    assert all(torch.equal(one[key], other[key]) for key in one)


def test_highest_scores_of_all_layers_count_and_no_layer_is_emptied():
    found = {"a": torch.tensor([[5.0, 4.0, 3.0, 3.0]]), "b": torch.tensor([[0.1, 0.2], [0.0, 0.2]])}
    assert scores.count_kept(found, 3 / 8) == {"a": 2, "b": 1}
    assert scores.count_kept(found, 5 / 8) == {"a": 4, "b": 1}
    assert scores.count_kept(found, 1.0) == {"a": 4, "b": 4}
    mask = scores.keep(found, {"a": 3, "b": 1})
    assert mask["a"].tolist() == [[True, True, True, False]]  # of equal scores the first
    assert mask["b"].tolist() == [[False, True], [False, False]]
    assert scores.keep(found, {"a": 0, "b": 4}).counts == {"a": 0, "b": 4}
    with pytest.raises(StudyError, match="density 0.125 cannot be met by 2 layers of 8 weights"):
        scores.count_kept(found, 1 / 8)


@pytest.mark.parametrize("name", ["snip", "magnitude"])
def test_score_counts_are_exact_at_every_density_and_nested(name, digits):
    model = initialize(registry.build("resnet-8", 10, 1, 8), 0)
    images, labels = first_images(digits, 128)
    found = scores.SCORES[name](model, images, labels, 0.1)
    total = sum(map(math.prod, maskable(model).values()))
    denser = None
    for density in reversed([i / 100 for i in range(1, 100)]):
        mask = scores.keep(found, scores.count_kept(found, density))
        assert mask.nnz == round(density * total) and not mask.empty_layers
        assert denser is None or all((denser[key] | ~kept).all() for key, kept in mask.items())
        denser = mask
