"""From comparisons of arms to the verdicts that notebooks end with: one row a claim, computed from the frame."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import pandas as pd
from statsmodels.stats.multitest import multipletests

from randsparse.errors import StudyError

COLUMNS = {"structure", "sparsity", "mean", "n", "n_baseline", "p_difference", "p_equivalence", "verdict"}


def judge(comparisons: pd.DataFrame, expected: str, alpha: float = 0.05) -> str:
    """Return what comparisons say together of the claim that each is `expected`.

    "supported" if all are (each was tested at alpha, and all tests have to agree, which needs no correction);
    "contradicted" if one is decidedly something else after Holm's correction for how many were made, since among many
    comparisons one differs by chance; otherwise, and without any comparison, "inconclusive".

    Args:
        comparisons: verdict, p_difference and p_equivalence, as from `stats.comparisons`.
    """
    return _judge(comparisons, expected, contradictions(comparisons, expected, alpha))


def _judge(comparisons: pd.DataFrame, expected: str, against: pd.DataFrame) -> str:
    if len(comparisons) and (comparisons["verdict"] == expected).all():
        return "supported"
    return "contradicted" if len(against) else "inconclusive"


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


def row(claim: str, comparisons: pd.DataFrame, expected: str, unit: str = "points") -> dict[str, object]:
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
    verdict = _judge(comparisons, expected, against)
    counts = comparisons["verdict"].value_counts()
    evidence = ", ".join(f"{counts[name]} of {len(comparisons)} {name}" for name in counts.index) or "no comparison"
    if len(against):
        places = (f"{row.verdict} at {100 * row.sparsity:.4g}% ({row.structure})" for row in against.itertuples())
        evidence += f"; {', '.join(places)}"
    if len(comparisons):
        ends = comparisons["mean"].min(), comparisons["mean"].max()
        low, high = (f"{100 * end:+.2f}" if unit == "points" else f"{end:+.3f}" for end in ends)
        evidence += f"; differences from {low} to {high} {unit}; n = {_range(comparisons)}"
    return {"claim": claim, "verdict": verdict, "evidence": evidence}


def table(rows: Iterable[dict[str, object]]) -> pd.DataFrame:
    """Return the verdict table of a notebook: columns claim, verdict, evidence."""
    return pd.DataFrame(list(rows), columns=["claim", "verdict", "evidence"])


def _range(comparisons: pd.DataFrame) -> str:
    values = pd.concat([comparisons["n"], comparisons["n_baseline"]]).astype(int)
    return str(values.min()) if values.min() == values.max() else f"{values.min()} to {values.max()}"
