"""Charts of notebook 12: forests at their values, with intervals and margin as they are."""

from __future__ import annotations

import numpy as np
import pytest

from planted_other_data import CANDIDATES, evidence
from randsparse.comparison.wording import format_interval, format_points
from randsparse.questions.beyond_images import charts


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return evidence(tmp_path_factory.mktemp("results"), r=0.5, shift={"text, dense": 0.02})


def across(ax, container):
    """The mean and the ends of each row that `errorbar` has drawn across."""
    ends = np.array([segment[:, 0] for segment in container.lines[2][0].get_segments()])
    return list(zip(container.lines[0].get_xdata(), ends[:, 0], ends[:, 1], strict=True))


def test_gains_stand_in_their_rows_with_the_margin(found):
    figure, caption, data = charts.draw_gains(found.gains, found.gain, 0.25, 4)
    (ax,) = figure.axes
    assert [label.get_text() for label in ax.get_yticklabels()] == [*CANDIDATES, "all cells"]
    drawn = across(ax, ax.containers[0])
    assert drawn == [pytest.approx(row) for row in found.gains[["mean", "low", "high"]].to_numpy()]
    whole = found.gain
    thick = next(line for line in ax.lines if line.get_label() == "90 % interval")
    assert tuple(thick.get_xdata()) == pytest.approx(whole.interval(0.9)) and whole.value > 0
    band = next(patch for patch in ax.patches if patch.get_label() == "within ±1 point")
    assert (band.get_x(), band.get_width()) == (pytest.approx(-0.01), pytest.approx(0.02))
    assert f"{format_points(whole.value)} points, 90 % interval {format_interval(*whole.interval(0.9))}" in caption
    assert "(n = 16 networks, 32 runs)" in caption and len(data) == 3


def test_intervals_of_cells_hold_together(found):
    own, whole = found.gains.set_index("cell"), found.gain
    assert own.loc["all cells", ["low", "high"]].tolist() == pytest.approx(list(whole.interval()))
    text = found.gains.iloc[1]
    alone = evidence_of_one(found)
    assert (text["low"], text["high"]) == pytest.approx(alone.interval(0.95**0.5))


def evidence_of_one(found):
    from randsparse.comparison.inference.search_value import search_gain

    own = next(each for each in found.looks if each.cell == "text, ER 90 %")
    return search_gain([(own.early, own.final)], 4)


def test_differences_stand_in_the_order_of_the_pairs(found):
    figure, caption, _ = charts.draw_differences(found.differences)
    (ax,) = figure.axes
    labels = [label.get_text() for label in ax.get_yticklabels()]
    assert labels[1] == "text, ER 90 %\n− text, dense" and len(labels) == 5
    limits = found.differences[["low", "high"]].clip(*ax.get_xlim())
    expected = np.column_stack([found.differences["mean"], limits])
    assert across(ax, ax.containers[0]) == [pytest.approx(row) for row in expected]
    row = found.differences.iloc[1]
    assert row["mean"] == pytest.approx(-0.01, abs=0.004)
    estimate = found.difference("text, ER 90 %", "text, dense")
    assert (row["low"], row["high"]) == pytest.approx(estimate.interval(0.95 ** (1 / 5)))
    told = f"*text, ER 90 %* − *text, dense* {format_points(row['mean'])} {format_interval(row['low'], row['high'])}"
    assert (told in caption) == (row["high"] < 0)


def test_nothing_is_drawn_of_nothing(tmp_path):
    empty = evidence(tmp_path, networks=0)
    assert charts.draw_gains(empty.gains, empty.gain, 0.25, 4) is None
    assert charts.draw_differences(empty.differences) is None
