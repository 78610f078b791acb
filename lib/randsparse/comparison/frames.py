"""The frames that figures and tables are made from: one row per arm and replicate, or epoch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import torch

from randsparse.comparison.design import Arm, Comparison
from randsparse.data import catalogue
from randsparse.networks.registry import build
from randsparse.runs import methods
from randsparse.runs.config import RunConfig
from randsparse.runs.store import Record, Store
from randsparse.sparsity import masks
from randsparse.sparsity.densities import Shapes
from randsparse.sparsity.effective import effective_mask
from randsparse.sparsity.layers import maskable
from randsparse.sparsity.masks import Mask
from randsparse.sparsity.paths import Flow, flows

FIRST, SHORTCUTS, CLASSIFIER, OTHERS = "first layer", "shortcuts", "classifier", "other layers"
ROLES = (FIRST, SHORTCUTS, CLASSIFIER, OTHERS)
RUN = ["arm", "sparsity", "replicate"]


def results(compared: Comparison, store: Store) -> pd.DataFrame:
    """Return one row per arm and replicate of finished runs: its labels, then the columns of `Store.frame`.

    The times are left out, which differ between equal runs. Labels win: a dense run stands in the panels of both
    structures.
    """
    arms = compared.singles(store)
    records = store.frame([arm.config for arm in arms])
    records = records.drop(columns=["structure", "sparsity", "seconds", "images_per_second"])
    return _labels(arms).merge(records, on="key", validate="many_to_one")


def curves(compared: Comparison, store: Store) -> pd.DataFrame:
    """Return one row per arm, replicate and epoch, of the finished runs of a comparison."""
    arms = compared.singles(store)
    points = store.curves([arm.config for arm in arms])
    return _labels(arms).merge(points.drop(columns=["structure", "sparsity"]), on="key", validate="many_to_many")


def _labels(arms: Iterable[Arm]) -> pd.DataFrame:
    """Return one row per arm: arm, structure, sparsity, replicate and the key of its run."""
    rows = [(arm.arm, arm.structure, arm.sparsity, arm.replicate, arm.config.key) for arm in arms]
    return pd.DataFrame(rows, columns=["arm", "structure", "sparsity", "replicate", "key"])


def layers(compared: Comparison, store: Store) -> pd.DataFrame:
    """Return one row per layer of each finished sparse run, in order of depth, as its record tells.

    Columns arm, sparsity, replicate, asked (density of the network), layer, role (one of ROLES), size and kept
    (weights), density, and effective: the share of the layer's weights that lies on a path from input to classes. The
    mask is drawn again for that, from its seed and counts; effective is nan where scores chose the weights, or chance
    their number.
    """
    arms = [arm for arm in compared.singles(store) if arm.sparsity > 0]
    records = store.load([arm.config for arm in arms])
    rows = [row for arm in arms if arm.config.key in records for row in _layers(arm, records[arm.config.key])]
    return pd.DataFrame(rows, columns=[*RUN, "asked", "layer", "role", "size", "kept", "density", "effective"])


def _layers(arm: Arm, record: Record) -> list[dict[str, Any]]:
    shapes, steps = _network(arm.config.model, arm.config.dataset)
    densities = record["density"]["layers"]  # sorted by name, and empty if the run failed
    found = {layer: densities[layer] for layer in shapes if layer in densities}
    sizes = {layer: math.prod(shapes[layer]) for layer in found}
    counts = {layer: round(density * sizes[layer]) for layer, density in found.items()}
    on_path = _on_path(arm.config, shapes, steps, counts) if found else None
    run = {"arm": arm.arm, "sparsity": arm.sparsity, "replicate": arm.replicate, "asked": arm.config.density}
    return [
        {
            **run,
            "layer": layer,
            "role": find_role(layer, shapes),
            "size": sizes[layer],
            "kept": counts[layer],
            "density": density,
            "effective": on_path.layer_densities[layer] if on_path else np.nan,
        }
        for layer, density in found.items()
    ]


@lru_cache(maxsize=8)
def _network(model: str, dataset: str) -> tuple[Shapes, tuple[Flow, ...]]:
    with torch.device("meta"):  # shapes without weights
        network = build(model, *catalogue.shape(dataset))
    return maskable(network), flows(network)


def _on_path(config: RunConfig, shapes: Shapes, steps: tuple[Flow, ...], counts: Mapping[str, int]) -> Mask | None:
    """Return the weights on a path of a mask that seed and counts determine; None for other masks."""
    if config.criterion != "random" or config.draw != "exact" or config.method in methods.DYNAMIC:
        return None
    return effective_mask(masks.draw(shapes, counts, config.mask_seed, preserve_flow=config.preserve_flow), steps)


def find_role(layer: str, shapes: Iterable[str]) -> str:
    """Return what a layer is for, one of ROLES; `shapes` names the layers in order of depth."""
    names = list(shapes)
    if layer in (names[0], names[-1]):
        return FIRST if layer == names[0] else CLASSIFIER
    return SHORTCUTS if "shortcut" in layer.split(".") else OTHERS


def compare_densities(layers: pd.DataFrame) -> pd.DataFrame:
    """Return how far apart realised densities are at each sparsity, over the runs of all arms.

    Columns sparsity, asked (density), arms, runs, lowest and highest (realised density), and error: the most weights
    by which a run differs from round(density · N).
    """
    runs = layers.groupby([*RUN, "asked"], as_index=False)[["kept", "size"]].sum()
    runs["realised"] = runs["kept"] / runs["size"]
    runs["error"] = (runs["kept"] - (runs["asked"] * runs["size"]).map(round)).abs()
    found = runs.groupby(["sparsity", "asked"]).agg(
        arms=("arm", "nunique"),
        runs=("arm", "size"),
        lowest=("realised", "min"),
        highest=("realised", "max"),
        error=("error", "max"),
    )
    return found.reset_index().sort_values("sparsity", ignore_index=True)
