"""Figures are the same bytes each time, say where they come from, and show what the frame holds."""

from __future__ import annotations

import random
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from randsparse.comparison import plots, saving, stats
from randsparse.comparison.saving import Provenance
from randsparse.errors import StudyError
from randsparse.runs.config import RunConfig

PROVENANCE = Provenance("tiny", "1a2b3c4d", "5e6f7a8b", 6, "0–2")


def runs(seed: int = 0) -> pd.DataFrame:
    """Return three runs of two arms at each of four epochs."""
    noise = np.random.default_rng(seed)
    rows = [
        (arm, epoch, 0.5 + 0.1 * epoch + noise.normal(0, 0.005))
        for arm in ("random", "dense")
        for epoch in range(1, 5)
        for _ in range(3)
    ]
    return pd.DataFrame(rows, columns=["arm", "epoch", "val_accuracy"])


@plots.use_style
def draw(frame: pd.DataFrame):
    """Draw a band per arm, with a legend above."""
    figure, (ax,) = plots.make_panels(["Validation accuracy of each arm"])
    for arm, own in frame.groupby("arm"):
        drawn = stats.summary(own, ["epoch"], "val_accuracy")
        ax.plot(drawn["epoch"], drawn["mean"], color=plots.PALETTE[arm], label=arm)
        ax.fill_between(drawn["epoch"], drawn["low"], drawn["high"], color=plots.PALETTE[arm], alpha=0.18)
    plots.label_percent(ax, "Validation accuracy")
    plots.draw_legend(figure)
    return figure


def test_the_same_data_give_the_same_bytes_in_any_style(tmp_path):
    saving.save(draw(runs()), "a", tmp_path / "once", runs(), PROVENANCE)
    random.seed(1)
    np.random.seed(1)
    with plt.style.context("dark_background"):
        saving.save(draw(runs()), "a", tmp_path / "again", runs(), PROVENANCE)
    for name in ("a.svg", "a.png", "a.csv"):
        assert (tmp_path / "once" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    assert plt.get_fignums() == []


def test_rows_in_another_order_give_the_same_picture(tmp_path):
    shuffled = runs().sample(frac=1, random_state=0)
    for name, frame in (("a", runs()), ("b", shuffled)):
        saving.save(draw(frame), "f", tmp_path / name, runs(), PROVENANCE)
    assert (tmp_path / "a" / "f.png").read_bytes() == (tmp_path / "b" / "f.png").read_bytes()


def test_no_text_is_cut_off(tmp_path):
    figure = saving.save(draw(runs()), "a", tmp_path, runs(), PROVENANCE)
    FigureCanvasAgg(figure).draw()
    box = figure.get_tightbbox()
    width, height = figure.get_size_inches()
    assert box.x0 >= -0.02 and box.x1 <= width + 0.02
    assert box.y0 >= -0.02 and box.y1 <= height + 0.02


def test_provenance_stands_in_the_margin_once_and_in_the_metadata(tmp_path):
    figure = draw(runs())
    for _ in range(2):
        saving.save(figure, "a", tmp_path, runs(), PROVENANCE)
    words = "tiny · parameters 1a2b3c4d · 6 runs 5e6f7a8b · seeds 0–2"
    assert [text.get_text() for text in figure.texts] == [words]
    assert Image.open(tmp_path / "a.png").info["Description"] == words
    svg = ElementTree.parse(tmp_path / "a.svg")
    assert words in [node.text for node in svg.iter() if node.tag.endswith("description")]
    assert not [node for node in svg.iter() if node.tag.endswith("}date")]
    assert "Matplotlib v" not in (tmp_path / "a.svg").read_text()
    assert "Software" not in Image.open(tmp_path / "a.png").info
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "a.csv"), runs())
    assert {path.name for path in tmp_path.iterdir()} == {"a.svg", "a.png", "a.csv"}


def test_a_folder_that_cannot_be_made_is_one_clear_line(tmp_path):
    (tmp_path / "file").touch()
    figure = draw(runs())
    with pytest.raises(StudyError, match="file") as raised:
        saving.save(figure, "a", tmp_path / "file" / "figures", runs(), PROVENANCE)
    assert "\n" not in str(raised.value)


def record(config: RunConfig, **changes) -> dict:
    whole = {"key": config.key, "config": config.to_dict(), "curve": [], "cost": {}, "environment": {}}
    return whole | changes


def test_provenance_is_of_what_determines_the_figure():
    records = [
        record(RunConfig(sparsity=0.5, mask_seed=seed, stop_epoch=stop)) for seed in (0, 1, 7) for stop in (None, 3)
    ]
    first = Provenance.of("p", {"a": 1, "b": 2}, records)
    assert (first.runs, first.seeds) == (3, "0–1, 7")
    assert first == Provenance.of("p", {"b": 2, "a": 1}, iter([*records[::-1], records[0]]))
    dearer = [each | {"cost": {"seconds": 3}} for each in records]
    assert first == Provenance.of("p", {"a": 1, "b": 2}, dearer)
    assert first.parameters != Provenance.of("p", {"a": 2, "b": 2}, records).parameters
    longer = [records[0] | {"curve": [{"epoch": 1}]}, *records[1:]]
    assert first.records != Provenance.of("p", {"a": 1, "b": 2}, longer).records
    assert str(replace(first, runs=0, seeds="")).endswith("no runs")


def test_many_seeds_are_said_in_short():
    records = [record(RunConfig(init_seed=seed)) for seed in range(0, 20, 2)]
    assert Provenance.of("p", {}, records).seeds == "0–18 (10 of them)"


def test_every_arm_of_the_study_has_one_colour_and_marker():
    assert set(plots.PALETTE) == set(plots.MARKERS)
    assert len(set(plots.PALETTE.values())) == len(plots.PALETTE)


def test_the_sparsity_axis_is_linear_in_log_density():
    sparsities = np.array([0, 0.5, 0.75, 0.999])
    assert plots.to_axis(sparsities)[:3] == pytest.approx([0, 1, 2])
    assert plots.from_axis(plots.to_axis(sparsities)) == pytest.approx(sparsities)


def test_ticks_are_percent_and_none_stands_on_another():
    figure, (ax,) = plots.make_panels(["a"])
    plots.space_sparsities(ax, [0.98, 0, 0.2, 0.4, 0.6, 0.8, 0.801, 0.9, 0.95])
    figure.draw_without_rendering()
    shown = [label.get_text() for label in ax.get_xticklabels()]
    assert shown == ["0", "20", "40", "60", "80", "90", "95", "98"]


@pytest.mark.parametrize(("fraction", "text"), [(0.57, "57"), (0.999, "99.9"), (-0.005, "−0.5")])
def test_percent(fraction, text):
    assert plots.percent_text(fraction) == text


def test_what_cannot_be_drawn_is_one_clear_line():
    with pytest.raises(StudyError, match="nothing to draw"):
        plots.require_columns(runs().iloc[:0], "arm")
    with pytest.raises(StudyError, match="unknown column 'structure'"):
        plots.require_columns(runs(), "arm", "structure")


def test_a_caption_is_markdown():
    assert "n = 3" in plots.caption("Bars: 95 % t intervals, n = 3.").data


def test_panels_fill_their_rows_and_show_ticks_where_nothing_is_below():
    assert [plots.even_columns(count) for count in range(9)] == [1, 1, 2, 3, 2, 3, 3, 3, 3]
    _, axes = plots.make_panels(list("abcde"), columns=3, sharex=True)
    assert [ax.xaxis.get_tick_params()["labelbottom"] for ax in axes] == [False, False, True, True, True]


def test_ids_in_a_picture_are_numbers_by_their_order():
    svg = b'<path id="p0a1b2c3d4e"/><use href="#C0_0_0123456789"/><g id="C0_0_0123456789" clip="url(#p0a1b2c3d4e)"/>'
    other = svg.replace(b"p0a1b2c3d4e", b"pffffffffff").replace(b"0123456789", b"abcdefabcd")
    assert saving._number_ids(svg) == saving._number_ids(other)
    assert saving._number_ids(svg).count(b"id0") == 2 == saving._number_ids(svg).count(b"id1")
    assert saving._number_ids(b"7a1c2f30 deadbeef") == b"7a1c2f30 deadbeef"  # the hashes of a provenance stay
