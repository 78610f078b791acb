"""Planted gaps flip the verdicts of notebook 04 as they should, from the plan over the store to the rows."""

from __future__ import annotations

import math

import numpy as np
import pytest

import planted_sizes as planted
from planted_sizes import MODELS, PARAMETERS, WEIGHTS, closing, evidence
from randsparse.errors import StudyError
from randsparse.questions.size import plan, prose, verdicts
from randsparse.questions.size.evidence import FLOPS
from randsparse.questions.size.evidence import WEIGHTS as EQUAL_WEIGHTS


@pytest.mark.parametrize(
    ("slope", "noise", "verdict"),
    [(0.01, 0.001, "supported"), (-0.01, 0.001, "contradicted"), (0.001, 0.02, "undecided")],
)
def test_the_slope_over_sizes_decides_the_claim(slope, noise, verdict, tmp_path):
    found = evidence(tmp_path, closing(slope, noise=noise))
    first = verdicts.judge(found).iloc[0]
    assert (first["kind"], first["verdict"], first["n"]) == ("primary claim", verdict, 5)
    assert first["unit"] == "points per doubling"
    assert first["estimate"] == pytest.approx(100 * slope, abs=150 * noise)
    assert prose.FOLLOWS[verdict] in prose.write_abstract(found, verdict).data


def test_the_slope_is_that_of_least_squares_with_the_errors_of_all_means(tmp_path):
    found = evidence(tmp_path, closing(0.01, noise=0.004))
    x = np.log2([WEIGHTS[model] for model in MODELS])
    own = found.results.set_index("cell")["test_accuracy"]
    gaps = [own[f"{model}, ERK 80 %"].mean() - own[f"{model}, dense"].mean() for model in MODELS]
    slope = found.slope()
    assert slope.value == pytest.approx(np.polyfit(x, gaps, 1)[0])
    factors = (x - x.mean()) / ((x - x.mean()) ** 2).sum()
    variances = [sum(own[f"{model}, {kind}"].var() / 5 for kind in ("ERK 80 %", "dense")) for model in MODELS]
    assert slope.error == pytest.approx(math.sqrt(sum(factors**2 * variances)))


def test_other_sparsities_and_few_sizes_do_not_test_the_claim(tmp_path):
    changes = [{"pairs": PARAMETERS["milder"], "milder": []}, {"pairs": PARAMETERS["pairs"][:2]}]
    for number, change in enumerate(changes):
        rows = verdicts.judge(evidence(tmp_path / str(number), closing(0.01), **change))
        assert rows.loc[0, "verdict"] == "not tested" and "about several sizes at 80 %" in rows.loc[0, "evidence"]
    own = rows[rows["claim"].str.contains("of 50 % loses")].iloc[0]
    assert own["verdict"] == "supported" and own["estimate"] == pytest.approx(0.5, abs=0.1)


def test_one_size_has_no_slope(tmp_path):
    found = evidence(tmp_path, closing(0.01), pairs=PARAMETERS["pairs"][:1], milder=[])
    assert found.slope() is None and "unknown value" in prose.write_abstract(found, "not tested").data


@pytest.mark.parametrize(("narrow", "verdict"), [(-0.01, "supported"), (0.01, "contradicted")])
def test_narrow_networks_decide_at_equal_weights_and_at_equal_flops(narrow, verdict, tmp_path):
    found = evidence(tmp_path, closing(0.01, narrow))
    rows = verdicts.judge(found)
    own = rows[rows["claim"].str.startswith("A sparse wide network")]
    assert own["verdict"].tolist() == [verdict] * 2 and own["estimate"].tolist() == pytest.approx(
        [-100 * narrow] * 2, abs=0.1
    )
    told = prose.write_what_follows(found, "supported").data
    assert ("is more accurate than" if narrow < 0 else "is less accurate than") in told
    assert sorted(set(found.against_narrow["equal"])) == sorted([EQUAL_WEIGHTS, FLOPS])


def test_networks_that_are_not_equal_fail_the_check(tmp_path):
    for ratio, verdict in ((1.0, "supported"), (1.2, "contradicted")):
        rows = verdicts.judge(evidence(tmp_path / str(ratio), closing(0.01), ratio=ratio))
        own = rows[rows["claim"].str.startswith("Sparse and narrow")]
        assert own["verdict"].tolist() == [verdict] * 2 and set(own["kind"]) == {"check"}
        assert f"{ratio:.3f}" in own["evidence"].iloc[0]


def test_without_runs_nothing_is_tested_and_every_sentence_says_so(tmp_path):
    for networks in (0, 2):
        found = evidence(tmp_path / str(networks), closing(0.01), networks)
        rows = verdicts.judge(found)
        assert set(rows.loc[rows["kind"] != "check", "verdict"]) == {"not tested"}
        assert "too few runs" in prose.write_abstract(found, "not tested").data
        assert "too few runs" in prose.write_what_follows(found, "not tested").data
        assert found.gaps.empty and len(found.cell_table) == (20 if networks else 0)
    assert rows.iloc[-1]["evidence"] == "40 of 100 runs are there, 0 of them diverged."


def test_the_ends_of_the_sizes_are_named(tmp_path):
    told = prose.write_what_follows(evidence(tmp_path, closing(0.02)), "supported").data
    assert "The smallest network (*wrn-10-1, ERK 80 %*)" in told and "the largest (*wrn-10-2, ERK 80 %*)" in told


def test_pairs_are_checked_before_anything_runs():
    for changes, message in (
        ({"pairs": [["wrn-10-1, dense"]]}, "pair in pairs=.* two cells"),
        ({"pairs": [["wrn-10-1, ERK 80 %", "wrn-10-1, dense"]]}, "a dense cell, then a sparse one"),
        ({"milder": [["wrn-10-1, dense", "wrn-16-1, ERK 50 %"]]}, "cells of one network"),
        ({"equal_flops": [["wrn-10-1, ERK 80 %", "none"]]}, "unknown cell 'none'"),
    ):
        with pytest.raises(StudyError, match=message):
            plan.sizes(PARAMETERS | changes)
    assert planted.WEIGHTS["wrn-10-1"] == 77_360
