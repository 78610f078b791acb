"""What `make bench` says of zeros, read from its file."""

from __future__ import annotations

import json

import numpy as np
import pytest

from randsparse.questions.search_cost import speed, speed_charts

SETTING = {"model": "wrn-10-1", "size": 32, "batch_size": 128}
REPORT = {
    "masking": [SETTING | {"ratio": [0.8, 1.0, 1.25], "share": 0.001, "step_ms": 9.0}],
    "compaction": [
        SETTING | {"sparsity": 0.4, "flops": 2.5, "speedup": [1.5, 2.0, 2.5]},
        SETTING | {"sparsity": 0.8, "flops": 25.0, "speedup": [5.0, 6.0, 7.0]},
    ],
    "kernels": [
        {"outputs": 64, "inputs": 576, "kernel": "CSR", "sparsity": 0.98, "flops": 50.0}
        | {"forward": [6.0, 7.0, 8.0], "training": [2.0, 3.0, 4.0]}
    ],
    "candidates": {"candidates": 32, "workers": 2, "speedup": {"batched": [3.0, 3.4, 3.5]}},
}


def written(folder, report):
    folder.mkdir(exist_ok=True)
    (folder / "cpu.json").write_text(json.dumps(report))
    return speed.speeds(folder)


def test_each_way_has_its_rows(tmp_path):
    rows = written(tmp_path / "bench", REPORT)
    assert list(rows["way"]) == [speed.MASK, speed.NODES, speed.NODES, speed.KERNEL, speed.BATCHED]
    mask = rows.iloc[0]
    assert (mask["times_as_fast"], mask["low"], mask["high"]) == (1.0, 0.8, 1.25)  # dense over masked: the inverse
    assert rows.iloc[1][["less_work", "times_as_fast", "low", "high"]].tolist() == [2.5, 2.0, 1.5, 2.5]
    assert rows.iloc[3][["times_as_fast", "low", "high"]].tolist() == [
        3.0,
        2.0,
        4.0,
    ]  # not of a forward pass
    assert rows.iloc[4]["times_as_fast"] == 3.4 and rows.iloc[4]["less_work"] == 1


def test_an_uneven_ratio_turns_its_quartiles_around(tmp_path):
    rows = written(tmp_path / "bench", {"masking": [SETTING | {"ratio": [1.0, 2.0, 4.0]}]})
    assert rows.iloc[0][["times_as_fast", "low", "high"]].tolist() == [0.5, 0.25, 1.0]


def test_a_mask_of_80_percent_leaves_a_third_of_the_work(tmp_path):
    """ERK keeps small layers dense, which have many positions: more than a fifth of the FLOPs is left."""
    assert 2.5 < written(tmp_path / "bench", REPORT).iloc[0]["less_work"] < 3.5


def test_what_was_not_measured_says_so(tmp_path):
    rows = speed.speeds(tmp_path / "nothing")
    assert list(rows["measured"]) == [speed.NOT_YET] * 4 and rows["times_as_fast"].isna().all()
    some = written(tmp_path / "bench", {"compaction": REPORT["compaction"], "gpu": {}})
    assert list(some.loc[some["measured"] == speed.NOT_YET, "way"]) == [speed.MASK, speed.KERNEL, speed.BATCHED]


def test_the_chart_draws_speed_against_work(tmp_path):
    drawn = speed_charts.times_as_fast(written(tmp_path / "bench", REPORT))
    (ax,) = drawn.figure.axes
    diagonal, one = ax.lines[:2]
    assert list(diagonal.get_xdata()) == list(diagonal.get_ydata()) and set(one.get_ydata()) == {1}
    points = {container.get_label(): container for container in ax.containers}
    nodes = points[speed.NODES]
    assert nodes.lines[0].get_xdata().tolist() == [2.5, 25] and nodes.lines[0].get_ydata().tolist() == [2, 6]
    ends = [segment[:, 1].tolist() for segment in nodes.lines[2][0].get_segments()]
    assert ends == pytest.approx(np.array([[1.5, 2.5], [5, 7]]))
    assert speed.BATCHED not in points
    labels = {text.get_text(): text.xy for text in ax.texts}
    assert labels["98 %"] == (50, 3) and labels["40 %"] == (2.5, 2)
    assert "smaller network: 2.00 to 6.00 times as fast with 2.5 and 25.0 times less work" in drawn.caption
    assert "sparse kernels: 3.00 to 3.00" in drawn.caption


def test_there_is_no_chart_of_nothing(tmp_path):
    assert speed_charts.times_as_fast(speed.speeds(tmp_path)) is None
