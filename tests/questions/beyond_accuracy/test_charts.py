"""Charts of notebook 06: what is drawn are the values, with their intervals, turned where lower is better."""

from __future__ import annotations

import numpy as np
import pytest

import planted_evaluations as planted
from planted_evaluations import DENSE, NARROW, SPARSE, WIDER
from randsparse.comparison.wording import format_interval, format_points
from randsparse.questions.beyond_accuracy import charts
from randsparse.questions.beyond_accuracy.evidence import Evidence
from randsparse.runs.store import Store

CELLS = [DENSE, SPARSE, NARROW, WIDER]


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    store = Store(tmp_path_factory.mktemp("results"))
    return Evidence(planted.plant(store, planted.shifted({"ece": 0.02})), store, planted.PARAMETERS)


def across(container):
    """The mean and the ends of each row that `errorbar` has drawn across."""
    x, y = container.lines[0].get_data()
    ends = np.array([segment[:, 0] for segment in container.lines[2][0].get_segments()])
    return list(zip(x, ends[:, 0], ends[:, 1], y, strict=True))


def test_other_images_are_drawn_at_their_means(found):
    figure, caption, data = charts.draw_other_images(found.levels, found.near, CELLS)
    left, right = figure.axes
    levels = found.levels[found.levels["kind"] == "other images"]
    for place, (cell, container) in enumerate(zip(CELLS, left.containers, strict=True)):
        own = levels[levels["cell"] == cell]
        drawn = across(container)
        assert [row[0] for row in drawn] == pytest.approx(own["mean"].tolist())
        assert [row[1:3] for row in drawn] == [pytest.approx(ends) for ends in own[["low", "high"]].to_numpy()]
        assert [round(row[3]) for row in drawn] == [0, 1, 2] and np.ptp([row[3] % 1 for row in drawn]) < 1e-9, place
    assert [label.get_text() for label in left.get_yticklabels()] == ["cifar100", "rotated", "uniform-noise"]
    near = found.near.set_index("baseline")
    drawn = [across(container)[0] for container in right.containers]
    assert [row[:3] for row in drawn] == [pytest.approx(row) for row in near[["mean", "low", "high"]].to_numpy()]
    whole = found.estimate("auroc msp cifar100", "dense")
    assert drawn[0][:3] == pytest.approx((whole.value, *whole.interval())) and whole.value < -0.02
    assert (
        f"{format_points(whole.value)} {format_interval(*whole.interval())} (− dense)" in caption and "n = 8" in caption
    )
    shaded = next(patch for patch in right.patches if patch.get_facecolor()[3] == 0.2)
    assert shaded.get_x() == pytest.approx(-0.02)
    assert len(data) == len(levels) + 3


def test_intervals_of_a_kind_of_measure_hold_together(found):
    """Three sets of images: each interval has the level .95 ** (1 / 3)."""
    own = found.differences.query("baseline == 'dense' and measure == 'auroc msp cifar100'").iloc[0]
    estimate = found.estimate("auroc msp cifar100", "dense")
    assert (own["low"], own["high"]) == pytest.approx(estimate.interval(0.95 ** (1 / 3)))
    assert own["high"] - own["low"] > 1.2 * (estimate.high - estimate.low)


def test_attacks_are_drawn_at_their_budgets(found):
    figure, caption, data = charts.draw_attacks(found.attacked, CELLS, 0.1)
    assert [ax.get_title() for ax in figure.axes] == ["FGSM", "PGD", "random signs"]
    measured = found.measured.groupby("cell")
    for ax, attack in zip(figure.axes, ("fgsm", "pgd", "noise"), strict=True):
        for cell, container in zip(CELLS, ax.containers, strict=True):
            x, y = container.lines[0].get_data()
            own = measured.get_group(cell)
            assert list(x) == [0, 1, 2]
            assert list(y) == pytest.approx([own[name].mean() for name in ("accuracy", f"{attack} 1", f"{attack} 2")])
            ends = [segment[:, 1] for segment in container.lines[2][0].get_segments()]
            rows = data[(data["attack"] == attack) & (data["cell"] == cell)]
            assert ends == [pytest.approx(pair) for pair in rows[["low", "high"]].to_numpy()]
    # half a 95 % interval of 8 values is 2.3646 standard errors
    half = 2.3646 * found.measured.loc[found.measured["cell"] == DENSE, "pgd 1"].std(ddof=1) / 8**0.5
    first = data[(data["attack"] == "pgd") & (data["cell"] == DENSE) & (data["epsilon"] == 1)].iloc[0]
    assert first["high"] - first["mean"] == pytest.approx(half, rel=1e-4)
    assert f"{100 * first['mean']:.1f} % (dense)" in caption


def test_differences_are_turned_so_that_the_right_is_better(found):
    figure, caption, _ = charts.draw_differences(found.differences, found.far)
    names = [label.get_text() for label in figure.axes[0].get_yticklabels()]
    assert "ECE" in names and not any(name.startswith("NLL") or "rotated" in name for name in names)
    for ax, baseline in zip(figure.axes, ("dense", "dense, as accurate"), strict=True):
        (container,) = ax.containers
        drawn = {names[round(y)]: (x, low, high) for x, low, high, y in across(container)}
        own = found.differences[found.differences["baseline"] == baseline].set_index("name")
        assert set(drawn) == set(names)
        for name, (mean, low, high) in drawn.items():
            row = own.loc[name]
            sign = -1 if name.startswith("ECE") else 1
            assert mean == pytest.approx(sign * row["mean"])
            inside = ax.get_xlim()
            expected = np.clip(sorted((sign * row["low"], sign * row["high"])), *inside)
            assert (low, high) == pytest.approx(tuple(expected))
    assert own.loc["ECE", "mean"] == pytest.approx(0.02, abs=0.005)  # random masks were given a higher, worse ECE
    assert "minus dense, as accurate: 0 better, 2 worse, of 9" in caption


def test_nothing_is_drawn_of_nothing(tmp_path):
    store = Store(tmp_path)
    empty = Evidence(planted.plant(store, planted.equal, networks=0), store, planted.PARAMETERS)
    assert charts.draw_other_images(empty.levels, empty.near, CELLS) is None
    assert charts.draw_attacks(empty.attacked, CELLS, 0.1) is None
    assert charts.draw_differences(empty.differences, empty.far) is None
