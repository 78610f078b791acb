"""Planted runs flip each verdict of notebook 10 as they should, and its sentences say what its tables say."""

from __future__ import annotations

import pytest

from planted_curves import parameters, plant
from randsparse import questions
from randsparse.comparison.primary import find_claims
from randsparse.errors import StudyError
from randsparse.questions.early_and_late import claims, prose
from randsparse.questions.early_and_late.evidence import Evidence
from randsparse.runs.store import Store

NAME = "10_early_and_late"


def evidence(folder, r, cells=5, **changes) -> Evidence:
    plant(store := Store(folder), r, cells=cells, **changes)
    return Evidence(questions.compare(NAME, parameters(cells)), store)


def rises_late(epoch):
    return 0.95 if epoch >= 8 else 0.0


@pytest.fixture(scope="module")
def late(tmp_path_factory) -> Evidence:
    return evidence(tmp_path_factory.mktemp("late"), rises_late, averaged=lambda epoch: 0.95, gap=0.05, network=0.02)


@pytest.mark.parametrize(
    ("r", "expected"),
    [
        (rises_late, ["supported", "supported", "supported"]),
        (lambda epoch: 0.9, ["contradicted", "contradicted", "undecided"]),
        (lambda epoch: 0.0 if epoch >= 8 else 0.9, ["contradicted", "contradicted", "contradicted"]),
        (lambda epoch: 0.0, ["undecided", "supported", "undecided"]),
    ],
)
def test_the_primary_claim_follows_what_is_planted(tmp_path, r, expected):
    rows = claims.judge_primary(evidence(tmp_path, r, network=0.02))
    assert [row["verdict"] for row in rows] == expected
    assert {row["n"] for row in rows} == {40}


def test_without_a_run_it_is_said_in_one_line(tmp_path):
    found = Evidence(questions.compare(NAME, parameters(2)), Store(tmp_path))
    names = ", ".join(cell.name for cell in found.design.networks)
    with pytest.raises(StudyError, match=f"^no run of the cells {names} has ended: train some with make runs"):
        prose.write_abstract(found)


def test_the_margin_is_that_of_the_table_of_claims(tmp_path):
    """A correlation of .3 is neither shown to lie below the margin nor above it; one of .5 is above."""
    early, late = find_claims("10")
    assert (early.direction, early.margin, late.direction, late.margin) == ("below", 0.3, "above", 0)
    near, above = (evidence(tmp_path / str(r), lambda epoch, r=r: r, network=0.02) for r in (0.3, 0.6))
    assert claims.judge_primary(near)[1]["verdict"] == "undecided"
    assert claims.judge_primary(above)[1]["verdict"] == "contradicted" and claims.judge_primary(above)[1]["low"] > 0.3


def test_the_claim_on_a_part_of_its_runs_is_interim(tmp_path):
    whole, part = (
        claims.judge_primary(evidence(tmp_path / name, rises_late, cells=2, keep=keep))[0]["evidence"]
        for name, keep in (("whole", lambda network, order: True), ("part", lambda network, order: network < 6))
    )
    assert "Interim" not in whole and part.endswith(" Interim: 24 of 32 runs are there.")


def test_there_is_no_verdict_where_the_ends_differ_by_the_choice_of_images_alone(tmp_path):
    rows = claims.judge_primary(evidence(tmp_path, rises_late, network=1e-9, images=2000))
    assert [row["verdict"] for row in rows] == ["not tested"] * 3
    assert "no network is the best" in rows[1]["evidence"]


def test_findings_and_the_check_stand_below_the_claim_with_their_regime(late):
    rows = claims.judge_claims(late)
    assert rows["kind"].tolist() == ["primary claim"] * 3 + ["finding"] * 7 + ["check"]
    assert rows["claim"].is_unique and set(rows["regime"]) == {prose.describe_regime(late)}
    found = rows.set_index("claim")
    average = found.loc["Transient noise of the optimiser hides the ranking (test: moving average of the weights)."]
    gain = late.pooled(late.averaged).loc[1, "value"] - late.pooled(late.plain).loc[1, "value"]
    assert average["verdict"] == "supported" and average["estimate"] == pytest.approx(gain)
    assert f": {gain:.2f} [{average['low']:.2f}, {average['high']:.2f}]" in average["evidence"]
    assert rows.iloc[-1]["verdict"] == "supported" and rows.iloc[-1]["estimate"] == pytest.approx(0.9, abs=0.02)


def test_the_prediction_is_judged_by_the_margin_of_a_gain(late, tmp_path):
    row = claims.judge_claims(late).iloc[9]
    gains = late.gains.set_index(["moment", "size", "how"])["value"]
    error = 100 * (gains["late", 4, "measured"] - gains["late", 4, "predicted"])
    assert row["estimate"] == pytest.approx(error) and row["unit"] == "points"
    assert row["verdict"] == ("supported" if max(-row["low"], row["high"]) < 0.2 else "undecided")
    precise = claims.judge_claims(evidence(tmp_path, lambda epoch: 0.95, network=0.003)).iloc[9]
    assert precise["verdict"] == "supported"


def test_the_abstract_says_regime_estimates_and_gains(late):
    text = prose.write_abstract(late).data
    plain = late.pooled(late.plain)
    gains = late.gains.set_index(["moment", "size", "how"])
    assert "after 1 of 10 epochs" in text and "80 runs of 5 cells" in text and "n = 40 networks of 5 cells" in text
    for row, scale in (
        (plain.loc[1], 1),
        (plain.loc[9], 1),
        (gains.loc[("early", 4, "measured")], 100),
        (gains.loc[("late", 4, "measured")], 100),
        (gains.loc[("late", 4, "best possible")], 100),
    ):
        value, low, high = scale * row["value"], scale * row["low"], scale * row["high"]
        assert f"{value:.2f} [{low:.2f}, {high:.2f}]".replace("-", "−") in text


def test_what_follows_says_when_to_look_and_what_there_is_to_gain(late, tmp_path):
    text = prose.write_what_follows(late).data
    assert "network as trained correlates with the end by more than 0.5 from epoch 8 of 10 on" in text
    assert "moving average of its weights correlates with the end by more than 0.5 from epoch 1 of 10 on" in text
    best = late.gains.set_index(["moment", "size", "how"]).loc[("late", 4, "best possible"), "value"]
    assert f"gains at most {100 * best:.2f} [" in text
    never = prose.write_what_follows(evidence(tmp_path, lambda epoch: 0.0, cells=2)).data
    assert "Validation accuracy of the network as trained never orders the ends well" in never


def test_the_first_epoch_above_a_level_is_the_one_from_which_on_r_stays_there(late):
    plain = late.pooled(late.plain)
    plain.loc[2, "value"] = 0.8
    assert prose.find_first_above(plain) == 8
    assert prose.find_first_above(plain, 0.99) is None and prose.find_first_above(plain, -1) == 1


def test_with_ten_runs_of_one_cell_all_sentences_are_there(tmp_path):
    few = {"keep": lambda network, order: order == 0 or network < 2, "cells": 1}
    found = evidence(tmp_path, rises_late, **few)
    assert "10 runs of 1 cell" in prose.write_abstract(found).data and "K" not in prose.write_what_follows(found).data
    rows = claims.judge_claims(found)
    assert len(rows) == 11 and set(rows["verdict"]) <= {"supported", "undecided", "not tested", "contradicted"}
