"""The charts of notebook 09 show the values of their frames, and their captions say them."""

from __future__ import annotations

import numpy as np
import pytest

from planted_tickets import CELLS, OTHERS, planted
from randsparse.comparison.cells import POOLED
from randsparse.comparison.plots import PALETTE
from randsparse.questions.strong_tickets import charts


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return planted(tmp_path_factory.mktemp("runs"))


def bars(container):
    """Return mean, lower and upper end of each row of an errorbar container drawn across: (rows, 3)."""
    ends = [segment[:, 0] for segment in container.lines[2][0].get_segments()]
    return np.column_stack([container.lines[0].get_xdata(), ends])


def thick(drawn):
    return [line for line in drawn.figure.axes[0].get_lines() if line.get_color() == PALETTE["searched"]]


def test_sources_are_compared_and_the_mean_decides(found):
    drawn = charts.draw_sources(found)
    frame = found.source_forest
    assert list(frame["row"]) == [
        *("uniform source, 50 %: 90 % sparsity", "uniform source, 50 %: 95 % sparsity"),
        POOLED,
    ]
    assert bars(drawn.figure.axes[0].containers[0]) == pytest.approx(frame[["mean", "low", "high"]].to_numpy())
    (line,) = thick(drawn)
    assert list(line.get_xdata()) == pytest.approx(found.claim.interval(0.9)) and line.get_ydata()[0] == 2
    (band,) = drawn.figure.axes[0].patches
    assert band.get_x() == pytest.approx(-0.01) and "above −1 points" in drawn.caption


def test_sources_of_other_layer_densities_are_not_averaged_with_the_claim(tmp_path):
    own = planted(tmp_path, cells=CELLS | OTHERS)
    drawn = charts.draw_sources(own)
    assert POOLED not in set(own.source_forest["row"]) and len(own.source_forest) == 4 and not thick(drawn)
    assert "Those of ER sources have other layer densities, too" in drawn.caption
    means = own.source_forest.set_index("row")["mean"]
    assert means["ER source, 50 %: 90 % sparsity"] == pytest.approx(0.04, abs=0.006)


def test_tickets_and_retrained_ones_are_compared_with_trained_masks(found):
    drawn = charts.draw_trained(found)
    frame = found.trained_forest
    assert bars(drawn.figure.axes[0].containers[0]) == pytest.approx(frame[["mean", "low", "high"]].to_numpy())
    means = frame.set_index("row")["mean"]
    assert means["ticket, dense source: 90 % sparsity"] == pytest.approx(-0.05, abs=0.006)
    assert means["retrained, uniform source, 50 %: 90 % sparsity"] == pytest.approx(0.02, abs=0.006)
    assert len(means) == 5


@pytest.mark.parametrize(("draw", "retrained"), [(charts.draw_tickets, False), (charts.draw_retrained, True)])
def test_accuracies_stand_beside_dense_networks_that_are_trained_as_long(found, draw, retrained):
    drawn = draw(found)
    frame = found.accuracies(retrained)
    dense = found.dense_of(9 if retrained else 6)
    assert dense.name == ("dense, longer" if retrained else "dense")
    for ax, (_, own) in zip(drawn.figure.axes, frame.groupby("sparsity"), strict=True):
        assert bars(ax.containers[0]) == pytest.approx(own[["mean", "low", "high"]].to_numpy())
        assert ax.get_lines()[0].get_xdata()[0] == pytest.approx(found.values(dense).mean())
