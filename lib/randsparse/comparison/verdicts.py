"""From comparisons of arms to the verdicts that notebooks end with: one row per claim, computed from the frame."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypedDict

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests


class Row(TypedDict):
    """One row of a verdict table: a claim, the verdict on it, and what tells why."""

    claim: str
    verdict: str
    evidence: str


def decide(holds: Iterable[bool], fails: Iterable[bool]) -> str:
    """Return the verdict on a claim that has to hold at every point: the one rule of the study.

    "contradicted" if it is shown to fail at some point; "supported" if it is shown to hold at all points, of which
    there has to be one; otherwise "inconclusive". What is shown is for the caller to test, as is a correction for how
    many points there are. A point that is shown neither to hold nor to fail is undecided.

    Args:
        holds: whether the claim is shown to hold, one value per point.
        fails: whether the claim is shown to fail, one value per point that can show that.
    """
    shown = [bool(each) for each in holds]
    if any(fails):
        return "contradicted"
    return "supported" if shown and all(shown) else "inconclusive"


def conclude(claim: str, holds: Iterable[bool], fails: Iterable[bool], evidence: str) -> Row:
    """Return the row of a claim whose verdict `decide` finds."""
    return {"claim": claim, "verdict": decide(holds, fails), "evidence": evidence}


def contradictions(comparisons: pd.DataFrame, expected: str, alpha: float = 0.05) -> pd.DataFrame:
    """Return the comparisons that are decidedly not as expected, after Holm's correction for how many were made.

    Among many comparisons one differs by chance. That all are as expected needs no correction: each was tested at
    alpha, and all tests have to agree.

    Args:
        comparisons: verdict, p_difference and p_equivalence, as from `stats.comparisons`.
    """
    decided = comparisons.dropna(subset=["p_difference", "p_equivalence"])
    if decided["verdict"].isin([expected, "inconclusive"]).all():
        return decided[:0]
    differs, equivalent = (
        multipletests(decided[p], alpha, method="holm")[0] for p in ("p_difference", "p_equivalence")
    )
    holds = np.where(decided["verdict"] == "equivalent", equivalent, differs)
    return decided[holds & ~decided["verdict"].isin([expected, "inconclusive"])]


def conclude_comparisons(claim: str, comparisons: pd.DataFrame, expected: str) -> Row:
    """Return the verdict on the claim that all comparisons are `expected`, as from `stats.comparisons`.

    `evidence` counts the verdicts, names those that contradict the claim, and gives the range of the differences (of
    fractions, in percentage points) and of n.
    """
    against = contradictions(comparisons, expected)
    counts = comparisons["verdict"].value_counts()
    evidence = ", ".join(f"{counts[name]} of {len(comparisons)} {name}" for name in counts.index) or "no comparison"
    if len(against):
        places = (f"{row.verdict} at {100 * row.sparsity:.4g}% ({row.structure})" for row in against.itertuples())
        evidence += f"; {', '.join(places)}"
    if len(comparisons):
        low, high = (f"{100 * end:+.2f}" for end in (comparisons["mean"].min(), comparisons["mean"].max()))
        sizes = comparisons[["n", "n_baseline"]].to_numpy()
        n = f"{sizes.min()}" if sizes.min() == sizes.max() else f"{sizes.min()} to {sizes.max()}"
        evidence += f"; differences from {low} to {high} points; n = {n}"
    return conclude(claim, comparisons["verdict"] == expected, [True] * len(against), evidence)
