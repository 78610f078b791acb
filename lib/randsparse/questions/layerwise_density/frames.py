"""What layer-wise density does: layers of trained networks by role, and arms at equal density against each other."""

from __future__ import annotations

import numpy as np
import pandas as pd

from randsparse.comparison import stats
from randsparse.comparison.design import DENSE
from randsparse.comparison.frames import ROLES, RUN
from randsparse.comparison.verdicts import Row, conclude

POINT = ["arm", "sparsity"]
FEWEST_PERFECT = 5
"""The fewest pairs for which |rho| = 1 is no chance at .05: of n! orders, two are perfect."""


def roles(layers: pd.DataFrame) -> pd.DataFrame:
    """Return one row per run and role with the density of all its layers together; `layers` as from `frames.layers`."""
    sums = layers.groupby([*RUN, "role"], sort=False, as_index=False)[["kept", "size"]].sum()
    return sums.assign(density=sums["kept"] / sums["size"])


def by_role(layers: pd.DataFrame) -> pd.DataFrame:
    """Return one row per arm and sparsity, in the order of arms: means over its runs.

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


def shares(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the sparse runs of a frame that have a result, with `share`: effective over realised density."""
    runs = frame[frame["arm"] != DENSE].dropna(subset=["test_accuracy"])
    return runs.assign(share=runs["density_effective"] / runs["density_realised"])


def effective_ranks(frame: pd.DataFrame, level: float = 0.95) -> pd.DataFrame:
    """Return Spearman's rho, over the rules, of effective over realised density and test accuracy, at each sparsity.

    Args:
        frame: one row per run, arm being its rule. The means of a rule's runs are one pair: rules count, not runs.

    Columns sparsity, lowest (share of a rule's kept weights that is on a path), rho, low, high, n (rules).
    """
    means = shares(frame).groupby([*POINT], as_index=False)[["share", "test_accuracy"]].mean()
    rows = [
        (sparsity, own["share"].min(), *stats.spearman(own["share"], own["test_accuracy"], level))
        for sparsity, own in means.groupby("sparsity")
    ]
    return pd.DataFrame(rows, columns=["sparsity", "lowest", *stats.Correlation._fields])


def effective_explains(frame: pd.DataFrame, gap: float) -> Row:
    """Judge whether, among rules of one density, those with more weights on paths are more accurate.

    By `effective_ranks` at the sparsities where some rule has more than the share `gap` of its weights on no path:
    supported if the 95 % limits of each lie above 0; contradicted if those of one lie below, with Bonferroni's
    correction. |rho| = 1 has no limits, and counts from FEWEST_PERFECT rules on.
    """
    ranks = _informative(effective_ranks(frame), gap)
    corrected = _informative(effective_ranks(frame, 1 - 0.05 / max(1, len(ranks))), gap)
    above, below = _signs(ranks) > 0, _signs(corrected) < 0
    found = [_rank_text(row) for row in ranks.itertuples()]
    evidence = f"Spearman's rho over rules: {', '.join(found)}" if found else "effective density differs nowhere"
    claim = "At equal density, rules with a higher effective density are more accurate"
    return conclude(claim, above, below, evidence)


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
