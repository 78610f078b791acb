"""The charts of the theory show what the frames hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from randsparse.errors import StudyError
from randsparse.questions.theory import charts, predictions, subset_sums
from randsparse.questions.theory import containment as theory_sources
from randsparse.questions.theory import verdicts as theory_claims

TARGETS = [predictions.random_target([1, 1, 1], 0), predictions.random_target([1, 2, 1], 0)]


@pytest.fixture(scope="module")
def found():
    return theory_sources.containment(TARGETS, [0.5, 0.8], [0.4, 0.7, 1.0], 50, 1, 0.05, seed=0)


def labels(figure):
    return {label for ax in figure.axes for label in ax.get_legend_handles_labels()[1]}


def test_a_panel_per_target_and_every_sparsity(found):
    figure = charts.containment(theory_claims.with_intervals(found[found["event"] == "every copy"]))
    assert [ax.get_title() for ax in figure.axes] == [each.name for each in TARGETS]
    assert all(len(ax.containers) == 2 for ax in figure.axes)
    assert {"50 % sparse", "80 % sparse", "exact prediction", "union bound"} <= labels(figure)
    every = found[(found["target"] == TARGETS[0].name) & (found["sparsity"] == 0.5) & (found["event"] == "every copy")]
    drawn = figure.axes[0].containers[0].lines[0]
    assert drawn.get_ydata() == pytest.approx(every["contained"] / 50)


def test_needed_widths_lie_in_the_panel_of_their_target_beside_their_bounds(found):
    ends = theory_sources.connections(TARGETS[1], [0.5, 0.8], [0.4, 0.7, 1.0], 50, 0.05, 0)
    needed = theory_claims.widths_needed(pd.concat([found, ends]), 0.05)
    bounds = theory_sources.bounds(TARGETS, TARGETS[1], [0.5, 0.8], 0.05)
    figure = charts.widths_needed(needed, bounds)
    assert figure.axes[-1].get_title() == "any weights: 1 input, 1 output"
    assert {"sufficient: union bound", "necessary", "every copy", "no end cut off"} <= labels(figure)
    with pytest.raises(StudyError, match="nothing to draw"):
        charts.widths_needed(needed.assign(width=np.nan), bounds)


def test_errors_of_weights_and_networks_are_drawn_as_geometric_means():
    one = subset_sums.survey([1.0, 0.5], [2, 6], 20, 1.0, 0)
    whole = subset_sums.survey([1.0, 0.5], [2, 6], 5, 1.0, 0, widths=[1, 1, 1])
    axes = charts.network_errors(pd.concat([one, whole])).axes
    assert axes[0].get_yscale() == "log" and len(axes[0].containers) == len(axes[1].containers) == 2
    assert axes[0].containers[0].lines[0].get_ydata() == pytest.approx(2 ** one["mean"][:2])
    titles = [ax.get_title() for ax in axes]
    assert titles == ["one weight (n = 20)", "network 1-1-1 (n = 5)"]


def test_without_sources_there_is_nothing_to_draw(found):
    with pytest.raises(StudyError, match="nothing to draw"):
        charts.containment(theory_claims.with_intervals(found).iloc[:0])
