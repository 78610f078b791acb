"""The chart of early phases: what stands where."""

from __future__ import annotations

import pandas as pd
import pytest

from randsparse.errors import StudyError
from randsparse.questions.random_search import charts

ROWS = pd.DataFrame(
    [
        {
            "structure": "node",
            "sparsity": sparsity,
            "early_epochs": epochs,
            "measured": measured,
            "mean": mean,
            "low": mean - 0.01,
            "high": mean + 0.01,
            "n": 3,
            "n_baseline": 3,
        }
        for sparsity in (0.2, 0.8)
        for epochs in (1, 4)
        for measured, mean in (("early_val_accuracy", 0.05), ("test_accuracy", 0.0))
    ]
)


def test_each_panel_has_a_line_a_sparsity_over_the_early_phases():
    figure = charts.advantage_by_phase(ROWS, margin=0.01)
    early, final = figure.axes
    for ax, mean in ((early, 0.05), (final, 0.0)):
        lines = [container.lines[0] for container in ax.containers]
        assert len(lines) == 2
        assert all(list(line.get_ydata()) == [mean, mean] for line in lines)
        assert [text.get_text() for text in ax.get_xticklabels()] == ["1", "4"]
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert "20 % of nodes" in labels and "80 % of nodes" in labels and "±1 points" in labels


def test_a_frame_without_what_is_drawn_is_refused():
    with pytest.raises(StudyError, match="measured"):
        charts.advantage_by_phase(ROWS.drop(columns="measured"), margin=0.01)
