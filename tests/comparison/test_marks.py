"""Marks that several charts draw: what stands where, how rules look, and the axis of errors."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from randsparse.comparison import marks, plots
from randsparse.comparison.marks import RULE_COLOURS, RULE_MARKERS, rule_look
from randsparse.sparsity.densities import RULES
from randsparse.sparsity.scores import SCORES


def test_every_rule_looks_its_own_way():
    assert list(RULE_COLOURS) == [*RULES, *SCORES] == list(RULE_MARKERS)
    assert len(set(map(str, RULE_COLOURS.values()))) == len(set(RULE_MARKERS.values())) == len(RULE_COLOURS)
    assert rule_look("snip")["linestyle"] == "--" and rule_look("erk")["linestyle"] == "-"


@pytest.fixture
def ax():
    _, (only,) = plots.make_panels(["one"])
    return only


def test_error_bars_have_their_lengths_below_and_above():
    table = pd.DataFrame({"mean": [0.5, 0.6], "low": [0.4, 0.55], "high": [0.7, 0.6]})
    assert marks.errors(table) == pytest.approx(np.array([[0.1, 0.05], [0.2, 0.0]]))


ROWS = pd.DataFrame({"mean": [0.0, 0.2], "low": [-0.1, -5.0], "high": [0.3, np.inf]})


def test_edges_show_all_means_and_cut_wide_intervals():
    # Means and .5 take 0 to .5; intervals may take as much once more on each side, and 4 % are left free.
    assert marks.find_edges(ROWS, 0.5) == pytest.approx((-0.5 - 0.04, 0.5 + 0.04))
    narrow = pd.DataFrame({"mean": [0.0, 0.2], "low": [-0.1, 0.1], "high": [0.1, 0.25]})
    assert marks.find_edges(narrow) == pytest.approx((-0.1 - 0.04 * 0.35, 0.25 + 0.04 * 0.35))
    wide = pd.DataFrame({"mean": [0.0, 0.0, 0.1], "low": [-1.0, -1.0, -9.0], "high": [1.0, 1.0, 9.0]})
    assert marks.find_edges(wide) == pytest.approx((-1.0 - 0.04 * 2.1, 1.1 + 0.04 * 2.1)), "half of them are whole"


def test_rows_have_their_intervals_and_arrows_where_these_are_cut(ax):
    ax.set_xlim(-1, 1)
    marks.draw_interval_rows(ax, ROWS, [0, 3], {"color": "#000000", "marker": "o", "label": "a"})
    segments = ax.containers[0].lines[2][0].get_segments()
    assert np.array(segments) == pytest.approx(np.array([[[-0.1, 0], [0.3, 0]], [[-1, 3], [1, 3]]]))
    assert list(ax.containers[0].lines[0].get_xdata()) == [0.0, 0.2]
    arrows = {line.get_marker(): line.get_xydata().tolist() for line in ax.get_lines() if line.get_marker() in "<>"}
    assert arrows == {"<": [[-1, 3]], ">": [[1, 3]]}


def test_rows_without_a_cut_have_no_arrow_and_names_stand_from_above(ax):
    ax.set_xlim(-1, 1)
    marks.draw_interval_rows(ax, ROWS[:1], [0], {"color": "#000000", "marker": "o"})
    assert not [line for line in ax.get_lines() if line.get_marker() in "<>"]
    marks.forest_axis(ax, ["a", "b"], "x")
    assert [text.get_text() for text in ax.get_yticklabels()] == ["a", "b"] and ax.yaxis_inverted()
