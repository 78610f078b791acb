"""Figures are the same bytes each time, say where they come from, and show what the frame holds."""

from __future__ import annotations

import random
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from randsparse.comparison import charts, design, marks, plots, saving, stats
from randsparse.comparison.saving import Provenance
from randsparse.errors import StudyError
from randsparse.questions.random_search import charts as search_charts
from randsparse.runs.config import RunConfig

PROVENANCE = Provenance("tiny", "1a2b3c4d", "5e6f7a8b", 6, "0–2")
SPARSITIES = (0.2, 0.8, 0.95)
LABELS = ["structure", "sparsity", "arm", "replicate"]
WEIGHT_RANDOM = "structure == 'weight' and arm == 'random'"


def runs(seed: int = 0) -> pd.DataFrame:
    """Return three replicates of each arm, structure and sparsity; dense ones stand in both structures."""
    noise = np.random.default_rng(seed)
    rows = [
        (structure, sparsity, arm, replicate, 0.9 - 0.1 * sparsity + noise.normal(0, 0.005))
        for structure in ("weight", "node")
        for sparsity in (0.0, *SPARSITIES)
        for arm in (("random", "searched") if sparsity else ("dense",))
        for replicate in range(3)
    ]
    return pd.DataFrame(rows, columns=[*LABELS, "test_accuracy"])


def over_epochs(frame: pd.DataFrame) -> pd.DataFrame:
    final = frame["test_accuracy"]
    return pd.concat([frame.assign(epoch=epoch, val_accuracy=final * epoch / 4) for epoch in range(1, 5)])


def candidates() -> pd.DataFrame:
    frame = runs().query("arm == 'searched'")
    final = frame["test_accuracy"]
    return pd.concat(
        [
            frame.assign(early_epochs=epoch, early_val_accuracy=final * share, chosen=share == 0.7)
            for epoch in (1, 2)
            for share in (0.5, 0.6, 0.7)
        ]
    )


def early() -> pd.DataFrame:
    return runs().assign(early_val_accuracy=runs(1)["test_accuracy"])


CHARTS = {
    "accuracy": lambda: charts.accuracy_vs_sparsity(runs(), infeasible=[("node", 0.98, "searched")]),
    "difference": lambda: charts.difference_vs_sparsity(stats.comparisons(runs())),
    "curves": lambda: charts.learning_curves(over_epochs(runs()), early=1),
    "candidates": lambda: search_charts.early_candidates(candidates(), over_epochs(runs())),
    "early and final": lambda: search_charts.early_vs_final(early()),
}


def legend_texts(figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


@pytest.mark.parametrize("chart", CHARTS)
def test_the_same_data_give_the_same_bytes_in_any_style(chart, tmp_path):
    saving.save(CHARTS[chart](), "a", tmp_path / "once", runs(), PROVENANCE)
    random.seed(1)
    np.random.seed(1)
    with plt.style.context("dark_background"):
        saving.save(CHARTS[chart](), "a", tmp_path / "again", runs(), PROVENANCE)
    for name in ("a.svg", "a.png", "a.csv"):
        assert (tmp_path / "once" / name).read_bytes() == (tmp_path / "again" / name).read_bytes()
    assert plt.get_fignums() == []


def test_rows_in_another_order_give_the_same_picture(tmp_path):
    shuffled = runs().sample(frac=1, random_state=0)
    for name, frame in (("a", runs()), ("b", shuffled)):
        saving.save(charts.accuracy_vs_sparsity(frame), "f", tmp_path / name, runs(), PROVENANCE)
    assert (tmp_path / "a" / "f.png").read_bytes() == (tmp_path / "b" / "f.png").read_bytes()


@pytest.mark.parametrize("chart", CHARTS)
def test_no_text_is_cut_off(chart, tmp_path):
    figure = saving.save(CHARTS[chart](), "a", tmp_path, runs(), PROVENANCE)
    FigureCanvasAgg(figure).draw()
    box = figure.get_tightbbox()
    width, height = figure.get_size_inches()
    assert box.x0 >= -0.02 and box.x1 <= width + 0.02
    assert box.y0 >= -0.02 and box.y1 <= height + 0.02


def test_provenance_stands_in_the_margin_once_and_in_the_metadata(tmp_path):
    figure = charts.accuracy_vs_sparsity(runs())
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
    figure = charts.accuracy_vs_sparsity(runs())
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
    arms = {design.DENSE, design.RANDOM, design.SEARCHED, design.SMALL_PARENT, design.SMALL_OWN}
    assert arms <= set(plots.PALETTE) == set(plots.MARKERS)
    assert len(set(plots.PALETTE.values())) == len(plots.PALETTE)


def test_the_sparsity_axis_is_linear_in_log_density():
    sparsities = np.array([0, 0.5, 0.75, 0.999])
    assert plots.to_axis(sparsities)[:3] == pytest.approx([0, 1, 2])
    assert plots.from_axis(plots.to_axis(sparsities)) == pytest.approx(sparsities)


def test_ticks_are_percent_and_none_stands_on_another():
    figure, (ax,) = plots.panels(["a"])
    plots.sparsity_axis(ax, [0.98, 0, 0.2, 0.4, 0.6, 0.8, 0.801, 0.9, 0.95])
    figure.draw_without_rendering()
    shown = [label.get_text() for label in ax.get_xticklabels()]
    assert shown == ["0", "20", "40", "60", "80", "90", "95", "98"]


@pytest.mark.parametrize(("fraction", "text"), [(0.57, "57"), (0.999, "99.9"), (-0.005, "−0.5")])
def test_percent(fraction, text):
    assert plots.percent_text(fraction) == text


def test_band_draws_means_and_t_intervals_by_hand():
    frame = pd.DataFrame({"arm": "random", "epoch": [1, 1, 1, 2], "y": [1, 2, 3, 5]})
    _, (ax,) = plots.panels(["a"])
    drawn = marks.band(ax, frame, "epoch", "y")
    assert list(ax.get_lines()[0].get_ydata()) == [2, 5]
    assert ax.get_lines()[0].get_label() == "random (n = 1–3)"
    assert drawn.loc[0, "high"] == pytest.approx(2 + 4.302653 / 3**0.5, abs=1e-6)
    assert drawn.loc[1, ["low", "high"]].isna().all()


def test_accuracy_shows_means_runs_n_and_what_cannot_be_reached():
    frame = runs()
    lost = frame.query("arm == 'searched' and sparsity == 0.8 and structure == 'node'").index[0]
    frame.loc[lost, "test_accuracy"] = np.nan
    figure = charts.accuracy_vs_sparsity(frame, infeasible=[("node", 0.98, "searched")])
    assert len(figure.axes) == 2
    texts = ["dense (n = 3)", "random (n = 3)", "searched (n = 2–3)", "cannot be reached"]
    assert legend_texts(figure) == texts
    weight, node = figure.axes
    means = frame.query(WEIGHT_RANDOM).groupby("sparsity")["test_accuracy"].mean()
    line = next(each for each in weight.containers if each.get_label().startswith("random"))[0]
    assert line.get_ydata() == pytest.approx(means.to_numpy())
    crosses = [each for each in node.get_lines() if each.get_marker() == "x" and len(each.get_xdata())]
    assert len(crosses) == 1 and crosses[0].get_xdata()[0] == pytest.approx(0.98, abs=0.002)
    assert [text.get_text() for text in node.texts] == ["1 run without a result"]
    assert [text.get_text() for text in weight.texts] == []


def test_single_runs_have_no_interval():
    figure = charts.accuracy_vs_sparsity(runs().query("replicate == 0"))
    bars = [each for container in figure.axes[0].containers for each in container[2]]
    assert len(bars) == 2 and not [segment for bar in bars for segment in bar.get_segments() if segment.size]


def test_accuracy_by_another_sparsity_that_is_almost_one():
    frame = runs().assign(removed=lambda frame: 1 - (1 - frame["sparsity"]) ** 2)
    figure = charts.accuracy_vs_sparsity(frame, x="removed")
    assert figure.axes[0].get_xlim()[1] < 0.999
    assert "% of weights" in figure.axes[1].get_xlabel()
    line = next(each for each in figure.axes[0].containers if each.get_label().startswith("random"))[0]
    assert line.get_xdata() == pytest.approx([0.36, 0.96, 0.9975], abs=0.04)


def test_differences_show_the_margin_the_verdict_and_n():
    rows = stats.comparisons(runs())
    rows["verdict"] = ["better", "worse", "equivalent", "inconclusive", "equivalent", "inconclusive"]
    rows.loc[0, "n_baseline"] = 5
    figure = charts.difference_vs_sparsity(rows, margin=0.02)
    texts = ["within ±2 points", "better", "equivalent", "worse", "inconclusive"]
    assert legend_texts(figure) == texts
    assert [text.get_text() for text in figure.axes[0].texts] == ["n =", "3/5", "3", "3"]
    hollow = next(each for each in figure.axes[1].containers if each.get_label() == "inconclusive")[0]
    assert hollow.get_markerfacecolor() == "white"


def test_differences_of_too_few_runs_keep_their_point():
    rows = stats.comparisons(runs().query("replicate == 0"))
    figure = charts.difference_vs_sparsity(rows)
    assert legend_texts(figure) == ["within ±1 point", "inconclusive"]


def test_learning_curves_have_dense_in_every_panel():
    figure = charts.learning_curves(over_epochs(runs()), early=1)
    assert len(figure.axes) == 6
    for ax in figure.axes:
        colours = {line.get_color() for line in ax.get_lines()}
        assert {plots.PALETTE[arm] for arm in ("dense", "random", "searched")} <= colours
    texts = ["dense (n = 3)", "random (n = 3)", "searched (n = 3)", "weeded out at epoch 1"]
    assert legend_texts(figure) == texts


def test_candidates_have_a_panel_a_phase_and_the_chosen_marked():
    figure = search_charts.early_candidates(candidates(), over_epochs(runs()))
    assert len(figure.axes) == 4
    texts = ["candidate (3 populations of 3)", "chosen", "mean of random controls (n = 3)"]
    assert legend_texts(figure) == texts
    line = next(each for each in figure.axes[1].get_lines() if each.get_color() == plots.PALETTE["random"])
    expected = runs().query(WEIGHT_RANDOM).groupby("sparsity")["test_accuracy"].mean() / 2
    assert line.get_ydata() == pytest.approx(expected.to_numpy())


@pytest.mark.parametrize("draw", [charts.accuracy_vs_sparsity, charts.learning_curves])
def test_what_cannot_be_drawn_is_one_clear_line(draw):
    frame = over_epochs(runs())
    with pytest.raises(StudyError, match="nothing to draw"):
        draw(frame.iloc[:0])
    with pytest.raises(StudyError, match="unknown arm 'pruned': choose one of dense"):
        draw(frame.assign(arm="pruned"))
    with pytest.raises(StudyError, match="unknown column 'structure'"):
        draw(frame.drop(columns="structure"))


def test_a_caption_is_markdown():
    assert "n = 3" in plots.caption("Bars: 95 % t intervals, n = 3.").data


def test_use_style_sets_what_matplotlib_draws():
    with mpl.rc_context():
        plots.use_style()
        assert mpl.rcParams["svg.hashsalt"] == "randsparse"


def test_panels_fill_their_rows_and_show_ticks_where_nothing_is_below():
    assert [plots.even_columns(count) for count in range(9)] == [1, 1, 2, 3, 2, 3, 3, 3, 3]
    _, axes = plots.panels(list("abcde"), columns=3, sharex=True)
    assert [ax.xaxis.get_tick_params()["labelbottom"] for ax in axes] == [False, False, True, True, True]


def test_ids_in_a_picture_are_numbers_by_their_order():
    svg = b'<path id="p0a1b2c3d4e"/><use href="#C0_0_0123456789"/><g id="C0_0_0123456789" clip="url(#p0a1b2c3d4e)"/>'
    other = svg.replace(b"p0a1b2c3d4e", b"pffffffffff").replace(b"0123456789", b"abcdefabcd")
    assert saving._number_ids(svg) == saving._number_ids(other)
    assert saving._number_ids(svg).count(b"id0") == 2 == saving._number_ids(svg).count(b"id1")
    assert saving._number_ids(b"7a1c2f30 deadbeef") == b"7a1c2f30 deadbeef"  # the hashes of a provenance stay
