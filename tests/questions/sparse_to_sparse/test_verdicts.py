"""What is planted in the runs of notebook 08 turns its verdicts, and its sentences say the numbers of its rows."""

from __future__ import annotations

import pytest

from planted_methods import CELLS, planted
from randsparse.questions.sparse_to_sparse import prose, verdicts

INSIDE = [name for name in CELLS if name.endswith("inside")]


@pytest.mark.parametrize(
    ("shift", "spread", "verdict"),
    [
        ({}, 0.004, "supported"),
        (dict.fromkeys(INSIDE, -0.02), 0.004, "contradicted"),
        (dict.fromkeys(INSIDE, -0.005), 0.004, "undecided"),
        ({INSIDE[0]: -0.1, INSIDE[1]: 0.1}, 0.004, "supported"),
        ({}, 0.025, "undecided"),
    ],
)
def test_what_is_planted_turns_the_primary_claim(tmp_path, shift, spread, verdict):
    found = planted(tmp_path, spread, shift)
    rows = verdicts.judge(found)
    assert (rows.loc[0, "verdict"], rows.loc[0, "kind"], rows.loc[0, "n"]) == (verdict, "primary claim", 40)
    told = prose.write_abstract(found, rows).data
    assert told.endswith(prose.FOLLOWS[verdict]) and "80 runs of RigL and GMP at 90 and 98 % sparsity" in told
    assert f"{rows.loc[0, 'estimate']:+.2f}".replace("-", "−") in told


def test_findings_are_methods_against_static_masks_and_against_their_cost(tmp_path):
    rows = verdicts.judge(planted(tmp_path))
    findings = rows[rows["kind"] == "finding"].set_index("claim")
    assert list(findings.index) == [
        "RigL does as well in a random source as from the dense network, to .5 points.",
        "GMP does as well in a random source as from the dense network, to .5 points.",
        "In a random source, RigL is better than static ERK masks.",
        "In a random source, GMP is better than static ERK masks.",
        "In a random source, RigL is better than dense networks of equal training FLOPs.",
        "In a random source, GMP is better than dense networks of equal training FLOPs.",
    ]
    assert findings["estimate"].iloc[:4].to_numpy() == pytest.approx([0, 0, 1, 4], abs=0.5)
    assert set(findings["verdict"].iloc[:4]) == {"supported"}
    assert findings["verdict"].iloc[4] == "contradicted", "at 98 % it is far below the line of dense networks"
    worse = verdicts.judge(planted(tmp_path / "worse", shift=dict.fromkeys(INSIDE, -0.06)))
    assert set(worse.loc[worse["kind"] == "finding", "verdict"]) == {"contradicted"}


def test_a_claim_without_one_of_its_pairs_is_not_tested_and_others_are_a_finding(tmp_path):
    cells = {name: values for name, values in CELLS.items() if not name.startswith("gmp 98")}
    found = planted(tmp_path, cells=cells)
    rows = verdicts.judge(found)
    assert rows.loc[0, "verdict"] == "not tested"
    assert rows.loc[0, "evidence"] == "There are too few runs with both starts of GMP, 98 %."
    assert rows.loc[1, "claim"].startswith("Over all methods and sparsities here") and rows.loc[1, "n"] == 30
    assert "60 runs of RigL and GMP" in prose.write_abstract(found, rows).data
    few = planted(tmp_path / "few", skip=lambda cell, network: cell == "rigl 90 inside" and network > 1)
    rows = verdicts.judge(few)
    assert rows.loc[0, "evidence"] == "There are too few runs with both starts of RigL, 90 %."


def test_nothing_is_said_of_no_runs(tmp_path):
    found = planted(tmp_path, skip=lambda *_: True)
    rows = verdicts.judge(found)
    assert set(rows["verdict"]) == {"not tested", "undecided"}
    assert prose.write_what_follows(found, rows).data == prose.FOLLOWS["not tested"]


def test_advice_has_the_numbers_of_costs_front_and_equal_cost(tmp_path):
    found = planted(tmp_path)
    told = prose.write_what_follows(found, verdicts.judge(found)).data
    assert "training FLOPs: RigL 20 %, GMP 17 %." in told
    assert "is a small dense network at 2 of 2 sparsities, and on the front at all of them." in told
    estimate = found.over_equal_cost([a for a, _ in found.of_method("gmp")])
    assert f"GMP {100 * estimate.value:+.2f}".replace("-", "−") in told
    dear = planted(tmp_path / "dear")
    dear.__dict__["costs"] = found.costs | {"small 90": 0.19}
    assert (
        "at 1 of 2 sparsities; it is not on the front at 90 %."
        in prose.write_what_follows(dear, verdicts.judge(dear)).data
    )
