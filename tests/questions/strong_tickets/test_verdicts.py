"""What is planted in the runs of notebook 09 turns its verdicts, and its sentences say the numbers of its rows."""

from __future__ import annotations

import pytest

from planted_tickets import CELLS, OTHERS, planted
from randsparse.questions.strong_tickets import prose, verdicts

RANDOM = ("part 90", "part 95")


@pytest.mark.parametrize(
    ("shift", "spread", "verdict"),
    [
        ({}, 0.004, "supported"),
        (dict.fromkeys(RANDOM, -0.005), 0.002, "supported"),
        (dict.fromkeys(RANDOM, -0.03), 0.004, "contradicted"),
        (dict.fromkeys(RANDOM, -0.01), 0.004, "undecided"),
        ({"part 90": -0.1, "part 95": 0.1}, 0.004, "supported"),
        ({}, 0.03, "undecided"),
    ],
)
def test_what_is_planted_turns_the_primary_claim(tmp_path, shift, spread, verdict):
    found = planted(tmp_path, spread, shift)
    rows = verdicts.judge(found)
    assert (rows.loc[0, "verdict"], rows.loc[0, "kind"], rows.loc[0, "n"]) == (verdict, "primary claim", 20)
    told = prose.write_abstract(found, rows).data
    assert told.endswith(prose.FOLLOWS[verdict]) and "n = 20, 40 runs" in told
    assert f"{rows.loc[0, 'estimate']:+.2f}".replace("-", "−") in told


def test_findings_are_training_retraining_and_weights(tmp_path):
    rows = verdicts.judge(planted(tmp_path))
    findings = rows[rows["kind"] == "finding"].set_index("claim")
    assert list(findings.index) == [
        "A ticket (dense source) is at most 1 point worse than a random mask that is trained as long.",
        "A ticket (uniform source, 50 %) is at most 1 point worse than a random mask that is trained as long.",
        "A retrained ticket (uniform source, 50 %) is better than a random mask that is trained as long.",
        "Signed constants make better tickets than normal weights.",
    ]
    assert findings["estimate"].to_numpy() == pytest.approx([-5, -5, 2, 4], abs=0.7)
    assert list(findings["verdict"]) == ["contradicted", "contradicted", "supported", "supported"]


def test_sources_of_other_layer_densities_are_findings_and_no_claim(tmp_path):
    cells = {name: values for name, values in (CELLS | OTHERS).items() if not name.startswith("part")}
    found = planted(tmp_path, cells=cells)
    rows = verdicts.judge(found)
    assert rows.loc[0, "verdict"] == "not tested"
    assert rows.loc[0, "evidence"].endswith("with the layer densities of the dense one, at 90 % and 95 %.")
    row = rows.loc[1]
    assert row["claim"].startswith("A ticket of a random source (ER source, 50 %) is at most 1 point worse")
    assert row["claim"].endswith("whose layers have other densities.") and row["verdict"] == "supported"
    assert row["estimate"] == pytest.approx(4, abs=0.5)
    told = prose.write_abstract(found, rows).data
    assert f"{row['estimate']:+.2f}" in told and "(ER source, 50 %) in points" in told
    assert told.endswith(prose.FOLLOWS["not tested"])


def test_a_claim_without_one_of_its_sparsities_is_not_tested(tmp_path):
    found = planted(tmp_path, skip=lambda cell, network: cell == "part 95" and network > 1)
    rows = verdicts.judge(found)
    assert rows.loc[0, "verdict"] == "not tested" and rows.loc[0, "evidence"].endswith(", at 95 %.")
    cells = {name: values for name, values in CELLS.items() if name != "part 95"}
    rows = verdicts.judge(planted(tmp_path / "without", cells=cells))
    assert rows.loc[0, "verdict"] == "not tested" and rows.loc[0, "evidence"].endswith(", at 95 %.")
    empty = planted(tmp_path / "empty", skip=lambda *_: True)
    rows = verdicts.judge(empty)
    assert set(rows["verdict"]) == {"not tested", "undecided"}
    assert prose.write_what_follows(empty, rows).data == prose.FOLLOWS["not tested"]
    assert "too few runs yet" in prose.write_abstract(empty, rows).data


def test_advice_has_the_numbers_of_the_findings(tmp_path):
    found = planted(tmp_path)
    told = prose.write_what_follows(found, verdicts.judge(found)).data
    for retrained in (False, True):
        for source, pairs in found.trained(retrained).items():
            value = f"{100 * found.difference(pairs).value:+.2f}".replace("-", "−")
            assert value in told and f"points ({source})" in told


def test_retraining_is_called_what_it_is(tmp_path):
    told = prose.describe_restart(planted(tmp_path)).data
    assert "from 50.0 % to 30.0 %" in told and "it is the mask that is retrained" in told
    without = planted(tmp_path / "none", skip=lambda cell, _: "longer" in cell)
    assert prose.describe_restart(without).data == "No ticket is retrained in these runs."
