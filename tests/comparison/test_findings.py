"""The rows of verdict tables: units, kinds and checks."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from randsparse.comparison import findings, sentences
from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.primary import claims_of

CLAIM = claims_of("05")[1]


@pytest.mark.parametrize(
    ("value", "error", "verdict"),
    [(0.0, 0.004, "supported"), (0.03, 0.004, "contradicted"), (0.009, 0.004, "undecided")],
)
def test_a_difference_of_fractions_is_judged_in_points(value, error, verdict):
    estimate = Estimate(value, error, 9.0, 10, 20)
    row = findings.primary_row(CLAIM, estimate, "regime")
    assert (row["verdict"], row["kind"], row["n"]) == (verdict, "primary claim", 10)
    assert (row["estimate"], row["low"]) == pytest.approx((100 * value, 100 * estimate.lower(0.95)))
    found = findings.finding_row(CLAIM, "Another sentence.", estimate, "regime", above=0.25)
    assert (found["verdict"], found["kind"], found["claim"]) == (verdict, "finding", "Another sentence.")
    assert found["evidence"].endswith("P(A > B) = 0.25.") and found["power"] == "not planned"


def test_a_primary_claim_says_what_it_lacks():
    row = findings.primary_row(CLAIM, None, "regime", "No run of one cell.")
    assert (row["verdict"], row["evidence"]) == ("not tested", "No run of one cell.")
    assert findings.finding_row(CLAIM, "A sentence.", None, "regime")["verdict"] == "not tested"


@pytest.mark.parametrize(
    ("runs", "diverged", "verdict"), [(8, 0, "supported"), (7, 0, "undecided"), (8, 1, "contradicted")]
)
def test_runs_are_counted(runs, diverged, verdict):
    cells = pd.DataFrame({"runs": [runs, 4], "planned": [8, 4], "diverged": [diverged, 0]})
    row = findings.complete(cells, "regime")
    assert (row["verdict"], row["n"], row["kind"]) == (verdict, runs + 4, "check")
    assert row["evidence"] == f"{runs + 4} of 12 runs are there, {diverged} of them diverged."


@pytest.mark.parametrize(("error", "verdict"), [(0, "supported"), (1, "contradicted")])
def test_one_weight_too_many_is_another_density(error, verdict):
    matched = pd.DataFrame({"error": [0.0, float(error)], "runs": [3, 4]})
    row = findings.same_density(matched, "regime")
    assert (row["verdict"], row["n"]) == (verdict, 7) and f"is {error} weights" in row["evidence"]
    assert findings.same_density(matched[:0], "regime")["verdict"] == "not tested"


def test_a_table_has_the_columns_of_rows_and_their_kind():
    frame = findings.table([findings.check_row("A.", "supported", "b", 3, "regime")])
    assert list(frame)[0] == "claim" and list(frame)[-1] == "kind" and math.isnan(frame.loc[0, "estimate"])


def test_missing_runs_and_rates_are_named():
    cells = pd.DataFrame({"cell": ["a", "b, c", "d"], "runs": [0, 2, 3], "planned": [3, 3, 3]})
    assert sentences.missing_runs(cells).data == "No run yet: *a*. Not all runs yet: *b, c* (2 of 3)."
    assert sentences.missing_runs(cells[2:]).data == "All 3 runs are there."
    rates = pd.DataFrame({"cell": ["rate, a"] * 2 + ["rate, b"], "lr": [0.1, 0.2, 0.1], "chosen": [False, True, False]})
    assert sentences.chosen_rates(rates).data == "Chosen: 0.2 for *a*. Not chosen yet: *rate, b*."
    assert "their campaign fixes it" in sentences.chosen_rates(rates[:0]).data


def test_the_claims_and_sentences_of_a_notebook_are_shown():
    told = sentences.claim("05").data
    assert all(claim.claim in told and claim.estimand in told for claim in claims_of("05"))
    assert sentences.abstract("One.", "Two.").data == "**Abstract.** One. Two."
    assert sentences.what_follows("One.", "", "Two.").data == "One. Two."
