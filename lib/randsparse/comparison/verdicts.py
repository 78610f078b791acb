"""From comparisons of arms to the verdicts that notebooks end with: one row per claim, computed from the frame."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypedDict

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

from randsparse.errors import StudyError

COLUMNS = {"structure", "sparsity", "mean", "n", "n_baseline", "p_difference", "p_equivalence", "verdict"}


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


def judge(comparisons: pd.DataFrame, expected: str, alpha: float = 0.05) -> str:
    """Return what comparisons say together of the claim that each is `expected`.

    "supported" if all are (each was tested at alpha, and all tests have to agree, which needs no correction);
    "contradicted" if one is decidedly something else after Holm's correction for how many were made, since among many
    comparisons one differs by chance; otherwise, and without any comparison, "inconclusive".

    Args:
        comparisons: verdict, p_difference and p_equivalence, as from `stats.comparisons`.
    """
    against = contradictions(comparisons, expected, alpha)
    return decide(comparisons["verdict"] == expected, against["verdict"] != expected)


def contradictions(comparisons: pd.DataFrame, expected: str, alpha: float = 0.05) -> pd.DataFrame:
    """Return the comparisons that are decidedly not as expected after Holm's correction."""
    decided = comparisons.dropna(subset=["p_difference", "p_equivalence"])
    if decided["verdict"].isin([expected, "inconclusive"]).all():
        return decided[:0]
    differs, equivalent = (
        multipletests(decided[p], alpha, method="holm")[0] for p in ("p_difference", "p_equivalence")
    )
    holds = np.where(decided["verdict"] == "equivalent", equivalent, differs)
    return decided[holds & ~decided["verdict"].isin([expected, "inconclusive"])]


def row(claim: str, comparisons: pd.DataFrame, expected: str, unit: str = "points") -> Row:
    """Return the verdict on one claim from a frame of comparisons (`stats.comparisons`), with how it comes about.

    `evidence` counts the verdicts, names those that contradict the claim, and gives the range of the
    differences and of n. Raises StudyError for a frame that lacks what is needed.

    Args:
        unit: "points" for differences of fractions, given in percentage points; others are given as they are.
    """
    missing = COLUMNS - set(comparisons.columns)
    if missing:
        raise StudyError(f"comparisons have no column {', '.join(sorted(missing))}")
    against = contradictions(comparisons, expected)
    counts = comparisons["verdict"].value_counts()
    evidence = ", ".join(f"{counts[name]} of {len(comparisons)} {name}" for name in counts.index) or "no comparison"
    if len(against):
        places = (f"{row.verdict} at {100 * row.sparsity:.4g}% ({row.structure})" for row in against.itertuples())
        evidence += f"; {', '.join(places)}"
    if len(comparisons):
        ends = comparisons["mean"].min(), comparisons["mean"].max()
        low, high = (f"{100 * end:+.2f}" if unit == "points" else f"{end:+.3f}" for end in ends)
        evidence += f"; differences from {low} to {high} {unit}; n = {_range(comparisons)}"
    return conclude(claim, comparisons["verdict"] == expected, against["verdict"] != expected, evidence)


def table(rows: Iterable[Row]) -> pd.DataFrame:
    """Return the verdict table of a notebook: columns claim, verdict, evidence."""
    return pd.DataFrame(list(rows), columns=["claim", "verdict", "evidence"])


def _range(comparisons: pd.DataFrame) -> str:
    values = pd.concat([comparisons["n"], comparisons["n_baseline"]]).astype(int)
    return str(values.min()) if values.min() == values.max() else f"{values.min()} to {values.max()}"


def same_density(matched: pd.DataFrame) -> Row:
    """Judge whether all arms realise the density that was asked for, to the weight; from `frames.matched`."""
    off = matched["error"].max()
    evidence = (
        f"largest |Σ kept − round(density · N)| is {off:g} weights in {matched['runs'].sum()} trained networks, of up "
        f"to {matched['arms'].max():g} arms at {len(matched)} sparsities"
    )
    claim = "All arms of a sparsity have the same realised density"
    return conclude(claim, matched["error"] == 0, matched["error"] != 0, evidence)
