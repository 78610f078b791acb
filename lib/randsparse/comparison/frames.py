"""The frames that figures and tables are made from: one row per arm and replicate, or epoch."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
import torch

from randsparse.comparison import stats
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
    """Return one row per arm and replicate of finished runs: its labels, then the columns of `Store.frame`."""
    return join_records([label(arm) for arm in compared.singles(store)], store)


def curves(compared: Comparison, store: Store) -> pd.DataFrame:
    """Return one row per arm, replicate and epoch, of the finished runs of a comparison."""
    rows: list[dict[str, Any]] = []
    configs: dict[str, RunConfig] = {}
    for arm in compared.finished(store):
        configs[arm.config.key] = arm.config
        labels = label(arm)
        del labels["config"]
        rows.append(labels)
    points = store.curves(list(configs.values()))
    return pd.DataFrame(rows).merge(points.drop(columns=["structure", "sparsity"]), on="key", validate="many_to_many")


def infeasible(compared: Comparison) -> pd.DataFrame:
    """Return one row per point that cannot be reached: arm, structure, sparsity, reason."""
    columns = ["model", "arm", "structure", "sparsity", "reason"]
    return pd.DataFrame([vars(point) for point in compared.infeasible], columns=columns)


def sized(compared: Comparison, store: Store) -> pd.DataFrame:
    """Return `results` with `weights` kept, and the forward FLOPs of one image on them, `flops_per_image`."""
    frame = results(compared, store)
    records = store.load([arm.config for arm in compared.finished(store)])
    kept = {key: record["density"]["weights"] for key, record in records.items()}
    costs = {key: record["cost"] for key, record in records.items()}
    flops = {key: cost["sparse_flops"] / (3 * cost["images"]) for key, cost in costs.items() if cost["images"]}
    return frame.assign(weights=frame["key"].map(kept), flops_per_image=frame["key"].map(flops))


def layers(compared: Comparison, store: Store) -> pd.DataFrame:
    """Return one row per layer of each finished sparse run, in order of depth, as its record tells.

    Columns arm, sparsity, replicate, asked (density of the network), layer, role (one of ROLES), size and kept
    (weights), density, and effective: the share of the layer's weights that lies on a path from input to classes. The
    mask is drawn again for that, from its seed and counts; effective is nan where scores chose the weights, or chance
    their number.
    """
    arms = [arm for arm in compared.finished(store) if arm.sparsity > 0]
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
            "role": role(layer, shapes),
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


def role(layer: str, shapes: Iterable[str]) -> str:
    """Return what a layer is for, one of ROLES; `shapes` names the layers in order of depth."""
    names = list(shapes)
    if layer in (names[0], names[-1]):
        return FIRST if layer == names[0] else CLASSIFIER
    return SHORTCUTS if "shortcut" in layer.split(".") else OTHERS


def matched(layers: pd.DataFrame) -> pd.DataFrame:
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


def differences(
    frame: pd.DataFrame, pairs: Iterable[tuple[str, str]], margin: float, y: str = "test_accuracy"
) -> pd.DataFrame:
    """Return arm a minus arm b for pairs (a, b), at each sparsity that both have runs of.

    The columns of `stats.comparisons`, with arm and baseline; `structure` is a's name, by which `verdicts.row` tells
    rows apart.
    """
    rows = [stats.comparisons(frame.iloc[:0], y=y).assign(arm="", baseline="")]
    for a, b in dict.fromkeys(pairs):
        found = stats.comparisons(frame, a, b, y, margin).assign(structure=a, arm=a, baseline=b)
        rows.append(found[(found["n"] > 0) & (found["n_baseline"] > 0)])
    return pd.concat([each for each in rows if len(each)] or rows[:1], ignore_index=True)


def label(arm: Arm) -> dict[str, Any]:
    """Return what a row of a frame says of its arm: arm, structure, sparsity, replicate, key, and the config itself."""
    names = ("arm", "structure", "sparsity", "replicate")
    return {name: getattr(arm, name) for name in names} | {"key": arm.config.key, "config": arm.config}


def join_records(rows: list[dict[str, Any]], store: Store) -> pd.DataFrame:
    """Join labelled rows with their records, without the times, which differ between equal runs.

    Labels win: a dense run stands in the panels of both structures.
    """
    configs = {row["key"]: row.pop("config") for row in rows}
    records = store.frame(list(configs.values()))
    labels = pd.DataFrame(rows)
    records = records.drop(columns=["structure", "sparsity", "seconds", "images_per_second"])
    return labels.merge(records, on="key", how="inner", validate="many_to_one")
