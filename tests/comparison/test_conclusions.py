"""Rows of verdicts: findings are judged by their margin, checks hold everywhere, estimates have their unit."""

from __future__ import annotations

import pytest

from randsparse.comparison import conclusions
from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.primary import claims_of

FOUND = Estimate(1.0, 0.25, 9.0, 10, 20)
"""One-sided 95 % limits: 1 -+ 1.833 * .25, so .54 and 1.46."""


@pytest.mark.parametrize(
    ("direction", "margin", "verdict"),
    [
        ("above", 0.5, "supported"),
        ("above", 0.6, "undecided"),
        ("above", 1.5, "contradicted"),
        ("below", 1.5, "supported"),
        ("below", 0.5, "contradicted"),
        ("at least", -1, "supported"),
        ("within", 1.5, "supported"),
        ("within", 0.5, "contradicted"),
    ],
)
def test_a_finding_is_judged_by_its_own_direction_and_margin(direction, margin, verdict):
    row = conclusions.finding("It is so.", FOUND, "here", "points", direction, margin)
    assert (row["verdict"], row["kind"], row["power"], row["n"]) == (verdict, "finding", "not planned", 10)
    assert (row["low"], row["high"]) == (pytest.approx(0.5417, abs=1e-3), pytest.approx(1.4583, abs=1e-3))


def test_a_primary_claim_is_not_tested_by_runs_that_cannot():
    (claim,) = claims_of("06")
    assert conclusions.primary(claim, FOUND, "here")["verdict"] == "supported"
    row = conclusions.primary(claim, FOUND, "here", "These are other images.")
    assert (row["verdict"], row["evidence"], row["kind"]) == ("not tested", "These are other images.", "primary claim")


def test_a_check_holds_everywhere_or_not():
    for holds, verdict in (([True, True], "supported"), ([True, False], "contradicted"), ([], "not tested")):
        row = conclusions.check("It holds.", holds, "Seen.")
        assert (row["verdict"], row["n"], row["kind"]) == (verdict, len(holds), "check")
    table = conclusions.table(
        [conclusions.finding("It is so.", FOUND, "here"), conclusions.check("It holds.", [True], "Seen.")]
    )
    assert table["kind"].tolist() == ["finding", "check"] and list(table)[-1] == "kind"


def test_a_verdict_on_many_counts_is_a_check():
    row = conclusions.as_check({"claim": "It holds", "verdict": "inconclusive", "evidence": "1 of 2"})
    assert (row["claim"], row["verdict"], row["evidence"]) == ("It holds.", "undecided", "1 of 2")
    assert (row["kind"], row["n"]) == ("check", None)
    assert conclusions.as_check(row | {"verdict": "contradicted"})["verdict"] == "contradicted"


def test_estimates_are_said_with_interval_and_n():
    assert conclusions.estimate_text(FOUND, "nats") == "1.00 [0.43, 1.57] nats (n = 10, 95 % interval)"
    assert "too few runs" in conclusions.estimate_text(None, "nats")
    points = conclusions.in_points(FOUND)
    assert (points.value, points.error, points.n) == (100, 25, 10) and conclusions.in_points(None) is None
    assert conclusions.stated("05").data.count("**Primary claim.**") == 2
