"""Power, replicates, simultaneous intervals and order statistics, against simulation, statsmodels and tables."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.power import TTestPower

from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.inference.order_statistics import expected_normal_maximum
from randsparse.comparison.inference.power import (
    equivalence_power,
    one_sided_power,
    replicates_needed,
)
from randsparse.comparison.inference.simultaneous import simultaneous_intervals
from randsparse.errors import StudyError


def test_one_sided_power_is_that_of_statsmodels():
    expected = TTestPower().power(effect_size=0.8, nobs=10, alpha=0.05, alternative="larger")
    assert one_sided_power(0.8, 0, 1 / math.sqrt(10), 9) == pytest.approx(expected)
    assert one_sided_power(-0.8, 0, 1 / math.sqrt(10), 9) == pytest.approx(expected)
    assert one_sided_power(0.3, 0.3, 1, 9) == pytest.approx(0.05)


@pytest.mark.parametrize(("true", "error", "df"), [(0, 0.054, 35), (0, 0.08, 7), (0.1, 0.054, 20), (0.2, 0.054, 9)])
def test_the_power_of_two_one_sided_tests_is_what_simulation_finds(true, error, df):
    generator = np.random.default_rng(0)
    value = true + error * generator.normal(size=100_000)
    half = stats.t.ppf(0.95, df) * error * np.sqrt(generator.chisquare(df, 100_000) / df)
    shown = np.mean((value - half > -0.2) & (value + half < 0.2))
    assert equivalence_power(true, 0.2, error, df) == pytest.approx(shown, abs=0.005)


def test_the_replicates_are_the_fewest_with_the_power():
    for true, margin, within in ((0.5, 0, False), (-0.5, 0.1, False), (0.1, 0.5, True), (0, 0.3, True)):
        n = replicates_needed(true, margin, 1, within)
        test = equivalence_power if within else one_sided_power
        assert test(true, margin, 1 / math.sqrt(n), n - 1) >= 0.8
        assert test(true, margin, 1 / math.sqrt(n - 1), n - 2) < 0.8
    assert replicates_needed(0.5, 0, 1) == 27  # of Student's t, tables say 27
    assert replicates_needed(50, 0, 1) == 3


def test_a_value_at_the_margin_never_decides():
    assert replicates_needed(0.2, 0.2, 1) == math.inf
    assert replicates_needed(-0.3, 0.2, 1, within=True) == math.inf
    with pytest.raises(StudyError, match="positive"):
        one_sided_power(1, 0, 0, 9)


def test_simultaneous_intervals_hold_together():
    generator = np.random.default_rng(1)
    values = generator.normal(size=(800, 5, 8))
    held = []
    for draw in values:
        cells = [Estimate(cell.mean(), stats.sem(cell), 7, 8, 8) for cell in draw]
        held.append(all(low <= 0 <= high for low, high in simultaneous_intervals(cells)))
    assert np.mean(held) == pytest.approx(0.95, abs=0.02)
    assert simultaneous_intervals(cells[:1])[0] == cells[0].interval()


def test_the_expected_maximum_of_normal_values():
    for size, expected in ((1, 0), (2, 0.564), (3, 0.846), (4, 1.029), (8, 1.424)):
        assert expected_normal_maximum(size) == pytest.approx(expected, abs=5e-4)
    assert expected_normal_maximum(2) == pytest.approx(1 / math.sqrt(math.pi))
    with pytest.raises(StudyError, match="at least 1"):
        expected_normal_maximum(0)
