"""Charts of notebook 04: points at their values, lines with their slope, published points apart."""

from __future__ import annotations

import numpy as np
import pytest

from planted_sizes import MODELS, PARAMETERS, WEIGHTS, closing, evidence
from randsparse.comparison.wording import format_interval, format_points
from randsparse.questions.size import charts
from randsparse.questions.size.evidence import FLOPS
from randsparse.questions.size.evidence import WEIGHTS as EQUAL_WEIGHTS


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return evidence(tmp_path_factory.mktemp("results"), closing(0.01, narrow=-0.004, noise=0.002))


def test_gaps_stand_at_their_sizes_with_their_intervals(found):
    figure, caption, data = charts.draw_gaps(found.gaps, found.slopes, found.published)
    assert [ax.get_title() for ax in figure.axes] == ["50 % of the weights removed", "80 % of the weights removed"]
    for ax, sparsity in zip(figure.axes, (0.5, 0.8), strict=True):
        own = found.gaps[found.gaps["sparsity"] == sparsity].sort_values("weights")
        (container,) = ax.containers
        x, y = np.array(container.lines[0].get_data(), dtype=float)
        assert list(x) == sorted(WEIGHTS.values()) and list(y) == pytest.approx(own["mean"].tolist())
        ends = [segment[:, 1] for segment in container.lines[2][0].get_segments()]
        assert ends == [pytest.approx(pair) for pair in own[["low", "high"]].to_numpy()]
        names = [label.get_text() for label in ax.get_xticklabels()]
        models = sorted(WEIGHTS, key=WEIGHTS.get)
        assert names == [f"{model.upper()} ({WEIGHTS[model] / 1000:,.0f}k)" for model in models]
        line = next(each for each in ax.lines if each.get_label() == "least squares")
        (x0, x1), (y0, y1) = line.get_data()
        slope = found.slopes[sparsity]
        assert (y1 - y0) / np.log2(float(x1 / x0)) == pytest.approx(slope.value)
        assert y0 == pytest.approx(np.polyval(np.polyfit(np.log2(x), y, 1), np.log2(float(x0))))
        hollow = next(each for each in ax.lines if each.get_label() == "published (ResNet)")
        published = found.published[found.published["sparsity"] == sparsity]
        assert sorted(hollow.get_ydata()) == pytest.approx(sorted(published["mean"])) and len(published) == 3
        assert hollow.get_markerfacecolor() == "none"
    whole = found.slope()
    assert whole.value == pytest.approx(0.01, abs=0.002)
    assert (
        f"{format_points(whole.value)} {format_interval(*whole.interval())} points per doubling at 80 % (n = 5)"
        in caption
    )
    assert (data["cell"] == "published").sum() == 6


def test_published_gaps_are_those_of_the_file_and_stand_beside_cifar_10_alone(found, tmp_path):
    own = found.published.set_index(["model", "sparsity"])
    assert own.loc[("resnet-20", 0.8), "mean"] == pytest.approx(-0.0246)
    assert own.loc[("resnet-20", 0.8), "weights"] == pytest.approx(270_000, rel=0.02)
    recipe = PARAMETERS["campaign"] | {"recipe": PARAMETERS["campaign"]["recipe"] | {"dataset": "digits"}}
    other = evidence(tmp_path, closing(0.01), campaign=recipe)
    assert other.published.empty
    assert "Hollow" not in charts.draw_gaps(other.gaps, other.slopes, other.published).caption


def test_sparse_minus_narrow_has_a_panel_for_what_is_equal(found):
    figure, caption, _ = charts.draw_against_narrow(found.against_narrow, found.means_against_narrow)
    for ax, equal in zip(figure.axes, (EQUAL_WEIGHTS, FLOPS), strict=True):
        own, mean = found.against_narrow[found.against_narrow["equal"] == equal], found.means_against_narrow[equal]
        assert [label.get_text() for label in figure.axes[0].get_yticklabels()][-1] == "mean"
        cells, whole = ax.containers
        assert list(cells.lines[0].get_xdata()) == pytest.approx(own["mean"].tolist())
        ends = [segment[:, 0] for segment in cells.lines[2][0].get_segments()]
        assert ends == [pytest.approx(np.clip(pair, *ax.get_xlim())) for pair in own[["low", "high"]].to_numpy()]
        assert whole.lines[0].get_xydata()[0] == pytest.approx((mean.value, len(MODELS)))
        assert whole.lines[2][0].get_segments()[0][:, 0] == pytest.approx(mean.interval())
        assert mean.value == pytest.approx(0.004, abs=0.002)
        assert f"{format_points(mean.value)} {format_interval(*mean.interval())} points with {equal}" in caption


def test_nothing_is_drawn_of_nothing(tmp_path):
    empty = evidence(tmp_path, closing(0.01), networks=0)
    assert charts.draw_gaps(empty.gaps, empty.slopes, empty.published) is None
    assert charts.draw_against_narrow(empty.against_narrow, empty.means_against_narrow) is None
