from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from randsparse.comparison import frames as common
from randsparse.comparison import stats
from randsparse.comparison.marks import RULE_COLOURS
from randsparse.errors import StudyError
from randsparse.questions.layerwise_density import charts as rule_charts
from randsparse.questions.layerwise_density import frames, layer_charts
from randsparse.questions.layerwise_density.plan import score_mask

MEANS = {
    ("dense", 0.0): 0.9,
    ("uniform", 0.5): 0.9,
    ("uniform", 0.995): 0.1,
    ("erk", 0.5): 0.89,
    ("erk", 0.995): 0.6,
    ("uniform+", 0.5): 0.9,
}
UNREACHABLE = [("weight", 0.995, "uniform+")]


def runs(means, shares=None, n=3):
    rows = [
        (arm, sparsity, mean + shift)
        for (arm, sparsity), mean in means.items()
        for shift in 0.004 * np.linspace(-1, 1, n)
    ]
    frame = pd.DataFrame(rows, columns=["arm", "sparsity", "test_accuracy"]).assign(structure="weight")
    frame["density_realised"] = 1 - frame["sparsity"]
    share = 1.0 if shares is None else frame["arm"].map(shares) * frame["sparsity"].gt(0.9) + frame["sparsity"].le(0.9)
    return frame.assign(density_effective=share * frame["density_realised"])


def legend_texts(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]


def titles(figure):
    return [ax.get_title() for ax in figure.axes]


def test_every_rule_has_a_panel_with_the_others_behind_it():
    frame = runs(MEANS)
    figure = rule_charts.accuracy_by_rule(frame, UNREACHABLE)
    assert titles(figure) == ["uniform", "uniform+", "erk"]
    uniform, plus, _ = figure.axes
    own = uniform.containers[0].lines[0]
    assert own.get_color() == RULE_COLOURS["uniform"] and own.get_ydata() == pytest.approx([0.9, 0.1])
    assert len(uniform.collections[-1].get_offsets()) == 6
    behind = {line.get_label(): line for line in uniform.get_lines()}
    assert behind["erk, in every panel"].get_ydata() == pytest.approx([0.89, 0.6])
    assert behind["dense (n = 3)"].get_ydata() == pytest.approx([0.9, 0.9])
    crosses = [[line for line in ax.get_lines() if line.get_marker() == "x"] for ax in (uniform, plus)]
    assert [cross.get_xdata()[0] for cross in crosses[1]] == [0.995] and all(not len(c.get_xdata()) for c in crosses[0])
    assert legend_texts(figure) == ["dense (n = 3)", "other rules", "erk, in every panel", "cannot be reached"]


def test_the_error_axis_gives_both_ends_room():
    ax = rule_charts.accuracy_by_rule(runs(MEANS | {("uniform", 0.9): 0.99})).axes[0]
    at = ax.transAxes.inverted().transform(ax.transData.transform([[0.5, value] for value in (0.1, 0.5, 0.9, 0.99)]))
    steps = np.diff(at[:, 1])
    assert 0 < at[0, 1] < at[-1, 1] < 1 and steps.min() > 0.08
    low, high = ax.get_ylim()
    assert low < 0.1 and 0.99 < high <= 1.001
    assert {0.9, 0.98} <= set(ax.get_yticks().round(6)) and ax.get_yticks().min() < 0.6


def test_runs_without_a_result_are_counted():
    frame = runs(MEANS)
    frame.loc[frame["arm"] == "erk", "test_accuracy"] = [np.nan, *frame.loc[frame["arm"] == "erk", "test_accuracy"][1:]]
    erk = rule_charts.accuracy_by_rule(frame).axes[-1]
    assert [text.get_text() for text in erk.texts] == ["1 run without a result"]


def test_differences_stand_below_each_other_by_sparsity():
    rows = common.differences(runs(MEANS), [("uniform", "erk"), ("uniform+", "erk")], margin=0.02)
    figure = rule_charts.differences_by_rule(rows, 0.02, UNREACHABLE)
    assert titles(figure) == ["50 % of weights removed", "99.5 % of weights removed"]
    half, sparse = figure.axes
    assert [text.get_text() for text in half.get_yticklabels()] == ["uniform", "uniform+"]
    assert [float(each.lines[0].get_xdata()[0]) for each in half.containers] == pytest.approx([0.01, 0.01])
    assert [each.lines[0].get_marker() for each in sparse.containers] == ["v"]
    assert [text.get_text() for text in sparse.texts] == ["cannot be reached"]
    assert sparse.get_xlabel() == "rule − erk (points)" and sparse.get_xlim()[0] < -0.5
    assert legend_texts(figure) == ["within ±2 points", "equivalent", "worse"]


def test_accuracy_against_effective_density_leaves_out_where_it_is_one():
    frame = runs(MEANS, {"uniform": 0.2, "erk": 0.8, "uniform+": 1.0, "dense": 1.0})
    ranks = frames.effective_ranks(frame)
    figure = rule_charts.accuracy_vs_effective(frame, ranks)
    assert titles(figure) == ["99.5 % of weights removed\nρ = 1.00, n = 2"]
    points = [each.lines[0].get_xydata() for each in figure.axes[0].containers if len(each.lines[0].get_xdata())]
    assert np.concatenate(points) == pytest.approx(np.array([[0.2, -0.8], [0.8, -0.3]]))
    same = rule_charts.accuracy_vs_effective(frame, ranks[ranks["sparsity"] == 0.5])
    assert "ρ undefined" in same.axes[0].get_title()


CRITERIA = ("synflow", "snip")
MASKS = {("dense", 0.0): 0.95} | {
    (arm, 0.9): mean
    for name in CRITERIA
    for arm, mean in ((name, 0.9), (score_mask(name), 0.9), (score_mask(name, new_init=True), 0.7))
}


def test_masks_stand_beside_what_is_left_of_them():
    figure = rule_charts.accuracy_of_masks(runs(MASKS), CRITERIA)
    ax = figure.axes[0]
    assert [text.get_text() for text in ax.get_xticklabels()] == ["snip", "synflow"]
    found = {
        (round(float(each.lines[0].get_xdata()[0]), 2), each.lines[0].get_markerfacecolor() == "white"): float(
            each.lines[0].get_ydata()[0]
        )
        for each in ax.containers
    }
    assert found == pytest.approx(
        {
            (-0.22, False): 0.9,
            (0, True): 0.7,
            (0.22, False): 0.9,
            (0.78, False): 0.9,
            (1, True): 0.7,
            (1.22, False): 0.9,
        }
    )
    assert legend_texts(figure) == [
        "dense (n = 3)",
        "score mask",
        "score mask, other initial weights",
        "shuffled in its layers",
    ]


@pytest.mark.parametrize("sparsities", [[0.9], [0.9, 0.98]])
def test_tests_of_masks_have_a_panel_each_on_one_scale(sparsities):
    means = {(arm, sparsity): mean for sparsity in sparsities for (arm, _), mean in MASKS.items() if arm != "dense"}
    shuffled = common.differences(runs(means), [(score_mask(name), name) for name in CRITERIA], 0.01)
    redrawn = [(score_mask(name), score_mask(name, new_init=True)) for name in CRITERIA]
    figure = rule_charts.mask_differences(shuffled, common.differences(runs(means), redrawn, 0.01), 0.01)
    left, right = figure.axes
    names = [text.get_text() for text in left.get_yticklabels()]
    assert names == (
        ["snip", "synflow"]
        if len(sparsities) == 1
        else [f"{name}, {level} %" for name in ("snip", "synflow") for level in (90, 98)]
    )
    assert left.get_xlim() == right.get_xlim() and right.get_xlim()[1] > 0.2
    assert {each.lines[0].get_marker() for each in right.containers} == {"^"}
    assert legend_texts(figure) == ["within ±1 point", "equivalent", "better"]


def test_nothing_to_draw_is_one_clear_line():
    with pytest.raises(StudyError, match="nothing to draw"):
        rule_charts.accuracy_by_rule(runs(MEANS).iloc[:0])
    with pytest.raises(StudyError, match="unknown density rule 'random'"):
        rule_charts.accuracy_by_rule(runs({("random", 0.5): 0.5}))
    with pytest.raises(StudyError, match="nothing to draw"):
        rule_charts.differences_by_rule(stats.comparisons(runs(MEANS).iloc[:0]).assign(baseline="erk"), 0.01)


NAMES = ["stem.weight", "group1.0.conv1.weight", "group2.0.shortcut.weight", "classifier.weight"]


def layers(rules=("uniform", "erk"), sparsities=(0.5, 0.9), names=NAMES):
    rows = [
        (rule, sparsity, replicate, name, common.role(name, names))
        for rule in rules
        for sparsity in sparsities
        for replicate in range(2)
        for name in names
    ]
    frame = pd.DataFrame(rows, columns=["arm", "sparsity", "replicate", "layer", "role"])
    frame["asked"] = frame["density"] = 1 - frame["sparsity"]
    frame.loc[(frame["arm"] == "erk") & (frame["role"] == "first layer"), "density"] = 1.0
    return frame.assign(size=100, kept=100 * frame["density"])


def test_layers_are_cells_with_their_densities_and_those_with_a_role_are_framed():
    figure = layer_charts.density_of_layers(layers())
    half, tenth = figure.axes[:2]
    assert [text.get_text() for text in half.get_xticklabels()][::3] == ["stem", "classifier"]
    assert [text.get_text() for text in half.get_yticklabels()] == ["uniform", "erk"]
    assert [text.get_text() for text in tenth.texts] == ["10"] * 4 + ["100"] + ["10"] * 3
    assert sorted(patch.get_x() for patch in half.patches) == [-0.5, 1.5, 2.5]
    weights = [text.get_fontweight() for text in half.get_xticklabels()]
    assert weights == ["bold", "normal", "bold", "bold"]


def test_a_rule_that_cannot_reach_a_sparsity_has_empty_cells():
    frame = layers()
    frame = frame[(frame["arm"] == "erk") | (frame["sparsity"] == 0.5)]
    assert [text.get_text() for text in layer_charts.density_of_layers(frame).axes[1].texts][:4] == ["–"] * 4


def test_cells_of_many_layers_have_no_numbers():
    many = [f"group1.{index}.conv1.weight" for index in range(20)]
    assert not layer_charts.density_of_layers(layers(names=many)).axes[0].texts


def test_roles_have_a_panel_each_and_a_line_a_rule():
    figure = layer_charts.density_of_roles(layers())
    assert [ax.get_title() for ax in figure.axes] == ["First layer", "Shortcuts", "Classifier"]
    lines = {line.get_label(): list(line.get_ydata()) for line in figure.axes[0].get_lines()}
    assert lines["erk"] == [1, 1] and lines["uniform"] == pytest.approx([0.5, 0.1])
    assert lines["whole network"] == pytest.approx([0.5, 0.1])
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["whole network", "uniform", "erk"]


def test_an_unknown_rule_and_nothing_to_draw_are_one_clear_line():
    with pytest.raises(StudyError, match="unknown density rule 'erq'"):
        layer_charts.density_of_layers(layers(rules=("erq",)))
    with pytest.raises(StudyError, match="nothing to draw"):
        layer_charts.density_of_roles(layers().iloc[:0])
