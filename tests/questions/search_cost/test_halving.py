"""Searches over all subsets: what they cost and who survives."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from randsparse.comparison.inference.subsets import winner_gain
from randsparse.questions.search_cost.halving import Rounds, halving_gain

RANDOM = np.random.default_rng(0)


@pytest.mark.parametrize(
    ("rounds", "anew", "going_on"),
    [
        (Rounds((2,), (4,)), 8 + 20, 8 + 18),
        (Rounds((5,), (4,)), 20 + 20, 20 + 15),
        (Rounds((2, 5), (4, 2)), 8 + 6 + 20, 8 + 6 + 15),
        (Rounds((2, 5, 10), (8, 4, 2)), 16 + 12 + 10 + 20, 16 + 12 + 10 + 10),
        (Rounds((20,), (2,)), 40, 40),
    ],
)
def test_all_epochs_are_charged(rounds, anew, going_on):
    assert rounds.cost(20, anew=True) == anew and rounds.cost(20, anew=False) == going_on


@pytest.mark.parametrize(
    ("rounds", "possible"),
    [
        (Rounds((2, 5), (4, 2)), True),
        (Rounds((20,), (2,)), True),
        (Rounds((2, 2), (4, 2)), False),
        (Rounds((5, 2), (4, 2)), False),
        (Rounds((0,), (4,)), False),
        (Rounds((21,), (4,)), False),
        (Rounds((2,), (1,)), False),
        (Rounds((2, 5), (4, 4)), False),
        (Rounds((2,), (4, 2)), False),
    ],
)
def test_looks_come_one_after_another(rounds, possible):
    assert rounds.possible(20) is possible


@pytest.mark.parametrize("ties", [False, True])
def test_one_look_is_the_closed_form(ties):
    early, final = RANDOM.normal(size=(2, 8, 3))
    early = early.round() if ties else early
    assert halving_gain([early], final, (4,)) == pytest.approx(winner_gain(early, final, 4))


def test_each_look_keeps_the_best_half():
    first, second, final = RANDOM.normal(size=(3, 6, 1))
    ends = []
    for subset in combinations(range(6), 4):
        half = sorted(subset, key=lambda each: first[each, 0])[-2:]
        ends.append(final[max(half, key=lambda each: second[each, 0]), 0])
    expected = np.mean(ends) - final.mean()
    assert halving_gain([first, second], final, (4, 2)) == pytest.approx([expected])


def test_equal_candidates_are_told_apart_by_lot():
    """Two of three level ones go on after the first look; the second look then finds the best of those."""
    first = np.array([[1.0], [0.0], [0.0], [0.0]])
    second = np.array([[0.0], [1.0], [2.0], [3.0]])
    final = np.array([[0.0], [1.0], [2.0], [3.0]])
    after = (1 + 2 + 3) / 3  # candidate 0 goes on for sure, with each of the others as often
    assert halving_gain([first, second], final, (4, 2)) == pytest.approx([after - 1.5])


def test_a_missing_candidate_takes_no_part_and_a_short_column_has_no_search():
    first, second, final = RANDOM.normal(size=(3, 6, 2))
    final[5, 0] = np.nan
    first[3:, 1] = np.nan
    found = halving_gain([first, second], final, (4, 2))
    whole = halving_gain([first[:5, :1], second[:5, :1]], final[:5, :1], (4, 2))
    assert found[0] == pytest.approx(whole[0]) and np.isnan(found[1])
