"""Planted runs flip each verdict as they should, from the plan over the store and the frames to the rows."""

from __future__ import annotations

import pytest

import planted
from planted import ACCURACY, SEARCH
from randsparse.comparison.campaign import parse
from randsparse.questions.random_search import plan, prose, verdicts
from randsparse.questions.random_search.evidence import AccuracyEvidence, SearchEvidence
from randsparse.runs.store import Store


def search_rows(folder, curve, skip=lambda *_: False, **changes):
    """Return the verdicts of notebook 02 on planted curves."""
    store, parameters = Store(folder), SEARCH | changes
    design = plan.search(parameters)
    planted.plant(design, store, curve, skip)
    found = SearchEvidence(design, store, parameters)
    return found, verdicts.judge_search(found)


def accuracy_rows(folder, curve, skip=lambda *_: False):
    """Return the verdicts of notebook 03 on planted curves."""
    store, design = Store(folder), plan.sparsities(ACCURACY)
    planted.plant(design, store, curve, skip)
    found = AccuracyEvidence(design, store, ACCURACY)
    return found, verdicts.judge_accuracy(found)


def equal(cell, network, order):
    """All networks of all cells are alike at the end."""
    return [0.5 + 0.01 * network] * planted.EPOCHS, 0.9


@pytest.mark.parametrize(("r", "verdict"), [(0.0, "supported"), (0.95, "contradicted"), (0.5, "undecided")])
def test_the_share_that_is_left_decides_notebook_02(r, verdict, tmp_path):
    found, rows = search_rows(tmp_path, planted.correlated(r))
    first = rows.iloc[0]
    assert (first["verdict"], first["kind"], first["n"]) == (verdict, "primary claim", 40)
    assert first["estimate"] == pytest.approx(r, abs=0.25) and first["low"] < first["estimate"] < first["high"]
    assert prose.KEPT[verdict] in prose.write_search_abstract(found, verdict).data
    assert "Interim" not in first["evidence"]


@pytest.mark.parametrize(
    ("r", "final", "verdict"),
    [(0.0, 0.0015, "supported"), (0.9, 0.0035, "contradicted"), (0.0, 0.02, "undecided")],
)
def test_the_gain_at_the_end_decides_notebook_03(r, final, verdict, tmp_path):
    found, rows = accuracy_rows(tmp_path, planted.correlated(r, final=final))
    first = rows.iloc[0]
    assert (first["verdict"], first["kind"], first["unit"]) == (verdict, "primary claim", "points")
    gain = found.gain_after(0.1)
    assert first["estimate"] == pytest.approx(100 * gain.value)
    assert (first["low"], first["high"]) == pytest.approx([100 * limit for limit in gain.interval(0.9)])
    assert prose.SAME[verdict] in prose.write_accuracy_abstract(found, verdict).data


def test_a_worse_winner_contradicts_as_a_better_one_does(tmp_path):
    _, rows = accuracy_rows(tmp_path, planted.correlated(-0.9))
    assert rows.loc[0, "verdict"] == "contradicted" and rows.loc[0, "estimate"] < -0.2


def test_networks_that_do_not_differ_test_nothing(tmp_path):
    _, rows = search_rows(tmp_path / "search", equal)
    assert rows.loc[0, "verdict"] == "not tested" and "do not differ" in rows.loc[0, "evidence"]
    _, rows = accuracy_rows(tmp_path / "accuracy", equal)
    assert rows.loc[0, "verdict"] == "not tested"


def test_without_runs_nothing_is_tested_and_every_sentence_says_so(tmp_path):
    found, rows = search_rows(tmp_path / "search", equal, skip=lambda *_: True)
    assert set(rows.loc[rows["kind"] != "check", "verdict"]) == {"not tested"}
    for text in (
        prose.write_search_abstract(found, "not tested"),
        prose.write_what_follows_of_search(found, "not tested"),
    ):
        assert prose.TOO_FEW in text.data
    found, rows = accuracy_rows(tmp_path / "accuracy", equal, skip=lambda *_: True)
    assert set(rows.loc[rows["kind"] != "check", "verdict"]) == {"not tested"}
    assert prose.TOO_FEW in prose.write_accuracy_abstract(found, "not tested").data
    assert prose.TOO_FEW in prose.write_what_follows_of_accuracy(found, "not tested").data


def test_a_claim_on_a_part_of_its_runs_is_interim(tmp_path):
    _, rows = search_rows(tmp_path, planted.correlated(0.0), skip=lambda cell, *_: cell == "nodes 90 %")
    assert rows.loc[0, "evidence"].endswith("Interim: 64 of 80 runs are there.") and rows.loc[0, "n"] == 32
    check = rows[rows["kind"] == "check"].iloc[0]
    assert check["verdict"] == "undecided" and "72 of 88 runs" in check["evidence"]


def test_other_phases_and_sizes_do_not_decide_the_claim_that_was_fixed(tmp_path):
    curve = planted.correlated(0.0)
    for number, changes in enumerate(({"phases": [0.5]}, {"size": 3})):
        _, rows = search_rows(tmp_path / str(number), curve, **changes)
        assert rows.loc[0, "verdict"] == "not tested" and "4 candidates and 10 %" in rows.loc[0, "evidence"]


def test_a_lead_that_lasts_or_does_not_flips_the_finding_on_speed(tmp_path):
    def turned(cell, network, order):
        values, final = planted.correlated(0.0)(cell, network, order)
        return [values[0], *(1 - value for value in values[1:])], final

    # Planted curves keep the lead of their first epoch until the last but one; turned ones reverse it at once.
    for name, curve, verdict in (("kept", planted.correlated(0.0), "supported"), ("turned", turned, "contradicted")):
        _, rows = search_rows(tmp_path / name, curve)
        own = rows[rows["claim"].str.startswith("The winner after 10 % of training is ahead")].iloc[0]
        assert (own["verdict"], own["kind"], own["power"]) == (verdict, "finding", "not planned")


def test_another_network_is_judged_apart_with_its_own_regime(tmp_path):
    searched = {"candidates": ["dense", "nodes 40 %"], "others": ["nodes 80 %", "nodes 90 %"], "longer": []}

    def curve(cell, network, order):
        return planted.correlated(0.0 if cell in searched["candidates"] else 0.95)(cell, network, order)

    found, rows = search_rows(tmp_path, curve, **searched)
    other = rows[rows["claim"].str.startswith("On another network, too: the winner after 10 %")].iloc[0]
    assert (rows.loc[0, "n"], other["n"], other["kind"], other["verdict"]) == (16, 16, "finding", "contradicted")
    assert rows.loc[0, "estimate"] < 0.5 < other["estimate"]
    assert "no dense run yet" in other["regime"] and "dense 9" in rows.loc[0, "regime"]
    assert set(found.others["cell"]) == {"nodes 80 %", "nodes 90 %"} and len(found.others) == 2 * 3


@pytest.mark.parametrize(("shift", "verdict"), [(0.16, "supported"), (0.0, "contradicted")])
def test_a_pair_is_judged_by_which_of_the_two_is_more_accurate(shift, verdict, tmp_path):
    _, rows = accuracy_rows(tmp_path, planted.correlated(0.0, shift={"ERK 80 %": shift}))
    assert rows.set_index("claim").loc["ERK 80 % is more accurate than nodes 60 %.", "verdict"] == verdict


def test_the_check_of_shapes_sees_a_network_of_another_size(tmp_path):
    found, rows = accuracy_rows(tmp_path, planted.correlated(0.0))
    name = "A node mask and the small dense network of its shape keep the same number of weights."
    assert rows.set_index("claim").loc[name, "verdict"] == "supported"
    design = plan.sparsities(ACCURACY)
    small = next(cell for cell in design.networks if cell.name == "small dense, nodes 80 %")
    config = small.wanted(found.store)[0]
    record = found.store.get(config)
    record["density"]["realised"] *= 1.01
    found.store.put(record)
    again = verdicts.judge_accuracy(AccuracyEvidence(design, found.store, ACCURACY))
    assert again.set_index("claim").loc[name, "verdict"] == "contradicted"


def test_the_planted_campaign_is_one_that_a_file_could_hold():
    assert [cell.name for cell in parse(planted.CAMPAIGN).cells][:5] == planted.CANDIDATES
