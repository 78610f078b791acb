"""Planted evaluations flip the verdicts of notebook 06 as they should, in their units, at equal accuracy and not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import planted_evaluations as planted
from planted_evaluations import DENSE, NARROW, PARAMETERS, SPARSE, WIDER
from randsparse.questions.beyond_accuracy import frames, plan, prose, verdicts
from randsparse.questions.beyond_accuracy.evidence import Evidence
from randsparse.questions.beyond_accuracy.frames import EQUAL_ACCURACY, EQUAL_WEIGHTS
from randsparse.runs.store import Store

AUROC = "auroc msp cifar100"


def evidence(folder, shift=None, networks=8, **changes):
    """Return what planted networks say."""
    store, parameters = Store(folder), PARAMETERS | changes
    design = planted.plant(store, planted.shifted(shift or {}), parameters, networks)
    return Evidence(design, store, parameters)


@pytest.mark.parametrize(
    ("shift", "verdict"),
    [(0.0, "contradicted"), (0.025, "supported"), (0.005, "undecided")],  # the line alone costs 2.5 points
)
def test_the_difference_in_the_nearest_images_decides_the_claim(shift, verdict, tmp_path):
    found = evidence(tmp_path, {"auroc": shift})
    first = verdicts.judge(found).iloc[0]
    assert (first["kind"], first["verdict"], first["n"], first["unit"]) == ("primary claim", verdict, 8, "points")
    assert first["estimate"] == pytest.approx(100 * shift - 2.5, abs=0.4)
    assert prose.FOLLOWS[verdict] in prose.write_abstract(found, verdict).data


def test_other_images_and_other_masks_do_not_test_the_claim(tmp_path):
    for number, changes in enumerate(({"near": "rotated", "far": ["cifar100"]}, {"sparse": WIDER, "narrow": [NARROW]})):
        rows = verdicts.judge(evidence(tmp_path / str(number), **changes))
        assert rows.loc[0, "verdict"] == "not tested" and "about ERK at 80 % and CIFAR-100" in rows.loc[0, "evidence"]


def test_a_network_on_the_line_of_dense_ones_does_not_differ_at_equal_accuracy(tmp_path):
    found = evidence(tmp_path)
    assert found.ends == (NARROW, WIDER)
    for column, slope in ((AUROC, 0.5), ("nll", -3.0), ("jpeg", 1.0)):
        same, whole = (found.estimate(column, each) for each in (EQUAL_ACCURACY, frames.DENSE))
        assert abs(whole.value) > abs(0.04 * slope) and abs(same.value) < 0.004
        low, high = same.interval(0.99)
        assert low < 0 < high and not whole.low < 0 < whole.high
    moved = evidence(tmp_path / "moved", {"auroc": 0.03})
    difference = moved.estimate(AUROC, EQUAL_ACCURACY).value - found.estimate(AUROC, EQUAL_ACCURACY).value
    assert difference == pytest.approx(0.03, abs=1e-9)
    # more accurate at the same AUROC is less than a dense network of that accuracy has
    better = evidence(tmp_path / "better", {"accuracy": 0.01})
    change = better.estimate(AUROC, EQUAL_ACCURACY).value - found.estimate(AUROC, EQUAL_ACCURACY).value
    assert change == pytest.approx(-0.01 * 0.5, abs=1e-3)


def test_the_interval_at_equal_accuracy_allows_for_all_three_accuracies(tmp_path):
    """The share of 95 % intervals that hold the true value, for networks whose accuracies scatter."""
    design, random, held = plan.networks(PARAMETERS), np.random.default_rng(1), 0
    for _ in range(200):
        rows = [
            {"cell": cell, "network": n, "order": n % 2, "accuracy": planted.ACCURACY[cell] + random.normal(0, 0.01)}
            for cell in (SPARSE, NARROW, WIDER)
            for n in range(8)
        ]
        frame = pd.DataFrame(rows)
        frame["y"] = 2 * frame["cell"].map(planted.ACCURACY) + random.normal(0, 0.002, len(frame))
        estimate = frames.difference_at_equal_accuracy(design, frame, SPARSE, (NARROW, WIDER), "y")
        held += estimate.low < 0 < estimate.high
    assert 0.9 < held / 200 < 0.995


def test_the_error_at_equal_accuracy_weighs_both_ends_as_the_line_does():
    design, random = plan.networks(PARAMETERS), np.random.default_rng(2)
    spreads = {SPARSE: 0.001, NARROW: 0.01, WIDER: 0.002}
    rows = [
        {"cell": cell, "network": n, "order": n % 2, "accuracy": planted.ACCURACY[cell], "y": random.normal(0, spread)}
        for cell, spread in spreads.items()
        for n in range(8)
    ]
    estimate = frames.difference_at_equal_accuracy(design, pd.DataFrame(rows), SPARSE, (NARROW, WIDER), "y")
    own = pd.DataFrame(rows).groupby("cell")["y"]
    share = (0.85 - 0.84) / (0.88 - 0.84)  # of the way from the less accurate end
    weights = {SPARSE: 1.0, NARROW: share - 1, WIDER: -share}
    assert estimate.value == pytest.approx(sum(weight * own.mean()[cell] for cell, weight in weights.items()))
    error = sum(weight**2 * own.var()[cell] / 8 for cell, weight in weights.items()) ** 0.5
    assert estimate.error == pytest.approx(error) and estimate.error > 0.0015


def test_without_a_less_accurate_dense_network_there_is_none_of_equal_accuracy(tmp_path):
    found = evidence(tmp_path, {"accuracy": -0.1})
    assert found.ends is None and found.estimate(AUROC, EQUAL_ACCURACY) is None
    assert "No two dense cells" in prose.equal_accuracy(found).data
    assert found.estimate(AUROC, EQUAL_WEIGHTS) is not None


@pytest.mark.parametrize(
    ("measure", "shift", "claim", "verdict"),
    [
        ("ece", 0.02, "The ECE", "contradicted"),
        ("ece", -0.02, "The ECE", "supported"),
        ("nll", 0.1, "Temperature-scaled", "contradicted"),
        ("nll", -0.1, "Temperature-scaled", "supported"),
        ("corrupted", -0.05, "On images with jpeg", "contradicted"),
        ("corrupted", 0.05, "On images with contrast", "supported"),
        ("corrupted", -0.005, "On images with contrast", "supported"),  # less than the margin of a point
        ("pgd", -0.1, "Under PGD with 1/255", "contradicted"),
        ("pgd", 0.1, "Under PGD with 2/255", "supported"),
        ("pgd", -0.01, "Under PGD with 1/255", "supported"),
    ],
)
def test_each_finding_follows_its_measure(measure, shift, claim, verdict, tmp_path):
    rows = verdicts.judge(evidence(tmp_path, {measure: shift}))
    own = rows[rows["claim"].str.startswith(claim)].iloc[0]
    assert (own["verdict"], own["kind"]) == (verdict, "finding")


def test_the_margin_of_the_ece_is_a_share_of_the_dense_networks(tmp_path):
    for share, verdict in ((0.25, "contradicted"), (2.0, "supported")):
        rows = verdicts.judge(evidence(tmp_path / str(share), {"ece": 0.015}, ece_margin=share))
        own = rows[rows["claim"].str.startswith("The ECE")].iloc[0]
        assert own["verdict"] == verdict and f"{100 * share:g} %" in own["claim"]


def test_at_the_floor_nothing_is_compared(tmp_path):
    rows = verdicts.judge(evidence(tmp_path, epsilons=[1, 8]))
    own = rows[rows["claim"].str.startswith("Under PGD with 8/255")].iloc[0]
    assert own["verdict"] == "not tested" and own["evidence"] == verdicts.FLOOR


def test_without_networks_nothing_is_tested_and_every_sentence_says_so(tmp_path):
    for networks in (0, 2):
        found = evidence(tmp_path / str(networks), networks=networks)
        rows = verdicts.judge(found)
        assert set(rows.loc[rows["kind"] != "check", "verdict"]) == {"not tested"}
        assert "too few runs" in prose.write_abstract(found, "not tested").data
        assert "too few runs" in prose.write_what_follows(found, "not tested").data
        assert found.cell_table["networks"].tolist() == [networks] * 4
        assert len(found.score_table) == 5 and len(found.calibration_table) == (4 if networks else 0)


def test_what_follows_names_the_measures_that_differ(tmp_path):
    found = evidence(tmp_path, {"nll": 0.1, "auroc": 0.05})
    told = prose.write_what_follows(found, "supported").data
    assert "Calibration: worse in NLL and NLL, temperature-scaled." in told
    assert "Other images: better in AUROC, cifar100, AUROC, rotated and AUROC, uniform-noise." in told
    assert "Attacks: no difference is shown." in told


def test_one_sign_of_masking_contradicts_that_there_is_none(tmp_path):
    found = evidence(tmp_path)
    claim = "No network shows a sign of gradient masking."
    rows = verdicts.judge(found).set_index("claim")
    assert rows.loc[claim, ["verdict", "n", "kind"]].tolist() == ["supported", 4 * 8 * 4, "check"]
    weak = evidence(tmp_path / "weak", {"pgd": 0.4})  # PGD that is weaker than FGSM
    row = verdicts.judge(weak).set_index("claim").loc[claim]
    assert row["verdict"] == "contradicted" and f"PGD is as strong as FGSM (8 of {SPARSE})" in row["evidence"]


def test_a_missing_evaluation_is_told(tmp_path):
    found = evidence(tmp_path, networks=7)
    row = verdicts.judge(found).iloc[-1]
    assert (row["verdict"], row["evidence"]) == ("contradicted", "28 of 32 networks have all of their evaluations.")
    assert found.cell_table.set_index("cell").loc[DENSE, "networks"] == 7
