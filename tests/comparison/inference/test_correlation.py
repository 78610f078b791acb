"""Pooled correlations within cells and columns, against SciPy and planted values."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from randsparse.comparison.inference.correlation import correlation, correlation_gain
from randsparse.errors import StudyError


def planted(r, spread=1.0, networks=40, orders=2, seed=0):
    generator = np.random.default_rng(seed)
    final, *noises = generator.normal(size=(1 + len(r), networks, orders))
    of_order = 10 * generator.normal(size=(1 + len(r), orders))
    earlies = [each * final + math.sqrt(1 - each**2) * noise for each, noise in zip(r, noises, strict=True)]
    return *(early + shift for early, shift in zip(earlies, of_order[1:], strict=True)), spread * final + of_order[0]


@pytest.mark.parametrize(("kind", "of_scipy"), [("pearson", stats.pearsonr), ("spearman", stats.spearmanr)])
def test_one_column_is_scipys_correlation(kind, of_scipy):
    early, final = planted([0.5], networks=12, orders=1)
    early[3] = early[4]  # a tie
    found = correlation([(early, final)], kind)
    assert found.value == pytest.approx(of_scipy(early[:, 0], final[:, 0]).statistic)
    assert (found.n, found.runs) == (12, 12)


def test_columns_are_centred_and_cells_count_by_their_runs():
    cells = [planted([0.3], 1, 12), planted([0.8], 100, 8, orders=1, seed=1)]
    first = [array - array.mean(axis=0) for array in cells[0]]
    r = [stats.pearsonr(*(array.ravel() for array in first)).statistic, np.corrcoef(*(a[:, 0] for a in cells[1]))[0, 1]]
    assert correlation(cells).value == pytest.approx((22 * r[0] + 7 * r[1]) / 29)


@pytest.mark.parametrize("kind", ["pearson", "spearman"])
def test_a_planted_correlation_is_recovered(kind):
    found = correlation([planted([0.9], spread, 60, seed=seed) for seed, spread in enumerate((1, 5, 20))], kind)
    assert found.value == pytest.approx({"pearson": 0.9, "spearman": 6 / math.pi * math.asin(0.45)}[kind], abs=0.05)
    assert found.low > 0.8
    assert found.high < 0.95
    opposite = correlation([(-early, final) for early, final in [planted([0.9])]], kind)
    assert opposite.high < -0.8


def test_the_error_of_independent_runs_is_fishers():
    errors = [correlation([planted([0.0], networks=40, orders=1, seed=seed)]).scaled_error for seed in range(50)]
    assert np.mean(errors) == pytest.approx(1 / math.sqrt(37), rel=0.08)


def test_two_orders_that_repeat_each_other_are_worth_one():
    early, final = planted([0.5], networks=12, orders=1)
    one, two = (correlation([(np.repeat(early, k, axis=1), np.repeat(final, k, axis=1))]) for k in (1, 2))
    assert (two.n, two.runs) == (12, 24)
    assert two.value == pytest.approx(one.value)
    assert two.error == pytest.approx(one.error)
    assert two.interval() == pytest.approx(one.interval(), abs=0.03)


def test_the_gain_of_a_later_value_is_the_difference_of_both_correlations():
    cells = [planted([0.1, 0.8], spread, seed=seed) for seed, spread in enumerate((1, 5))]
    gain = correlation_gain(cells)
    earlier, later = (correlation([(cell[which], cell[2]) for cell in cells]).value for which in (0, 1))
    assert gain.value == pytest.approx(later - earlier)
    assert gain.low > 0.4
    assert correlation_gain([(b, a, final) for a, b, final in cells]).value == pytest.approx(-gain.value)
    same = correlation_gain([(a, a + 1, final) for a, _, final in cells])
    assert same.value == pytest.approx(0)
    assert not same.varies  # left out jointly: what both share does not count as error


def test_missing_runs_short_columns_and_constant_values():
    early, final = planted([0.5], networks=8)
    early[5:, 1], final[0, 0] = np.nan, np.nan
    found = correlation([(early, final)])
    assert (found.n, found.runs) == (8, 12)
    early[3:, 1] = np.nan
    assert correlation([(early, final)]).value == pytest.approx(np.corrcoef(early[1:, 0], final[1:, 0])[0, 1])
    with np.errstate(all="raise"):
        nothing = correlation([(early, 0 * final + 0.7)])
    assert math.isnan(nothing.value)
    assert not nothing.varies


def test_what_is_refused():
    early, final = planted([0.5], networks=3)
    with pytest.raises(StudyError, match="no order of batches has 4 networks"):
        correlation([(early, final)])
    with pytest.raises(StudyError, match="kendall"):
        correlation([(early, final)], "kendall")


def test_limits_allow_for_the_bias_of_small_cells():
    found = [
        correlation([planted([0.5], networks=8, seed=5 * draw + cell) for cell in range(5)]) for draw in range(400)
    ]
    assert np.mean([each.value for each in found]) < 0.492
    assert np.tanh(np.mean([each.scaled for each in found])) == pytest.approx(0.5, abs=0.012)
    assert all(each.low < each.value < each.high for each in found)
