"""Rows of verdicts: findings are judged by their margin, checks hold everywhere, estimates have their unit."""

from __future__ import annotations

import pandas as pd
import pytest

from randsparse.comparison import conclusions
from randsparse.comparison.conclusions import convert_to_points
from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.primary import find_claims

CLAIM = find_claims("05")[1]
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
    row = conclusions.conclude_finding("It is so.", FOUND, "here", "points", direction, margin)
    assert (row["verdict"], row["kind"], row["power"], row["n"]) == (verdict, "finding", "not planned", 10)
    assert (row["low"], row["high"]) == (pytest.approx(0.5417, abs=1e-3), pytest.approx(1.4583, abs=1e-3))


def test_a_primary_claim_is_not_tested_by_runs_that_cannot():
    (claim,) = find_claims("06")
    assert conclusions.conclude_primary(claim, FOUND, "here")["verdict"] == "supported"
    row = conclusions.conclude_primary(claim, FOUND, "here", "These are other images.")
    assert (row["verdict"], row["evidence"], row["kind"]) == ("not tested", "These are other images.", "primary claim")


def test_a_check_holds_everywhere_or_not():
    for holds, verdict in (([True, True], "supported"), ([True, False], "contradicted"), ([], "not tested")):
        row = conclusions.check("It holds.", holds, "Seen.")
        assert (row["verdict"], row["n"], row["kind"]) == (verdict, len(holds), "check")
    table = conclusions.make_table(
        [conclusions.conclude_finding("It is so.", FOUND, "here"), conclusions.check("It holds.", [True], "Seen.")]
    )
    assert table["kind"].tolist() == ["finding", "check"] and list(table)[-1] == "kind"


def test_a_verdict_on_many_counts_is_a_check():
    row = conclusions.conclude_check({"claim": "It holds", "verdict": "inconclusive", "evidence": "1 of 2"})
    assert (row["claim"], row["verdict"], row["evidence"]) == ("It holds.", "undecided", "1 of 2")
    assert (row["kind"], row["n"]) == ("check", None)
    assert conclusions.conclude_check(row | {"verdict": "contradicted"})["verdict"] == "contradicted"


def test_estimates_are_said_with_interval_and_n():
    assert conclusions.estimate_text(FOUND, "nats") == "1.00 [0.43, 1.57] nats (n = 10, 95 % interval)"
    assert "too few runs" in conclusions.estimate_text(None, "nats")
    points = conclusions.convert_to_points(FOUND)
    assert (points.value, points.error, points.n) == (100, 25, 10) and conclusions.convert_to_points(None) is None


@pytest.mark.parametrize(
    ("value", "error", "verdict"),
    [(0.0, 0.004, "supported"), (0.03, 0.004, "contradicted"), (0.009, 0.004, "undecided")],
)
def test_a_difference_of_fractions_is_judged_in_points(value, error, verdict):
    estimate = Estimate(value, error, 9.0, 10, 20)
    row = conclusions.conclude_primary(CLAIM, convert_to_points(estimate), "regime")
    assert (row["verdict"], row["kind"], row["n"]) == (verdict, "primary claim", 10)
    assert (row["estimate"], row["low"]) == pytest.approx((100 * value, 100 * estimate.interval(0.9)[0]))
    found = conclusions.conclude_like(CLAIM, "Another sentence.", convert_to_points(estimate), "regime", above=0.25)
    assert (found["verdict"], found["kind"], found["claim"]) == (verdict, "finding", "Another sentence.")
    assert found["evidence"].endswith("P(A > B) = 0.25.") and found["power"] == "not planned"


def test_a_primary_claim_says_what_it_lacks():
    row = conclusions.conclude_primary(CLAIM, None, "regime", "No run of one cell.")
    assert (row["verdict"], row["evidence"]) == ("not tested", "No run of one cell.")
    assert conclusions.conclude_like(CLAIM, "A sentence.", None, "regime")["verdict"] == "not tested"


@pytest.mark.parametrize(
    ("runs", "diverged", "verdict"), [(8, 0, "supported"), (7, 0, "undecided"), (8, 1, "contradicted")]
)
def test_runs_are_counted(runs, diverged, verdict):
    cells = pd.DataFrame({"runs": [runs, 4], "planned": [8, 4], "diverged": [diverged, 0]})
    row = conclusions.complete(cells, "regime")
    assert (row["verdict"], row["n"], row["kind"]) == (verdict, runs + 4, "check")
    assert row["evidence"] == f"{runs + 4} of 12 runs are there, {diverged} of them diverged."


@pytest.mark.parametrize(("error", "verdict"), [(0, "supported"), (1, "contradicted")])
def test_one_weight_too_many_is_another_density(error, verdict):
    matched = pd.DataFrame({"error": [0.0, float(error)], "runs": [3, 4]})
    row = conclusions.check_density(matched, "regime")
    assert (row["verdict"], row["n"]) == (verdict, 7) and f"is {error} weights" in row["evidence"]
    assert conclusions.check_density(matched[:0], "regime")["verdict"] == "not tested"
