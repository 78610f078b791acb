"""The charts of sparse training show what the frames hold."""

from __future__ import annotations

from itertools import product

import numpy as np
import pandas as pd
import pytest

from randsparse.comparison.plots import MARKERS, PALETTE
from randsparse.errors import StudyError
from randsparse.questions.sparse_to_sparse import charts, cost_charts
from randsparse.questions.sparse_to_sparse import costs as training_costs
from randsparse.questions.sparse_to_sparse import frames as sparse_results

MARGIN = 0.01
GMP = "gmp in sources, 90 % sparse"


def runs(arm, sparsity, accuracy, cost, method="static", source=0.0, **fields):
    row = {
        "arm": arm,
        "structure": "weight",
        "sparsity": sparsity,
        "method": method,
        "source_sparsity": source,
        "source_rule": "er",
        "rule": "erk",
        "preserve_flow": False,
        "epochs": 4,
        "cost": cost,
        "times_static": 1 + cost,
        "begins_full": method == "gmp",
    } | fields
    rows = [{**row, "replicate": seed, "key": f"{arm} {sparsity} {seed}"} for seed in range(3)]
    return pd.DataFrame(rows).assign(test_accuracy=accuracy + 0.002 * np.array([-1, 0, 1]))


@pytest.fixture
def frame():
    parts = [runs("dense", 0.0, 0.96, 1.0), runs("dense, 2 epochs", 0.0, 0.5, 0.5, epochs=2)]
    for sparsity, loss in ((0.9, 0.0), (0.98, 0.05)):
        parts += [runs("random", sparsity, 0.9 - loss, 0.1), runs("gmp", sparsity, 0.95 - loss, 0.4, "gmp")]
        parts += [runs("small dense (own scale)", sparsity, 0.85 - loss, 0.1, "small-dense")]
        parts += [runs("gmp in er 0.5", sparsity, 0.94 - loss, 0.3, "gmp", 0.5)]
        parts += [runs("rigl", sparsity, 0.93 - loss, 0.12, "rigl")]
    parts += [runs("rigl in er 0.5", 0.9, 0.92, 0.11, "rigl", 0.5)]  # at .98 there is none
    return pd.concat(parts, ignore_index=True)


def titles(figure):
    return [ax.get_title() for ax in figure.axes]


def labels(figure):
    return {label for ax in figure.axes for label in ax.get_legend_handles_labels()[1]}


def drawn(ax):
    """The y values of each line of means with intervals."""
    return [list(container.lines[0].get_ydata()) for container in ax.containers]


def test_a_panel_a_method_with_both_starts_and_the_controls_in_each(frame):
    figure = charts.accuracy_by_method(frame)
    assert titles(figure) == ["rigl", "gmp"]
    rigl, gmp = figure.axes
    dense, inside = gmp.containers
    assert drawn(gmp) == [pytest.approx([0.95, 0.90]), pytest.approx([0.94, 0.89])]
    assert dense.lines[0].get_markerfacecolor() == "white" and inside.lines[0].get_markerfacecolor() == PALETTE["gmp"]
    assert inside.lines[0].get_marker() == MARKERS["gmp"]
    controls = {line.get_label(): list(line.get_ydata()) for ax in (rigl, gmp) for line in ax.get_lines()}
    assert controls["random"] == pytest.approx([0.9, 0.85])
    assert controls["small dense (own scale)"] == pytest.approx([0.85, 0.8])
    crosses = [[line.get_xdata()[0] for line in ax.get_lines() if line.get_marker() == "x"] for ax in (rigl, gmp)]
    assert crosses == [[0.98], []]
    assert {"from dense", "in a source, 50 % sparse", "cannot be reached"} <= labels(figure)


def test_a_dense_network_that_is_trained_for_less_does_not_widen_the_axis(frame):
    assert charts.accuracy_by_method(frame).axes[0].get_ylim()[0] > 0.7


def test_runs_without_a_result_are_counted(frame):
    lost = frame.assign(test_accuracy=frame["test_accuracy"].where(frame["key"] != "gmp 0.9 0"))
    texts = [text.get_text() for ax in charts.accuracy_by_method(lost).axes for text in ax.texts]
    assert texts == ["1 run without a result"]


def test_differences_are_in_the_colour_and_the_row_of_their_method(frame):
    lost = sparse_results.from_dense(frame, MARGIN)
    figure = charts.differences(lost, MARGIN, "in a source − from dense")
    assert titles(figure) == ["90 % of weights removed", "98 % of weights removed"]
    first, second = figure.axes
    assert [text.get_text() for text in first.get_yticklabels()] == ["rigl", "gmp"]
    points = {container.lines[0].get_color(): container.lines[0].get_xdata()[0] for container in first.containers}
    assert points == pytest.approx({PALETTE["rigl"]: -0.01, PALETTE["gmp"]: -0.01})
    assert len(second.containers) == 1 and first.get_xlabel() == "in a source − from dense (points)"


def test_several_sources_have_a_row_each(frame):
    two = pd.concat([frame, runs("gmp in er 0.2", 0.9, 0.93, 0.2, "gmp", 0.8)])
    ax = charts.differences(sparse_results.from_dense(two, MARGIN), MARGIN, "").axes[0]
    rows = [text.get_text() for text in ax.get_yticklabels()]
    assert rows == ["rigl, in a source, 50 % sparse", "gmp, in a source, 50 % sparse", "gmp, in a source, 80 % sparse"]


def test_cost_has_every_dense_length_in_every_panel_and_the_front(frame):
    points = training_costs.trade_offs(frame)
    figure = cost_charts.accuracy_vs_cost(points)
    assert titles(figure) == ["90 % of weights removed", "98 % of weights removed"]
    first = figure.axes[0]
    assert first.get_xscale() == "log"
    assert drawn(first)[0] == pytest.approx([0.5, 0.96]) == drawn(figure.axes[1])[0]
    front = next(line for line in first.get_lines() if line.get_label() == "Pareto front of the means")
    assert list(front.get_ydata()) == pytest.approx([0.9, 0.92, 0.93, 0.94, 0.95, 0.96, 0.96])
    assert {"dense, trained for 2, 4 epochs", "random", "gmp", "rigl", "from dense", "in a source"} <= labels(figure)


def test_flops_and_times_have_a_row_an_arm_and_start(frame):
    figure = cost_charts.flops_and_seconds(frame)
    flops, times = figure.axes
    rows = [text.get_text() for text in flops.get_yticklabels()]
    assert rows[:3] == ["dense", "random", "small dense (own scale)"] and rows[3:] == [
        "rigl, from dense",
        "rigl, in a source, 50 % sparse",
        "gmp, from dense",
        "gmp, in a source, 50 % sparse",
    ]
    shown = sorted(line.get_xdata()[0] for line in flops.get_lines() if len(line.get_xdata()))
    costs = frame[frame["arm"] != "dense, 2 epochs"].groupby(["arm", "sparsity"])["cost"].mean()
    assert shown == pytest.approx(sorted(costs))
    assert len(times.containers) == len(shown) and times.get_xlim()[0] == 0


def test_the_sweep_shows_accuracy_and_flops_beside_dense_and_static(frame):
    two = pd.concat([frame, runs("gmp in er 0.2", 0.9, 0.93, 0.2, "gmp", 0.8)])
    figure = charts.source_sweep(sparse_results.swept(two, "gmp", 0.9, [0.0, 0.5, 0.8], "er"))
    accuracy, flops = figure.axes
    assert drawn(accuracy) == [pytest.approx([0.95, 0.94, 0.93])] and drawn(flops) == [pytest.approx([0.4, 0.3, 0.2])]
    assert {"dense (n = 3)", "random (n = 3)", "gmp (n = 3)"} == labels(figure)


def table_of(differences):
    rows = product(("static masks", GMP), ("er", "balanced"), (False, True))
    table = pd.DataFrame(rows, columns=["kind", "spread_by", "preserve_flow"]).assign(alone=0.125)
    return table, differences.assign(n=3, low=differences["mean"] - 0.01, high=differences["mean"] + 0.01)


def test_rules_and_flow_have_a_row_of_panels_each_and_say_what_is_missing():
    both = {"spread_by": "balanced", "verdict": "inconclusive"}
    rules = pd.DataFrame({"kind": ["static masks", GMP], "mean": [0.1, 0.2], **both})
    flow = pd.DataFrame(
        {
            "kind": ["static masks", GMP, GMP],
            "mean": [0.3, 0.0, 0.1],
            "verdict": "better",
            "spread_by": ["er", "er", "balanced"],
        }
    )
    table, rules = table_of(rules)
    _, flow = table_of(flow)
    figure = charts.rules_and_flow(rules, flow, table, MARGIN)
    assert len(figure.axes) == 4 and titles(figure)[0] == "static masks:\nwhat the rule is worth"
    texts = [[text.get_text() for text in ax.texts] for ax in figure.axes]
    assert texts[:2] == [["reference"], ["reference"]]
    assert texts[2] == ["12.5%\nalone", "cannot be reached", "12.5%\nalone"] and texts[3] == ["12.5%\nalone"] * 2
    assert [len(ax.containers) for ax in figure.axes] == [1, 1, 1, 2]


def test_one_method_against_random_shows_pairs_and_relative_flops(frame):
    own = frame[frame["sparsity"] == 0.9]
    rows = sparse_results.from_static(own[own["method"].isin(["rigl", "static"])], MARGIN)
    figure = charts.against_random(rows, sparse_results.by_seed(own, "rigl"), MARGIN)
    gained, flops = figure.axes
    assert drawn(gained) == [pytest.approx([0.03]), pytest.approx([0.02])]
    pairs = [y for each in gained.collections for y in each.get_offsets()[:, 1] if len(each.get_offsets()) == 3]
    assert pairs == pytest.approx([0.03] * 3 + [0.02] * 3)
    lines = {line.get_label(): list(line.get_ydata()) for line in flops.get_lines()}
    assert lines["rigl from dense (n = 3)"] == pytest.approx([1.2])
    assert lines["rigl in a source, 50 % sparse (n = 3)"] == pytest.approx([1.1])


def test_without_methods_there_is_nothing_to_draw(frame):
    with pytest.raises(StudyError, match="nothing to draw"):
        charts.differences(sparse_results.from_dense(frame[frame["sparsity"] == 0], MARGIN), MARGIN, "")
    with pytest.raises(StudyError, match="nothing to draw"):
        charts.source_sweep(frame[frame["method"] == "static"])
