"""The charts of notebook 10 show the values of their frames, and captions say them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from planted_curves import parameters, plant
from randsparse import questions
from randsparse.errors import StudyError
from randsparse.questions.early_and_late import charts
from randsparse.questions.early_and_late.evidence import Evidence
from randsparse.runs.store import Store

NAME = "10_early_and_late"


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> Evidence:
    store = Store(tmp_path_factory.mktemp("charts"))
    plant(store, lambda epoch: epoch / 10, averaged=lambda epoch: 0.9, network=0.03, noise=0.01)
    return Evidence(questions.compare(NAME, parameters()), store)


@pytest.fixture(scope="module")
def one(tmp_path_factory) -> Evidence:
    """One cell of ten runs."""
    store = Store(tmp_path_factory.mktemp("one"))
    plant(store, lambda epoch: epoch / 10, cells=1, keep=lambda network, order: order == 0 or network < 2)
    return Evidence(questions.compare(NAME, parameters(1)), store)


def line(ax, label):
    return next(each for each in ax.get_lines() if each.get_label() == label)


def ends(collection):
    """The lowest and highest y of a band at each of its x."""
    points = pd.DataFrame(collection.get_paths()[0].vertices, columns=["x", "y"]).groupby("x")["y"]
    return points.min(), points.max()


def test_correlations_are_drawn_with_their_intervals_their_ceiling_and_the_rate(found):
    drawn = charts.correlation_by_epoch(found.plain, found.curves, found.ceilings)
    for ax, kind in zip(drawn.figure.axes, ("pearson", "spearman"), strict=True):
        own = found.plain[(found.plain["cell"] == "all cells") & (found.plain["kind"] == kind)]
        assert np.allclose(line(ax, "all cells").get_ydata(), own["value"])
        low, high = ends(ax.collections[0])
        assert np.allclose(low, own["low"]) and np.allclose(high, own["high"])
        assert np.allclose(line(ax, "ceiling of image noise").get_ydata(), found.ceilings["ceiling"][:10])
        assert line(ax, "learning rate / its peak").get_ydata()[[0, -1]] == pytest.approx([1, 0.1])
        cell = found.plain[(found.plain["cell"] == "nodes 80 %") & (found.plain["kind"] == kind)]
        assert np.allclose(line(ax, "nodes 80 %").get_ydata(), cell["value"])
        assert line(ax, "dense").get_color() != line(ax, "nodes 90 %").get_color()
    own = found.pooled(found.plain).loc[1]
    assert f"r = {own['value']:.2f}".replace("-", "−") in drawn.caption
    assert "n = 40 networks of 5 cells" in drawn.caption and len(drawn.data) == len(found.plain)


def test_a_single_cell_is_drawn_once_under_its_name(one):
    drawn = charts.correlation_by_epoch(one.plain, one.curves, one.ceilings)
    labels = [each.get_label() for each in drawn.figure.axes[0].get_lines()]
    assert "dense" in labels and "all cells" not in labels
    assert "n = 8 networks of 1 cell)" in drawn.caption


def test_the_spread_is_drawn_in_points_beside_that_of_the_images(found):
    drawn = charts.spread_by_epoch(found.reliable, found.ceilings, found.shares)
    left, right = drawn.figure.axes
    during = found.ceilings.dropna(subset=["epoch"])
    assert np.allclose(line(left, "mean").get_ydata(), 100 * during["spread"])
    assert np.allclose(line(left, "noise of the choice of images").get_ydata(), 100 * during["sampling"])
    own = found.shares[found.shares["epoch"].notna()]
    for source, name in charts.SOURCE_NAMES.items():
        rows = own[own["source"] == source]
        assert np.allclose(line(right, name).get_ydata(), rows["value"])
        low, high = ends(right.collections[list(charts.SOURCE_NAMES).index(source)])
        assert np.allclose(low, rows["low"]) and np.allclose(high, rows["high"])
    assert f"{100 * during['spread'].iloc[0]:.2f} points after epoch 1" in drawn.caption


def test_without_a_complete_block_the_shares_are_left_out_and_the_caption_says_so(one):
    drawn = charts.spread_by_epoch(one.reliable, one.ceilings, one.shares)
    assert len(drawn.figure.axes) == 1 and "no cell has them yet" in drawn.caption


def test_gains_stand_at_their_values_with_their_intervals(found):
    rows = found.gains.assign(high=found.gains["high"] + 0.01)  # longer above than below
    drawn = charts.gains(rows)
    table = rows.set_index(["moment", "size", "how"])
    for ax, moment in zip(drawn.figure.axes, ("early", "late"), strict=True):
        assert [tick.get_text() for tick in ax.get_xticklabels()] == ["2", "3", "4", "8"]
        measured = [bars for bars in ax.containers]
        assert len(measured) == 3
        for at, size in enumerate((2, 3, 4)):
            row = table.loc[(moment, size, "measured")]
            point, _, (bar,) = measured[at]
            assert (point.get_xdata().item(), point.get_ydata().item()) == pytest.approx((at, 100 * row["value"]))
            assert bar.get_segments()[0][:, 1] == pytest.approx([100 * row["low"], 100 * row["high"]])
        boxes = [ends(each) for each in ax.collections if each.get_paths()[0].vertices.shape[0] > 2]
        flat = [each for each in ax.get_lines() if len(each.get_xdata()) == 2 and each.get_color() == "#555555"]
        predicted = [each for each in flat if np.ptp(each.get_xdata()) == pytest.approx(0.6)]
        for at, size in enumerate((2, 3, 4, 8)):
            row = table.loc[(moment, size, "predicted")]
            assert predicted[at].get_ydata() == pytest.approx([100 * row["value"]] * 2)
            assert np.mean(predicted[at].get_xdata()) == pytest.approx(at)
            assert (boxes[at][0].min(), boxes[at][1].max()) == pytest.approx((100 * row["low"], 100 * row["high"]))
        low, high = ax.get_ylim()
        shown = 100 * rows.loc[rows["moment"] == moment, ["value", "low", "high"]]
        assert low < min(0, shown.min(axis=None)) and high > shown.max(axis=None)  # no interval is cut
    best = [
        each for each in drawn.figure.axes[1].get_lines() if each.get_marker() == "_" and each.get_markersize() == 16
    ]
    values = [100 * table.loc[("late", size, "best possible"), "value"] for size in (2, 3, 4, 8)]
    assert [each.get_ydata().item() for each in best] == pytest.approx(values)


def test_the_caption_of_gains_says_the_largest_search_with_an_interval(found):
    table = found.gains.set_index(["moment", "size", "how"])
    text = charts.gains(found.gains).caption
    for moment in ("early", "late"):
        for how in ("measured", "predicted"):
            row = 100 * table.loc[(moment, 4, how), ["value", "low", "high"]]
            told = f"{row['value']:.2f} [{row['low']:.2f}, {row['high']:.2f}] {how}".replace("-", "−")
            assert told in text
    assert "K = 4, in points" in text and "Hollow: K = 8" in text


def test_the_average_is_drawn_beside_the_network_as_trained(found):
    drawn = charts.averaged_by_epoch(found.plain, found.averaged)
    for ax, kind in zip(drawn.figure.axes, ("pearson", "spearman"), strict=True):
        for index, (name, rows) in enumerate(((charts.PLAIN, found.plain), (charts.AVERAGED, found.averaged))):
            own = rows[(rows["cell"] == "all cells") & (rows["kind"] == kind)]
            assert np.allclose(line(ax, name).get_ydata(), own["value"])
            low, high = ends(ax.collections[index])
            assert np.allclose(low, own["low"]) and np.allclose(high, own["high"])
    plain, averaged = (found.pooled(rows).loc[5, "value"] for rows in (found.plain, found.averaged))
    assert f"r = {plain:.2f} [" in drawn.caption and f"and {averaged:.2f} [" in drawn.caption


def test_a_cool_down_is_a_point_at_its_end_with_its_interval(found):
    names = ["kind", "epoch", "end", "value", "low", "high", "n", "runs", "cells", "before"]
    rows = [("pearson", 1, 2, 0.6, 0.1, 0.8, 16, 32, 2, -0.1), ("spearman", 1, 2, 0.5, 0.0, 0.7, 16, 32, 2, 0.0)]
    drawn = charts.averaged_by_epoch(found.plain, found.averaged, pd.DataFrame(rows, columns=names))
    for ax, (_, _, end, value, low, high, *_) in zip(drawn.figure.axes, rows, strict=True):
        ((point, _, (bar,)),) = ax.containers
        assert (point.get_xdata().item(), point.get_ydata().item()) == (end, value)
        assert bar.get_segments()[0][:, 1] == pytest.approx([low, high])
    told = "falls to zero after epoch 1, until epoch 2; then r = 0.60 [0.10, 0.80], where it was −0.10 (n = 16 networks"
    assert told in drawn.caption


def test_there_is_nothing_to_draw_without_runs(found):
    nothing = found.plain.assign(value=np.nan)
    with pytest.raises(StudyError, match="no order of batches has four finished networks"):
        charts.averaged_by_epoch(nothing, nothing)
    with pytest.raises(StudyError, match="enough finished runs"):
        charts.gains(found.gains.assign(value=np.nan))
