"""From a config to the initialised sparse network that it trains."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from randsparse.data.dataset import Dataset, normalize
from randsparse.errors import StudyError
from randsparse.networks import nodes, registry
from randsparse.networks.initialization import initialize
from randsparse.runs import methods
from randsparse.runs.config import RunConfig
from randsparse.runs.feasibility import allocate, allocate_changing, find_small_widths
from randsparse.seeds import generator
from randsparse.sparsity import densities, flow_preservation, scores
from randsparse.sparsity.effective import effective_density
from randsparse.sparsity.layers import fan_in, maskable
from randsparse.sparsity.masks import Mask, draw, draw_inside
from randsparse.sparsity.paths import flows

SAMPLES = 25
"""Images of each class that GraSP looks at."""


@dataclass(frozen=True)
class Network:
    """An initialised network, the mask that its training keeps to (None: none needed), and its densities.

    `density` is what a record says: asked (of weights, or of nodes), realised and effective density of weights,
    the number of weights, realised density by layer, and the layers that are left without weights. A method that
    changes the mask starts with `mask` and stays inside `source`.
    """

    model: nn.Module
    mask: Mask | None
    density: dict[str, Any]
    source: Mask | None = None


def create(config: RunConfig, classes: int, channels: int, size: int, dataset: Dataset | None = None) -> Network:
    """Draw the mask and the initial weights of `config`, for images of `channels` x `size` x `size`.

    Args:
        dataset: the run's; only its training part is looked at, and only where rule or criterion is one of
            `densities.NEED_DATA`. On its device the scores are computed; the network is on the CPU.

    The same config gives the same network in any process. Raises StudyError where the sparsity cannot be reached, and
    for scores without the dataset that they need.
    """
    parent = registry.build(config.model, classes, channels, size)
    if config.sparsity == 0:
        return _dense(config, parent, parent)
    if config.method == "small-dense":
        widths = find_small_widths(config, classes, channels, size)
        return _dense(config, parent, registry.build(config.model, classes, channels, size, widths))
    if config.method in methods.DYNAMIC:
        return _changing(config, parent)
    if config.structure == "node":
        return _node(config, parent)
    return _weight(config, parent, registry.architecture(config.model).sample_shape(channels, size), dataset)


def _weight(config: RunConfig, parent: nn.Module, image: tuple[int, ...], dataset: Dataset | None) -> Network:
    """A weight mask over the whole parent, for samples of that shape."""
    shapes = maskable(parent)
    scored = _scores(config, parent, image, dataset)
    by_score = config.rule in scored
    counts = scores.count_kept(scored[config.rule], config.density) if by_score else allocate(config, shapes)
    if config.preserve_flow:
        counts = flow_preservation.lift(shapes, counts)
    mask = (
        scores.keep(scored[config.criterion], counts)
        if config.criterion in scored
        else draw(shapes, counts, config.mask_seed, config.draw, config.preserve_flow)
    )
    initialize(parent, config.init_seed, _scales(config, mask))
    return Network(parent, mask, report(config, mask, parent))


def _changing(config: RunConfig, parent: nn.Module) -> Network:
    """A source mask, and the first mask in it: of the scores that drew the source's weights, it has the lowest.

    The own init scale of a run is that of its first mask; edge-popup's, whose weights stay, that of its last.
    """
    shapes = maskable(parent)
    most, first = allocate_changing(config, shapes)
    source = draw(shapes, most, config.mask_seed, preserve_flow=config.preserve_flow)
    mask = (
        draw_inside(source, first, config.mask_seed)
        if config.source_sparsity
        else draw(shapes, first, config.mask_seed, preserve_flow=config.preserve_flow)
    )
    scales, constant = _scales(config, mask), False
    if config.method == "edge-popup":
        scales = {name: scale * (config.density * mask.size / mask.nnz) ** -0.5 for name, scale in scales.items()}
        constant = config.frozen_weights == "signed-constant"
    initialize(parent, config.init_seed, scales, constant)
    return Network(parent, mask, report(config, mask, parent), source)


def _scales(config: RunConfig, mask: Mask) -> dict[str, float]:
    """Return the factors on the parent's init scale of a weight mask."""
    return {name: p**-0.5 for name, p in mask.layer_densities.items() if p} if config.init_scale == "own" else {}


def _scores(
    config: RunConfig, parent: nn.Module, image: tuple[int, ...], dataset: Dataset | None
) -> dict[str, scores.Scores]:
    """Return the scores, by name, that rule and criterion use: of initial weights in the parent's scale."""
    found: dict[str, scores.Scores] = {}
    for name in {config.rule, config.criterion} & scores.SCORES.keys():
        images, labels = torch.ones(1, *image), None
        if name in densities.NEED_DATA:
            if dataset is None:
                raise StudyError(f"{name} scores weights on training images: create the network with its dataset")
            images, labels = sample(name, dataset, config.data_seed, config.batch_size)
        seed = config.init_seed if config.score_init_seed is None else config.score_init_seed
        initialize(parent, seed)
        found[name] = scores.SCORES[name](parent, images, labels, config.density)
    return found


def sample(name: str, dataset: Dataset, seed: int, batch_size: int) -> tuple[Tensor, Tensor]:
    """Return the training images, normalised and not augmented, and labels that the score of that name looks at.

    They depend on the seed (a run's `data_seed`): `batch_size` images in random order, and for GraSP the first SAMPLES
    images of each class in that order (all of a smaller class), class by class in turn.
    """
    order = torch.randperm(len(dataset.train_y), generator=generator("score", seed)).to(dataset.train_y.device)
    labels = dataset.train_y[order]
    if name == "grasp":
        turn = torch.zeros_like(labels)
        for label in labels.unique():
            own = labels == label
            turn[own] = torch.arange(int(own.sum()), device=labels.device)
        turns = (turn * dataset.classes + labels).argsort()
        chosen = order[turns[turn[turns] < SAMPLES]]
    else:
        chosen = order[:batch_size]
    return normalize(dataset.train_x[chosen], dataset), dataset.train_y[chosen]


def _node(config: RunConfig, parent: nn.Module) -> Network:
    """A node mask: over the parent, or as the compacted network that computes the same."""
    keep = nodes.draw_nodes(parent, config.density, config.mask_seed)
    mask = nodes.node_mask(parent, keep)
    small = registry.build(
        config.model, parent.classifier.out_features, parent.stem.in_channels, 8, nodes.compact_widths(keep)
    )
    own = _init_scales(maskable(parent), maskable(small)) if config.init_scale == "own" else {}
    initialize(parent, config.init_seed, {name: 1 / scale for name, scale in own.items()})
    densities = report(config, mask, parent)
    if config.engine == "compacted":
        return Network(nodes.compact(parent, config.model, keep), None, densities)
    return Network(parent, mask, densities)


def _dense(config: RunConfig, parent: nn.Module, model: nn.Module) -> Network:
    """A dense network: the parent itself, or a narrower one with the parent's init scale or its own."""
    shapes, parents = maskable(model), maskable(parent)
    initialize(model, config.init_seed, {} if config.init_scale == "own" else _init_scales(parents, shapes))
    layers = {name: math.prod(shape) / math.prod(parents[name]) for name, shape in shapes.items()}
    weights = sum(map(math.prod, shapes.values()))
    realised = weights / sum(map(math.prod, parents.values()))
    return Network(
        model,
        None,
        {
            "asked": config.density,
            "realised": realised,
            "effective": realised,
            "weights": weights,
            "layers": layers,
            "empty_layers": [],
        },
    )


def _init_scales(parent: dict[str, tuple[int, ...]], small: dict[str, tuple[int, ...]]) -> dict[str, float]:
    """Return by how much the parent's Kaiming standard deviation, sqrt(2 / fan-in), is below the small network's."""
    return {name: math.sqrt(fan_in(small[name]) / fan_in(shape)) for name, shape in parent.items()}


def report(config: RunConfig, mask: Mask, parent: nn.Module) -> dict[str, Any]:
    """Return what a record says of the densities of `mask`, on the CPU, over the network `parent`."""
    weights = Mask(mask.weights)
    return {
        "asked": config.density,
        "realised": mask.density,
        "effective": effective_density(weights, flows(parent)),
        "weights": mask.nnz,
        "layers": mask.layer_densities,
        "empty_layers": mask.empty_layers,
    }
