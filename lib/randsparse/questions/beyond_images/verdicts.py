"""The verdicts of notebook 12: the primary claim, further findings, and checks, one row each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from randsparse.comparison.conclusions import check, finding, in_points, primary, table
from randsparse.comparison.primary import claims_of
from randsparse.questions.beyond_images.evidence import Evidence

CLAIMED = {"table", "text"}
"""The kinds of data that the primary claim is about."""


def of_other_data(found: Evidence) -> pd.DataFrame:
    """Return the rows of notebook 12, the primary claim first."""
    return table([primary_row(found), *_findings(found), *_checks(found)])


def primary_row(found: Evidence) -> dict[str, Any]:
    """Return the row of the primary claim, which takes candidates on a table and on text."""
    (claim,) = claims_of("12")
    searched = set(found.gains["cell"])
    datasets = {row["dataset"]: row["kind"] for row in found.data_table.to_dict("records")}
    kinds = {datasets[cell.point.dataset] for cell in found.design.networks if cell.name in searched}
    why_not = (
        "" if kinds == CLAIMED or not searched else "The claim is about text and table; only one of them has runs."
    )
    return primary(claim, in_points(found.gain), found.regime, why_not)


def _findings(found: Evidence) -> Iterator[dict[str, Any]]:
    for a, b in found.parameters["controls"]:
        sentence = _compared(a, "is more accurate than", b)
        yield finding(sentence, in_points(found.difference(a, b)), found.regime)
    for a, b in found.parameters["sources"]:
        sentence = _compared(a, "is at most 1 point less accurate than", b)
        yield finding(sentence, in_points(found.difference(a, b)), found.regime, "points", "at least", -1)


def _compared(a: str, verb: str, b: str) -> str:
    """Return a claim about two cells, such as: On text, ER 90 % is more accurate than dense."""
    data, comma, name = a.partition(", ")
    if comma and b.startswith(data + comma):
        return f"On {data}, {name} {verb} {b.removeprefix(data + comma)}."
    return f"{a} {verb} {b}."


def _checks(found: Evidence) -> Iterator[dict[str, Any]]:
    planned = sum(len(cell.planned(found.store)) for cell in found.design.networks)
    there, diverged = len(found.results), int(found.results["test_accuracy"].isna().sum())
    told = f"{there} of {planned} runs are there, {diverged} of them diverged."
    done = [there == planned and not diverged] if there else []
    yield check("Every planned run is finished.", done, told) | {"n": there}
