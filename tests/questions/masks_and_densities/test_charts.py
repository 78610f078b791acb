from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from randsparse.comparison.marks import RULE_COLOURS
from randsparse.questions.masks_and_densities import charts as mask_charts
from randsparse.sparsity import masks


def line(ax, label):
    found = [line for line in ax.get_lines() if line.get_label() == label]
    assert len(found) == 1, [line.get_label() for line in ax.get_lines()]
    return found[0]


def legend_texts(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def test_a_picture_shows_every_kernel_as_a_tile():
    kept = torch.zeros(2, 3, 2, 2, dtype=torch.bool)
    kept[1, 2, 0, 1] = True
    ax = mask_charts.mask_picture({"one": kept}).axes[0]
    shown = ax.images[0].get_array()
    assert shown.shape == (4, 6) and shown.sum() == 1 and shown[2, 5]
    assert ax.get_title() == "one\n4.17 % kept"


def test_many_pictures_stand_in_one_row():
    figure = mask_charts.mask_picture({kind: torch.ones(4, 4) for kind in (*masks.KINDS, "nodes")})
    assert {ax.get_subplotspec().rowspan.start for ax in figure.axes} == {0} and len(figure.axes) == 4


def test_layer_densities_are_in_order_of_depth_on_one_scale():
    frame = pd.DataFrame(
        {
            "rule": "erk",
            "layer": ["stem.weight", "a.weight"] * 2,
            "density": [1, 0.5, 0.2, 0.1],
            "sparsity": [0.5, 0.5, 0.9, 0.9],
        }
    )
    first, second = mask_charts.layer_densities(frame).axes
    assert [text.get_text() for text in first.get_xticklabels()] == ["stem", "a"]
    assert list(line(second, "erk").get_ydata()) == [0.2, 0.1]
    assert first.get_ylim() == second.get_ylim() and "90 %" in second.get_title()


def test_realised_against_asked_has_a_panel_a_network_and_tells_allocators_apart():
    frame = pd.DataFrame(
        {
            "model": ["small", "small", "large", "large"],
            "rule": "balanced",
            "asked": 0.5,
            "allocator": ["exact", "clipped"] * 2,
            "realised": [0.5, 0.3, 0.5, 0.2],
        }
    )
    figure = mask_charts.asked_vs_realised(frame)
    small, large = figure.axes
    assert small.get_title() == "small"
    assert line(small, "balanced, exact").get_ydata() == 0.5 and line(large, "balanced, clipped").get_ydata() == 0.2
    assert line(small, "balanced, exact").get_markerfacecolor() == "none"
    assert legend_texts(figure) == ["realised = requested", "balanced, exact", "balanced, clipped"]


@pytest.fixture
def paths():
    rows = [(rule, sparsity, seed) for rule in ("uniform", "erk+") for sparsity in (0.5, 0.9) for seed in range(2)]
    frame = pd.DataFrame(rows, columns=["rule", "sparsity", "seed"])
    frame["share"] = np.where(frame["seed"] == 0, 1, 0.8)
    frame.loc[(frame["rule"] == "erk+") & (frame["sparsity"] == 0.9), "share"] = np.nan
    return frame.assign(panel="Exact draw")


def test_the_share_on_a_path_is_drawn_with_n_and_crosses(paths):
    figure = mask_charts.effective_vs_asked(paths)
    ax = figure.axes[0]
    assert line(ax, "uniform (n = 2)").get_ydata() == pytest.approx([0.9, 0.9])
    crosses = [each for each in ax.get_lines() if each.get_marker() == "x" and len(each.get_xdata())]
    assert [tuple(each.get_color()) for each in crosses] == [tuple(RULE_COLOURS["erk+"])]
    assert crosses[0].get_ydata()[0] < 0, "a cross is below the axis, not at a share"
    assert crosses[0].get_xdata()[0] == pytest.approx(0.9) and "cannot be reached" in legend_texts(figure)
