"""Variance components of crossed cells, against statsmodels, planted components and simulated coverage."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import f as fisher
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm

from randsparse.comparison.inference.crossed import (
    Crossed,
    analyse,
    complete_block,
    shares,
)
from randsparse.comparison.inference.variance_shares import network_test, pooled_shares
from randsparse.errors import StudyError


def planted(network=1.0, order=1.0, residual=1.0, networks=8, orders=2, seed=0):
    """Return a cell with effects of these standard deviations."""
    generator = np.random.default_rng(seed)
    effects = network * generator.normal(size=(networks, 1)) + order * generator.normal(size=(1, orders))
    return effects + residual * generator.normal(size=(networks, orders))


def test_mean_squares_and_f_tests_are_those_of_statsmodels():
    values = planted(orders=3)
    frame = pd.DataFrame([(i, j, y) for (i, j), y in np.ndenumerate(values)], columns=["network", "order", "y"])
    table = anova_lm(ols("y ~ C(network) + C(order)", frame).fit())
    found = analyse(values)
    assert found.mean_squares == pytest.approx(table["mean_sq"].to_numpy())
    assert found.df == pytest.approx(table["df"].to_numpy())
    assert found.p_network == pytest.approx(table["PR(>F)"].iloc[0])


def test_components_by_hand():
    # (9 - 1) / 2 orders, (33 - 1) / 8 networks
    found = Crossed(8, 2, np.array([9.0, 33.0, 1.0]))
    assert found.components == pytest.approx([4, 4, 1])
    assert found.shares == pytest.approx([4 / 9, 4 / 9, 1 / 9])
    assert found.p_network == pytest.approx(fisher.sf(9, 7, 7))


def test_a_negative_component_is_reported_and_has_no_share():
    found = Crossed(8, 2, np.array([1.0, 1.0, 3.0]))
    assert found.components == pytest.approx([-1, -0.25, 3])
    assert found.shares == pytest.approx([0, 0, 1])


def test_components_estimate_what_was_planted():
    found = np.mean([analyse(planted(2, 3, 1, seed=seed)).components for seed in range(800)], axis=0)
    assert found == pytest.approx([4, 9, 1], rel=0.12)


def test_the_f_tests_of_cells_are_combined():
    nothing = [analyse(planted(0, seed=seed)) for seed in range(5)]
    something = [analyse(planted(2, seed=seed)) for seed in range(5)]
    assert network_test(something) < 1e-3 < network_test(nothing)
    assert network_test(nothing[:1]) == pytest.approx(nothing[0].p_network)
    by_chance = [
        network_test([analyse(planted(0, seed=100 * draw + cell)) for cell in range(3)]) for draw in range(400)
    ]
    assert np.mean(np.array(by_chance) < 0.05) == pytest.approx(0.05, abs=0.03)


def test_pooled_shares_are_those_of_the_sums_over_cells():
    a, b = Crossed(8, 2, np.array([9.0, 33.0, 1.0])), Crossed(8, 2, np.array([100.0, 100.0, 300.0]))
    found = pooled_shares([a, b])
    expected = shares(a.components + b.components)
    assert [share for share, _, _ in found.values()] == pytest.approx(expected)
    assert list(found) == ["network", "order", "residual"]
    assert all(low <= share <= high for share, low, high in found.values())
    assert found == pooled_shares([a, b])
    assert found != pooled_shares([a, b], seed=1)
    assert found["network"][0] == 0


@pytest.mark.parametrize(("network", "share"), [(0.0, 0.0), (0.3, 0.09 / 1.09), (1.0, 0.5), (3.0, 0.9)])
def test_the_bootstrap_holds_the_networks_share(network, share):
    held = []
    for draw in range(150):
        cells = [analyse(planted(network, 0, seed=1000 * draw + cell)) for cell in range(5)]
        _, low, high = pooled_shares(cells, 0.9, draws=400)["network"]
        held.append(low <= share <= high)
    assert np.mean(held) > 0.84


def test_the_largest_complete_block_is_taken():
    values = planted(orders=3)
    values[2, 0] = np.nan
    assert complete_block(values).tolist() == np.delete(values, 2, axis=0).tolist()  # 7 x 3 beats 8 x 2
    values[:6, 2] = np.nan
    assert complete_block(values).tolist() == np.delete(values, 2, axis=0)[:, :2].tolist()
    with pytest.raises(StudyError, match="no 3 networks were run in the same two orders"):
        analyse(values[:, 1:])


def test_equal_runs_have_no_shares():
    found = analyse(np.full((8, 2), 0.7))
    assert (found.mean_squares == 0).all()
    assert np.isnan(found.shares).all()
    assert np.isnan(list(pooled_shares([found]).values())).all()
