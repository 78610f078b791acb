"""The verdicts of notebook 12: the primary claim, further findings, and checks, one row each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from randsparse.comparison.conclusions import conclude_finding, conclude_primary, convert_to_points, make_table
from randsparse.comparison.primary import find_claims
from randsparse.data import catalogue
from randsparse.questions.beyond_images.evidence import Evidence

CLAIMED = {"table", "text"}
"""The kinds of data that the primary claim is about."""


def judge(found: Evidence) -> pd.DataFrame:
    """Return the rows of notebook 12, the primary claim first."""
    return make_table([judge_primary(found), *_findings(found), found.every_run()])


def judge_primary(found: Evidence) -> dict[str, Any]:
    """Return the row of the primary claim, which takes candidates on a table and on text."""
    (claim,) = find_claims("12")
    searched = set(found.gains["cell"])
    kinds = {catalogue.source(point.dataset).kind for name, point in found.points.items() if name in searched}
    why_not = (
        "" if kinds == CLAIMED or not searched else "The claim is about text and table; only one of them has runs."
    )
    return conclude_primary(claim, convert_to_points(found.gain), found.regime, why_not)


def _findings(found: Evidence) -> Iterator[dict[str, Any]]:
    for group, verb, *judged in (
        ("controls", "is more accurate than"),
        ("sources", "is at most 1 point less accurate than", "points", "at least", -1),
    ):
        for a, b in found.parameters[group]:
            yield conclude_finding(
                _compared(a, verb, b), convert_to_points(found.difference(a, b)), found.regime, *judged
            )


def _compared(a: str, verb: str, b: str) -> str:
    """Return a claim about two cells, such as: On text, ER 90 % is more accurate than dense."""
    data, comma, name = a.partition(", ")
    if comma and b.startswith(data + comma):
        return f"On {data}, {name} {verb} {b.removeprefix(data + comma)}."
    return f"{a} {verb} {b}."
