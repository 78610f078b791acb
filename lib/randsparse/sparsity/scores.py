"""What single weights of an initialised network are worth before training: the scores of pruning at initialisation.

A score is a function of a network, images and labels; it returns a float64 tensor for each weight that a mask covers,
and the highest are worth keeping. Networks are scored as copies in float64, where masks do not depend on the machine;
the network itself, its statistics and its gradients stay as they are. Used as a density rule, the highest scores of
all layers together say how many weights a layer keeps; used as a criterion, which ones.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from randsparse.errors import StudyError
from randsparse.sparsity import densities
from randsparse.sparsity.layers import maskable
from randsparse.sparsity.masks import Mask

Scores = dict[str, Tensor]
Score = Callable[[nn.Module, Tensor, Tensor | None, float], Scores]

ROUNDS = 100
"""Rounds of SynFlow."""
TEMPERATURE = 200.0
"""By which GraSP divides the logits."""
CHUNK = 250
"""Images that GraSP passes at once, with the batch-norm statistics of their own."""


def magnitude(model: nn.Module, images: Tensor, labels: Tensor | None, density: float) -> Scores:
    """|θ|, of the weights alone."""
    return {name: weight.detach().abs() for name, weight in _weights(_copy(model, images)).items()}


def snip(model: nn.Module, images: Tensor, labels: Tensor | None, density: float) -> Scores:
    """|g ⊙ θ| with g = ∂L/∂θ, L the mean cross-entropy of one batch, batch norm in training mode (Lee et al. 2019)."""
    model = _copy(model, images).train()
    weights = _weights(model)
    gradients = torch.autograd.grad(F.cross_entropy(model(images.double()), labels), list(weights.values()))
    return _named(weights, [(g * w).abs() for g, w in zip(gradients, weights.values(), strict=True)])


def grasp(model: nn.Module, images: Tensor, labels: Tensor | None, density: float) -> Scores:
    """θ ⊙ Hg: by how much the gradient norm falls without a weight, to first order (Wang et al. 2020).

    g and H are the gradient and the Hessian of the mean cross-entropy of logits / TEMPERATURE with respect to the
    weights that a mask covers, batch norm in training mode, CHUNK images at once. The paper's score is -θ ⊙ Hg, of
    which it removes the highest.
    """
    model = _copy(model, images).train()
    weights = _weights(model)
    theta = list(weights.values())
    parts = list(zip(images.double().split(CHUNK), labels.split(CHUNK), strict=True))

    def gradients(part: tuple[Tensor, Tensor], **options: bool) -> tuple[Tensor, ...]:
        loss = F.cross_entropy(model(part[0]) / TEMPERATURE, part[1]) * (len(part[1]) / len(labels))
        return torch.autograd.grad(loss, theta, **options)

    g = [sum(each) for each in zip(*map(gradients, parts), strict=True)]
    scores = [torch.zeros_like(w) for w in theta]
    for part in parts:
        product = sum((a * b).sum() for a, b in zip(gradients(part, create_graph=True), g, strict=True))
        for score, w, hg in zip(scores, theta, torch.autograd.grad(product, theta), strict=True):
            score += w.detach() * hg
    return _named(weights, scores)


def synflow(model: nn.Module, images: Tensor, labels: Tensor | None, density: float, rounds: int = ROUNDS) -> Scores:
    """The order in which synaptic flow removes weights on the way to a density, 0 the first (Tanaka et al. 2020).

    In round t the highest ρ^(t/rounds) N of |θ| ∂R/∂|θ| stay (`saliency`), with batch norm in evaluation mode and an
    input of ones. What stays at the end ranks last, by its scores of the last round. Of the images only shape counts.
    """
    model = _copy(model, images).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.abs_()
    weights, ones = _weights(model), torch.ones_like(images[:1], dtype=torch.float64)
    sizes = [w.numel() for w in weights.values()]
    total = sum(sizes)
    alive = torch.arange(total, device=images.device)
    removed = torch.full((total,), rounds + 1, device=images.device)
    last = torch.zeros(total, dtype=torch.float64, device=images.device)
    for step in range(1, rounds + 1):
        found = saliency(model, ones)
        flow = torch.cat([each.flatten() for each in found.values()])[alive]
        last[alive] = flow
        kept = find_highest(flow, round(density ** (step / rounds) * total))
        removed[alive[~kept]] = step
        alive = alive[kept]
        with torch.no_grad():
            for w, stays in zip(weights.values(), (removed > step).split(sizes), strict=True):
                w.mul_(stays.view_as(w))
    order = np.lexsort((last.cpu().numpy(), removed.cpu().numpy()))
    rank = torch.from_numpy(order.argsort()).double()
    return {name: part.view(w.shape) for (name, w), part in zip(weights.items(), rank.split(sizes), strict=True)}


def saliency(model: nn.Module, images: Tensor) -> Scores:
    """Return θ ⊙ ∂R/∂θ of each maskable weight, R the sum of the outputs; the model stays as it is.

    For parameters ≥ 0 and no biases, each layer that every path passes has Σ θ ∂R/∂θ = R (Tanaka et al., theorem 1).
    Raises StudyError where R is beyond float64, as that of hundreds of layers is.
    """
    weights = _weights(model)
    gradients = torch.autograd.grad(model(images).sum(), list(weights.values()))
    return _named(weights, [w.detach() * g for w, g in zip(weights.values(), gradients, strict=True)])


SCORES: dict[str, Score] = {"magnitude": magnitude, "snip": snip, "grasp": grasp, "synflow": synflow}


def count_kept(scores: Mapping[str, Tensor], density: float) -> dict[str, int]:
    """Return how many of the highest scores of all layers together are in each layer, round(density · N) in all.

    A layer of low scores only keeps its highest: none is left without weights, as under every density rule.
    Raises StudyError for a density that has no room for that.
    """
    densities.check({name: tuple(each.shape) for name, each in scores.items()}, density)
    kept = highest_overall(scores, round(density * sum(each.numel() for each in scores.values())))
    return {name: int(part.sum()) for name, part in kept.items()}


def keep(scores: Mapping[str, Tensor], counts: Mapping[str, int]) -> Mask:
    """Return the mask of the `counts` highest scores of each layer, on the CPU."""
    kept = {name: find_highest(each.flatten(), counts[name]).view(each.shape) for name, each in scores.items()}
    return Mask(kept).to("cpu")


def find_highest(values: Tensor, count: int) -> Tensor:
    """Return where the `count` highest values are; of equal values the first ones."""
    if not count:
        return torch.zeros_like(values, dtype=torch.bool)
    threshold = values.kthvalue(len(values) - count + 1).values
    kept = values > threshold
    kept[(values == threshold).nonzero().flatten()[: count - int(kept.sum())]] = True
    return kept


def highest_overall(values: Mapping[str, Tensor], count: int) -> dict[str, Tensor]:
    """Return, by layer, where the `count` highest values of all layers together are; of each layer the highest is."""
    flat = [each.flatten().clone() for each in values.values()]
    for each in flat:
        each[each.argmax()] = torch.inf
    parts = find_highest(torch.cat(flat), count).split([len(each) for each in flat])
    return {name: part.view(each.shape) for (name, each), part in zip(values.items(), parts, strict=True)}


def _copy(model: nn.Module, images: Tensor) -> nn.Module:
    return copy.deepcopy(model).to(images.device, torch.float64)


def _weights(model: nn.Module) -> dict[str, nn.Parameter]:
    return {name: model.get_parameter(name) for name in maskable(model)}


def _named(names: Mapping[str, Tensor], values: list[Tensor]) -> Scores:
    """Return scores by name; raises StudyError where they are not finite."""
    for name, value in zip(names, values, strict=True):
        if not value.isfinite().all():
            raise StudyError(f"scores of {name} are not finite: choose another score, or a shallower network")
    return {name: value.detach() for name, value in zip(names, values, strict=True)}
