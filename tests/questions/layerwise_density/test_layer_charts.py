from __future__ import annotations

import pandas as pd
import pytest

from randsparse.errors import StudyError
from randsparse.questions.layerwise_density import frames, layer_charts
from randsparse.questions.masks_and_densities.charts import RULE_COLOURS, RULE_MARKERS, rule_look
from randsparse.sparsity.densities import RULES
from randsparse.sparsity.scores import SCORES

NAMES = ["stem.weight", "group1.0.conv1.weight", "group2.0.shortcut.weight", "classifier.weight"]


def layers(rules=("uniform", "erk"), sparsities=(0.5, 0.9), names=NAMES):
    rows = [(rule, sparsity, replicate, name, frames.role(name, names))
            for rule in rules for sparsity in sparsities for replicate in range(2) for name in names]  # fmt: skip
    frame = pd.DataFrame(rows, columns=["arm", "sparsity", "replicate", "layer", "role"])
    frame["asked"] = frame["density"] = 1 - frame["sparsity"]
    frame.loc[(frame["arm"] == "erk") & (frame["role"] == "first layer"), "density"] = 1.0
    return frame.assign(size=100, kept=100 * frame["density"])


def test_every_rule_looks_its_own_way():
    assert list(RULE_COLOURS) == [*RULES, *SCORES] == list(RULE_MARKERS)
    assert len(set(map(str, RULE_COLOURS.values()))) == len(set(RULE_MARKERS.values())) == len(RULE_COLOURS)
    assert rule_look("snip")["linestyle"] == "--" and rule_look("erk")["linestyle"] == "-"


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
