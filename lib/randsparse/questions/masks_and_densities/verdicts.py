"""Verdicts on what was found of masks and densities without training (`survey`), computed from the frames."""

from __future__ import annotations

import numpy as np
import pandas as pd

from randsparse.comparison import stats
from randsparse.comparison.verdicts import Row, conclude


def gaps(paths: pd.DataFrame, gap: float) -> pd.DataFrame:
    """Return from which sparsity on more than the share `gap` of the kept weights is on no path, by draw and rule.

    Args:
        paths: as from `survey.effective`.

    Columns draw, rule, gap_from (the lowest sparsity from which on the 95 % limits of the share on a path lie below
    1 - gap, nan if there is none), and of the highest sparsity that the rule reaches: highest, share with its limits
    low and high, n, and falls ("yes", "no", or "unclear" where 1 - gap is between the limits).
    """
    rows = []
    for (draw, rule), own in paths.dropna(subset=["share"]).groupby(["draw", "rule"], sort=False):
        table = stats.summary(own, ["sparsity"], "share").sort_values("sparsity")
        below = (table["high"] < 1 - gap).to_numpy()
        lasting = table["sparsity"][np.logical_and.accumulate(below[::-1])[::-1]]
        last = table.iloc[-1]
        falls = "yes" if below[-1] else "no" if last["low"] > 1 - gap else "unclear"
        limits = last[["mean", "low", "high"]].clip(0, 1)
        rows.append((draw, rule, lasting.min(), last["sparsity"], *limits, int(last["n"]), falls))
    columns = ["draw", "rule", "gap_from", "highest", "share", "low", "high", "n", "falls"]
    return pd.DataFrame(rows, columns=columns)


def judge_allocation(allocated: pd.DataFrame) -> Row:
    """Judge whether exact allocation keeps round(density · N) weights; from rows of `survey.allocations`."""
    exact = allocated[allocated["allocator"] == "exact"]
    reached, worst = exact["error"].dropna(), exact["error"].abs().max()
    evidence = (
        f"largest |Σ kept − round(density · N)| is {worst:g} weights in {len(reached)} allocations "
        f"({exact['model'].nunique()} networks, {exact['rule'].nunique()} rules, {exact['asked'].nunique()} "
        f"densities); {len(exact) - len(reached)} more cannot be reached"
    )
    return _row("Exact allocation meets every density that a rule can reach", (reached == 0).tolist(), evidence)


def judge_clipping(allocated: pd.DataFrame, point: float = 0.01) -> Row:
    """Judge whether clipping loses more than a point of density in every network, under each rule that is clipped."""
    clipped = allocated[allocated["allocator"] == "clipped"]
    largest = clipped.groupby(["model", "rule"])["shortfall"].max()
    by_rule = clipped.loc[clipped.groupby("rule")["shortfall"].idxmax()]
    places = [
        f"{row.rule} up to {100 * row.shortfall:.1f} points "
        f"({row.model}: asked {row.asked:.0%}, realised {row.realised:.1%})"
        for row in by_rule.itertuples()
    ]
    evidence = f"shortfall of {'; of '.join(places)}; more than {100 * point:g} in "
    evidence += f"{(largest > point).sum()} of {len(largest)} cases (networks and rules)"
    return _row("Clipping densities at 1 misses what was asked", (largest > point).tolist(), evidence)


def judge_effective_density(gaps: pd.DataFrame, gap: float) -> Row:
    """Judge whether effective density falls below density under every rule and draw; from `gaps`."""
    starts = (f"{_from(found)} ({rule})" for rule, found in gaps.groupby("rule", sort=False)["gap_from"])
    places = ", ".join(starts)
    evidence = f"gap of more than {gap:.0%} from a sparsity of {places} on; n = {_ends(gaps['n'])} masks at each"
    decided = [{"yes": True, "no": False, "unclear": None}[each] for each in gaps["falls"]]
    return _row("The effective density of a random mask falls below its density, under every rule", decided, evidence)


def judge_nesting(nested: pd.DataFrame) -> Row:
    """Judge whether a sparser mask of the same seed lies within the denser wherever the counts shrink."""
    outside = nested["outside"]
    evidence = (
        f"{outside.sum():.0f} weights outside, in {len(nested)} pairs of masks; a denser mask of another seed has "
        f"{nested['elsewhere'].mean():.1%} of the sparser one's weights on average"
    )
    return _row("Masks of one seed are nested", (outside == 0).tolist(), evidence)


def _from(sparsities: pd.Series) -> str:
    """Return from where on a gap is, in words; nan is where none was shown."""
    found = (100 * sparsities.dropna()).round(6)
    words = [f"{_ends(found)} %"] if len(found) else []
    return " or ".join([*words, *["none shown"] * (len(found) < len(sparsities))])


def _ends(values: pd.Series) -> str:
    """Return the ends of a range, or its one value."""
    low, high = values.min(), values.max()
    return f"{low:g}" if low == high else f"{low:g}–{high:g}"


def _row(claim: str, holds: list[bool | None], evidence: str) -> Row:
    """Return the verdict on a claim that has to hold everywhere; None is where it cannot be told."""
    return conclude(claim, [each is True for each in holds], [each is False for each in holds], evidence)
