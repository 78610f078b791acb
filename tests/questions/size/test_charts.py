"""The charts of sizes show what the frames hold."""

from __future__ import annotations

import pandas as pd
import pytest

from made_up import runs_of_sizes
from randsparse.errors import StudyError
from randsparse.questions.size import charts, frames
from randsparse.study import parameters

MARGIN = 0.005
NAMES = {"a": "wrn-10-1", "b": "wrn-16-1", "c": "wrn-22-1", "d": "resnet-20", "e": "resnet-56"}


def frame():
    made = runs_of_sizes(lambda index, sparsity: -0.01 * sparsity * index)
    return made.assign(model=made["model"].map(NAMES), flops_per_image=made["weights"] * 100)


def test_each_family_has_a_panel_and_each_model_a_line():
    published = pd.DataFrame({"model": ["resnet-20"], "sparsity": [0.5], "test_accuracy": [0.91]})
    wide, plain = charts.accuracy_by_model(frame(), published).axes
    assert [ax.get_title() for ax in (wide, plain)] == ["Wide ResNet", "ResNet"]
    assert [len(ax.containers) for ax in (wide, plain)] == [3, 2]
    assert "resnet-20, published" in plain.get_legend_handles_labels()[1]


def test_gaps_have_a_panel_a_model_and_a_marker_a_verdict():
    gaps = frames.gaps(frame(), MARGIN)
    axes = charts.gap_to_dense(gaps, MARGIN).axes
    assert len(axes) == 5
    labels = {label for ax in axes for label in ax.get_legend_handles_labels()[1]}
    assert set(gaps["verdict"]) <= labels


def test_costs_have_a_line_for_each_model_and_each_narrow_control():
    weights, flops = charts.accuracy_vs_cost(frame()).axes
    assert len(weights.containers) == len(flops.containers) == 5 + 1
    assert weights.get_xscale() == "log" and "FLOPs" in flops.get_xlabel()


def test_the_chosen_rate_is_ringed():
    rates = pd.DataFrame(
        {
            "sparsity": 0.5,
            "lr": [0.1, 0.1, 0.2, 0.2],
            "val_accuracy": [0.8, 0.82, 0.9, 0.91],
            "chosen": [False, False, True, True],
        }
    )
    (ax,) = charts.learning_rates(rates).axes
    ring = next(line for line in ax.get_lines() if line.get_markersize() == 13)
    assert ring.get_ydata() == pytest.approx([0.905])


def test_published_gaps_start_from_their_dense_network():
    (ax,) = charts.published_gaps(frames.published(parameters.find_root()), "erk").axes
    line = next(line for line in ax.get_lines() if line.get_label() == "resnet-20")
    assert line.get_ydata()[-1] == pytest.approx(0.8779 - 0.9236)


def test_without_runs_there_is_nothing_to_draw():
    with pytest.raises(StudyError, match="nothing to draw"):
        charts.accuracy_by_model(frame().iloc[:0])
