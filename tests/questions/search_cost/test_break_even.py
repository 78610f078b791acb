"""Where a search pays: the formula, what longer training is taken to gain, and the correlation that is needed."""

from __future__ import annotations

import math

import numpy as np
import pytest

from randsparse.comparison.inference.order_statistics import expected_normal_maximum
from randsparse.errors import StudyError
from randsparse.questions.search_cost import break_even
from randsparse.questions.search_cost.measured import Measured


def group(longer=1.0, epochs=10, longer_epochs=14, seed=0):
    random = np.random.default_rng(seed)
    final = random.normal(size=(8, 2))
    scores = {epoch: epoch / 10 * final + random.normal(size=final.shape) for epoch in range(1, epochs + 1)}
    controls = longer + random.normal(size=8)
    return Measured("nodes 80 %", epochs, scores, final, controls, longer_epochs, planned=(16, 8, 0))


def by_hand(cell, look):
    """r, sigma of ends, and the gain of longer training."""
    early, final = (values - values.mean(axis=0) for values in (cell.scores[look], cell.final))
    r = (early * final).sum() / np.sqrt((early**2).sum() * (final**2).sum())
    return r, np.sqrt((final**2).sum() / (2 * 7)), cell.longer.mean() - cell.final.mean()


@pytest.mark.parametrize(("charged", "share"), [(10, 0.0), (12, math.log(1.2) / math.log(1.4)), (14, 1.0), (30, 1.0)])
def test_longer_training_gains_with_the_logarithm_of_epochs_and_then_no_more(charged, share):
    assert break_even.share_of_longer(charged, 10, 14) == pytest.approx(share)


def test_less_than_one_training_is_refused():
    with pytest.raises(StudyError, match="at least one training"):
        break_even.share_of_longer(9, 10, 14)


@pytest.mark.parametrize(("size", "look", "share"), [(2, 1, math.log(1.2) / math.log(1.4)), (4, 1, 1.0), (8, 5, 1.0)])
def test_the_balance_is_the_formula_less_longer_training(size, look, share):
    cell = group()
    r, sigma, gain = by_hand(cell, look)
    expected = r * sigma * expected_normal_maximum(size) - share * gain
    assert break_even.compute_balance(cell, size, look).value == pytest.approx(expected)


def test_the_map_has_a_row_per_cell_size_and_look():
    without = Measured("b", 10, group().scores, group().final, longer_epochs=14)
    rows = break_even.map_of([group(), without], sizes=(2, 4))
    assert len(rows) == 9 * 2 and set(rows["cell"]) == {"nodes 80 %"}
    first = rows[(rows["look"] == 1) & (rows["candidates"] == 4)].iloc[0]
    assert first["charged"] == 14 and first["measured"] and first["phase"] == 0.1
    assert first["correlation"] == pytest.approx(by_hand(group(), 1)[0])
    assert not rows[(rows["look"] == 2) & (rows["candidates"] == 4)].iloc[0]["measured"]
    assert (rows["low"] < rows["mean"]).all() and (rows["mean"] < rows["high"]).all()


def test_the_needed_correlation_makes_the_balance_zero():
    cell = group(longer=0.5)
    _, sigma, gain = by_hand(cell, 1)
    anew, going_on = (break_even.correlation_needed(cell, anew=anew).value for anew in (True, False))
    assert anew == pytest.approx(gain / (sigma * expected_normal_maximum(4)))
    assert going_on == pytest.approx(anew * math.log(1.3) / math.log(1.4))


@pytest.mark.parametrize("longer", [0.5, 5.0])
def test_the_interval_of_the_needed_correlation_is_that_of_a_simulation(longer):
    """The standard error from one cell, on average, is the spread of the value over many cells."""
    found = [break_even.correlation_needed(group(longer, seed=seed)) for seed in range(400)]
    spread, error = np.std([each.value for each in found]), np.mean([each.error for each in found])
    assert error == pytest.approx(spread, rel=0.2)


def test_cells_that_end_alike_need_no_correlation_that_is_known():
    cell = group()
    alike = Measured("a", 10, cell.scores, np.full((8, 2), 0.5), cell.longer, 14)
    assert break_even.correlation_needed(alike) is None


def test_the_table_has_both_ways_to_charge():
    rows = break_even.make_table([group(longer=0.5)])
    assert list(rows["winner"]) == ["trained anew", "goes on"] and list(rows["charged"]) == [14, 13]
    assert rows["measured"].tolist() == pytest.approx([by_hand(group(longer=0.5), 1)[0]] * 2)
    needed = break_even.correlation_needed(group(longer=0.5))
    assert rows.loc[0, ["needed", "needed_low", "needed_high"]].tolist() == [needed.value, needed.low, needed.high]
    empty = break_even.make_table([Measured("b", 10, {1: np.full((8, 2), np.nan)}, np.full((8, 2), np.nan))])
    assert empty[["measured", "needed"]].isna().all().all()
