"""The primary claims of the notebooks, and the verdicts that estimates give on them.

What is claimed, in which unit and with which margin was fixed before the runs and stands in primary_claims.yaml; no
function here takes a margin.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TypedDict

import yaml

from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.inference.power import replicates_needed
from randsparse.errors import StudyError, unknown

VERDICTS = ("supported", "contradicted", "undecided", "not tested")
DIRECTIONS = ("below", "above", "at least", "within")


@dataclass(frozen=True)
class PrimaryClaim:
    """One claim as it was fixed before the runs; the fields are those of primary_claims.yaml."""

    notebook: str
    part: str
    claim: str
    estimand: str
    unit: str
    direction: str
    margin: float
    level: float
    replicates: str
    power: str

    def __post_init__(self) -> None:
        if self.direction not in DIRECTIONS:
            raise unknown("direction", self.direction, DIRECTIONS)

    def decide(self, low: float, high: float) -> str:
        """Return the verdict that two one-sided limits of the claim's level give."""
        if self.direction == "within":
            inside, outside = -self.margin < low and high < self.margin, low > self.margin or high < -self.margin
        elif self.direction == "below":
            inside, outside = high < self.margin, low > self.margin
        else:
            inside, outside = low > self.margin, high < self.margin
        return "supported" if inside else "contradicted" if outside else "undecided"


class Row(TypedDict):
    """One row of a table of primary claims; low and high are one-sided limits of the claim's level."""

    claim: str
    verdict: str
    estimate: float
    low: float
    high: float
    unit: str
    n: int
    power: str
    regime: str
    evidence: str


@cache
def read_claims() -> tuple[PrimaryClaim, ...]:
    """Return the primary claims of all notebooks, in their order."""
    text = files("randsparse.comparison").joinpath("primary_claims.yaml").read_text(encoding="utf-8")
    return tuple(PrimaryClaim(**entry) for entry in yaml.safe_load(text))


def find_claims(notebook: str) -> tuple[PrimaryClaim, ...]:
    """Return the primary claims of a notebook, "02" to "12". Raises StudyError for one that has none."""
    found = tuple(claim for claim in read_claims() if claim.notebook == notebook)
    if not found:
        raise unknown("notebook", notebook, dict.fromkeys(claim.notebook for claim in read_claims()))
    return found


def judge(claim: PrimaryClaim, estimate: Estimate | None, regime: str, unit: str) -> Row:
    """Return the row of a claim: supported, contradicted or undecided by its one-sided limits, or not tested.

    Supported: the limit lies beyond the margin (within: both limits lie inside). Contradicted: the interval between
    the limits lies wholly on the other side. Not tested: no estimate, or replicates that do not differ.

    Args:
        estimate: None where there are too few runs for one.
        regime: in which the estimate was made: network, images, steps, dense accuracy.
        unit: of the estimate; has to be that of the claim, so that no fraction is judged by a margin in points.

    Raises StudyError for another unit.
    """
    if unit != claim.unit:
        raise StudyError(f"an estimate in {unit!r} cannot decide this claim: give it in {claim.unit!r}")
    low = high = math.nan
    if estimate is None:
        verdict, evidence = "not tested", "There are too few runs for an estimate."
    elif not math.isfinite(estimate.value) or not estimate.varies:
        verdict, evidence = "not tested", "Replicates do not differ, so there is no spread to judge by."
    else:
        low, high = estimate.interval(2 * claim.level - 1)
        verdict = claim.decide(low, high)
        evidence = f"{estimate.value:.3g} {claim.unit}, one-sided limits {low:.3g} and {high:.3g}, n = {estimate.n}."
        if verdict == "undecided":
            evidence = f"{evidence} {_excluded(low, high)} {_needed(claim, estimate)}"
    return {
        "claim": claim.claim,
        "verdict": verdict,
        "estimate": estimate.value if estimate else math.nan,
        "low": low,
        "high": high,
        "unit": claim.unit,
        "n": estimate.n if estimate else 0,
        "power": claim.power,
        "regime": regime,
        "evidence": evidence,
    }


def judge_together(sentence: str, rows: Sequence[Row]) -> Row:
    """Return the row of a claim whose parts all have to hold, with the figures of its first part.

    Supported if every part is, contradicted if one is (each part was tested at its level, which needs no correction:
    Berger, "Multiparameter hypothesis testing and acceptance sampling", 1982); not tested if no part was decided and
    one was not tested; else undecided.
    """
    verdicts = [row["verdict"] for row in rows]
    if "contradicted" in verdicts:
        verdict = "contradicted"
    elif "not tested" in verdicts:
        verdict = "not tested"
    else:
        verdict = "supported" if set(verdicts) == {"supported"} else "undecided"
    evidence = " ".join(f"{row['claim']} {row['verdict'].capitalize()}: {row['evidence']}" for row in rows)
    return {**rows[0], "claim": sentence, "verdict": verdict, "evidence": evidence}


def _excluded(low: float, high: float) -> str:
    """Return what an undecided interval still says."""
    if not math.isfinite(low) and not math.isfinite(high):
        return "No value is excluded."
    return f"Values below {low:.3g} and above {high:.3g} are excluded."


def _needed(claim: PrimaryClaim, estimate: Estimate) -> str:
    """Return how many replicates would decide, should the estimate be the true value."""
    true, spread, within = estimate.value, estimate.error * math.sqrt(estimate.n), claim.direction == "within"
    if within and abs(true) > claim.margin:  # then the claim is false, which one one-sided test shows
        true, within = abs(true), False
    n = replicates_needed(true, claim.margin, spread, within, level=claim.level)
    if not math.isfinite(n):
        return "No number of replicates decides at this value."
    return f"Were this the true value, {n:,.0f} replicates would decide with a power of .8."
