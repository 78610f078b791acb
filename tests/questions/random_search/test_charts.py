"""The charts of notebooks 02 and 03 show the values of their frames, and their captions say them."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.plots import PALETTE
from randsparse.questions.random_search import accuracy_charts, gain_charts
from randsparse.questions.random_search.accuracies import DENSE, LEVEL, NODES, SEARCHED, SMALL, WEIGHTS
from randsparse.questions.random_search.gains import BEST, EARLY, FINAL, POOLED

GAINS = pd.DataFrame(
    [
        (0.1, EARLY, "dense", 0.05, 0.03, 0.06, 8, 16),
        (0.1, EARLY, "nodes 80 %", 0.08, 0.02, 0.12, 8, 16),
        (0.1, EARLY, POOLED, 0.065, 0.04, 0.08, 16, 32),
        (0.1, FINAL, "dense", 0.002, -0.001, 0.007, 8, 16),
        (0.1, FINAL, "nodes 80 %", -0.004, -0.03, 0.002, 8, 16),
        (0.1, FINAL, POOLED, -0.001, -0.006, 0.003, 16, 32),
        (0.1, BEST, "dense", 0.006, 0.004, 0.009, 8, 16),
        (0.1, BEST, "nodes 80 %", 0.012, 0.01, 0.02, 8, 16),
        (0.1, BEST, POOLED, 0.009, 0.007, 0.012, 16, 32),
    ],
    columns=["phase", "measured", "cell", "mean", "low", "high", "n", "runs"],
)
VALUES = ["mean", "low", "high"]
GAINS = pd.concat([GAINS, GAINS.assign(phase=0.5, **{name: GAINS[name] / 2 for name in VALUES})], ignore_index=True)


def bars(container):
    """Return mean, lower and upper end of each row of an errorbar container drawn across: (rows, 3)."""
    ends = [segment[:, 0] for segment in container.lines[2][0].get_segments()]
    return np.column_stack([container.lines[0].get_xdata(), ends])


def upright(container):
    """Return mean, lower and upper end of each point of an errorbar container drawn upright: (points, 3)."""
    ends = [segment[:, 1] for segment in container.lines[2][0].get_segments()]
    return np.column_stack([container.lines[0].get_ydata(), ends])


def legend_texts(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_gains_stand_in_the_rows_of_their_cells_with_their_intervals():
    drawn = gain_charts.draw_gains(GAINS, 4)
    assert [ax.get_title() for ax in drawn.figure.axes] == ["After 10 % of training", "After 50 % of training"]
    for ax, (_, rows) in zip(drawn.figure.axes, GAINS.groupby("phase"), strict=True):
        for container, (measured, aside) in zip(
            ax.containers, {EARLY: -0.22, FINAL: 0, BEST: 0.22}.items(), strict=True
        ):
            own = rows[rows["measured"] == measured]
            expected = list(own[VALUES].itertuples(index=False, name=None))
            assert bars(container) == pytest.approx(np.array(expected))
            assert list(container.lines[0].get_ydata()) == pytest.approx([aside, 1 + aside, 2 + aside])
        assert ax.yaxis_inverted() and ax.get_lines()[0].get_xdata()[0] == 0
    names = [text.get_text() for text in drawn.figure.axes[0].get_yticklabels()]
    assert names == ["dense", "nodes 80 %", POOLED]
    assert legend_texts(drawn.figure)[2] == "the best of 4 at the end, test"
    assert "+6.50 points early and −0.10 [−0.60, +0.30] at the end after 10 %" in drawn.caption
    assert "n = 16 networks, 32 runs" in drawn.caption and "Arrows" not in drawn.caption


def shares(low=-0.4):
    rows = [("dense", 0.3, low, 0.9, 8, 16), ("nodes 80 %", -0.2, -0.8, 0.6, 8, 16), (POOLED, 0.12, -0.2, 0.43, 16, 32)]
    return pd.DataFrame(rows, columns=["cell", "mean", "low", "high", "n", "runs"]).assign(phase=0.1)


def test_shares_have_the_claim_shaded_and_lines_at_a_blind_and_at_a_perfect_choice():
    drawn = gain_charts.draw_shares(shares(), 4)
    (ax,) = drawn.figure.axes
    (band,) = ax.patches
    assert band.get_x() + band.get_width() == pytest.approx(0.5) and band.get_x() == ax.get_xlim()[0]
    assert {line.get_xdata()[0]: line.get_label() for line in ax.get_lines()[:2]} == {
        0: "blind choice",
        1: "always the best",
    }
    expected = [(0.3, -0.4, 0.9), (-0.2, -0.8, 0.6), (0.12, -0.2, 0.43)]
    assert bars(ax.containers[0]) == pytest.approx(np.array(expected))
    assert "over all cells 0.12 [−0.20, 0.43] after 10 %" in drawn.caption and "less than 0.5" in drawn.caption


def test_an_interval_without_limit_ends_in_an_arrow_at_the_edge():
    drawn = gain_charts.draw_shares(shares(low=-math.inf), 4)
    (ax,) = drawn.figure.axes
    (arrow,) = [line for line in ax.get_lines() if line.get_marker() == "<"]
    assert arrow.get_xdata()[0] == ax.get_xlim()[0] and list(arrow.get_ydata()) == [0]
    assert bars(ax.containers[0])[0][1] == ax.get_xlim()[0]
    assert "Arrows: the interval goes on beyond the panel." in drawn.caption


def test_candidates_stand_in_a_column_per_order_with_their_mean_and_the_mean_winner():
    frame = pd.DataFrame(
        [
            (0.1, 1, "dense", 0, 0, 0.4, 0.0),
            (0.1, 1, "dense", 1, 0, 0.5, 0.25),
            (0.1, 1, "dense", 2, 0, 0.6, 0.75),
            (0.1, 1, "dense", 0, 1, 0.3, np.nan),
        ],
        columns=["phase", "epoch", "cell", "network", "order", "val_accuracy", "wins"],
    )
    drawn = gain_charts.draw_candidates(frame, 2)
    (ax,) = drawn.figure.axes
    points = [line for line in ax.get_lines() if line.get_marker() == "."]
    assert [line.get_xdata()[0] for line in points] == pytest.approx([-0.18, 0.18])
    assert [list(line.get_ydata()) for line in points] == [[0.4, 0.5, 0.6], [0.3]]
    dashes = {
        arm: [line.get_ydata()[0] for line in ax.get_lines() if line.get_color() == PALETTE[arm]]
        for arm in ("random", "searched")
    }
    assert dashes["random"] == pytest.approx([0.5, 0.3])
    assert dashes["searched"] == pytest.approx([0.25 * 0.5 + 0.75 * 0.6])  # no winner where a candidate is missing
    assert "4 runs of 1 cell, " in drawn.caption and "is 10.00 after 10 %" in drawn.caption


def test_leads_are_a_line_with_its_band_and_one_line_per_cell():
    rows = [
        (0.1, epoch, cell, mean, mean - 0.01, mean + 0.02, 8, 16)
        for cell, shift in (("dense", 0.0), (POOLED, 0.005))
        for epoch, mean in ((1, 0.08 + shift), (2, -0.01 + shift))
    ]
    frame = pd.DataFrame(rows, columns=["phase", "epoch", "cell", "mean", "low", "high", "n", "runs"])
    means = frame[frame["epoch"] == 2].assign(epochs=9)
    drawn = gain_charts.draw_leads(frame, means, 4)
    (ax,) = drawn.figure.axes
    cell, pooled = (line for line in ax.get_lines() if line.get_label() in ("one cell", "all cells, 95 % interval"))
    assert list(cell.get_ydata()) == [0.08, -0.01] and list(pooled.get_xdata()) == [1, 2]
    assert list(pooled.get_ydata()) == pytest.approx([0.085, -0.005])
    corners = ax.collections[0].get_paths()[0].vertices
    assert corners[:, 1].min() == pytest.approx(-0.015) and corners[:, 1].max() == pytest.approx(0.105)
    assert "−0.50 [−1.50, +1.50] points over 9 epochs (−4.50 points × epochs) after 10 %" in drawn.caption


LEVELS = pd.DataFrame(
    [
        (DENSE, "dense", 1.0, 0.9, 0.89, 0.92, 8, 16),
        (NODES, "nodes 80 %", 0.04, 0.7, 0.69, 0.73, 8, 16),
        (NODES, "nodes 40 %", 0.36, 0.8, 0.77, 0.81, 8, 16),
        (SEARCHED, "nodes 80 %", 0.04, 0.71, 0.66, 0.72, 8, 16),
        (WEIGHTS, "ERK 80 %", 0.2, 0.82, 0.8, 0.83, 8, 8),
        (SMALL, "small dense, nodes 80 %", 0.04, 0.68, 0.67, 0.7, 8, 8),
    ],
    columns=LEVEL,
)


def test_accuracy_stands_over_the_share_of_weights_that_is_left():
    drawn = accuracy_charts.draw_accuracy(LEVELS, 0.1, 4)
    (ax,) = drawn.figure.axes
    series = {container.get_label(): container for container in ax.containers}
    assert upright(series[NODES]) == pytest.approx(np.array([(0.7, 0.69, 0.73), (0.8, 0.77, 0.81)]))
    assert list(series[NODES].lines[0].get_xdata()) == [0.04, 0.36]
    assert upright(series[SEARCHED]) == pytest.approx(np.array([(0.71, 0.66, 0.72)]))
    assert upright(series[WEIGHTS]) == pytest.approx(np.array([(0.82, 0.8, 0.83)]))
    assert upright(series[SMALL]) == pytest.approx(np.array([(0.68, 0.67, 0.7)]))
    asides = [series[name].lines[0].get_xdata()[0] / 0.04 for name in (SEARCHED, SMALL)]
    assert asides == pytest.approx([1.045, 1 / 1.045])  # as the caption says
    assert ax.get_lines()[0].get_ydata()[0] == 0.9
    (band,) = ax.patches
    assert (band.get_y(), band.get_y() + band.get_height()) == pytest.approx((0.89, 0.92))
    drawn.figure.draw_without_rendering()
    assert [text.get_text() for text in ax.get_xticklabels()] == ["4", "20", "36", "100"]
    assert ax.xaxis_inverted() and ax.get_xscale() == "log"
    assert "90.0 % with 100 % of the weights, 80.0 % with 36 % of the weights and 70.0 % with 4 %" in drawn.caption


def test_the_difference_has_the_margin_of_the_claim_and_its_decisive_interval():
    rows = [("dense", 0.001, -0.002, 0.003, 8, 16), ("nodes 80 %", -0.002, -0.005, 0.0, 8, 16)]
    rows += [(POOLED, -0.0005, -0.0015, 0.0005, 16, 32)]
    frame = pd.DataFrame(rows, columns=["cell", "mean", "low", "high", "n", "runs"])
    whole = Estimate(-0.0005, 0.0005, 10, 16, 32)
    drawn = accuracy_charts.draw_difference(frame, whole, 0.1, 4)
    (ax,) = drawn.figure.axes
    (band,) = ax.patches
    assert (band.get_x(), band.get_x() + band.get_width()) == pytest.approx((-0.002, 0.002))
    expected = [(0.001, -0.002, 0.003), (-0.002, -0.005, 0.0), (-0.0005, -0.0015, 0.0005)]
    assert bars(ax.containers[0]) == pytest.approx(np.array(expected))
    (thick,) = [line for line in ax.get_lines() if line.get_linewidth() == 3.5]
    half = 1.812461 * 0.0005  # Student's t at 95 %, ten degrees of freedom
    assert list(thick.get_xdata()) == pytest.approx([-0.0005 - half, -0.0005 + half]) and set(thick.get_ydata()) == {2}
    assert "−0.05 points, 90 % interval [−0.14, +0.04] (thick), 95 % interval [−0.16, +0.06]" in drawn.caption
    assert "margin of ±0.2 points" in drawn.caption and legend_texts(drawn.figure)[0] == "within ±0.2 points"


def test_without_runs_a_figure_says_so():
    nothing = [
        gain_charts.draw_candidates(pd.DataFrame(), 4),
        gain_charts.draw_gains(GAINS[:0], 4),
        gain_charts.draw_shares(shares()[:0], 4),
        gain_charts.draw_leads(GAINS[:0], GAINS[:0], 4),
        accuracy_charts.draw_accuracy(LEVELS[:0], 0.1, 4),
        accuracy_charts.draw_difference(GAINS[:0], None, 0.1, 4),
    ]
    assert {drawn.caption for drawn in nothing} == {"There are too few runs yet to draw this."}
    assert {drawn.figure.axes[0].texts[0].get_text() for drawn in nothing} == {"There are too few runs yet."}
