"""The jackknife and the intervals of estimates, against textbook formulas."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from randsparse.comparison.inference.estimate import Estimate, Transformed
from randsparse.comparison.inference.jackknife import jackknife, keep_present
from randsparse.errors import StudyError


def mean_of(array):
    return [np.nanmean(array, axis=(0, 1))]


def test_the_jackknife_of_a_mean_is_its_standard_error():
    values = np.random.default_rng(0).normal(size=(8, 2))
    estimate = jackknife([(values,)], mean_of).estimate()
    of_networks = values.mean(axis=1)  # the two orders of a network are not independent
    assert estimate.value == pytest.approx(values.mean())
    assert estimate.error == pytest.approx(stats.sem(of_networks))
    assert (estimate.df, estimate.n, estimate.runs) == (pytest.approx(7), 8, 16)
    assert estimate.interval(0.9) == pytest.approx(stats.t.interval(0.9, 7, of_networks.mean(), stats.sem(of_networks)))


def test_cells_add_their_variances_and_satterthwaite_counts_their_df():
    generator = np.random.default_rng(1)
    a, b = generator.normal(size=(8, 1)), generator.normal(0, 5, size=(5, 1))
    estimate = jackknife([(a,), (b,)], mean_of).estimate()
    variances = a.var(ddof=1) / 8, b.var(ddof=1) / 5
    assert estimate.value == pytest.approx((a.mean() + b.mean()) / 2)
    assert estimate.error == pytest.approx(math.sqrt(sum(variances)) / 2)
    assert estimate.df == pytest.approx(sum(variances) ** 2 / (variances[0] ** 2 / 7 + variances[1] ** 2 / 4))
    assert estimate.df == pytest.approx(stats.ttest_ind(a[:, 0], b[:, 0], equal_var=False).df)


def test_the_covariance_of_several_numbers():
    x, y = np.random.default_rng(2).normal(size=(2, 6, 1))
    found = jackknife([(x, y)], lambda x, y: [x.mean((0, 1)), y.mean((0, 1))])
    assert found.covariances.sum(axis=0) == pytest.approx(np.cov(x[:, 0], y[:, 0]) / 6)
    assert found.estimate((1, -1)).error == pytest.approx(stats.sem(x - y)[0])


def test_one_sided_limits_and_those_on_another_scale():
    estimate = Estimate(1.0, 0.5, 7, 8, 16)
    assert estimate.interval(0.9)[1] == pytest.approx(1 + 0.5 * 1.894579)
    assert (estimate.low, estimate.high) == pytest.approx((1 - 0.5 * 2.364624, 1 + 0.5 * 2.364624))
    on_z = Transformed(math.tanh(1), 0.2, 7, 8, 16, 1.0, 0.5, np.tanh)
    assert (on_z.low, on_z.high) == pytest.approx((math.tanh(estimate.low), math.tanh(estimate.high)))
    assert on_z.high < 1


def test_missing_runs_and_networks_do_not_count():
    x, y = np.random.default_rng(4).normal(size=(2, 6, 2))
    x[0, 0] = y[0, 1] = np.nan  # network 0 has no run that both have
    x[1, 1] = np.nan
    seen_x, seen_y = keep_present((x, y))
    assert seen_x.shape == (5, 2)
    assert np.isnan([seen_x[0, 1], seen_y[0, 1]]).all()
    estimate = jackknife([(x, y)], lambda x, y: mean_of(y)).estimate()
    assert (estimate.n, estimate.runs) == (5, 9)
    assert estimate.value == pytest.approx((y[1:].sum() - y[1, 1]) / 9)


def test_a_short_column_is_left_out():
    x = np.arange(12.0).reshape(6, 2)
    x[3:, 1] = np.nan
    assert keep_present((x,), fewest=4)[0].tolist() == [[0], [2], [4], [6], [8], [10]]


def test_two_networks_are_refused():
    with pytest.raises(StudyError, match=r"cells of \[8, 2\] networks: each must have at least 3"):
        jackknife([(np.ones((8, 2)),), (np.ones((2, 2)),)], mean_of)
    with pytest.raises(StudyError, match="one shape"):
        keep_present((np.ones((8, 2)), np.ones((8, 1))))
