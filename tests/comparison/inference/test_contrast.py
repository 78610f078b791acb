"""Contrasts are weighted sums of means; for two samples they are the differences of `pooled`."""

from __future__ import annotations

import numpy as np
import pytest

from randsparse.comparison.inference.contrast import contrast
from randsparse.comparison.inference.pooled import difference_of_own_seeds, difference_of_shared_seeds
from randsparse.errors import StudyError

NOISE = np.random.default_rng(7)


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


def test_runs_that_do_not_differ_have_no_error():
    found = contrast([(1, np.full(5, 0.1 + 0.2)), (-1, np.full(4, 0.1))])
    assert found.value == pytest.approx(0.2) and found.error == 0 and not found.varies
