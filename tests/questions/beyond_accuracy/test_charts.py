"""Charts beyond accuracy: what stands where, and that all that is drawn can be seen."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from randsparse.comparison.plots import PALETTE
from randsparse.errors import StudyError
from randsparse.questions.beyond_accuracy import calibration_charts, charts
from randsparse.questions.beyond_accuracy.verdicts import MEASURES

ARMS = {"dense": [0.0], "random": [0.8, 0.95], "small dense (own scale)": [0.8, 0.95]}
NETWORKS = pd.DataFrame(
    [
        {"arm": arm, "structure": "weight", "sparsity": sparsity, "replicate": seed, "key": f"{arm}{sparsity}{seed}"}
        for arm, sparsities in ARMS.items()
        for sparsity in sparsities
        for seed in range(3)
    ]
)


def crossed(**columns: list) -> pd.DataFrame:
    frame = NETWORKS
    for name, values in columns.items():
        frame = frame.merge(pd.DataFrame({name: values}), how="cross")
    return frame


def labels(figure) -> list[str]:
    return [text.get_text() for text in figure.legends[0].get_texts()]


def means(ax) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """The points of each arm in a panel, by colour."""
    names = {colour: arm for arm, colour in PALETTE.items()}
    return {names[line.lines[0].get_color()]: line.lines[0].get_data() for line in ax.containers}


def test_ood_has_a_panel_a_metric_and_sparsity_with_the_dense_network_in_each():
    frame = crossed(data=["svhn", "folder:some/where/photos"]).assign(auroc=0.9, fpr95=0.3)
    frame.loc[frame["arm"] == "dense", "auroc"] = 0.7
    figure = charts.ood(frame)
    assert len(figure.axes) == 4
    for ax in figure.axes[:2]:
        drawn = means(ax)
        assert list(drawn) == list(ARMS) and drawn["dense"][0] == pytest.approx([0.7, 0.7])
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["svhn", "folder …/photos"]
    assert "FPR at 95 % TPR (%)" in figure.axes[2].get_xlabel()
    assert labels(figure) == ["chance", *(f"{arm} (n = 3)" for arm in ARMS)]


def test_scores_stand_in_their_order():
    frame = crossed(score=["energy", "msp"]).assign(auroc=0.9, fpr95=0.3)
    ticks = [label.get_text() for label in charts.ood(frame, by="score").axes[0].get_yticklabels()]
    assert ticks == ["msp", "energy"]


@pytest.mark.parametrize("y", ["accuracy", "drop"])
def test_corruptions_show_all_that_is_there_in_panels_that_share_an_axis(y):
    frame = crossed(corruption=["jpeg", "contrast"], severity=[0.0, 1.0, 5.0])
    worse = frame["severity"] * np.where(frame["corruption"] == "contrast", 0.18, 0.01)
    frame = frame.assign(accuracy=0.95 - worse, drop=worse)
    figure = charts.corruptions(frame, y)
    titles = [ax.get_title() for ax in figure.axes]
    assert len(titles) == 4 and titles[0] == "jpeg\n80 % of weights removed"
    for ax in figure.axes:
        low, high = ax.get_ylim()
        assert low <= frame[y].min() and high >= frame[y].max()
        assert list(means(ax)) == list(ARMS)
    assert [label.get_text() for label in figure.axes[-1].get_xticklabels()] == ["clean", "1", "5"]
    assert "%" in figure.axes[0].get_ylabel() or "points" in figure.axes[0].get_ylabel()


def test_attacks_have_a_panel_each_and_chance_as_a_line():
    frame = crossed(attack=["noise", "pgd", "fgsm"], epsilon=[0.0, 0.5, 8.0]).assign(accuracy=0.5, drop=0.2)
    figure = charts.attacks(frame, chance=0.1)
    assert [ax.get_title().split("\n")[0] for ax in figure.axes] == ["FGSM", "PGD", "random signs"] * 2
    assert [label.get_text() for label in figure.axes[-1].get_xticklabels()] == ["0", "0.5", "8"]
    assert "1/255" in figure.axes[-1].get_xlabel() and "chance" in labels(figure)


def test_networks_without_a_value_are_not_counted():
    frame = crossed(attack=["fgsm"], epsilon=[0.0, 8.0]).assign(accuracy=0.5)
    frame.loc[(frame["arm"] == "random") & (frame["replicate"] == 0), "accuracy"] = np.nan
    assert "random (n = 2)" in labels(charts.attacks(frame, chance=0.1))


def test_a_check_that_does_not_hold_is_a_cross():
    checks = crossed(check=["PGD is as strong as FGSM", "more steps, more loss"]).assign(lead=0.2, holds=True)
    figure = charts.masking(checks)
    assert "does not hold" not in labels(figure) and "nats" in figure.axes[1].get_ylabel()
    checks.loc[0, ["lead", "holds"]] = [-0.1, False]
    figure = charts.masking(checks)
    assert "does not hold" in labels(figure)
    crosses = [line for line in figure.axes[0].get_lines() if line.get_marker() == "x" and len(line.get_xdata())]
    assert [list(line.get_ydata()) for line in crosses] == [[-0.1]]


def test_the_summary_has_better_on_the_right_whatever_the_sign():
    rows = pd.DataFrame(
        [
            {
                "measure": each.column,
                "baseline": "dense",
                "unit": each.unit,
                "margin": 0.01,
                "structure": "weight",
                "sparsity": 0.8,
                "mean": 0.05,
                "low": 0.04,
                "high": 0.07,
                "n": 3,
                "n_baseline": 3,
                "verdict": "worse" if each.lower else "better",
            }
            for each in MEASURES
        ]
    )
    figure = charts.summary(rows)
    (ax,) = figure.axes
    drawn = [line.lines[0].get_xdata()[0] for line in ax.containers]
    assert drawn == pytest.approx([-5 if each.lower else 5 for each in MEASURES])
    assert [label.get_text() for label in ax.get_yticklabels()] == [each.name for each in MEASURES]
    assert ax.get_xlim()[1] > 5 and {"better", "worse"} <= set(labels(figure))


@pytest.mark.parametrize("chart", [calibration_charts.reliability, calibration_charts.confidence_gap])
def test_reliability_has_a_row_a_scaling(chart):
    bins = crossed(scaled=[False, True], bin=[1, 2, 3])
    bins = bins.assign(confidence=0.3 * bins["bin"], accuracy=0.3 * bins["bin"] - 0.1 * ~bins["scaled"])
    figure = chart(bins.assign(gap=bins["accuracy"] - bins["confidence"], share=1 / 3))
    titles = [ax.get_title().split("\n")[0] for ax in figure.axes]
    assert titles == ["as trained"] * 2 + ["temperature-scaled"] * 2
    expected = 0.3 * np.arange(1, 4) if chart is calibration_charts.reliability else np.zeros(3)
    assert means(figure.axes[2])["random"][1] == pytest.approx(expected)
    assert means(figure.axes[0])["random"][1] == pytest.approx(expected - 0.1)
    assert labels(figure) == ["calibrated", *(f"{arm} (n = 3)" for arm in ARMS)]


def test_frames_without_what_is_drawn_are_refused():
    with pytest.raises(StudyError, match="unknown column 'epsilon'"):
        charts.attacks(NETWORKS.assign(attack="pgd", accuracy=1.0), chance=0.1)
    with pytest.raises(StudyError, match="nothing to draw"):
        charts.attacks(crossed(attack=["pgd"], epsilon=[1.0]).assign(accuracy=1.0)[:0], chance=0.1)
