"""The table of verdicts of a notebook: rows of the primary claim, of further findings, and of checks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.primary import PrimaryClaim, Row, judge

PRIMARY, FINDING, CHECK = "primary claim", "finding", "check"
UNPLANNED = "not planned"
POINTS = "points"


def in_points(estimate: Estimate | None) -> Estimate | None:
    """Return an estimate of a difference of fractions in percentage points."""
    return estimate and replace(estimate, value=100 * estimate.value, error=100 * estimate.error)


def primary_row(claim: PrimaryClaim, estimate: Estimate | None, regime: str, missing: str = "") -> dict[str, object]:
    """Return the row of a primary claim.

    Args:
        estimate: a difference of fractions, None where there is none.
        missing: why there is none, or which runs it lacks; a sentence of the evidence.
    """
    row = judge(claim, in_points(estimate), regime, POINTS)
    told = missing if estimate is None and missing else " ".join(filter(None, [row["evidence"], missing]))
    return row | {"evidence": told, "kind": PRIMARY}


def finding_row(
    claim: PrimaryClaim, sentence: str, estimate: Estimate | None, regime: str, above: float = math.nan
) -> dict[str, object]:
    """Return the row of a further finding, a sentence that is judged by the direction and margin of `claim`.

    Args:
        estimate: a difference of fractions.
        above: P(A > B), nan where it has no meaning.
    """
    row = judge(replace(claim, claim=sentence), in_points(estimate), regime, POINTS)
    told = row["evidence"] if math.isnan(above) else f"{row['evidence']} P(A > B) = {above:.2f}."
    return row | {"evidence": told, "kind": FINDING, "power": UNPLANNED}


def check_row(sentence: str, verdict: str, evidence: str, n: int, regime: str) -> dict[str, object]:
    """Return the row of a check of the study itself; n counts runs."""
    empty = {"estimate": math.nan, "low": math.nan, "high": math.nan, "unit": "", "power": ""}
    row = {"claim": sentence, "verdict": verdict, "n": n, "regime": regime, "evidence": evidence}
    return row | empty | {"kind": CHECK}


def complete(cells: pd.DataFrame, regime: str) -> dict[str, object]:
    """Return the check that every planned run is there and none diverged; `cells` as of `Cells.cells`."""
    runs, planned, diverged = (int(cells[name].sum()) for name in ("runs", "planned", "diverged"))
    told = f"{runs} of {planned} runs are there, {diverged} of them diverged."
    verdict = "contradicted" if diverged else "supported" if runs == planned else "undecided"
    return check_row("Every planned run is finished, and none diverged.", verdict, told, runs, regime)


def same_density(matched: pd.DataFrame, regime: str) -> dict[str, object]:
    """Return the check that all masks of a sparsity keep the same number of weights; `matched` as of `frames`."""
    off, runs = matched["error"].max(), int(matched["runs"].sum())
    told = f"The largest |kept − round(density · N)| of {runs} trained networks is {off:g} weights."
    verdict = ("supported" if off == 0 else "contradicted") if runs else "not tested"
    told = told if runs else "No sparse network is there yet."
    return check_row("All masks of a sparsity keep the same number of weights.", verdict, told, runs, regime)


def table(rows: Sequence[dict[str, object]]) -> pd.DataFrame:
    """Return rows as a table: the columns of `primary.Row`, then kind."""
    return pd.DataFrame(list(rows), columns=[*Row.__annotations__, "kind"])
