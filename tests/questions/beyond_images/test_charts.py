from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from randsparse.errors import StudyError
from randsparse.questions.beyond_images import charts, frames

ARMS = ["random er", "small dense (own scale)", "set", "set in a source of 0.5"]


def made_up(n: int = 3) -> pd.DataFrame:
    """One row a run of two datasets, whose arms differ by a tenth."""
    random = np.random.default_rng(0)
    rows = [
        {
            "dataset": dataset,
            "arm": arm,
            "structure": "weight",
            "sparsity": sparsity,
            "test_accuracy": 0.8 - 0.1 * index + random.normal(0, 0.01),
        }
        for dataset in ("table", "text")
        for index, arm in enumerate(["dense", *ARMS])
        for sparsity in ([0.0] if arm == "dense" else [0.5, 0.9])
        for _ in range(n)
    ]
    return pd.DataFrame(rows)


def test_a_panel_a_dataset_with_every_arm_once_in_the_legend():
    figure = charts.accuracy(made_up(), ARMS)
    assert [ax.get_title() for ax in figure.axes] == ["table (n = 3)", "text (n = 3)"]
    assert sorted(text.get_text() for text in figure.legends[0].get_texts()) == sorted(["dense", *ARMS])
    for ax in figure.axes:
        (low, high) = ax.get_ylim()
        values = made_up()["test_accuracy"]
        assert low < values.min() and high > values.max()


def test_runs_without_a_result_are_counted():
    frame = made_up()
    frame.loc[(frame["dataset"] == "text") & (frame["arm"] == "set"), "test_accuracy"] = np.nan
    figure = charts.accuracy(frame, ARMS)
    assert [text.get_text() for text in figure.axes[1].texts] == ["6 runs without a result"]


def test_a_method_in_a_random_source_has_the_colour_of_the_method_and_is_dashed():
    dense, sparse = charts.look("set"), charts.look("set in a source of 0.5")
    assert dense["color"] == sparse["color"] and sparse["linestyle"] == "--" and "linestyle" not in dense
    with pytest.raises(StudyError, match="unknown arm 'sets in a source of 0.5'"):
        charts.look("sets in a source of 0.5")


def test_differences_show_every_arm_and_verdict():
    pairs = [("random er", "dense"), ("set", "dense")]
    rows = frames.differences(made_up(6), pairs, margin=0.01)
    figure = charts.differences(rows, 0.01, "arm − dense")
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert {"random er", "set", "worse", "within ±1 point"} <= set(labels)
    assert figure.axes[0].get_ylabel().startswith("arm − dense")
