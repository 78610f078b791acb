from __future__ import annotations

import math

import pandas as pd
import pytest

from randsparse.questions.masks_and_densities import verdicts


def paths(**shares):
    """A frame as from `surveys.effective`: by rule, the shares of the draws at each sparsity."""
    return pd.DataFrame(
        {"draw": "exact", "rule": rule, "sparsity": sparsity, "share": share}
        for rule, points in shares.items()
        for sparsity, values in points.items()
        for share in values
    )


@pytest.fixture
def gaps():
    return verdicts.gaps(
        paths(
            late={0.5: [1, 1], 0.9: [0.85, 0.85], 0.99: [0.1, 0.11], 0.999: [math.nan, math.nan]},
            dips={0.5: [0.5, 0.5], 0.9: [1, 1], 0.99: [0.0, 0.0]},
            never={0.5: [1, 1], 0.99: [0.98, 0.99]},
            unclear={0.5: [1, 1], 0.99: [0.99, 0.88]},
        ),
        gap=0.1,
    ).set_index("rule")


def test_a_gap_starts_where_it_stays_to_the_highest_sparsity_that_is_reached(gaps):
    starts = {"late": 0.9, "dips": 0.99, "never": math.nan, "unclear": math.nan}
    assert gaps["gap_from"].to_dict() == pytest.approx(starts, nan_ok=True)
    assert gaps["falls"].to_dict() == {"late": "yes", "dips": "yes", "never": "no", "unclear": "unclear"}
    assert gaps.loc["late", "highest"] == 0.99 and gaps.loc["late", "share"] == pytest.approx(0.105)
    assert (gaps["n"] == 2).all() and gaps["low"].ge(0).all() and gaps["high"].le(1).all()


def test_one_draw_decides_nothing():
    alone = verdicts.gaps(paths(rule={0.9: [0.1]}), gap=0.1)
    assert alone["falls"].item() == "unclear" and math.isnan(alone["gap_from"].item())


@pytest.mark.parametrize(
    ("rules", "verdict"),
    [
        (["late", "dips"], "supported"),
        (["late", "unclear"], "inconclusive"),
        (["late", "unclear", "never"], "contradicted"),
    ],
)
def test_effective_density_falls_if_it_does_under_every_rule(gaps, rules, verdict):
    row = verdicts.judge_effective_density(gaps.loc[rules].reset_index(), gap=0.1)
    assert row["verdict"] == verdict
    assert "more than 10% from a sparsity of 90 % (late)" in row["evidence"] and "n = 2 masks" in row["evidence"]
    assert ("none shown (unclear)" in row["evidence"]) == ("unclear" in rules)


def test_evidence_gives_the_range_over_draws(gaps):
    two = pd.concat([gaps.loc[["late"]], gaps.loc[["late"]].assign(draw="bernoulli", gap_from=0.995)]).reset_index()
    assert "90–99.5 % (late)" in verdicts.judge_effective_density(two, gap=0.1)["evidence"]
    two.loc[1, "gap_from"] = math.nan
    assert "90 % or none shown (late)" in verdicts.judge_effective_density(two, gap=0.1)["evidence"]


def allocated(allocator, **columns):
    rows = pd.DataFrame(columns)
    return rows.assign(allocator=allocator, asked=0.5, realised=0.5 - rows.get("shortfall", 0))


def test_exact_allocation_is_contradicted_by_one_weight():
    rows = allocated("exact", model=["a", "a", "b"], rule=["erk", "er", "erk"], error=[0, math.nan, 0])
    row = verdicts.judge_allocation(rows)
    assert row["verdict"] == "supported" and "is 0 weights in 2 allocations (2 networks, 2 rules" in row["evidence"]
    assert row["evidence"].endswith("1 more cannot be reached")
    off = verdicts.judge_allocation(rows.assign(error=[0, math.nan, -1]))
    assert off["verdict"] == "contradicted" and "is 1 weights" in off["evidence"]
    nothing = verdicts.judge_allocation(rows.assign(error=math.nan))
    assert nothing["verdict"] == "inconclusive"


def test_clipping_has_to_lose_in_every_network_and_rule():
    rows = allocated("clipped", model=["a", "a", "b"], rule=["erk", "erk", "erk"], shortfall=[0.0, 0.2, 0.3])
    row = verdicts.judge_clipping(rows)
    assert row["verdict"] == "supported"
    assert "erk up to 30.0 points (b: asked 50%, realised 20.0%)" in row["evidence"]
    assert "2 of 2 cases" in row["evidence"]
    kept = verdicts.judge_clipping(rows.assign(shortfall=[0.0, 0.2, 0.001]))
    assert kept["verdict"] == "contradicted" and "1 of 2 cases" in kept["evidence"]


def test_nesting_is_contradicted_by_one_weight():
    frame = pd.DataFrame({"outside": [0, 0], "elsewhere": [0.2, 0.4]})
    row = verdicts.judge_nesting(frame)
    assert row["verdict"] == "supported"
    assert "0 weights outside, in 2 pairs" in row["evidence"] and "30.0%" in row["evidence"]
    assert verdicts.judge_nesting(frame.assign(outside=[0, 1]))["verdict"] == "contradicted"
