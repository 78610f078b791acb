"""The verdicts of notebook 12: the primary claim, further findings, and checks, one row each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from randsparse.comparison.conclusions import finding, in_points, primary, table
from randsparse.comparison.primary import claims_of
from randsparse.data import catalogue
from randsparse.questions.beyond_images.evidence import Evidence

CLAIMED = {"table", "text"}
"""The kinds of data that the primary claim is about."""


def of_other_data(found: Evidence) -> pd.DataFrame:
    """Return the rows of notebook 12, the primary claim first."""
    return table([primary_row(found), *_findings(found), found.every_run()])


def primary_row(found: Evidence) -> dict[str, Any]:
    """Return the row of the primary claim, which takes candidates on a table and on text."""
    (claim,) = claims_of("12")
    searched = set(found.gains["cell"])
    kinds = {catalogue.source(point.dataset).kind for name, point in found.points.items() if name in searched}
    why_not = (
        "" if kinds == CLAIMED or not searched else "The claim is about text and table; only one of them has runs."
    )
    return primary(claim, in_points(found.gain), found.regime, why_not)


def _findings(found: Evidence) -> Iterator[dict[str, Any]]:
    for group, verb, *judged in (
        ("controls", "is more accurate than"),
        ("sources", "is at most 1 point less accurate than", "points", "at least", -1),
    ):
        for a, b in found.parameters[group]:
            yield finding(_compared(a, verb, b), in_points(found.difference(a, b)), found.regime, *judged)


def _compared(a: str, verb: str, b: str) -> str:
    """Return a claim about two cells, such as: On text, ER 90 % is more accurate than dense."""
    data, comma, name = a.partition(", ")
    if comma and b.startswith(data + comma):
        return f"On {data}, {name} {verb} {b.removeprefix(data + comma)}."
    return f"{a} {verb} {b}."
