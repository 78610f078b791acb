"""The charts of notebook 08 show the values of their frames, and their captions say them."""

from __future__ import annotations

import numpy as np
import pytest

from planted_methods import COST, planted
from randsparse.comparison.cells import POOLED
from randsparse.comparison.plots import PALETTE
from randsparse.questions.sparse_to_sparse import charts


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return planted(tmp_path_factory.mktemp("runs"))


def bars(container, axis=0):
    """Return mean, lower and upper end of each point of an errorbar container: (rows, 3)."""
    ends = [segment[:, axis] for segment in container.lines[2][0].get_segments()]
    means = container.lines[0].get_ydata() if axis else container.lines[0].get_xdata()
    return np.column_stack([means, ends])


def test_sources_are_compared_and_the_mean_decides(found):
    drawn = charts.draw_source_differences(found)
    (ax,) = drawn.figure.axes
    frame = found.source_forest
    assert list(frame["row"]) == ["RigL, 90 %", "GMP, 90 %", "RigL, 98 %", "GMP, 98 %", POOLED]
    assert bars(ax.containers[0]) == pytest.approx(frame[["mean", "low", "high"]].to_numpy())
    (thick,) = [line for line in ax.get_lines() if line.get_color() == PALETTE["searched"]]
    assert list(thick.get_xdata()) == pytest.approx(found.claim.interval(0.9)) and thick.get_ydata()[0] == 4
    (band,) = ax.patches
    assert band.get_x() == pytest.approx(-0.005)


def test_other_pairs_than_those_of_the_claim_have_no_decisive_interval(found, monkeypatch):
    more = found.pairs | {("gmp", 0.8): found.pairs["gmp", 0.9]}
    monkeypatch.setitem(found.__dict__, "pairs", more)
    monkeypatch.delitem(found.__dict__, "source_forest", raising=False)
    assert found.claim is not None
    drawn = charts.draw_source_differences(found)
    assert not [line for line in drawn.figure.axes[0].get_lines() if line.get_color() == PALETTE["searched"]]
    monkeypatch.delitem(found.__dict__, "source_forest")


def test_static_and_dense_controls_are_forests(found):
    for drawn, frame in (
        (charts.draw_static_differences(found), found.static_forest),
        (charts.draw_cost_differences(found), found.cost_forest),
    ):
        assert bars(drawn.figure.axes[0].containers[0]) == pytest.approx(frame[["mean", "low", "high"]].to_numpy())
        assert len(frame) == 4 and not drawn.figure.axes[0].patches
    assert found.static_forest.set_index("row")["mean"].to_dict() == pytest.approx(
        {"RigL, 90 %": 0.01, "RigL, 98 %": 0.01, "GMP, 90 %": 0.04, "GMP, 98 %": 0.04}, abs=0.006
    )


def test_each_cell_stands_at_its_cost_and_accuracy(found, monkeypatch):
    monkeypatch.setitem(found.__dict__, "points", found.points.assign(low=found.points["low"] - 0.01))
    drawn = charts.draw_costs(found)
    assert [ax.get_title() for ax in drawn.figure.axes] == ["90 % sparsity", "98 % sparsity"]
    for ax, (_, own) in zip(drawn.figure.axes, found.points.groupby("sparsity"), strict=True):
        assert len(ax.containers) == len(own) == 8
        for container, row in zip(ax.containers, own.itertuples(), strict=True):
            line = container.lines[0]
            assert line.get_xdata()[0] == pytest.approx(COST[row.cell])
            assert bars(container, 1)[0] == pytest.approx([row.mean, row.low, row.high])
            hollow = row.cell in ("rigl 90", "gmp 90", "rigl 98", "gmp 98", "short")
            assert (line.get_markerfacecolor() == "white") == hollow, row.cell
        joined = ax.get_lines()[0]
        assert list(joined.get_xdata()) == pytest.approx([COST[name] for name in ("small 98", "small 90", "dense")])
        means = [found.values(found.control(s, "small dense")).mean() for s in (0.98, 0.9)]
        assert list(joined.get_ydata()) == pytest.approx([*means, found.values(found.dense).mean()])
        assert ax.get_xscale() == "log"
    small = 100 * found.values(found.control(0.9, "small dense")).mean()
    assert f"small dense at 90 % (10 % of the FLOPs, {small:.1f} %)" in drawn.caption and "n = 10)" in drawn.caption


def test_accuracies_are_those_of_the_cells_in_one_order(found):
    drawn = charts.draw_accuracies(found)
    for ax, (_, own) in zip(drawn.figure.axes, found.accuracies.groupby("sparsity"), strict=True):
        assert bars(ax.containers[0]) == pytest.approx(own[["mean", "low", "high"]].to_numpy())
    names = [text.get_text() for text in drawn.figure.axes[0].get_yticklabels()]
    assert names == ["RigL from dense", "RigL in a source", "GMP from dense", "GMP in a source"] + [
        "static ERK mask",
        "small dense",
    ]
