"""Winners of crossed cells beside controls with seeds of their own."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from randsparse.comparison.inference.search_cost import search_against_controls
from randsparse.comparison.inference.search_value import search_gain
from randsparse.errors import StudyError


def cells(count=2, seed=0):
    generator = np.random.default_rng(seed)
    return [tuple(generator.normal(70, 1, size=(2, 8, 2))) for _ in range(count)]


def controls(count=2, seed=1, n=8):
    return list(np.random.default_rng(seed).normal(70, 2, size=(count, n)))


def test_it_is_the_gain_of_search_less_the_gain_of_longer_training():
    searched, longer = cells(), controls()
    found = search_against_controls(searched, longer, 4)
    gain_of_training = np.mean(
        [sample.mean() - final.mean() for (_, final), sample in zip(searched, longer, strict=True)]
    )
    assert found.value == pytest.approx(search_gain(searched, 4).value - gain_of_training)
    assert (found.n, found.runs) == (16, 48)
    better = search_against_controls([(early, final + 3) for early, final in searched], longer, 4)
    assert better.value == pytest.approx(found.value + 3)
    assert better.error == pytest.approx(found.error)


def test_a_search_of_one_is_a_comparison_of_means():
    ((early, final),), (sample,) = cells(1), controls(1)
    found = search_against_controls([(early, final)], [sample], 1)
    of_networks = final.mean(axis=1)
    assert found.value == pytest.approx(of_networks.mean() - sample.mean())
    assert found.error == pytest.approx(math.hypot(stats.sem(of_networks), stats.sem(sample)))
    variances = stats.sem(of_networks) ** 2, stats.sem(sample) ** 2
    assert found.df == pytest.approx(sum(variances) ** 2 / (variances[0] ** 2 / 3.5 + variances[1] ** 2 / 7))


def test_what_is_refused():
    with pytest.raises(StudyError, match="numbers of cells and controls"):
        search_against_controls(cells(), controls(1), 4)
    with pytest.raises(StudyError, match=r"controls of \[2, 2\] runs"):
        search_against_controls(cells(), controls(n=2), 4)
    with pytest.raises(StudyError, match=r"cells of \[0, 0\] networks"):
        search_against_controls(cells(), controls(), 8)
