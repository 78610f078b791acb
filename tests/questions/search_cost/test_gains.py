"""Gains of search and of longer training, by hand, and how often their difference decides falsely."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from scipy.stats import ttest_ind

from randsparse.comparison.inference.order_statistics import expected_normal_maximum
from randsparse.questions.search_cost import gains
from randsparse.questions.search_cost.measured import Measured


def group(early, final, longer=(), small=(), epochs=10):
    """A cell whose look after 10 % sees `early`."""
    early, final = np.asarray(early, dtype=float), np.asarray(final, dtype=float)
    planned = (final.size, len(longer), len(small))
    controls = {"longer": np.array(longer), "longer_epochs": 14, "small_dense": np.array(small), "planned": planned}
    return Measured("nodes 80 %", epochs, {1: early, epochs: final}, final, **controls)


def random_group(r=0.0, longer=0.0, spread=1.0, seed=0, networks=8, share=0.0):
    """A cell of normal values; `share` of the variance of ends is that of the network, common to its orders."""
    random = np.random.default_rng(seed)
    network = np.sqrt(share) * random.normal(size=(networks, 1))
    final = network + np.sqrt(1 - share) * random.normal(size=(networks, 2))
    early = r * final + np.sqrt(1 - r**2) * random.normal(size=final.shape)
    return group(early, final, longer + spread * random.normal(size=8), random.normal(size=8))


def winners(cell, size=4):
    """The mean end of winners, one subset after another."""
    ends = [
        cell.final[max(subset, key=lambda each: cell.scores[1][each, order]), order]
        for order in range(cell.final.shape[1])
        for subset in combinations(range(len(cell.final)), size)
    ]
    return np.mean(ends)


def test_a_search_is_the_mean_over_all_its_subsets():
    cell = random_group(r=0.5)
    assert gains.gain_of_search(cell).value == pytest.approx(winners(cell) - cell.final.mean())


def test_the_gain_of_longer_training_is_a_difference_of_means():
    cell = random_group(longer=3.0)
    found = gains.gain_of_longer(cell)
    assert found.value == pytest.approx(cell.longer.mean() - cell.final.mean())
    networks = cell.final.mean(axis=1)
    assert found.error == pytest.approx(np.sqrt(networks.var(ddof=1) / 8 + cell.longer.var(ddof=1) / 8))
    assert (found.n, found.runs) == (16, 24)
    small = gains.gain_of_small_dense(cell)
    assert small.value == pytest.approx(cell.small_dense.mean() - cell.final.mean())


def test_the_difference_is_that_of_the_winners_and_of_the_controls_over_all_cells():
    cells = [random_group(r=0.5, longer=1.0, seed=1), random_group(r=-0.5, longer=-2.0, seed=2)]
    each = [winners(cell) - cell.longer.mean() for cell in cells]
    assert gains.search_minus_longer(cells).value == pytest.approx(np.mean(each))
    for cell in cells:
        difference = gains.gain_of_search(cell).value - gains.gain_of_longer(cell).value
        assert gains.search_minus_longer([cell]).value == pytest.approx(difference)


def test_without_choice_the_difference_is_welchs():
    """If all candidates of an order look alike, the winner is any of them; one order: plain samples."""
    cell = random_group(longer=1.0)
    plain = group(np.zeros((8, 1)), cell.final[:, :1], cell.longer)
    found, welch = gains.search_minus_longer([plain]), ttest_ind(plain.final[:, 0], plain.longer, equal_var=False)
    assert found.value / found.error == pytest.approx(welch.statistic)


def test_two_cells_have_half_the_error_of_two_equal_ones():
    cell = random_group()
    one, two = (gains.search_minus_longer([cell] * number) for number in (1, 2))
    assert two.error == pytest.approx(one.error / np.sqrt(2)) and two.df == pytest.approx(2 * one.df)


def test_winners_have_a_quarter_of_the_degrees_of_freedom():
    cell = random_group(r=0.5, spread=1e-6)  # the controls add nothing to the variance
    assert gains.search_minus_longer([cell]).df == pytest.approx(7 / 4)


def test_all_pairs_of_winners_and_controls_are_counted():
    cell = group([[4.0], [3.0], [2.0], [1.0], [0.0]], [[1.0], [0.0], [0.0], [0.0], [0.0]], [0.0, 0.5, 2.0])
    first = (1 + 1 + 0) / 3  # candidate 0 wins in 4 of 5 subsets, candidate 1 in the fifth
    other = (0.5 + 0 + 0) / 3
    assert gains.probability_of_search([cell]) == pytest.approx(0.8 * first + 0.2 * other)
    lost = group(cell.scores[1], cell.final, [2.0, 3.0, 4.0])
    assert gains.probability_of_search([lost]) == 0
    assert gains.probability_of_search([cell, lost]) == pytest.approx((0.8 * first + 0.2 * other) / 2)


def test_too_few_runs_give_no_estimate():
    cell = random_group()
    alone = group(cell.scores[1], cell.final)
    assert gains.gain_of_longer(alone) is None and np.isnan(gains.probability_of_search([alone]))
    assert gains.search_minus_longer([cell, alone]) is None
    few = group(cell.scores[1][:4], cell.final[:4], cell.longer)
    assert gains.gain_of_search(few) is None and gains.search_minus_longer([few]) is None
    none = group(np.full((8, 2), np.nan), np.full((8, 2), np.nan), cell.longer)
    assert gains.gain_of_search(none) is None and np.isnan(gains.accuracy_of_one(none))


@pytest.mark.parametrize("r", [0.0, 0.5])
@pytest.mark.parametrize("share", [0.0, 0.7])
def test_the_difference_of_two_cells_decides_falsely_hardly_more_often_than_it_may(r, share):
    """1,000 draws in which search gains as much as longer training: one-sided limits of 95 %."""
    truth = r * expected_normal_maximum(4)
    below = above = 0
    for draw in range(1000):
        cells = [random_group(r, truth, seed=10_000 + 2 * draw + index, share=share) for index in (0, 1)]
        found = gains.search_minus_longer(cells)
        below += found.interval(0.9)[1] < 0
        above += found.interval(0.9)[0] > 0
    assert 0.01 < below / 1000 < 0.065 and 0.01 < above / 1000 < 0.065
