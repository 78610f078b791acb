"""P(A > B) and its limits, against counting and simulated coverage."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from randsparse.comparison.inference.dominance import dominance
from randsparse.errors import StudyError


def test_it_counts_pairs_and_halves_of_ties():
    found = dominance([1, 2, 5], [0, 2, 4])
    assert found.value == pytest.approx((1 + 1.5 + 3) / 9)
    assert (found.n_a, found.n_b) == (3, 3)
    assert dominance([1, 2, 5], [0, 2, 6], paired=True).value == pytest.approx(0.5)
    assert dominance([1, 2, 5, 7], [0, 1, 6, 6], paired=True)[:3] == pytest.approx(
        (0.75, *binomtest(3, 4).proportion_ci(0.95))
    )


def test_both_directions_mirror_each_other():
    a, b = np.random.default_rng(0).normal(size=(2, 8))
    there, back = dominance(a, b - 0.2), dominance(b - 0.2, a)
    assert (there.value, there.low, there.high) == pytest.approx((1 - back.value, 1 - back.high, 1 - back.low))
    assert there.value > 0.5
    assert 0 < there.low < there.value < there.high < 1


@pytest.mark.parametrize(("n_a", "n_b", "spread", "shift"), [(8, 8, 1, 0), (16, 8, 2, 0), (8, 8, 2, 1), (8, 8, 1, 1.5)])
def test_the_limits_hold_the_true_value_as_often_as_they_say(n_a, n_b, spread, shift):
    generator = np.random.default_rng(1)
    true = norm.cdf(shift / np.sqrt(1 + spread**2))
    held = []
    for _ in range(400):
        found = dominance(shift + generator.normal(size=n_a), spread * generator.normal(size=n_b))
        held.append(found.low <= true <= found.high)
    assert np.mean(held) > 0.92


def test_arms_that_do_not_overlap_have_a_limit_below_one():
    found = dominance(np.arange(8) + 100, np.arange(8))
    assert (found.value, found.high) == (1, 1)
    assert found.low == pytest.approx(0.025 ** (1 / 8))
    assert dominance(np.arange(8), np.arange(8) + 100).high == pytest.approx(1 - 0.025 ** (1 / 8))


def test_equal_runs_say_nothing():
    found = dominance(np.ones(8), np.ones(8))
    assert found.value == 0.5
    assert found.low < 0.2
    assert found.high > 0.8


def test_missing_runs_and_what_is_refused():
    assert dominance([1, 2, 5, np.nan], [0, 2, 4])[3:] == (3, 3)
    assert dominance([1, 2, 5, np.nan], [0, 2, 4, 9], paired=True)[3:] == (3, 3)
    with pytest.raises(StudyError, match="samples of 2 and 3 runs"):
        dominance([1, 2], [1, 2, 3])
    with pytest.raises(StudyError, match="sizes of pairs"):
        dominance([1, 2, 3, 4], [1, 2, 3], paired=True)
