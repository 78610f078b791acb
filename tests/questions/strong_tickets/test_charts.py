"""The charts of strong tickets show what the frames hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from randsparse.comparison.plots import PALETTE
from randsparse.errors import StudyError
from randsparse.questions.strong_tickets import charts, frames
from randsparse.questions.strong_tickets.frames import FROZEN, LONGER, TUNED

SOURCES = {0.0: "dense source", 0.5: "ER source, density 0.5", 0.8: "ER source, density 0.2"}
KINDS = ["signed-constant", "kaiming-normal"]
MEANS = {"dense": 0.95, "random": 0.9, LONGER: 0.92, FROZEN: 0.7, TUNED: 0.85}


@pytest.fixture
def frame():
    """Three runs an arm, at 80 and 90 % sparsity, around the means of stages."""
    points = [("dense", 0.0, None, KINDS[0])]
    points += [(stage, sparsity, None, KINDS[0]) for stage in ("random", LONGER) for sparsity in (0.8, 0.9)]
    points += [
        (stage, s, source, kind)
        for stage in (FROZEN, TUNED)
        for s in (0.8, 0.9)
        for source in SOURCES
        if source < s
        for kind in (KINDS if s == 0.9 else KINDS[:1])
    ]
    rows = [
        (stage, s, source or 0.0, SOURCES.get(source, ""), kind, MEANS[stage] - 0.1 * (source or 0) + 0.01 * run)
        for stage, s, source, kind in points
        for run in (-1, 0, 1)
    ]
    columns = ["stage", "sparsity", "source_sparsity", "source", "frozen_weights", "test_accuracy"]
    return pd.DataFrame(rows, columns=columns).assign(structure="weight")


def labels(figure):
    return {label for ax in figure.axes for label in ax.get_legend_handles_labels()[1]}


def test_a_panel_a_stage_and_a_line_a_source_beside_masks_that_were_trained_as_long(frame):
    main = frames.of_kind(frame, KINDS[0])
    before, after = charts.accuracy(main).axes
    assert len(before.containers) == len(after.containers) == 3 + 1
    assert before.containers[0].lines[0].get_ydata() == pytest.approx([0.7, 0.7])
    assert after.containers[1].lines[0].get_ydata() == pytest.approx([0.8, 0.8])
    for ax, mean in ((before, 0.9), (after, 0.92)):
        random = ax.containers[-1].lines[0]
        assert random.get_ydata() == pytest.approx([mean, mean]) and random.get_color() == PALETTE["random"]
    names = {f"{name} (n = 3)" for name in ("dense", *SOURCES.values(), charts.AS_LONG)}
    assert labels(charts.accuracy(main)) == names


def test_runs_without_a_result_are_counted(frame):
    main = frames.of_kind(frame, KINDS[0])
    main.loc[main[main["stage"] == TUNED].index[0], "test_accuracy"] = np.nan
    texts = [[text.get_text() for text in ax.texts] for ax in charts.accuracy(main).axes]
    assert texts == [[], ["1 run without a result"]]
    with pytest.raises(StudyError, match="nothing to draw"):
        charts.accuracy(main.assign(test_accuracy=np.nan))


def test_a_source_has_one_look_wherever_it_is_shown(frame):
    lines = charts.looks(frame)
    assert list(lines) == list(SOURCES.values())
    assert len({look["color"] for look in lines.values()}) == len({look["marker"] for look in lines.values()}) == 3
    (ax, _) = charts.kinds_of_weights(frame, KINDS, 0.8).axes
    assert ax.containers[0].lines[0].get_color() == lines["dense source"]["color"]
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["dense source", "ER source,\ndensity 0.5"]


def test_curves_are_those_of_fine_tuned_tickets(frame):
    parts = [frame.assign(epoch=epoch, val_accuracy=frame["test_accuracy"] * epoch / 9) for epoch in range(1, 10)]
    curves = frames.of_kind(pd.concat(parts, ignore_index=True), KINDS[0])
    figure = charts.learning(curves, epochs=6, annealed=4.5)
    assert [ax.get_title() for ax in figure.axes] == [f"{s} % of weights removed (n = 3)" for s in (80, 90)]
    lines = {"final density", "weights trained from here"}
    assert labels(figure) == {"dense", charts.AS_LONG, *SOURCES.values()} | lines
    drawn = {line.get_label(): line for line in figure.axes[1].get_lines()}
    assert drawn["dense source"].get_ydata()[-1] == pytest.approx(MEANS[TUNED])
    assert set(drawn["final density"].get_xdata()) == {4.5}


def test_differences_have_a_panel_a_comparison_and_the_colours_of_sources(frame):
    main = frames.of_kind(frame, KINDS[0])
    worth = frames.worth(main, 0.01)
    figure = charts.differences(worth, main, 0.01)
    assert [ax.get_title() for ax in figure.axes] == [f"{name} (n = 3)" for name in dict.fromkeys(worth["compared"])]
    assert {*SOURCES.values(), "worse", "better", "within ±1 point"} <= labels(figure)
    of_sources = frames.of_sources(main, 0.01)
    left, right = charts.differences(of_sources, main, 0.01).axes
    colours = {line.lines[0].get_color() for line in left.containers}
    assert colours == {charts.looks(main)[SOURCES[source]]["color"] for source in (0.5, 0.8)}
    assert SOURCES[0.0] not in labels(right.figure)
    with pytest.raises(StudyError, match="nothing to draw"):
        charts.differences(of_sources.iloc[:0], main, 0.01)


def test_kinds_of_weights_stand_beside_each_other(frame):
    figure = charts.kinds_of_weights(frame, KINDS, 0.9)
    assert len(figure.axes) == 2 and all(len(ax.containers) == 3 * 2 for ax in figure.axes)
    assert labels(figure) == {f"{kind} weights" for kind in KINDS}
    with pytest.raises(StudyError, match="nothing to draw"):
        charts.kinds_of_weights(frame, KINDS, 0.5)
