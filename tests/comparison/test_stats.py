"""Intervals and verdicts against hand-computed values, statsmodels, and planted effects."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_ind, ttest_rel
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

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
    found = stats.difference([1, 2, 3], [2, 4, 6])
    assert found.mean == -2 and (found.n_a, found.n_b) == (3, 3)
    half = 3.218759 * math.sqrt(5 / 3)
    assert (found.low, found.high) == pytest.approx((-2 - half, -2 + half), abs=1e-5)


def test_difference_agrees_with_scipy():
    a, b = draws(0.9, 0.01, 5, 0), draws(0.88, 0.03, 8, 1)
    expected = ttest_ind(a, b, equal_var=False).confidence_interval(0.9)
    assert stats.difference(a, b, level=0.9)[1:3] == pytest.approx(tuple(expected))


def test_paired_difference_is_the_interval_of_the_differences():
    a, b = draws(0.9, 0.05, 6, 0), draws(0.9, 0.05, 6, 1)
    assert stats.difference(a, b, paired=True)[:3] == pytest.approx(stats.mean_interval(a - b))
    with pytest.raises(StudyError, match="pair"):
        stats.difference([1, 2, 3], [1, 2], paired=True)


@pytest.mark.parametrize("paired", [False, True])
def test_equivalence_is_the_interval_within_the_margin(paired):
    """TOST at alpha rejects exactly where the 1 - 2 alpha interval lies within the margin."""
    a, b = draws(0.9, 0.006, 8, 2), draws(0.9, 0.006, 8, 3)
    for alpha in (0.001, 0.01, 0.05, 0.2):
        _, low, high, _, _ = stats.difference(a, b, paired, level=1 - 2 * alpha)
        assert (stats.equivalence(a, b, MARGIN, paired) < alpha) == (low > -MARGIN and high < MARGIN)


def test_equivalence_agrees_with_statsmodels():
    a, b = draws(0.9, 0.004, 6, 0), draws(0.902, 0.008, 9, 1)
    expected = CompareMeans(DescrStatsW(a), DescrStatsW(b)).ttost_ind(-MARGIN, MARGIN, usevar="unequal")[0]
    assert 0 < expected < 1
    assert stats.equivalence(a, b, MARGIN) == pytest.approx(expected)


@pytest.mark.parametrize("margin", [0, -0.01, math.nan])
def test_margin_must_be_positive(margin):
    with pytest.raises(StudyError, match="margin"):
        stats.equivalence([1, 2], [1, 2], margin)


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
    found = [stats.verdict(a, b, MARGIN) for a, b in samples]
    assert found.count(expected) >= 90


def test_verdict_of_no_effect_is_rarely_better_or_worse():
    samples = [(draws(0.9, 0.02, 3, 2 * s), draws(0.9, 0.02, 3, 2 * s + 1)) for s in range(400)]
    found = [stats.verdict(a, b, MARGIN) for a, b in samples]
    assert (found.count("better") + found.count("worse")) / 400 <= 0.07


def test_significant_within_the_margin_is_equivalent():
    a, b = draws(0.902, 0.001, 30, 0), draws(0.9, 0.001, 30, 1)
    assert stats.difference(a, b).low > 0
    assert stats.verdict(a, b, MARGIN) == "equivalent"


@pytest.mark.parametrize(("a", "b"), [([], [1, 2]), ([1], [1, 2]), ([1, 2], [2]), ([1], [5])])
def test_fewer_than_two_values_are_inconclusive(a, b):
    assert stats.verdict(a, b, MARGIN) == "inconclusive"
    assert np.isnan(stats.difference(a, b)[1:3]).all()


@pytest.mark.parametrize(("a", "expected"), [(0.9, "equivalent"), (0.95, "better"), (0.85, "worse")])
@pytest.mark.parametrize("paired", [False, True])
@pytest.mark.filterwarnings("error")
def test_values_without_variance_get_the_verdict_of_the_limit(a, expected, paired):
    assert stats.verdict([a] * 3, [0.9] * 3, MARGIN, paired=paired) == expected


@pytest.mark.filterwarnings("error")
def test_one_sample_without_variance():
    assert stats.verdict([0.95] * 3, [0.90, 0.901, 0.902], MARGIN) == "better"


def test_a_diverged_run_is_an_error_and_not_a_value():
    with pytest.raises(StudyError, match="1 of 3"):
        stats.mean_interval([1, 2, math.nan])
    with pytest.raises(StudyError, match="diverged"):
        stats.verdict([1, 2, math.inf], [1, 2], MARGIN)


def test_spearman_by_hand():
    # squared rank differences 1 + 1 + 0 + 0 + 0: rho = 1 - 6·2 / (5·24) = .9; arctanh(.9) ± 1.96 / sqrt(2)
    found = stats.spearman([1, 2, 3, 4, 50], [2, 1, 3, 4, 5])
    assert found.n == 5 and found.rho == pytest.approx(0.9)
    limits = [math.tanh(math.atanh(0.9) + sign * 1.959964 / math.sqrt(2)) for sign in (-1, 1)]
    assert (found.low, found.high) == pytest.approx(limits, abs=1e-6)


@pytest.mark.filterwarnings("error")
def test_spearman_without_an_interval():
    assert np.isnan(stats.spearman([1, 1, 1, 1], [1, 2, 3, 4])[:3]).all()
    assert stats.spearman([1, 2, 3], [1, 3, 2])[0] == pytest.approx(0.5)
    assert np.isnan(stats.spearman([1, 2, 3], [1, 3, 2])[1:3]).all()
    perfect = stats.spearman(range(9), range(9))
    assert perfect.rho == pytest.approx(1) and np.isnan([perfect.low, perfect.high]).all()


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
    table = stats.comparisons(results(), margin=MARGIN)
    assert list(table["sparsity"]) == [0.5, 0.9]
    assert list(table["verdict"]) == ["equivalent", "better"]
    assert (table["n"] == 4).all() and (table["n_baseline"] == 5).all() and (table["missing"] == 0).all()
    assert table.loc[1, "mean"] == pytest.approx(0.05, abs=0.005)


def test_comparisons_against_dense_use_it_in_every_group():
    table = stats.comparisons(results(), a="random", b="dense", margin=MARGIN)
    assert list(table["verdict"]) == ["worse", "worse"] and list(table["n_baseline"]) == [5, 5]


def test_comparison_with_an_arm_that_is_not_there_is_inconclusive():
    frame = results().query("arm != 'searched' or sparsity != 0.5")
    table = stats.comparisons(frame, margin=MARGIN)
    assert list(table["verdict"]) == ["inconclusive", "better"] and table.loc[0, "n"] == 0


def test_dense_rows_that_stand_in_both_panels_count_once():
    frame = results()
    node = frame.assign(structure="node")
    table = stats.comparisons(pd.concat([frame, node]), a="random", b="dense", margin=MARGIN)
    assert list(table["structure"]) == ["weight"] * 2 + ["node"] * 2
    assert (table["n_baseline"] == 5).all()


def test_at_sparsity_zero_a_search_is_compared_with_the_dense_network():
    searched = [("weight", 0.0, "searched", value) for value in draws(0.95, 0.002, 4, 11)]
    frame = pd.concat([results(), pd.DataFrame(searched, columns=results().columns)])
    first = stats.comparisons(frame, margin=MARGIN).iloc[0]
    assert (first["sparsity"], first["n"], first["n_baseline"], first["verdict"]) == (0, 4, 5, "equivalent")


@pytest.mark.parametrize("paired", [False, True])
@pytest.mark.filterwarnings("error")
def test_a_difference_is_significant_where_its_interval_excludes_zero(paired):
    a, b = draws(0.91, 0.006, 8, 2), draws(0.9, 0.006, 8, 3)
    p = stats.significance(a, b, paired)
    for level in (1 - 1.01 * p, 1 - 0.99 * p):
        _, low, high, _, _ = stats.difference(a, b, paired, level)
        assert (1 - level > p) == (low > 0 or high < 0)


@pytest.mark.filterwarnings("error")
def test_significance_of_too_few_and_of_equal_values():
    assert np.isnan(stats.significance([0.9], [0.8, 0.7]))
    assert stats.significance([0.9] * 3, [0.9] * 3) == 1
    assert stats.significance([0.9] * 3, [0.8] * 3) == 0
    assert stats.significance([0.95] * 3, [0.90, 0.901, 0.902]) < 0.001


def test_significance_agrees_with_scipy():
    a, b = draws(0.9, 0.01, 6, 0), draws(0.88, 0.03, 6, 1)
    assert stats.significance(a, b) == pytest.approx(ttest_ind(a, b, equal_var=False).pvalue)
    assert stats.significance(a, b, paired=True) == pytest.approx(ttest_rel(a, b).pvalue)


def test_rank_significance_counts_permutations():
    """Of the 24 orders of four values one is as extreme on either side."""
    assert stats.rank_significance([1, 2, 3, 4], [1, 2, 3, 4]) == pytest.approx(2 / 24)
    assert stats.rank_significance([1, 2, 3], [1, 1, 1]) != stats.rank_significance([1, 2, 3], [3, 2, 1])
    assert stats.rank_significance(range(5), [0, 2, 1, 4, 3]) > 0.05
