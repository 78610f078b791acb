"""Reliability of accuracies, against split halves, planted noise and a second set of images."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from randsparse.comparison.inference.reliability import Reliability, ceiling, reliability
from randsparse.errors import StudyError


def planted(spread, runs=12, images=2000, seed=0, accuracy=0.8):
    """Return correctness of runs whose true accuracies have a standard deviation of `spread`, all images alike."""
    generator = np.random.default_rng(seed)
    true = accuracy + spread * generator.normal(size=runs)
    return generator.random((runs, images)) < true[:, None], true


def true_variance(found: Reliability) -> float:
    """Return the variance between runs on infinitely many images."""
    return found.variance - found.sampling


def split_half(bits, generator):
    """Return the coefficient of one random split of the images, for all of them: 4 cov(a, b) / var(a + b)."""
    shuffled, middle = bits[:, generator.permutation(bits.shape[1])], bits.shape[1] // 2
    between = np.cov(shuffled[:, :middle].sum(axis=1), shuffled[:, middle:].sum(axis=1))
    return 4 * between[0, 1] / between.sum()


def test_alpha_by_hand():
    # items of variance 1/3, 1/3, 0; scores 2, 1, 0 have variance 1: alpha = 3 / 2 * (1 - 2 / 3 / 1)
    found = reliability(np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0]]))
    assert found.value == pytest.approx(3 / 2 * (1 - 2 / 3))
    assert (found.runs, found.images) == (3, 3)
    assert found.variance == pytest.approx(1 / 9)
    assert true_variance(found) == pytest.approx(found.value / 9)


@pytest.mark.parametrize("spread", [0.0, 0.005, 0.02])
def test_it_is_the_mean_of_many_random_split_halves(spread):
    bits, _ = planted(spread)
    generator = np.random.default_rng(0)
    halves = np.array([split_half(bits, generator) for _ in range(400)])
    assert reliability(bits).value == pytest.approx(halves.mean(), abs=3 * halves.std() / math.sqrt(400))


def test_spearman_and_brown_step_up_the_correlation_of_halves():
    bits, _ = planted(0.02, runs=200)
    halves = bits[:, ::2].mean(axis=1), bits[:, 1::2].mean(axis=1)
    r = stats.pearsonr(*halves).statistic
    assert reliability(bits).value == pytest.approx(2 * r / (1 + r), abs=0.02)


def test_the_true_variance_is_what_is_left_of_the_measured_one():
    found = [reliability(planted(0.01, seed=seed)[0]) for seed in range(200)]
    assert np.mean([true_variance(each) for each in found]) == pytest.approx(0.01**2, rel=0.15)
    assert np.mean([each.sampling for each in found]) == pytest.approx(0.8 * 0.2 / 2000, rel=0.05)
    same = [true_variance(reliability(planted(0, seed=seed)[0])) for seed in range(200)]
    assert np.mean(same) == pytest.approx(0, abs=1e-5)
    assert min(same) < 0


def test_the_limits_hold_the_true_share_as_often_as_they_say():
    true = 0.01**2 / (0.01**2 + 0.8 * 0.2 / 2000)
    found = [reliability(planted(0.01, seed=seed)[0]) for seed in range(300)]
    assert np.mean([each.low <= true <= each.high for each in found]) == pytest.approx(0.95, abs=0.035)


def test_columns_are_pooled_without_what_sets_them_apart():
    a, b = planted(0.02, seed=1)[0], planted(0.02, seed=2, accuracy=0.5)[0]
    apart, together = reliability([a, b]), reliability(np.vstack([a, b]))
    assert together.variance > 5 * apart.variance
    alone = reliability(a), reliability(b)
    assert apart.variance == pytest.approx(np.mean([each.variance for each in alone]))
    assert true_variance(apart) == pytest.approx(np.mean([true_variance(each) for each in alone]))
    assert apart.runs == 24
    assert reliability([a, b[:1]]) == reliability(a)


def test_the_ceiling_is_what_noise_leaves_of_a_perfect_correlation():
    bits, true = planted(0.01, runs=3000, images=1000)
    found = reliability(bits).value
    measured = stats.pearsonr(bits.mean(axis=1), true).statistic
    assert ceiling(found) == pytest.approx(measured, abs=0.03)
    again = np.random.default_rng(9).random(bits.shape) < true[:, None]
    both = stats.pearsonr(bits.mean(axis=1), again.mean(axis=1)).statistic
    assert ceiling(found, reliability(again).value) == pytest.approx(both, abs=0.04)
    assert ceiling(-0.2) == 0


def test_runs_that_do_not_differ_and_what_is_refused():
    same = np.tile([True, False], (5, 1))
    assert math.isnan(reliability(same).value)
    assert true_variance(reliability(same)) == 0
    with pytest.raises(StudyError, match=r"columns of \[2, 3\] images"):
        reliability([same, np.ones((4, 3))])
    with pytest.raises(StudyError, match="two or more in a column"):
        reliability([same[:1]])
