"""The shared charts show the values of their frames, and their captions say them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from randsparse.comparison.cells import FOREST, LEVELS, POOLED
from randsparse.comparison.forests import BESIDE, draw_forest, draw_levels
from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.plots import PALETTE
from randsparse.comparison.primary import find_claims

ROWS = pd.DataFrame(
    [
        ("first", "a", "b", -0.02, -0.03, -0.005, 8, 16, 0.1),
        ("second", "c", "d", 0.01, -0.02, 0.04, 10, 20, 0.6),
        (POOLED, "", "", -0.005, -0.015, 0.005, 18, 36, np.nan),
    ],
    columns=FOREST,
)
WITHIN, AT_LEAST = find_claims("05")[1], find_claims("08")[0]
ESTIMATE = Estimate(-0.005, 0.005, 17.0, 18, 36)


def bars(container):
    """Return mean, lower and upper end of each row of an errorbar container drawn across: (rows, 3)."""
    ends = [segment[:, 0] for segment in container.lines[2][0].get_segments()]
    return np.column_stack([container.lines[0].get_xdata(), ends])


def thick(ax):
    return [line for line in ax.get_lines() if line.get_color() == PALETTE["searched"]]


def test_rows_of_a_forest_stand_at_their_values_with_their_intervals():
    drawn = draw_forest(ROWS, "What is compared.", "a − b", WITHIN, {POOLED: ESTIMATE})
    (ax,) = drawn.figure.axes
    expected = ROWS[["mean", "low", "high"]].to_numpy()
    assert bars(ax.containers[0]) == pytest.approx(expected)
    assert list(ax.containers[0].lines[0].get_ydata()) == [0, 1, 2] and ax.yaxis_inverted()
    assert [text.get_text() for text in ax.get_yticklabels()] == ["first", "second", POOLED]
    assert ax.get_lines()[0].get_xdata()[0] == 0 and ax.get_xlabel() == "a − b (points)"
    (decisive,) = thick(ax)
    assert list(decisive.get_xdata()) == pytest.approx(ESTIMATE.interval(0.9)) and decisive.get_ydata()[0] == 2
    assert drawn.data is ROWS and drawn.caption.startswith("What is compared. Mean over all rows: −0.50 points, 90 % ")
    low, high = (100 * value for value in ESTIMATE.interval(0.9))
    assert f"[−{-low:.2f}, +{high:.2f}] (thick), n = 18, 36 runs" in drawn.caption
    assert "2 rows, n = 8–10 each; simultaneous 95 % intervals" in drawn.caption and "Arrows" not in drawn.caption


@pytest.mark.parametrize(
    ("claim", "low", "high", "text"),
    [
        (WITHIN, -0.01, 0.01, "within ±1 point."),
        (replace(WITHIN, margin=0.5), -0.005, 0.005, "within ±0.5 points."),
        (AT_LEAST, -0.005, None, "above −0.5 points."),
        (replace(AT_LEAST, direction="below"), None, -0.005, "below −0.5 points."),
    ],
)
def test_what_a_claim_allows_is_shaded(claim, low, high, text):
    drawn = draw_forest(ROWS, "What.", "a − b", claim)
    (ax,) = drawn.figure.axes
    (band,) = ax.patches
    edges = ax.get_xlim()
    assert band.get_x() == pytest.approx(edges[0] if low is None else low)
    assert band.get_x() + band.get_width() == pytest.approx(edges[1] if high is None else high)
    assert drawn.caption.endswith(f"Shaded: what the claim allows, {text}") and not thick(ax)


def test_without_a_claim_nothing_is_shaded_and_the_caption_has_the_mean_or_the_largest():
    drawn = draw_forest(ROWS, "What.", "a − b")
    assert not drawn.figure.axes[0].patches and "Shaded" not in drawn.caption
    assert "Mean over all rows: −0.50 points, 95 % interval [−1.50, +0.50] (n = 18, 36 runs)" in drawn.caption
    largest = draw_forest(ROWS[:2], "What.", "a − b").caption
    assert "The largest difference is −2.00 [−3.00, −0.50] points (first)." in largest
    assert "95 % interval, n = 8." in draw_forest(ROWS[:1], "What.", "a − b").caption


def test_an_interval_that_leaves_the_panel_ends_in_an_arrow():
    wide = ROWS.assign(high=[0.9, 0.04, 0.005])
    drawn = draw_forest(wide, "What.", "a − b", WITHIN)
    (ax,) = drawn.figure.axes
    (arrow,) = [line for line in ax.get_lines() if line.get_marker() == ">"]
    assert arrow.get_xdata()[0] == ax.get_xlim()[1] < 0.9 and list(arrow.get_ydata()) == [0]
    assert drawn.caption.endswith("Arrows: the interval goes on beyond the panel.")


LEVEL = pd.DataFrame(
    [
        (0.9, "ERK", "e9", 0.8, 0.78, 0.82, 3),
        (0.9, "uniform", "u9", 0.7, 0.66, 0.74, 3),
        (0.98, "uniform", "u98", 0.4, 0.3, 0.5, 2),
    ],
    columns=LEVELS,
)
RUNS = pd.DataFrame(
    [("e9", 0.79), ("e9", 0.81), ("u9", 0.7), ("u98", 0.35), ("u98", np.nan), ("other", 0.1)],
    columns=["cell", "test_accuracy"],
)
DENSE = pd.DataFrame([(0.0, "dense", "d", 0.9, 0.88, 0.92, 5)], columns=LEVELS)


def test_levels_stand_in_the_rows_of_their_names_with_each_run_below():
    drawn = draw_levels(LEVEL, RUNS, "Accuracy.", DENSE)
    nine, ninety_eight = drawn.figure.axes
    assert [ax.get_title() for ax in (nine, ninety_eight)] == ["90 % sparsity", "98 % sparsity"]
    assert bars(nine.containers[0]) == pytest.approx(np.array([(0.8, 0.78, 0.82), (0.7, 0.66, 0.74)]))
    assert list(ninety_eight.containers[0].lines[0].get_ydata()) == [1]
    points = nine.collections[-1].get_offsets()
    assert points.tolist() == [[0.79, BESIDE], [0.81, BESIDE], [0.7, 1 + BESIDE]]
    assert ninety_eight.collections[-1].get_offsets().tolist() == [[0.35, 1 + BESIDE]]
    for ax in (nine, ninety_eight):
        assert ax.get_lines()[0].get_xdata()[0] == 0.9 and ax.get_lines()[0].get_label() == "dense"
        (band,) = ax.patches
        assert (band.get_x(), band.get_width()) == pytest.approx((0.88, 0.04))
        assert ax.get_xlim()[0] < 0.88 and ax.get_xlim()[1] > 0.92
    assert "90 % sparsity: from 70.0 % (uniform) to 80.0 % (ERK). 98 % sparsity: 40.0 % (uniform)." in drawn.caption
    assert "networks (n = 2–3)" in drawn.caption and "dense networks, 90.0 % (n = 5)" in drawn.caption
    assert set(drawn.data["cell"]) == {"e9", "u9", "u98"}


def test_no_run_is_said_in_a_figure():
    for drawn in (draw_forest(ROWS[:0], "What.", "a − b"), draw_levels(LEVEL[:0], RUNS, "What.")):
        assert "too few runs" in drawn.caption and drawn.figure.axes[0].texts
