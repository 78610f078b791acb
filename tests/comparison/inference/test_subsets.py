"""Averages over subsets against counting every subset by hand."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from randsparse.comparison.inference.subsets import (
    agreement,
    oracle_gain,
    win_probabilities,
    winner_gain,
)
from randsparse.errors import StudyError


def counted(early, final, size):
    """Return gain and agreement by a loop over subsets, without ties."""
    subsets = [list(each) for each in combinations(range(len(early)), size)]
    winners = [each[int(np.argmax(early[each]))] for each in subsets]
    gain = np.mean([final[winner] - final[each].mean() for winner, each in zip(winners, subsets, strict=True)])
    same = np.mean([winner == each[int(np.argmax(final[each]))] for winner, each in zip(winners, subsets, strict=True)])
    return gain, same


@pytest.mark.parametrize("size", [1, 2, 3, 4, 8])
def test_gain_and_agreement_are_those_of_counting_each_subset(size):
    early, final = np.random.default_rng(size).normal(size=(2, 8))
    gain, same = counted(early, final, size)
    assert winner_gain(early, final, size) == pytest.approx(gain)
    assert agreement(early, final, size) == pytest.approx(same)
    assert oracle_gain(final, size) == pytest.approx(counted(final, final, size)[0])


def test_gains_by_hand():
    # pairs of (1, 2, 4): the best are 2, 4, 4, mean 10 / 3; picked by the reverse: 1, 1, 2, mean 4 / 3; all: 7 / 3
    final = np.array([1.0, 2.0, 4.0])
    assert oracle_gain(final, 2) == pytest.approx(1)
    assert winner_gain(-final, final, 2) == pytest.approx(-1)


def test_each_column_is_a_search_of_its_own_and_missing_runs_do_not_count():
    early, final = np.random.default_rng(1).normal(size=(2, 8, 3))
    final[2, 0] = early[5, 1] = np.nan
    final[2:, 2] = np.nan
    gains, same = winner_gain(early, final, 4), agreement(early, final, 4)
    for column, missing in ((0, 2), (1, 5)):
        gain, together = counted(*(np.delete(values[:, column], missing) for values in (early, final)), 4)
        assert gains[column] == pytest.approx(gain)
        assert same[column] == pytest.approx(together)
    assert np.isnan(gains[2])
    assert np.isnan(same[2])


def test_equal_candidates_share_a_win():
    assert win_probabilities([1, 2, 2, 0], 2) == pytest.approx([1 / 6, 2.5 / 6, 2.5 / 6, 0])
    assert win_probabilities([3, 3, 3], 2) == pytest.approx([1 / 3] * 3)
    # early knows nothing: no gain, and it finds the best of two as often as a coin
    assert winner_gain([3, 3, 3], [1, 2, 4], 2) == pytest.approx(0)
    assert agreement([3, 3, 3], [1, 2, 4], 2) == pytest.approx(1 / 2)


def test_equal_values_have_no_gain_at_all():
    assert oracle_gain([0.1 + 0.2, 0.1 + 0.2, 0.1 + 0.2], 2) == 0
    assert winner_gain([1, 2, 3], [0.7, 0.7, 0.7], 2) == 0


def test_the_gain_of_normal_candidates_is_r_times_sigma_times_the_expected_maximum():
    generator = np.random.default_rng(2)
    early = generator.normal(size=(8, 20_000))
    final = 3 * (0.6 * early + 0.8 * generator.normal(size=early.shape))
    for size, maximum in ((2, 0.564), (3, 0.846), (4, 1.029), (8, 1.424)):
        assert winner_gain(early, final, size).mean() == pytest.approx(0.6 * 3 * maximum, abs=0.03)
        assert oracle_gain(final, size).mean() == pytest.approx(3 * maximum, abs=0.03)


@pytest.mark.parametrize("size", [0, 4])
def test_a_size_that_no_subset_has_is_refused(size):
    with pytest.raises(StudyError, match="from 1 to the number of candidates, 3"):
        winner_gain([1, 2, 3], [1, 2, 3], size)
    with pytest.raises(StudyError, match="equal"):
        winner_gain([1, 2], [1, 2, 3], 2)
