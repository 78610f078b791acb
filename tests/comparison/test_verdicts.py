"""Verdicts change when the data do."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from randsparse.comparison import stats, verdicts


def frame(effect: float, noise: float = 0.002, n: int = 6) -> pd.DataFrame:
    random = np.random.default_rng(1)
    rows = [
        {"arm": arm, "structure": "node", "sparsity": sparsity, "test_accuracy": 0.9 + shift + random.normal(0, noise)}
        for sparsity in (0.2, 0.8)
        for arm, shift in (("searched", effect), ("random", 0.0))
        for _ in range(n)
    ]
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    "effect, noise, expected, verdict",
    [
        (0.0, 0.002, "equivalent", "supported"),
        (0.05, 0.002, "equivalent", "contradicted"),
        (0.05, 0.002, "better", "supported"),
        (-0.05, 0.002, "better", "contradicted"),
        (0.0, 0.05, "equivalent", "inconclusive"),
        (0.0, 0.05, "better", "inconclusive"),
    ],
)
def test_a_planted_effect_decides(effect, noise, expected, verdict):
    row = verdicts.conclude_comparisons(
        "a claim", stats.comparisons(frame(effect, noise), "searched", "random"), expected
    )
    assert row["verdict"] == verdict
    assert "n = 6" in row["evidence"]


def test_one_point_against_the_claim_is_named():
    data = frame(0.0)
    data.loc[(data["sparsity"] == 0.8) & (data["arm"] == "searched"), "test_accuracy"] -= 0.05
    row = verdicts.conclude_comparisons("a claim", stats.comparisons(data, "searched", "random"), "equivalent")
    assert row["verdict"] == "contradicted" and "worse at 80% (node)" in row["evidence"]


def test_one_false_alarm_among_many_contradicts_nothing():
    rows = pd.concat([stats.comparisons(frame(0.0), "searched", "random")] * 10, ignore_index=True)
    rows.loc[0, ["verdict", "p_difference", "p_equivalence"]] = ["better", 0.03, 0.9]
    assert verdicts.conclude_comparisons("a claim", rows, "equivalent")["verdict"] == "inconclusive"
    rows.loc[0, "p_difference"] = 0.0001
    assert verdicts.conclude_comparisons("a claim", rows, "equivalent")["verdict"] == "contradicted"


def test_no_comparison_decides_nothing():
    rows = stats.comparisons(frame(0.0), "searched", "random")
    row = verdicts.conclude_comparisons("a claim", rows[:0], "equivalent")
    assert row["verdict"] == "inconclusive" and row["evidence"] == "no comparison"


@pytest.mark.parametrize(
    ("holds", "fails", "verdict"),
    [
        ([], [], "inconclusive"),
        ([True], [False], "supported"),
        ([True, True], [], "supported"),
        ([True, False], [False, False], "inconclusive"),
        ([False], [False], "inconclusive"),
        ([True, False], [False, True], "contradicted"),
        ([], [True], "contradicted"),
        (pd.Series([True, True]), np.array([False, False]), "supported"),
    ],
)
def test_one_rule_decides(holds, fails, verdict):
    assert verdicts.decide(holds, fails) == verdict
    row = verdicts.conclude("a claim", holds, fails, "why")
    assert row == {"claim": "a claim", "verdict": verdict, "evidence": "why"}
