"""The rows that notebooks end with: the primary claim, further findings, and checks."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from randsparse.comparison import verdicts
from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.primary import PrimaryClaim, Row, judge
from randsparse.comparison.wording import number

PRIMARY, FINDING, CHECK = "primary claim", "finding", "check"
UNPLANNED = "not planned"


def convert_to_points(estimate: Estimate | None) -> Estimate | None:
    """Return an estimate of a difference of fractions in percentage points."""
    return estimate and replace(estimate, value=100 * estimate.value, error=100 * estimate.error)


def conclude_primary(claim: PrimaryClaim, estimate: Estimate | None, regime: str, why_not: str = "") -> dict[str, Any]:
    """Return the row of a primary claim.

    Args:
        estimate: in the unit of the claim.
        why_not: says why these runs cannot test the claim, whatever they give; empty if they can.
    """
    row = judge(claim, None if why_not else estimate, regime, claim.unit) | {"kind": PRIMARY}
    return row | {"evidence": why_not} if why_not else row


def conclude_finding(
    sentence: str,
    estimate: Estimate | None,
    regime: str,
    unit: str = "points",
    direction: str = "above",
    margin: float = 0,
    above: float = math.nan,
) -> dict[str, Any]:
    """Return the row of a further finding: a claim with its own direction and margin, judged as primary ones are.

    Args:
        estimate: in the unit.
        above: P(A > B), nan where it has no meaning.
    """
    whole = PrimaryClaim("", "", sentence, "", unit, direction, margin, 0.95, "", UNPLANNED)
    row = judge(whole, estimate, regime, unit) | {"kind": FINDING}
    return row if math.isnan(above) else row | {"evidence": f"{row['evidence']} P(A > B) = {above:.2f}."}


def conclude_like(
    claim: PrimaryClaim, sentence: str, estimate: Estimate | None, regime: str, above: float = math.nan
) -> dict[str, Any]:
    """Return the row of a further finding, as `conclude_finding`, judged by unit, direction and margin of `claim`."""
    return conclude_finding(sentence, estimate, regime, claim.unit, claim.direction, claim.margin, above)


def tell_interim(runs: int, planned: int) -> str:
    """Return what the evidence says at its end while planned runs are missing, "" when all are there.

    The limits of an estimate do not count how often it was looked at before its last run.
    """
    return f" Interim: {runs} of {planned} runs are there." if runs < planned else ""


def find_interim(evidence: object) -> str:
    """Return "interim, 64 of 80 runs" where the evidence says so as `tell_interim`, else ""."""
    found = re.search(r"Interim: (\d+ of \d+ runs) are there\.", str(evidence))
    return f"interim, {found[1]}" if found else ""


def check(
    sentence: str, holds: Iterable[bool], evidence: str, n: int | None = None, regime: str | None = None
) -> dict[str, Any]:
    """Return the row of a check: supported if it holds everywhere it was tested, contradicted if not.

    Args:
        n: None: how often it was tested.
    """
    held = [bool(each) for each in holds]
    verdict = ("supported" if all(held) else "contradicted") if held else "not tested"
    return _check(sentence, verdict, evidence, len(held) if n is None else n, regime)


def conclude_check(row: verdicts.Row) -> dict[str, Any]:
    """Return a verdict on many counts or slopes at once, as from `comparison.verdicts`, as the row of a check."""
    verdict = "undecided" if row["verdict"] == "inconclusive" else row["verdict"]
    return _check(f"{row['claim'].rstrip('.')}.", verdict, row["evidence"])


def complete(cells: pd.DataFrame, regime: str) -> dict[str, Any]:
    """Return the check that every planned run is there and none diverged; `cells` as of `Cells.cells`."""
    runs, planned, diverged = (int(cells[name].sum()) for name in ("runs", "planned", "diverged"))
    told = f"{runs} of {planned} runs are there, {diverged} of them diverged."
    verdict = "contradicted" if diverged else "supported" if runs == planned else "undecided"
    return _check("Every planned run is finished, and none diverged.", verdict, told, runs, regime)


def check_density(matched: pd.DataFrame, regime: str) -> dict[str, Any]:
    """Return the check that all masks of a sparsity keep the same number of weights; `matched` as of `frames`."""
    off, runs = matched["error"].max(), int(matched["runs"].sum())
    told = f"The largest |kept − round(density · N)| of {runs} trained networks is {off:g} weights."
    told = told if runs else "No sparse network is there yet."
    sentence = "All masks of a sparsity keep the same number of weights."
    return check(sentence, [off == 0] if runs else [], told, runs, regime)


def _check(
    sentence: str, verdict: str, evidence: str, n: int | None = None, regime: str | None = None
) -> dict[str, Any]:
    empty = {"estimate": math.nan, "low": math.nan, "high": math.nan, "unit": "", "power": ""}
    row = {"claim": sentence, "verdict": verdict, "n": n, "evidence": evidence, "regime": regime}
    return row | empty | {"kind": CHECK}


def make_table(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return the verdicts of a notebook: the columns of `primary.Row`, and kind."""
    return pd.DataFrame(list(rows), columns=[*Row.__annotations__, "kind"])


def estimate_text(estimate: Estimate | None, unit: str) -> str:
    """Return "0.31 [−0.10, 0.72] points (n = 8, 95 % interval)", or that there are too few runs."""
    if estimate is None:
        return "an unknown value (too few runs yet)"
    low, high = estimate.interval()
    return f"{number(estimate.value)} [{number(low)}, {number(high)}] {unit} (n = {estimate.n}, 95 % interval)"
