"""Pooled differences of two arms, against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from randsparse.comparison.inference.pooled import (
    contrast,
    difference_of_own_seeds,
    difference_of_pairs,
    difference_of_shared_seeds,
)
from randsparse.errors import StudyError

NOISE = np.random.default_rng(7)


def draws(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def test_one_stratum_is_welchs_t():
    a, b = 3 + draws(16), 2 * draws(8, seed=1)
    found, expected = difference_of_own_seeds([(a, b)]), stats.ttest_ind(a, b, equal_var=False)
    assert found.value == pytest.approx(a.mean() - b.mean())
    assert found.df == pytest.approx(expected.df)
    assert found.interval() == pytest.approx(expected.confidence_interval())
    assert (found.n, found.runs) == (8, 24)


def test_strata_count_the_same_and_add_their_variances():
    pairs = [(1 + draws(16), draws(8, seed=1)), (5 + 3 * draws(5, seed=2), draws(4, seed=3))]
    found = difference_of_own_seeds(pairs)
    samples = [sample for pair in pairs for sample in pair]
    variances = np.array([sample.var(ddof=1) / len(sample) for sample in samples])
    assert found.value == pytest.approx(np.mean([a.mean() - b.mean() for a, b in pairs]))
    assert found.error == pytest.approx(np.sqrt(variances.sum()) / 2)
    assert found.df == pytest.approx(variances.sum() ** 2 / sum(variances**2 / [15, 7, 4, 3]))
    assert found.n == 12


def test_shared_seeds_compare_what_a_seed_does_on_average_over_strata():
    of_seed, noise = 10 * draws(10), draws(4, 10, seed=1)
    strata = [(of_seed + noise[0] + 1, of_seed + noise[1]), (of_seed + noise[2] + 1, of_seed + noise[3])]
    found = difference_of_shared_seeds(strata)
    differences = 1 + (noise[0] - noise[1] + noise[2] - noise[3]) / 2
    assert found.interval() == pytest.approx(stats.ttest_1samp(differences, 0).confidence_interval())
    assert (found.n, found.df, found.runs) == (10, 9, 40)
    assert found.error < 0.2 * difference_of_own_seeds(strata).error


def test_missing_runs():
    a, b = draws(10), draws(10, seed=1)
    a[2] = np.nan
    assert difference_of_own_seeds([(a, b)]).runs == 19
    shared = difference_of_shared_seeds([(a, b), (b, b + 1)])
    assert shared.n == 9
    assert shared.value == pytest.approx((np.nanmean((a - b)) - 1) / 2)


def test_runs_that_do_not_differ():
    for function in (difference_of_own_seeds, difference_of_shared_seeds):
        found = function([(np.full(5, 0.1 + 0.2), np.full(5, 0.1))])
        assert found.value == pytest.approx(0.2)
        assert found.error == 0
        assert not found.varies


def test_two_runs_are_refused():
    with pytest.raises(StudyError, match=r"samples of \[\[8, 2\]\] runs: each must have at least 3"):
        difference_of_own_seeds([(draws(8), draws(2))])
    with pytest.raises(StudyError, match="2 seeds have all of their runs"):
        difference_of_shared_seeds([(draws(2), draws(2))])
    with pytest.raises(StudyError, match="one value per seed"):
        difference_of_shared_seeds([(draws(8), draws(7))])


def test_a_contrast_of_two_is_their_difference():
    a, b = NOISE.normal(0.3, 1, 9), NOISE.normal(0, 2, 6)
    found, welch = contrast([(1, a), (-1, b)]), difference_of_own_seeds([(a, b)])
    assert (found.value, found.error, found.df, found.n) == pytest.approx((welch.value, welch.error, welch.df, welch.n))
    pair, shared = NOISE.normal(0, 1, (2, 7)), {"shared_seeds": True}
    found, paired = contrast([(1, pair[0]), (-1, pair[1])], **shared), difference_of_shared_seeds([tuple(pair)])
    assert found.value == pytest.approx(paired.value) and found.error == pytest.approx(paired.error)
    assert (found.df, found.n, found.runs) == (paired.df, 7, 14)


def test_a_contrast_weighs_means_and_their_variances():
    values = [NOISE.normal(0, 1, 5), NOISE.normal(1, 1, 6), NOISE.normal(2, 3, 7)]
    weights = [-0.5, 0.1, 2.0]
    found = contrast(list(zip(weights, values, strict=True)))
    assert found.value == pytest.approx(sum(w * v.mean() for w, v in zip(weights, values, strict=True)))
    error = sum(w**2 * v.var(ddof=1) / len(v) for w, v in zip(weights, values, strict=True)) ** 0.5
    assert found.error == pytest.approx(error) and (found.n, found.runs) == (5, 18)
    assert 6 <= found.df <= 15
    with pytest.raises(StudyError, match="at least 3"):
        contrast([(1, [0.1, 0.2]), (1, [0.1, 0.2, 0.3])])
    with pytest.raises(StudyError, match="one value per seed"):
        contrast([(1, [0.1, 0.2]), (1, [0.1, 0.2, 0.3])], shared_seeds=True)


def test_a_seed_that_misses_a_run_does_not_count_in_a_contrast():
    found = contrast([(1, [1.0, 2.0, 3.0, np.nan]), (-1, [0.5, 1.0, 2.0, 9.0])], shared_seeds=True)
    assert (found.value, found.n) == (pytest.approx(5 / 6), 3)


def test_one_stratum_of_pairs_is_the_t_test_of_pairs():
    a, b = draws(8), draws(8, seed=1) - 1
    found = difference_of_pairs([(a, b)])
    assert found.interval() == pytest.approx(stats.ttest_rel(a, b).confidence_interval())
    assert (found.value, found.df, found.n) == (pytest.approx((a - b).mean()), pytest.approx(7), 8)


def test_pairs_of_several_strata_add_the_variances_of_their_differences():
    of_seed = 10 * draws(2, 9, seed=2)
    a, b = of_seed + draws(2, 9), of_seed + draws(2, 9, seed=1) - np.array([[1], [3]])
    a[1, 0] = np.nan
    found = difference_of_pairs([(a[0], b[0]), (a[1], b[1])])
    first, second = (a - b)[0], (a - b)[1, 1:]
    parts = np.array([first.var(ddof=1) / 9, second.var(ddof=1) / 8])
    assert found.value == pytest.approx((first.mean() + second.mean()) / 2)
    assert found.error == pytest.approx(np.sqrt(parts.sum()) / 2)
    assert found.df == pytest.approx(parts.sum() ** 2 / (parts**2 / [8, 7]).sum())
    assert (found.n, found.runs) == (17, 34)


def test_pairs_without_spread_have_no_error_and_unequal_ones_are_refused():
    found = difference_of_pairs([([1, 2, 3], [0, 1, 2])])
    assert (found.value, found.error, found.df) == (1, 0, 2)
    with pytest.raises(StudyError, match="one value per seed"):
        difference_of_pairs([([1, 2, 3], [0, 1])])
    with pytest.raises(StudyError, match="at least 3"):
        difference_of_pairs([([1, 2, np.nan], [0, 1, 2])])
