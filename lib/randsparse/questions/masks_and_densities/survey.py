"""What can be learned of masks and densities without training: one tidy frame a question.

Networks are on PyTorch's meta device: they have shapes, and no weights. A density that a rule cannot meet is a row
with nan where its values would be.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import pairwise, product
from typing import Any

import pandas as pd
import torch
from torch import Tensor

from randsparse.data import catalogue
from randsparse.errors import StudyError
from randsparse.networks import nodes
from randsparse.networks.registry import build
from randsparse.networks.residual import ResidualNetwork
from randsparse.runs.config import RunConfig
from randsparse.sparsity import densities, masks
from randsparse.sparsity.effective import effective_mask
from randsparse.sparsity.layers import maskable
from randsparse.sparsity.masks import Mask
from randsparse.sparsity.paths import flows

CLIPPING = ("balanced", "erk")
"""The rules whose densities the released code of Gadhikar et al. 2023 clips at 1."""


def network(model: str, dataset: str) -> ResidualNetwork:
    """Return the network of that name for the images and classes of a dataset, without weights."""
    with torch.device("meta"):
        return build(RunConfig(dataset=dataset, model=model).model, *catalogue.shape(dataset))


def layers(model: ResidualNetwork, rules: Iterable[str], sparsities: Iterable[float]) -> pd.DataFrame:
    """Return one row per rule, sparsity and layer, in order of depth: its size, weights kept and density.

    Of a sparsity that a rule cannot reach there are no rows; see `list_unreachable`.
    """
    shapes = maskable(model)
    frame = pd.DataFrame(
        {**point, "layer": layer, "size": math.prod(shapes[layer]), "kept": kept}
        for point, counts in _points(shapes, rules, sparsities)
        for layer, kept in (counts or {}).items()
    )
    return frame.assign(density=frame["kept"] / frame["size"])


def list_unreachable(model: ResidualNetwork, rules: Iterable[str], sparsities: Iterable[float]) -> pd.DataFrame:
    """Return one row per rule and sparsity that it cannot reach, with the reason."""
    shapes = maskable(model)
    rows = [
        {**point, "reason": _reason(shapes, point["asked"], point["rule"])}
        for point, counts in _points(shapes, rules, sparsities)
        if counts is None
    ]
    return pd.DataFrame(rows, columns=["rule", "sparsity", "reason"])


def allocations(networks: Mapping[str, ResidualNetwork], rules: Iterable[str], asked: Iterable[float]) -> pd.DataFrame:
    """Return one row per network, allocator, rule and density asked for: what is realised in all layers together.

    Allocators: "exact" is `densities.allocate`; "clipped" (of the rules CLIPPING) is what the code of Gadhikar et al.
    realises, a number of weights that is right on average. `shortfall` is asked minus realised density; `error` is the
    number of weights by which the sum of the counts differs from round(density · N).
    """
    rows = []
    for (name, model), rule, density in product(networks.items(), rules, asked):
        shapes = maskable(model)
        sizes = {layer: math.prod(shape) for layer, shape in shapes.items()}
        point = {"model": name, "rule": rule, "asked": density, "weights": sum(sizes.values())}
        counts = _allocate(shapes, density, rule)
        rows.append({**point, "allocator": "exact", "kept": sum(counts.values()) if counts else math.nan})
        if rule in CLIPPING and counts:
            clipped = densities.clip_densities(shapes, density, rule)
            rows.append({**point, "allocator": "clipped", "kept": sum(clipped[each] * sizes[each] for each in sizes)})
    frame = pd.DataFrame(rows)
    frame["error"] = frame["kept"] - (frame["asked"] * frame["weights"]).round()
    frame["realised"] = frame["kept"] / frame["weights"]
    return frame.assign(shortfall=frame["asked"] - frame["realised"])


def pictures(model: ResidualNetwork, layer: str, sparsity: float, seed: int) -> dict[str, Tensor]:
    """Return the mask of one layer by how it is drawn: `masks.KINDS` at a uniform density, and nodes.

    The node mask keeps the share √density of the nodes of every group, hence about `density` of the weights between
    two groups.
    """
    shapes, density = maskable(model), _density(sparsity)
    counts = densities.allocate(shapes, density, "uniform")
    drawn = {kind: masks.draw(shapes, counts, seed, kind)[layer] for kind in masks.KINDS}
    keep = nodes.draw_nodes(model, math.sqrt(density), seed)
    return drawn | {"nodes": nodes.node_mask(model, keep)[layer]}


def positions(pictures: Mapping[str, Tensor]) -> pd.DataFrame:
    """Return one row per kept weight of `pictures`: kind, output, input, and a convolution's kernel row and column."""
    columns = ["output", "input", "row", "column"]
    frames = [
        pd.DataFrame(kept.nonzero().numpy(), columns=columns[: kept.dim()]).assign(kind=kind)
        for kind, kept in pictures.items()
    ]
    return pd.concat(frames, ignore_index=True)


def draws(model: ResidualNetwork, layer: str, sparsity: float, seeds: int) -> pd.DataFrame:
    """Return one row per kind of draw and seed: of one layer, the weights kept and the inputs of its output channels.

    Columns kind, seed, size, kept, fewest and most (inputs that an output keeps), and without_inputs (the outputs that
    keep none).
    """
    rows = []
    for seed in range(seeds):
        for kind, kept in pictures(model, layer, sparsity, seed).items():
            inputs = kept.flatten(1).sum(1)
            rows.append(
                {
                    "kind": kind,
                    "seed": seed,
                    "size": kept.numel(),
                    "kept": int(kept.sum()),
                    "fewest": int(inputs.min()),
                    "most": int(inputs.max()),
                    "without_inputs": int((inputs == 0).sum()),
                }
            )
    return pd.DataFrame(rows)


def effective(
    model: ResidualNetwork, rules: Iterable[str], sparsities: Iterable[float], kinds: Iterable[str], seeds: int
) -> pd.DataFrame:
    """Return one row per rule, sparsity, kind of draw and seed: densities, and the layers through which nothing passes.

    Columns asked, realised and effective (densities), share (effective / realised), empty (the share of layers that
    keep no weight) and cut_off (the share of layers without a weight on a path from input to classes).
    """
    shapes, steps = maskable(model), flows(model)
    return pd.DataFrame(
        {**point, "draw": kind, "seed": seed}
        | (_passing(masks.draw(shapes, counts, seed, kind), steps) if counts else {})
        for (point, counts), kind, seed in product(_points(shapes, rules, sparsities), kinds, range(seeds))
    )


def pairs(model: ResidualNetwork, rules: Iterable[str], sparsities: Iterable[float], count: int) -> pd.DataFrame:
    """Return one row per rule, sparsity and pair of masks of different seeds: their Jaccard index, and that of chance.

    No seed is in two pairs, so that pairs are independent.
    """
    shapes = maskable(model)
    rows = []
    for (point, counts), pair in product(_points(shapes, rules, sparsities), range(count)):
        two = [masks.draw(shapes, counts, seed) for seed in (2 * pair, 2 * pair + 1)] if counts else []
        rows.append({**point, "pair": pair} | (masks.overlap(*two)._asdict() if two else {}))
    return pd.DataFrame(rows)


def measure_nesting(
    model: ResidualNetwork, rules: Iterable[str], sparsities: Iterable[float], seeds: int
) -> pd.DataFrame:
    """Return how much of a mask lies inside the next denser one: one row per rule, step of sparsity and seed.

    Columns sparsity (of the sparser mask), denser (sparsity of the other), contained (share of the sparser mask's
    weights that the denser of the same seed has), elsewhere (the same, with a denser mask of another seed), and
    outside (the number of weights that are not contained, of layers whose counts do not grow with sparsity).
    Raises StudyError for less than two sparsities.
    """
    shapes, steps = maskable(model), sorted(set(sparsities))
    if len(steps) < 2:
        raise StudyError(f"sparsities {steps}: give two or more, since masks are compared with the next denser ones")
    rows = []
    for rule in rules:
        reached = [(point, counts) for point, counts in _points(shapes, [rule], steps) if counts]
        for ((denser, many), (sparser, few)), seed in product(pairwise(reached), range(seeds)):
            own, other = (masks.draw(shapes, many, each) for each in (seed, seed + seeds))
            mask = masks.draw(shapes, few, seed)
            outside = {name: int((kept & ~own[name]).sum()) for name, kept in mask.items()}
            rows.append(
                {
                    **sparser,
                    "denser": denser["sparsity"],
                    "seed": seed,
                    "contained": 1 - sum(outside.values()) / mask.nnz,
                    "elsewhere": sum(int((kept & other[name]).sum()) for name, kept in mask.items()) / mask.nnz,
                    "outside": sum(each for name, each in outside.items() if few[name] <= many[name]),
                }
            )
    return pd.DataFrame(rows)


def _points(
    shapes: densities.Shapes, rules: Iterable[str], sparsities: Iterable[float]
) -> Iterator[tuple[dict[str, Any], dict[str, int] | None]]:
    """Yield rule, sparsity and density asked for, with the counts of the layers, None where they cannot be reached."""
    for rule, sparsity in product(rules, sparsities):
        density = _density(sparsity)
        yield {"rule": rule, "sparsity": sparsity, "asked": density}, _allocate(shapes, density, rule)


def _density(sparsity: float) -> float:
    """Return 1 - sparsity; raises StudyError for a sparsity that no network can have."""
    return RunConfig(sparsity=sparsity).density


def _allocate(shapes: densities.Shapes, density: float, rule: str) -> dict[str, int] | None:
    return None if _reason(shapes, density, rule) else densities.allocate(shapes, density, rule)


def _reason(shapes: densities.Shapes, density: float, rule: str) -> str:
    """Return why a rule cannot meet a density, and "" where it can."""
    try:
        densities.RULES[rule](shapes, density)
    except StudyError as error:
        return str(error)
    return ""


def _passing(mask: Mask, steps: tuple) -> dict[str, float]:
    on_path = effective_mask(mask, steps)
    return {
        "realised": mask.density,
        "effective": on_path.density,
        "share": on_path.nnz / mask.nnz if mask.nnz else 0.0,
        "empty": len(mask.empty_layers) / len(mask.weights),
        "cut_off": len(on_path.empty_layers) / len(mask.weights),
    }
