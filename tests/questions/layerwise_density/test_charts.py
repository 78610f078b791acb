"""The charts of notebook 05 show the values of their frames, and their captions say them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from planted_layers import planted
from randsparse.comparison.plots import PALETTE
from randsparse.questions.layerwise_density import charts

LAYERS = pd.DataFrame(
    [
        ("ERK", 0.9, 0, "stem.weight", "first layer", 1.0),
        ("ERK", 0.9, 1, "stem.weight", "first layer", 1.0),
        ("ERK", 0.9, 0, "group1.0.conv1.weight", "other layers", 0.02),
        ("ERK", 0.9, 1, "group1.0.conv1.weight", "other layers", 0.04),
        ("uniform", 0.9, 0, "stem.weight", "first layer", 0.1),
        ("uniform", 0.9, 0, "group1.0.conv1.weight", "other layers", 0.1),
        ("uniform", 0.98, 0, "stem.weight", "first layer", 0.02),
        ("uniform", 0.98, 0, "group1.0.conv1.weight", "other layers", 0.013),
    ],
    columns=["arm", "sparsity", "replicate", "layer", "role", "density"],
)


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return planted(tmp_path_factory.mktemp("runs"))


def bars(container):
    """Return mean, lower and upper end of each row of an errorbar container drawn across: (rows, 3)."""
    ends = [segment[:, 0] for segment in container.lines[2][0].get_segments()]
    return np.column_stack([container.lines[0].get_xdata(), ends])


def thick(drawn):
    (line,) = [line for line in drawn.figure.axes[0].get_lines() if line.get_color() == PALETTE["searched"]]
    return line


def test_densities_stand_in_the_cells_of_their_layers_and_rules():
    drawn = charts.draw_layer_densities(LAYERS)
    nine, ninety_eight = drawn.figure.axes[:2]
    assert nine.images[0].get_array().tolist() == [[1, pytest.approx(0.03)], [0.1, 0.1]]
    assert ninety_eight.images[0].get_array().tolist() == [[0.02, 0.013]]
    assert [text.get_text() for text in nine.texts] == ["100", "3", "10", "10"]
    assert [text.get_text() for text in nine.get_yticklabels()] == ["ERK", "uniform"]
    assert [text.get_text() for text in ninety_eight.get_xticklabels()] == ["stem", "group1.0.conv1"]
    assert len(nine.patches) == 1 and nine.patches[0].get_x() == -0.5, "the first layer is framed"
    assert "`group1.0.conv1.weight` under uniform at 98 % sparsity, with 1.3 %; 1 of 6 entries" in drawn.caption
    assert "n = 1–2 runs" in drawn.caption and len(drawn.data) == 6


def test_many_layers_are_not_written_into_their_cells():
    many = pd.concat([LAYERS.assign(layer=LAYERS["layer"] + str(index)) for index in range(8)])
    assert not charts.draw_layer_densities(many).figure.axes[0].texts
    assert "too few runs" in charts.draw_layer_densities(LAYERS[:0]).caption


def test_rules_are_compared_with_erk_and_the_claim_is_thick(found):
    drawn = charts.draw_rule_differences(found)
    frame, estimate = found.rule_forest, found.rule_claim
    assert bars(drawn.figure.axes[0].containers[0]) == pytest.approx(frame[["mean", "low", "high"]].to_numpy())
    assert frame["mean"].to_numpy() == pytest.approx([0.02, 0.1, -0.01], abs=0.006)
    line = thick(drawn)
    assert list(line.get_xdata()) == pytest.approx(estimate.interval(0.9))
    assert line.get_ydata()[0] == list(frame["row"]).index("ERK − uniform, 98 %") == 1
    assert f"ERK − uniform, 98 %: {100 * estimate.value:+.2f} points, 90 % interval" in drawn.caption


def test_score_masks_are_compared_with_their_shuffles_and_the_claim_is_shaded(found):
    drawn = charts.draw_mask_differences(found)
    frame = found.mask_forest
    assert list(frame["row"]) == [
        "SNIP, 90 %: mask − shuffled",
        "magnitude, 98 %: mask − shuffled",
        "SNIP, 90 %: mask − other weights",
    ]
    assert frame["mean"].to_numpy() == pytest.approx([0, 0.02, 0.03], abs=0.006)
    assert bars(drawn.figure.axes[0].containers[0]) == pytest.approx(frame[["mean", "low", "high"]].to_numpy())
    (band,) = drawn.figure.axes[0].patches
    assert (band.get_x(), band.get_width()) == pytest.approx((-0.01, 0.02))
    assert list(thick(drawn).get_xdata()) == pytest.approx(found.mask_claim.interval(0.9))


def test_accuracies_are_those_of_the_cells(found):
    for drawn, frame in (
        (charts.draw_rule_accuracies(found), found.rule_levels),
        (charts.draw_mask_accuracies(found), found.mask_levels),
    ):
        for ax, (_, own) in zip(drawn.figure.axes, frame.groupby("sparsity"), strict=True):
            assert bars(ax.containers[0]) == pytest.approx(own[["mean", "low", "high"]].to_numpy())
            assert ax.get_lines()[0].get_xdata()[0] == pytest.approx(found.values(found.dense).mean())
    assert list(dict.fromkeys(found.rule_levels["row"])) == ["balanced", "ERK", "uniform"], "the best of 98 % first"
