"""The share of the oracle's gain and the gain of search, on planted cells."""

from __future__ import annotations

import math

import numpy as np
import pytest

from randsparse.comparison.inference.search_value import best_gain, estimate_by_cell, search_gain, share_of_oracle
from randsparse.comparison.inference.subsets import oracle_gain, winner_gain
from randsparse.errors import StudyError


def planted(r, spread=1.0, networks=40, orders=2, seed=0):
    """Return a cell whose early and final values correlate by r within each order."""
    generator = np.random.default_rng(seed)
    early, noise = generator.normal(size=(2, networks, orders))
    of_order = 10 * generator.normal(size=(2, orders))
    return 5 * early + of_order[0], spread * (r * early + math.sqrt(1 - r**2) * noise) + of_order[1]


@pytest.mark.parametrize("r", [-0.5, 0.0, 0.5, 0.9])
def test_the_share_is_the_correlation_for_normal_values(r):
    share = share_of_oracle([planted(r, spread, seed=seed) for seed, spread in enumerate((0.3, 1, 2))], 4)
    assert share.value == pytest.approx(r, abs=0.15)
    assert share.low < r < share.high
    assert (share.n, share.runs) == (120, 240)


def test_an_early_value_that_orders_perfectly_has_all_of_the_gain():
    _, final = planted(0)
    assert share_of_oracle([(final, final)], 4).value == pytest.approx(1)
    assert share_of_oracle([(-final, final)], 4).value < -0.8
    assert search_gain([(final, final)], 4) == best_gain([(-final, final)], 4)


def test_errors_are_those_of_repeated_studies():
    """Estimated variances are right to a third, and the gain of the best of K has that of its order statistic."""
    for size in (2, 4):
        found = [
            [statistic([planted(0.3, 0.5, 8, seed=5 * draw + cell) for cell in range(5)], size) for draw in range(400)]
            for statistic in (search_gain, best_gain, share_of_oracle)
        ]
        for estimates in found:
            ratio = np.mean([each.error**2 for each in estimates]) / np.var([each.value for each in estimates])
            assert 0.9 < ratio < 1.35


def test_the_share_sums_over_cells_and_columns_and_the_gain_averages():
    cells = [planted(0.5, 1, networks=8), planted(0.5, 3, networks=8, orders=1, seed=1)]
    won = [winner_gain(early, final, 3) for early, final in cells]
    best = [oracle_gain(final, 3) for _, final in cells]
    assert share_of_oracle(cells, 3).value == pytest.approx(sum(map(np.sum, won)) / sum(map(np.sum, best)))
    assert search_gain(cells, 3).value == pytest.approx((won[0].mean() + won[1].mean()) / 2)
    assert best_gain(cells, 3).value == pytest.approx((best[0].mean() + best[1].mean()) / 2)


def test_the_unit_is_that_of_final_and_an_order_has_no_effect():
    early, final = planted(0.7)
    gain, share = search_gain([(early, final)], 4), share_of_oracle([(early, final)], 4)
    hundredfold = (early, 100 * final + [5, -5])
    assert search_gain([hundredfold], 4).value == pytest.approx(100 * gain.value)
    assert search_gain([hundredfold], 4).error == pytest.approx(100 * gain.error)
    assert share_of_oracle([hundredfold], 4).interval() == pytest.approx(share.interval())


def test_an_incomplete_cell_counts_with_the_columns_that_are_long_enough():
    early, final = planted(0.5, networks=8)
    final[4:, 1] = np.nan
    gain = search_gain([(early, final)], 4)
    assert gain == search_gain([(early[:, :1], final[:, :1])], 4)
    assert (gain.n, gain.runs) == (8, 8)
    empty = np.full((8, 2), np.nan)
    assert search_gain([(early, final), (empty, empty)], 4) == gain
    assert estimate_by_cell(search_gain, [(early, final), (empty, empty)], 4) == [gain, None]


def test_no_column_that_is_long_enough_is_refused():
    early, final = planted(0.5, networks=4)
    with pytest.raises(StudyError, match="no order of batches has 5 networks"):
        share_of_oracle([(early, final)], 4)


def test_equal_final_values_have_no_share_and_no_spread():
    early, final = planted(0.5, networks=8)
    share = share_of_oracle([(early, 0 * final + 0.7)], 4)
    assert np.isnan([share.value, *share.interval()]).all()
    assert not share.varies
    gain = search_gain([(early, 0 * final + 0.7)], 4)
    assert gain.value == 0
    assert not gain.varies


def test_limits_of_the_share_are_those_of_the_ratio_bent_by_fishers_z():
    share = share_of_oracle([planted(0.9, seed=seed) for seed in range(3)], 4)
    assert share.interval(0.5)[1] - share.interval(0.5)[0] == pytest.approx(
        2 * share.quantile(0.5) * share.error, rel=0.02
    )
    assert share.high < 1
    assert share.high - share.value < 0.95 * (share.value - share.low)
