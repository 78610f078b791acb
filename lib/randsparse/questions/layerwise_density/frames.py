"""What layer-wise density does: layers of trained networks by role, and arms at equal density against each other."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import lru_cache

import numpy as np
import pandas as pd

from randsparse.comparison import stats
from randsparse.comparison.design import Arm, Comparison
from randsparse.questions.experiments import DENSE
from randsparse.questions.masks_and_densities import survey
from randsparse.runs import methods
from randsparse.runs.config import RunConfig
from randsparse.runs.store import Record, Store
from randsparse.sparsity import masks
from randsparse.sparsity.densities import Shapes
from randsparse.sparsity.effective import effective_mask
from randsparse.sparsity.layers import maskable
from randsparse.sparsity.masks import Mask
from randsparse.sparsity.paths import Flow, flows

Row = dict[str, object]

FIRST, SHORTCUTS, CLASSIFIER, OTHERS = "first layer", "shortcuts", "classifier", "other layers"
ROLES = (FIRST, SHORTCUTS, CLASSIFIER, OTHERS)
POINT = ["arm", "sparsity"]
RUN = [*POINT, "replicate"]
FEWEST_PERFECT = 5
"""The fewest pairs for which |rho| = 1 is no chance at .05: of n! orders, two are perfect."""


def layers(compared: Comparison, store: Store) -> pd.DataFrame:
    """Return one row a layer of each finished sparse run, in order of depth, as its record tells.

    Columns arm, sparsity, replicate, asked (density of the network), layer, role (one of ROLES), size and kept
    (weights), density, and effective: the share of the layer's weights that lies on a path from input to classes. The
    mask is drawn again for that, from its seed and counts; effective is nan where scores chose the weights, or chance
    their number.
    """
    arms = [arm for arm in compared.finished(store) if arm.sparsity > 0]
    records = store.load([arm.config for arm in arms])
    rows = [row for arm in arms if arm.config.key in records for row in _layers(arm, records[arm.config.key])]
    return pd.DataFrame(rows, columns=[*RUN, "asked", "layer", "role", "size", "kept", "density", "effective"])


def _layers(arm: Arm, record: Record) -> list[Row]:
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
    network = survey.network(model, dataset)
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


def roles(layers: pd.DataFrame) -> pd.DataFrame:
    """Return one row a run and role with the density of all its layers together; `layers` as from `layers`."""
    sums = layers.groupby([*RUN, "role"], sort=False, as_index=False)[["kept", "size"]].sum()
    return sums.assign(density=sums["kept"] / sums["size"])


def by_role(layers: pd.DataFrame) -> pd.DataFrame:
    """Return one row an arm and sparsity, in the order of arms: means over its runs.

    Columns: the density of the layers of each of ROLES that the network has; `emptied`, layers without a weight;
    `cut_off`, layers without a weight on a path; `on_path`, the share of kept weights that is on one; and runs.
    """
    wide = roles(layers).pivot_table(index=POINT, columns="role", values="density", sort=False)
    counted = layers.assign(
        emptied=layers["kept"] == 0,
        cut_off=(layers["effective"] == 0).where(layers["effective"].notna()).astype(float),
        used=layers["effective"] * layers["size"],
    )
    sums = counted.groupby(RUN, sort=False)[["emptied", "cut_off", "used", "kept"]].sum(min_count=1)
    sums["on_path"] = sums["used"] / sums["kept"]
    means = sums.groupby(POINT, sort=False)[["emptied", "cut_off", "on_path"]].mean()
    runs = sums.groupby(POINT, sort=False).size().rename("runs")
    return wide[[name for name in ROLES if name in wide]].join(means).join(runs).reset_index()


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

    The columns of `stats.comparisons`, with arm and baseline; `structure` is a's name, by which `claims.row` tells
    rows apart.
    """
    rows = [stats.comparisons(frame.iloc[:0], y=y).assign(arm="", baseline="")]
    for a, b in dict.fromkeys(pairs):
        found = stats.comparisons(frame, a, b, y, margin).assign(structure=a, arm=a, baseline=b)
        rows.append(found[(found["n"] > 0) & (found["n_baseline"] > 0)])
    return pd.concat([each for each in rows if len(each)] or rows[:1], ignore_index=True)


def shares(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the sparse runs of a frame that have a result, with `share`: effective over realised density."""
    runs = frame[frame["arm"] != DENSE].dropna(subset=["test_accuracy"])
    return runs.assign(share=runs["density_effective"] / runs["density_realised"])


def effective_ranks(frame: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Return Spearman's rho, over the rules, of effective over realised density and test accuracy, at each sparsity.

    Args:
        frame: one row a run, arm being its rule. The means of a rule's runs are one pair: rules count, not runs.

    Columns sparsity, lowest (share of a rule's kept weights that is on a path), rho, low, high, n (rules).
    """
    means = shares(frame).groupby([*POINT], as_index=False)[["share", "test_accuracy"]].mean()
    rows = [
        (sparsity, own["share"].min(), *stats.spearman(own["share"], own["test_accuracy"], level))
        for sparsity, own in means.groupby("sparsity")
    ]
    return pd.DataFrame(rows, columns=["sparsity", "lowest", *stats.Correlation._fields])


def same_density(matched: pd.DataFrame) -> Row:
    """Judge whether all arms realise the density that was asked for, to the weight; from `matched`."""
    off = matched["error"].max()
    verdict = "inconclusive" if matched.empty else "supported" if off == 0 else "contradicted"
    evidence = (
        f"largest |Σ kept − round(density · N)| is {off:g} weights in {matched['runs'].sum()} trained networks, of up "
        f"to {matched['arms'].max():g} arms at {len(matched)} sparsities"
    )
    return {"claim": "All arms of a sparsity have the same realised density", "verdict": verdict, "evidence": evidence}


def effective_explains(frame: pd.DataFrame, gap: float) -> Row:
    """Judge whether, among rules of one density, those with more weights on paths are more accurate.

    By `effective_ranks` at the sparsities where some rule has more than the share `gap` of its weights on no path:
    supported if the 95 % limits of each lie above 0; contradicted if those of one lie below, with Bonferroni's
    correction. |rho| = 1 has no limits, and counts from FEWEST_PERFECT rules on.
    """
    ranks = _informative(effective_ranks(frame), gap)
    corrected = _informative(effective_ranks(frame, 1 - 0.05 / max(1, len(ranks))), gap)
    above, below = _signs(ranks) > 0, _signs(corrected) < 0
    verdict = "contradicted" if below.any() else "supported" if len(above) and above.all() else "inconclusive"
    found = [_rank_text(row) for row in ranks.itertuples()]
    evidence = f"Spearman's rho over rules: {', '.join(found)}" if found else "effective density differs nowhere"
    claim = "At equal density, rules with a higher effective density are more accurate"
    return {"claim": claim, "verdict": verdict, "evidence": evidence}


def _informative(ranks: pd.DataFrame, gap: float) -> pd.DataFrame:
    return ranks[ranks["lowest"] < 1 - gap]


def _signs(ranks: pd.DataFrame) -> np.ndarray:
    """Return the sign of each rho that is told from 0, else 0."""
    perfect = np.isclose(ranks["rho"].abs(), 1) & (ranks["n"] >= FEWEST_PERFECT)
    told = (ranks["low"] > 0) | (ranks["high"] < 0) | perfect
    return np.where(told, np.sign(ranks["rho"]), 0)


def _rank_text(row: tuple) -> str:
    limits = f" [{row.low:+.2f}, {row.high:+.2f}]" if np.isfinite(row.low) else ""
    return f"{row.rho:+.2f}{limits} at {100 * row.sparsity:.4g}% (n = {row.n})"
