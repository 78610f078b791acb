"""Pooled differences of two arms, against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from randsparse.comparison.inference.pooled import contrast
from randsparse.errors import StudyError


def draws(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape)


def of_own_seeds(strata):
    """Return the mean over strata of mean(a) - mean(b)."""
    weight = 1 / len(strata)
    return contrast([[(sign * weight, sample)] for pair in strata for sign, sample in zip((1, -1), pair, strict=True)])


def of_shared_seeds(strata):
    """Return the mean over strata of a - b, seed by seed."""
    weight = 1 / len(strata)
    return contrast([[(sign * weight, sample) for pair in strata for sign, sample in zip((1, -1), pair, strict=True)]])


def test_one_stratum_is_welchs_t():
    a, b = 3 + draws(16), 2 * draws(8, seed=1)
    found, expected = of_own_seeds([(a, b)]), stats.ttest_ind(a, b, equal_var=False)
    assert found.value == pytest.approx(a.mean() - b.mean())
    assert found.df == pytest.approx(expected.df)
    assert found.interval() == pytest.approx(expected.confidence_interval())
    assert (found.n, found.runs) == (8, 24)


def test_strata_count_the_same_and_add_their_variances():
    pairs = [(1 + draws(16), draws(8, seed=1)), (5 + 3 * draws(5, seed=2), draws(4, seed=3))]
    found = of_own_seeds(pairs)
    samples = [sample for pair in pairs for sample in pair]
    variances = np.array([sample.var(ddof=1) / len(sample) for sample in samples])
    assert found.value == pytest.approx(np.mean([a.mean() - b.mean() for a, b in pairs]))
    assert found.error == pytest.approx(np.sqrt(variances.sum()) / 2)
    assert found.df == pytest.approx(variances.sum() ** 2 / sum(variances**2 / [15, 7, 4, 3]))
    assert found.n == 12


def test_shared_seeds_compare_what_a_seed_does_on_average_over_strata():
    of_seed, noise = 10 * draws(10), draws(4, 10, seed=1)
    strata = [(of_seed + noise[0] + 1, of_seed + noise[1]), (of_seed + noise[2] + 1, of_seed + noise[3])]
    found = of_shared_seeds(strata)
    differences = 1 + (noise[0] - noise[1] + noise[2] - noise[3]) / 2
    assert found.interval() == pytest.approx(stats.ttest_1samp(differences, 0).confidence_interval())
    assert (found.n, found.df, found.runs) == (10, 9, 40)
    assert found.error < 0.2 * of_own_seeds(strata).error


def test_missing_runs():
    a, b = draws(10), draws(10, seed=1)
    a[2] = np.nan
    assert of_own_seeds([(a, b)]).runs == 19
    shared = of_shared_seeds([(a, b), (b, b + 1)])
    assert shared.n == 9
    assert shared.value == pytest.approx((np.nanmean((a - b)) - 1) / 2)


def test_runs_that_do_not_differ():
    for function in (of_own_seeds, of_shared_seeds):
        found = function([(np.full(5, 0.1 + 0.2), np.full(5, 0.1))])
        assert found.value == pytest.approx(0.2)
        assert found.error == 0
        assert not found.varies


def test_two_runs_are_refused():
    with pytest.raises(StudyError, match=r"groups of \[8, 2\] seeds: each must have at least 3"):
        of_own_seeds([(draws(8), draws(2))])
    with pytest.raises(StudyError, match=r"groups of \[2\] seeds"):
        of_shared_seeds([(draws(2), draws(2))])
    with pytest.raises(StudyError, match="one value per seed"):
        of_shared_seeds([(draws(8), draws(7))])


def test_a_contrast_of_two_groups_is_welchs_t_and_of_one_the_t_test_of_pairs():
    a, b = 3 + draws(9), 2 * draws(8, seed=1)
    own = contrast([[(1, a)], [(-1, b)]])
    expected = stats.ttest_ind(a, b, equal_var=False)
    assert own.interval() == pytest.approx(expected.confidence_interval())
    assert (own.df, own.n, own.runs) == (pytest.approx(expected.df), 8, 17)
    paired = contrast([[(1, a[:8]), (-1, b)]])
    assert paired.interval() == pytest.approx(stats.ttest_rel(a[:8], b).confidence_interval())
    assert (paired.value, paired.df, paired.n, paired.runs) == (pytest.approx((a[:8] - b).mean()), 7, 8, 16)


def test_strata_of_pairs_add_the_variances_of_their_differences():
    of_seed = 10 * draws(2, 9, seed=2)
    a, b = of_seed + draws(2, 9), of_seed + draws(2, 9, seed=1) - np.array([[1], [3]])
    a[1, 0] = np.nan
    found = contrast([[(0.5, a[0]), (-0.5, b[0])], [(0.5, a[1]), (-0.5, b[1])]])
    first, second = (a - b)[0], (a - b)[1, 1:]
    parts = np.array([first.var(ddof=1) / 9, second.var(ddof=1) / 8])
    assert found.value == pytest.approx((first.mean() + second.mean()) / 2)
    assert found.error == pytest.approx(np.sqrt(parts.sum()) / 2)
    assert found.df == pytest.approx(parts.sum() ** 2 / (parts**2 / [8, 7]).sum())
    assert (found.n, found.runs) == (17, 34)


def test_a_contrast_of_three_weighs_each_mean():
    a, b, c = draws(5), draws(6, seed=1), 3 * draws(7, seed=2)
    found = contrast([[(1, a)], [(-0.3, b)], [(-0.7, c)]])
    assert found.value == pytest.approx(a.mean() - 0.3 * b.mean() - 0.7 * c.mean())
    variance = a.var(ddof=1) / 5 + 0.09 * b.var(ddof=1) / 6 + 0.49 * c.var(ddof=1) / 7
    assert found.error == pytest.approx(np.sqrt(variance)) and (found.n, found.runs) == (5, 18)


def test_a_contrast_without_spread_has_no_error_and_bad_groups_are_refused():
    found = contrast([[(1, [1, 2, 3]), (-1, [0, 1, 2])]])
    assert (found.value, found.error, found.df) == (1, 0, 2)
    with pytest.raises(StudyError, match="one value per seed"):
        contrast([[(1, [1, 2, 3]), (-1, [0, 1])]])
    with pytest.raises(StudyError, match="at least 3"):
        contrast([[(1, [1, 2, np.nan])], [(-1, [0, 1, 2])]])
    with pytest.raises(StudyError, match="at least 3"):
        contrast([])
