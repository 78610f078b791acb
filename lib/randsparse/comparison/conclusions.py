"""The rows that notebooks end with: the primary claim, further findings, and checks; and how they are said."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pandas as pd

from randsparse.comparison import verdicts
from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.primary import PrimaryClaim, Row, claims_of, judge
from randsparse.comparison.wording import number

if TYPE_CHECKING:
    from IPython.display import Markdown

PRIMARY, FINDING, CHECK = "primary claim", "finding", "check"
UNPLANNED = "not planned"


def in_points(estimate: Estimate | None) -> Estimate | None:
    """Return an estimate of a difference of fractions in percentage points."""
    return estimate and replace(estimate, value=100 * estimate.value, error=100 * estimate.error)


def primary(claim: PrimaryClaim, estimate: Estimate | None, regime: str, why_not: str = "") -> dict[str, Any]:
    """Return the row of a primary claim.

    Args:
        estimate: in the unit of the claim.
        why_not: says why these runs cannot test the claim, whatever they give; empty if they can.
    """
    row = judge(claim, None if why_not else estimate, regime, claim.unit) | {"kind": PRIMARY}
    return row | {"evidence": why_not} if why_not else row


def finding(
    sentence: str,
    estimate: Estimate | None,
    regime: str,
    unit: str = "points",
    direction: str = "above",
    margin: float = 0,
) -> dict[str, Any]:
    """Return the row of a further finding: a claim with its own direction and margin, judged as primary ones are."""
    whole = PrimaryClaim("", "", sentence, "", unit, direction, margin, 0.95, "", UNPLANNED)
    return judge(whole, estimate, regime, unit) | {"kind": FINDING}


def check(sentence: str, holds: Iterable[bool], evidence: str) -> dict[str, Any]:
    """Return the row of a check: supported if it holds everywhere it was tested, contradicted if not."""
    held = [bool(each) for each in holds]
    verdict = ("supported" if all(held) else "contradicted") if held else "not tested"
    empty = {"estimate": math.nan, "low": math.nan, "high": math.nan, "unit": "", "power": "", "regime": None}
    return {"claim": sentence, "verdict": verdict, "n": len(held), "evidence": evidence, **empty, "kind": CHECK}


def as_check(row: verdicts.Row) -> dict[str, Any]:
    """Return a verdict on many counts or slopes at once, as from `comparison.verdicts`, as the row of a check."""
    verdict = "undecided" if row["verdict"] == "inconclusive" else row["verdict"]
    empty = check("", [], "") | {"n": None}
    return empty | {"claim": f"{row['claim'].rstrip('.')}.", "verdict": verdict, "evidence": row["evidence"]}


def table(rows: Iterable[Mapping[str, Any]]) -> pd.DataFrame:
    """Return the verdicts of a notebook: the columns of `primary.Row`, and kind."""
    return pd.DataFrame(list(rows), columns=[*Row.__annotations__, "kind"])


def stated(notebook: str) -> Markdown:
    """Return the primary claims of a notebook as they were fixed: claim, estimand, replicates and power."""
    return _markdown(
        "\n\n".join(
            f"**Primary claim.** {each.claim} *Estimand*: {each.estimand} ({each.unit}). *Replicates*: "
            f"{each.replicates}. *Power*: {each.power}."
            for each in claims_of(notebook)
        )
    )


def abstract(question: str, estimate: str, follows: str) -> Markdown:
    """Return question and regime, estimate with interval and n, and what follows, as the abstract of a notebook."""
    return _markdown(f"**Abstract.** {question} {estimate} {follows}")


def estimate_text(estimate: Estimate | None, unit: str) -> str:
    """Return "0.31 [−0.10, 0.72] points (n = 8, 95 % interval)", or that there are too few runs."""
    if estimate is None:
        return "an unknown value (too few runs yet)"
    low, high = estimate.interval()
    return f"{number(estimate.value)} [{number(low)}, {number(high)}] {unit} (n = {estimate.n}, 95 % interval)"


def _markdown(text: str) -> Markdown:
    from IPython.display import Markdown

    return Markdown(text)
