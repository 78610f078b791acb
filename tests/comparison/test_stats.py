"""Intervals and verdicts against hand-computed values, statsmodels, and planted effects."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_ind
from statsmodels.stats.weightstats import ttost_ind

from randsparse.comparison import stats
from randsparse.errors import StudyError

MARGIN = 0.01


def draws(mean: float, deviation: float, n: int, seed: int) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, deviation, n)


def test_mean_interval_by_hand():
    # sem = 1 / sqrt(3), t(.975; 2) = 4.302653
    mean, low, high = stats.mean_interval([1, 2, 3])
    assert mean == 2
    assert low == pytest.approx(2 - 4.302653 / math.sqrt(3), abs=1e-6)
    assert high == pytest.approx(2 + 4.302653 / math.sqrt(3), abs=1e-6)


def test_mean_interval_of_one_none_and_equal_values():
    assert stats.mean_interval([0.5])[0] == 0.5
    assert np.isnan(stats.mean_interval([0.5])[1:]).all()
    assert np.isnan(stats.mean_interval([])).all()
    assert stats.mean_interval([0.1 + 0.2, 0.3, 0.3]) == pytest.approx((0.3, 0.3, 0.3))


def test_mean_interval_covers_the_mean_as_often_as_it_says():
    intervals = [stats.mean_interval(draws(3, 2, 4, seed)) for seed in range(1000)]
    covered = [low <= 3 <= high for _, low, high in intervals]
    assert np.mean(covered) == pytest.approx(0.95, abs=0.02)


def test_welch_by_hand():
    # variances 1 and 4 over three values each: se² = 5/3, df = (5/3)² / ((1/3)²/2 + (4/3)²/2) = 50/17,
    # t(.975; 50/17) = 3.218759 (3.182 at 3 degrees of freedom, 4.303 at 2)
    found = stats.compare([1, 2, 3], [2, 4, 6])
    assert found.mean == -2 and (found.n, found.n_baseline) == (3, 3)
    half = 3.218759 * math.sqrt(5 / 3)
    assert (found.low, found.high) == pytest.approx((-2 - half, -2 + half), abs=1e-5)


def test_difference_and_its_significance_agree_with_scipy():
    a, b = draws(0.9, 0.01, 5, 0), draws(0.88, 0.03, 8, 1)
    expected, found = ttest_ind(a, b, equal_var=False), stats.compare(a, b, alpha=0.1)
    assert (found.low, found.high) == pytest.approx(tuple(expected.confidence_interval(0.9)))
    assert found.p_difference == pytest.approx(expected.pvalue)


def test_equivalence_is_the_interval_within_the_margin():
    """TOST at alpha rejects exactly where the 1 - 2 alpha interval lies within the margin."""
    a, b = draws(0.9, 0.006, 8, 2), draws(0.9, 0.006, 8, 3)
    for alpha in (0.001, 0.01, 0.05, 0.2):
        found = stats.compare(a, b, MARGIN, 2 * alpha)
        assert (found.p_equivalence < alpha) == (found.low > -MARGIN and found.high < MARGIN)


def test_equivalence_agrees_with_statsmodels():
    a, b = draws(0.9, 0.004, 6, 0), draws(0.902, 0.008, 9, 1)
    expected = ttost_ind(a, b, -MARGIN, MARGIN, usevar="unequal")[0]
    assert 0 < expected < 1
    assert stats.compare(a, b, MARGIN).p_equivalence == pytest.approx(expected)


@pytest.mark.parametrize("margin", [0, -0.01, math.nan])
def test_margin_must_be_positive(margin):
    with pytest.raises(StudyError, match="margin"):
        stats.compare([1, 2], [1, 2], margin)


@pytest.mark.parametrize(
    ("effect", "deviation", "n", "expected"),
    [
        (0.03, 0.004, 8, "better"),
        (-0.03, 0.004, 8, "worse"),
        (0.0, 0.004, 20, "equivalent"),
        (0.0, 0.03, 3, "inconclusive"),
    ],
)
def test_verdict_finds_what_was_planted(effect, deviation, n, expected):
    samples = [(draws(effect, deviation, n, 2 * s), draws(0, deviation, n, 2 * s + 1)) for s in range(100)]
    found = [stats.compare(a, b, MARGIN).verdict for a, b in samples]
    assert found.count(expected) >= 90


def test_verdict_of_no_effect_is_rarely_better_or_worse():
    samples = [(draws(0.9, 0.02, 3, 2 * s), draws(0.9, 0.02, 3, 2 * s + 1)) for s in range(400)]
    found = [stats.compare(a, b, MARGIN).verdict for a, b in samples]
    assert (found.count("better") + found.count("worse")) / 400 <= 0.07


def test_significant_within_the_margin_is_equivalent():
    found = stats.compare(draws(0.902, 0.001, 30, 0), draws(0.9, 0.001, 30, 1), MARGIN)
    assert found.low > 0 and found.verdict == "equivalent"


@pytest.mark.parametrize(("a", "b"), [([], [1, 2]), ([1], [1, 2]), ([1, 2], [2]), ([1], [5])])
def test_fewer_than_two_values_are_inconclusive(a, b):
    found = stats.compare(a, b, MARGIN)
    assert found.verdict == "inconclusive"
    assert np.isnan([found.low, found.high, found.p_difference, found.p_equivalence]).all()


@pytest.mark.parametrize(("a", "expected", "p"), [(0.9, "equivalent", 1), (0.95, "better", 0), (0.85, "worse", 0)])
@pytest.mark.filterwarnings("error")
def test_values_without_variance_get_the_verdict_of_the_limit(a, expected, p):
    found = stats.compare([a] * 3, [0.9] * 3, MARGIN)
    assert (found.verdict, found.p_difference, found.p_equivalence) == (expected, p, 1 - p)


@pytest.mark.filterwarnings("error")
def test_one_sample_without_variance():
    found = stats.compare([0.95] * 3, [0.90, 0.901, 0.902], MARGIN)
    assert found.verdict == "better" and found.p_difference < 0.001


def test_a_diverged_run_is_an_error_and_not_a_value():
    with pytest.raises(StudyError, match="1 of 3"):
        stats.mean_interval([1, 2, math.nan])
    with pytest.raises(StudyError, match="diverged"):
        stats.compare([1, 2, math.inf], [1, 2], MARGIN)


@pytest.mark.filterwarnings("error")
def test_a_difference_is_significant_where_its_interval_excludes_zero():
    a, b = draws(0.91, 0.006, 8, 2), draws(0.9, 0.006, 8, 3)
    p = stats.compare(a, b).p_difference
    for alpha in (1.01 * p, 0.99 * p):
        found = stats.compare(a, b, alpha=alpha)
        assert (alpha > p) == (found.low > 0 or found.high < 0)


def results(effect: float = 0.05) -> pd.DataFrame:
    rows = [("weight", 0.0, "dense", value) for value in draws(0.95, 0.002, 5, 9)]
    for index, sparsity in enumerate((0.5, 0.9)):
        rows += [("weight", sparsity, "random", value) for value in draws(0.9, 0.002, 5, index)]
        searched = draws(0.9 + effect * index, 0.002, 4, 5 + index)
        rows += [("weight", sparsity, "searched", value) for value in searched]
    return pd.DataFrame(rows, columns=["structure", "sparsity", "arm", "test_accuracy"])


def test_summary_counts_runs_without_a_value():
    frame = results()
    frame.loc[frame["arm"] == "random", "test_accuracy"] = [math.nan] + [0.5] * 9
    table = stats.summary(frame, ["arm", "sparsity"], "test_accuracy").set_index(["arm", "sparsity"])
    assert tuple(table.loc[("random", 0.5)]) == (0.5, 0.5, 0.5, 4, 1)
    assert table.loc[("searched", 0.9), "n"] == 4


def test_comparisons_say_what_was_planted_and_where():
    table = stats.comparisons(results(), "searched", "random", margin=MARGIN)
    assert list(table["sparsity"]) == [0.5, 0.9]
    assert list(table["verdict"]) == ["equivalent", "better"]
    assert (table["n"] == 4).all() and (table["n_baseline"] == 5).all() and (table["missing"] == 0).all()
    assert table.loc[1, "mean"] == pytest.approx(0.05, abs=0.005)


def test_comparison_with_an_arm_that_is_not_there_is_inconclusive():
    frame = results().query("arm != 'searched' or sparsity != 0.5")
    table = stats.comparisons(frame, "searched", "random", margin=MARGIN)
    assert list(table["verdict"]) == ["inconclusive", "better"] and table.loc[0, "n"] == 0
