"""The charts of the theory show what the frames hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binomtest

from randsparse.errors import StudyError
from randsparse.questions.theory import charts, predictions, subset_sums
from randsparse.questions.theory import containment as theory_sources
from randsparse.questions.theory import verdicts as theory_claims

TARGETS = [predictions.draw_target([1, 1, 1], 0), predictions.draw_target([1, 2, 1], 0)]


@pytest.fixture(scope="module")
def found():
    return theory_sources.count_containing(TARGETS, [0.5, 0.8], [0.4, 0.7, 1.0], 50, 1, 0.05, seed=0)


def labels(figure):
    return {label for ax in figure.axes for label in ax.get_legend_handles_labels()[1]}


def bars(container):
    """Return the lower and upper ends of the error bars of a container."""
    return np.array([segment[:, 1] for segment in container.lines[2][0].get_segments()]).T


def line(ax, label):
    return next(each for each in ax.get_lines() if each.get_label() == label)


def test_a_panel_per_target_and_every_sparsity(found):
    figure = charts.containment(theory_claims.add_intervals(found[found["event"] == "every copy"]))
    assert [ax.get_title() for ax in figure.axes] == [each.name for each in TARGETS]
    assert all(len(ax.containers) == 2 for ax in figure.axes)
    assert {"50 % sparse", "80 % sparse", "exact prediction", "union bound"} <= labels(figure)
    every = found[(found["target"] == TARGETS[0].name) & (found["sparsity"] == 0.5) & (found["event"] == "every copy")]
    drawn = figure.axes[0].containers[0].lines[0]
    assert drawn.get_ydata() == pytest.approx(every["contained"] / 50)
    copies, share = every["copies"].to_numpy(), every["contained"].to_numpy() / 50
    exact = [float(binomtest(int(round(50 * each)), 50).proportion_ci(method="exact").low) for each in share]
    low, high = bars(figure.axes[0].containers[0])
    assert low == pytest.approx(exact, abs=1e-9) and (high >= share).all() and (low <= share).all()
    exact, bound = (each.get_ydata() for each in figure.axes[0].get_lines()[:2])
    target = TARGETS[0]
    expected = [predictions.probability(target, int(k), 0.5) for k in copies]
    assert exact == pytest.approx(expected) and (bound <= exact[-len(bound) :] + 1e-12).all()


def test_needed_widths_lie_in_the_panel_of_their_target_beside_their_bounds(found):
    ends = theory_sources.count_connected(TARGETS[1], [0.5, 0.8], [0.4, 0.7, 1.0], 50, 0.05, 0)
    needed = theory_claims.find_widths_needed(pd.concat([found, ends]), 0.05)
    bounds = theory_sources.find_bounds(TARGETS, TARGETS[1], [0.5, 0.8], 0.05)
    figure = charts.widths_needed(needed, bounds)
    assert figure.axes[-1].get_title() == "any weights: 1 input, 1 output"
    assert {"sufficient: union bound", "necessary", "every copy", "no end cut off"} <= labels(figure)
    for ax in figure.axes:
        rows = needed[(needed["target"] == ax.get_title()) & needed["width"].notna()]
        for container in ax.containers:
            of_event = rows[rows["event"] == container.get_label()]
            assert container.lines[0].get_ydata() == pytest.approx(of_event["width"])
            if of_event.empty:
                continue
            low, high = bars(container)
            assert low == pytest.approx(of_event["low"]) and high == pytest.approx(of_event["high"])
        theory = bounds[bounds["target"] == ax.get_title()]
        assert line(ax, "sufficient: union bound").get_ydata() == pytest.approx(theory["sufficient"], nan_ok=True)
        assert line(ax, "necessary").get_ydata() == pytest.approx(theory["necessary"], nan_ok=True)
    with pytest.raises(StudyError, match="nothing to draw"):
        charts.widths_needed(needed.assign(width=np.nan), bounds)


def test_errors_of_weights_and_networks_are_drawn_as_geometric_means():
    one = subset_sums.survey([1.0, 0.5], [2, 6], 20, 1.0, 0)
    whole = subset_sums.survey([1.0, 0.5], [2, 6], 5, 1.0, 0, widths=[1, 1, 1])
    axes = charts.network_errors(pd.concat([one, whole])).axes
    assert axes[0].get_yscale() == "log" and len(axes[0].containers) == len(axes[1].containers) == 2
    assert axes[0].containers[0].lines[0].get_ydata() == pytest.approx(2 ** one["mean"][:2])
    low, high = bars(axes[0].containers[0])
    assert low == pytest.approx(2 ** one["low"][:2]) and high == pytest.approx(2 ** one["high"][:2])
    halves = line(axes[0], "halves with each copy left")
    assert halves.get_ydata() == pytest.approx(0.5 * 2.0 ** -halves.get_xdata())
    titles = [ax.get_title() for ax in axes]
    assert titles == ["one weight (n = 20)", "network 1-1-1 (n = 5)"]


def test_without_sources_there_is_nothing_to_draw(found):
    with pytest.raises(StudyError, match="nothing to draw"):
        charts.containment(theory_claims.add_intervals(found).iloc[:0])


def test_practice_shows_random_minus_dense_with_its_interval_beside_a_margin_of_one_point():
    gaps = pd.DataFrame(
        {
            "cell": ["two", "four"],
            "width": [2.0, 4.0],
            "asked": [1.4, 2.0],
            "mean": [-0.012, 0.004],
            "low": [-0.02, 0.001],
            "high": [-0.007, 0.01],
        }
    )
    (ax,) = charts.practice(gaps).axes
    (container,) = ax.containers
    assert container.lines[0].get_xdata() == pytest.approx([-0.012, 0.004])
    ends = np.array([segment[:, 0] for segment in container.lines[2][0].get_segments()])
    assert ends == pytest.approx(gaps[["low", "high"]].to_numpy())
    assert ax.patches[0].get_x() == pytest.approx(-0.01)
    assert [text.get_text() for text in ax.get_yticklabels()] == [
        "two\n×2 wide, asked: ×1.4",
        "four\n×4 wide, asked: ×2.0",
    ]
