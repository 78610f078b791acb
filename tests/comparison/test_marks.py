"""Marks that several charts draw: how rules look, and the axis of errors."""

from __future__ import annotations

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


@pytest.mark.parametrize("values", [[1.0], [0.0, 1.0], [0.0], [0.97, 0.98]])
def test_any_accuracies_have_an_error_axis(values):
    figure, (ax,) = plots.panels(["one"])
    marks.error_axis(ax, pd.Series(values))
    figure.canvas.draw()
    low, high = ax.get_ylim()
    assert low < min(values) and max(values) <= high and len(ax.get_yticks())
