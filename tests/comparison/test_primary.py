"""The primary claims and the verdicts that estimates give on them, each flipped by what should flip it."""

from __future__ import annotations

import inspect
import math
import re

import pytest

from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.primary import VERDICTS, PrimaryClaim, find_claims, judge, judge_together
from randsparse.errors import StudyError

NOTEBOOKS = ("02", "03", "04", "05", "06", "08", "09", "10", "11", "12")
FIXED = {
    ("02", "share"): ("below", 0.5, "share"),
    ("03", "gain"): ("within", 0.2, "points"),
    ("04", "slope"): ("above", 0, "points per doubling"),
    ("05", "ERK"): ("above", 0, "points"),
    ("05", "SNIP"): ("within", 1, "points"),
    ("06", "AUROC"): ("at least", -2, "points"),
    ("08", "difference"): ("at least", -0.5, "points"),
    ("09", "difference"): ("at least", -1, "points"),
    ("10", "early"): ("below", 0.3, "correlation"),
    ("10", "late"): ("above", 0, "correlation"),
    ("11", "cost"): ("below", 0, "points"),
    ("12", "text and table"): ("within", 1, "points"),
}


def estimate(value, error=0.05, n=40, df=35):
    return Estimate(value, error, df, n, 2 * n)


def judged(claim, value, error=0.05, **more):
    return judge(claim, estimate(value, error, **more), "WRN-16-1", claim.unit)


def test_the_claims_are_those_that_were_fixed_before_the_runs():
    claims = [claim for notebook in NOTEBOOKS for claim in find_claims(notebook)]
    assert {(each.notebook, each.part): (each.direction, each.margin, each.unit) for each in claims} == FIXED
    assert {each.level for each in claims} == {0.95}
    for each in claims:
        assert each.claim.endswith(".")
        assert all((each.estimand, each.replicates, each.power))
    assert ".96 at a true share of 0" in find_claims("02")[0].power


def test_a_notebook_without_a_claim_is_refused_and_no_margin_can_be_given():
    with pytest.raises(StudyError, match="unknown notebook '07': choose one of 02, 03"):
        find_claims("07")
    assert list(inspect.signature(judge).parameters) == ["claim", "estimate", "regime", "unit"]
    with pytest.raises(AttributeError):
        find_claims("02")[0].margin = 0.9
    with pytest.raises(StudyError, match="unknown direction"):
        PrimaryClaim("02", "share", "", "", "share", "beneath", 0.5, 0.95, "", "")


@pytest.mark.parametrize("key", FIXED)
def test_each_side_of_the_margin_gives_its_verdict(key):
    (claim,) = [each for each in find_claims(key[0]) if each.part == key[1]]
    error = 0.05
    limit = 1.6895725 * error  # t(.95; 35)
    if claim.direction == "within":
        assert judged(claim, 0)["verdict"] == "supported"
        for side in (-1, 1):
            assert judged(claim, side * (claim.margin - limit - 1e-4))["verdict"] == "supported"
            assert judged(claim, side * (claim.margin - limit + 1e-4))["verdict"] == "undecided"
            assert judged(claim, side * (claim.margin + limit - 1e-4))["verdict"] == "undecided"
            assert judged(claim, side * (claim.margin + limit + 1e-4))["verdict"] == "contradicted"
        return
    side = -1 if claim.direction == "below" else 1
    assert judged(claim, claim.margin + side * (limit + 1e-4))["verdict"] == "supported"
    assert judged(claim, claim.margin + side * (limit - 1e-4))["verdict"] == "undecided"
    assert judged(claim, claim.margin - side * (limit - 1e-4))["verdict"] == "undecided"
    assert judged(claim, claim.margin - side * (limit + 1e-4))["verdict"] == "contradicted"


def test_a_row_tells_what_was_found():
    row = judged(find_claims("02")[0], 0.1)
    assert row["estimate"] == 0.1
    assert (row["low"], row["high"]) == pytest.approx((0.1 - 1.6895725 * 0.05, 0.1 + 1.6895725 * 0.05))
    assert (row["unit"], row["n"], row["regime"]) == ("share", 40, "WRN-16-1")
    assert row["power"] == find_claims("02")[0].power
    assert row["evidence"] == "0.1 share, one-sided limits 0.0155 and 0.184, n = 40."


def test_an_undecided_row_tells_what_it_excludes_and_what_would_decide():
    row = judged(find_claims("02")[0], 0.4, 0.2)
    assert "Values below 0.0621 and above 0.738 are excluded." in row["evidence"]
    # (z(.95) + z(.8))^2 = 6.18 times (.2 / .1)^2 times the 40 that there are
    assert int(re.search(r"([\d,]+) replicates", row["evidence"])[1].replace(",", "")) == pytest.approx(990, abs=5)
    within = judged(find_claims("03")[0], 0, 0.2)["evidence"]
    assert int(re.search(r"([\d,]+) replicates", within)[1].replace(",", "")) == pytest.approx(344, abs=5)
    assert "replicates would decide" in judged(find_claims("03")[0], 0.3, 0.2)["evidence"]
    assert "No number of replicates decides" in judged(find_claims("02")[0], 0.5)["evidence"]


def test_nothing_is_tested_without_spread_or_runs():
    claim = find_claims("03")[0]
    for found in (None, estimate(0, 0.0), estimate(0, 1e-15), estimate(math.nan, math.nan)):
        row = judge(claim, found, "digits", "points")
        assert row["verdict"] == "not tested"
        assert math.isnan(row["low"])
    assert judge(claim, None, "digits", "points")["n"] == 0


def test_fractions_are_not_judged_by_a_margin_in_points():
    with pytest.raises(StudyError, match="an estimate in 'fraction' cannot decide this claim: give it in 'points'"):
        judge(find_claims("03")[0], estimate(0), "WRN-16-1", "fraction")


def test_a_claim_of_two_parts_needs_both():
    parts = {verdict: {**judged(find_claims("10")[0], 0), "verdict": verdict} for verdict in VERDICTS}
    expected = {
        ("supported", "supported"): "supported",
        ("supported", "contradicted"): "contradicted",
        ("contradicted", "undecided"): "contradicted",
        ("not tested", "contradicted"): "contradicted",
        ("supported", "undecided"): "undecided",
        ("undecided", "undecided"): "undecided",
        ("supported", "not tested"): "not tested",
        ("not tested", "undecided"): "not tested",
    }
    for pair, verdict in expected.items():
        row = judge_together("Early values say little.", [parts[each] for each in pair])
        assert row["verdict"] == verdict
        assert row["claim"] == "Early values say little."
        assert row["evidence"].count(find_claims("10")[0].claim) == 2
