"""The charts of notebook 11: what is drawn where, and what their captions say."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from randsparse.questions.search_cost import break_even, charts, strategies
from randsparse.questions.search_cost.charts import DIFFERENCE, LONGER, POOLED, SEARCH
from randsparse.questions.search_cost.measured import Measured

FINAL = np.full((8, 2), 0.5)
GROUPS = [
    Measured("nodes 80 %", 20, {}, FINAL, np.full(8, 0.6), 28, planned=(16, 8, 0)),
    Measured("nodes 90 %", 20, {}, FINAL[:0], longer_epochs=28, planned=(16, 8, 0)),
]
WAYS = pd.DataFrame(
    [
        ("nodes 80 %", strategies.RANDOM, 1, "", 20, 20, 1.0, 0.0, np.nan, np.nan),
        ("nodes 80 %", strategies.LONGER, 1, "", 28, 28, 1.4, 0.02, 0.01, 0.04),
        ("nodes 80 %", strategies.ONE_LOOK, 4, "2", 28, 26, 1.4, -0.01, -0.03, 0.005),
        ("nodes 80 %", strategies.HALVING, 8, "2, 5, 10", 58, 48, 2.9, 0.01, np.nan, np.nan),
        ("nodes 80 %", strategies.FINALS, 2, "20", 40, 40, 2.0, 0.005, 0.0, 0.011),
        ("nodes 90 %", strategies.RANDOM, 1, "", 20, 20, 1.0, np.nan, np.nan, np.nan),
    ],
    columns=[
        "cell",
        "strategy",
        "candidates",
        "looks",
        "epochs",
        "epochs_going_on",
        "trainings",
        "mean",
        "low",
        "high",
    ],
)


def bars(container):
    """The ends of the error bars of a container, in the order of its points."""
    return [segment.tolist() for collection in container.lines[2] for segment in collection.get_segments()]


def test_gains_stand_at_the_epochs_charged():
    drawn = charts.gain_by_epochs(WAYS, GROUPS)
    (ax,) = drawn.figure.axes  # the cell without runs has no panel
    assert ax.get_title() == "nodes 80 %"
    points = {container.get_label(): container for container in ax.containers}
    look = points[strategies.ONE_LOOK]
    assert look.lines[0].get_xydata().tolist() == [[1.3, -0.01]]
    assert bars(look) == [pytest.approx(np.array([[1.3, -0.03], [1.3, 0.005]]))]
    assert points[strategies.FINALS].lines[0].get_xydata().tolist() == [[2.0, 0.005]]
    assert bars(points[strategies.FINALS]) == [pytest.approx(np.array([[2, 0], [2, 0.011]]))]
    halved = points[strategies.HALVING]
    assert halved.lines[0].get_markerfacecolor() == "white" and not halved.has_yerr
    lines = [line.get_xydata().tolist() for line in ax.lines]
    assert [[1.3, -0.01], [1.4, -0.01]] in lines  # what is charged for a winner that is trained anew
    assert [[2.4, 0.01], [2.9, 0.01]] in lines
    labels = {text.get_text(): text.xy for text in ax.texts}
    assert labels["epoch 2"] == (1.3, 0.005) and labels["of 8"] == (2.4, 0.01)


def test_longer_training_is_a_line_from_one_training_with_a_band():
    ax = charts.gain_by_epochs(WAYS, GROUPS).figure.axes[0]
    colour = charts.LOOKS[strategies.LONGER][0]
    line, beyond, end = (each for each in ax.lines if each.get_color() == colour)
    x, y = line.get_data()
    assert (x[0], y[0], x[-1], y[-1]) == pytest.approx((1, 0, 1.4, 0.02))
    assert y[10] == pytest.approx(0.02 * math.log(x[10]) / math.log(1.4))
    assert beyond.get_linestyle() == ":" and list(beyond.get_ydata()) == [0.02, 0.02]
    assert end.get_xydata().tolist() == [[1.4, 0.02]]
    edges = ax.collections[0].get_paths()[0].vertices
    at_end = edges[np.isclose(edges[:, 0], 1.4)][:, 1]
    assert (at_end.min(), at_end.max()) == pytest.approx((0.01, 0.04))
    assert abs(edges[np.isclose(edges[:, 0], 1.0)][:, 1]).max() < 1e-12


def test_the_caption_of_gains_says_how_many_runs_there_are_and_what_gains_most():
    caption = charts.gain_by_epochs(WAYS, GROUPS).caption
    assert "nodes 80 % (16 of 16 candidates, 8 of 8 trained longer) and nodes 90 % (0 of 16 candidates" in caption
    assert "At nodes 80 % random, trained longer gains most: +2.00 points for 1.4 trainings." in caption
    assert "At nodes 90 %" not in caption


DIFFERENCES = pd.DataFrame(
    [
        ("nodes 80 %", SEARCH, 0.004, -0.002, 0.006, np.nan),
        ("nodes 80 %", LONGER, 0.020, 0.010, 0.030, np.nan),
        ("nodes 80 %", DIFFERENCE, -0.016, -0.028, -0.004, 0.25),
        ("nodes 90 %", SEARCH, np.nan, np.nan, np.nan, np.nan),
        (POOLED, DIFFERENCE, np.nan, np.nan, np.nan, np.nan),
    ],
    columns=["cell", "measure", "mean", "low", "high", "above"],
)


def test_differences_stand_one_below_the_other():
    drawn = charts.differences(DIFFERENCES)
    (ax,) = drawn.figure.axes
    names = [text.get_text() for text in ax.get_yticklabels()]
    assert names == [f"nodes 80 %: {measure}" for measure in (SEARCH, LONGER, DIFFERENCE)]
    found = [(*container.lines[0].get_xydata()[0], *np.ravel(bars(container))[[0, 2]]) for container in ax.containers]
    assert found == [
        pytest.approx(values)
        for values in ((0.004, 0, -0.002, 0.006), (0.020, 1, 0.010, 0.030), (-0.016, 2, -0.028, -0.004))
    ]
    assert set(ax.lines[0].get_xdata()) == {0}  # the line of no gain
    assert "nodes 80 %: −1.60 [−2.80, −0.40], and winners are above 25 % of the runs" in drawn.caption


def test_an_interval_that_is_cut_ends_in_an_arrow():
    wide = DIFFERENCES.iloc[:3].assign(high=[0.01, 0.03, 0.9])
    (ax,) = charts.differences(wide).figure.axes
    right = ax.get_xlim()[1]
    assert right < 0.9
    arrows = [line for line in ax.lines if line.get_marker() == ">"]
    assert [line.get_xydata().tolist() for line in arrows] == [[[right, 2]]]


def rows_of_map(means, cell="nodes 80 %", size=4):
    columns = {"cell": cell, "candidates": size, "look": [2, 10], "phase": [0.1, 0.5], "measured": [True, False]}
    return pd.DataFrame(columns | {"mean": means, "low": np.array(means) - 0.01, "high": np.array(means) + 0.02})


def test_the_balance_is_drawn_by_early_phase():
    rows = pd.concat([rows_of_map([-0.02, 0.005]), rows_of_map([-0.01, 0.03], size=8)], ignore_index=True)
    drawn = charts.break_even(rows, GROUPS)
    (ax,) = drawn.figure.axes
    assert set(ax.lines[0].get_ydata()) == {0}
    dotted = [line for line in ax.lines if line.get_linestyle() == ":"]
    assert [line.get_xydata().tolist() for line in dotted] == [
        [[0.1, -0.02], [0.5, 0.005]],
        [[0.1, -0.01], [0.5, 0.03]],
    ]
    solid = [line.get_xydata() for line in ax.lines if line.get_marker() == "o"]
    assert [data[np.isfinite(data).all(axis=1)].tolist() for data in solid] == [[[0.1, -0.02]], [[0.1, -0.01]]]
    (band,) = ax.collections  # of four candidates alone
    edges = band.get_paths()[0].vertices
    first = edges[np.isclose(edges[:, 0], 0.1)][:, 1]
    assert (first.min(), first.max()) == pytest.approx((-0.03, 0.0))
    assert "nodes 80 %: above zero in 2 of 4 places (the whole interval in 1; below zero in 0)" in drawn.caption
    assert "highest for 8 candidates after 50 %: +3.00 [+2.00, +5.00]" in drawn.caption
    assert "nodes 90 %: too few runs yet." in drawn.caption


@pytest.mark.parametrize(
    "drawn",
    [
        lambda: charts.gain_by_epochs(WAYS.assign(mean=np.nan), GROUPS),
        lambda: charts.differences(DIFFERENCES.assign(mean=np.nan)),
        lambda: charts.break_even(break_even.map_of(GROUPS[1:]), GROUPS[1:]),
    ],
)
def test_a_chart_without_runs_says_so(drawn):
    found = drawn()
    assert [text.get_text() for text in found.figure.axes[0].texts] == ["Too few runs yet"]
    assert len(found.caption) > 50
