"""What is planted in the runs of notebook 05 turns its verdicts, and its sentences say the numbers of its rows."""

from __future__ import annotations

import numpy as np
import pytest

from planted_layers import CELLS, planted
from randsparse.questions.layerwise_density import prose, verdicts
from randsparse.questions.layerwise_density.evidence import MOVED, SHUFFLED, label

RULE, MASK = "At 98 % sparsity, ERK is better than the same density in each layer.", "At 90 % sparsity, a SNIP mask is"


def row(rows, claim):
    (found,) = [own for _, own in rows.iterrows() if own["claim"].startswith(claim)]
    return found


@pytest.mark.parametrize(
    ("shift", "spread", "rule", "mask"),
    [
        ({}, 0.005, "supported", "supported"),
        ({"four": 0.2}, 0.005, "contradicted", "supported"),
        ({"four": 0.1}, 0.005, "undecided", "supported"),
        ({"snip": 0.03}, 0.005, "supported", "contradicted"),
        ({"snip": -0.03}, 0.005, "supported", "contradicted"),
        ({}, 0.03, "supported", "undecided"),
    ],
)
def test_what_is_planted_turns_the_primary_claims(tmp_path, shift, spread, rule, mask):
    found = planted(tmp_path, spread, shift)
    rows = verdicts.judge(found)
    assert list(rows["kind"][:2]) == ["primary claim"] * 2
    assert (row(rows, RULE)["verdict"], row(rows, f"{MASK} as good as its shuffle")["verdict"]) == (rule, mask)
    assert rows.loc[0, "n"] == 10 and rows.loc[0, "claim"] == RULE
    three, four = (found.values(found.find(sparsity=0.98, rule=name)[0]) for name in ("erk", "uniform"))
    assert rows.loc[0, "estimate"] == pytest.approx(100 * (three.mean() - four.mean()))
    told = prose.write_abstract(found, rows).data
    assert prose.RULE[rule] in told and prose.MASK[mask] in told and "10 %" not in told
    assert f"{rows.loc[1, 'estimate']:+.2f}".replace("-", "−") in told


def test_findings_are_the_other_rules_scores_and_sparsities(tmp_path):
    rows = verdicts.judge(planted(tmp_path))
    findings = rows[rows["kind"] == "finding"].set_index("claim")
    assert list(findings.index) == [
        "At 90 % sparsity, ERK is better than the same density in each layer.",
        "At 98 % sparsity, ERK is better than the rule balanced.",
        "At 98 % sparsity, a magnitude mask is as good as its shuffle within each layer, to 1 point.",
        "At 90 % sparsity, a SNIP mask is as good as the same kind of mask around other initial weights, to 1 point.",
    ]
    assert findings["estimate"].to_numpy() == pytest.approx([2, -1, 2, 3], abs=0.7)
    assert set(findings["verdict"].iloc[2:]) == {"contradicted"} and "P(A > B)" in findings["evidence"].iloc[0]
    checks = rows[rows["kind"] == "check"]
    assert set(checks["verdict"]) == {"supported"} and list(checks["n"]) == [110, 100]


def test_a_mask_of_another_density_fails_the_check(tmp_path, monkeypatch):
    found = planted(tmp_path)
    wrong = found.matched.assign(error=[0.0, 3.0])
    monkeypatch.setitem(found.__dict__, "matched", wrong)
    rows = verdicts.judge(found)
    assert rows["verdict"].iloc[-1] == "contradicted" and "is 3 weights" in rows["evidence"].iloc[-1]


def test_what_was_not_run_is_not_tested(tmp_path):
    found = planted(tmp_path, skip=lambda cell, network: cell == "snip, counts" or (cell == "four" and network > 1))
    rows = verdicts.judge(found)
    assert list(rows["verdict"][:2]) == ["not tested"] * 2
    assert list(rows["evidence"][:2]) == [verdicts.NO_RULES, verdicts.NO_MASKS]
    assert "too few runs yet" in prose.write_abstract(found, rows).data
    empty = planted(tmp_path / "empty", skip=lambda *_: True)
    rows = verdicts.judge(empty)
    assert set(rows["verdict"]) == {"not tested", "undecided"}
    assert (
        prose.write_what_follows(empty, rows).data
        == "Whether a score mask is worth more than its densities of layers, "
        "these runs do not tell."
    )


def test_cells_are_called_by_what_they_are(tmp_path):
    found = planted(tmp_path)
    names = [label(cell.point) for cell in found.design.networks if cell.point.sparsity]
    assert names == [
        *("ERK", "uniform", "ERK", "uniform", "balanced", "SNIP mask", "SNIP shuffled"),
        *("SNIP mask, other weights", "magnitude mask", "magnitude shuffled"),
    ]
    assert {key: tuple(cell.name for cell in pair) for key, pair in found.rules.items()} == {
        ("uniform", 0.9): ("one", "two"),
        ("uniform", 0.98): ("three", "four"),
        ("balanced", 0.98): ("three", "five"),
    }
    assert [cell.name for cell in found.masks(SHUFFLED)["snip", 0.9]] == ["snip", "snip, counts"]
    assert [cell.name for cell in found.masks(MOVED)["snip", 0.9]] == ["snip", "snip, moved"]
    assert set(found.masks(MOVED)) == {("snip", 0.9)} and len(found.design.networks) == len(CELLS)


def test_advice_has_the_numbers_of_the_levels(tmp_path):
    found = planted(tmp_path)
    levels = {(row.sparsity, row.row): row.mean for row in found.rule_levels.itertuples()}
    told = prose.write_what_follows(found, verdicts.judge(found)).data
    gap = 100 * (levels[0.98, "balanced"] - levels[0.98, "uniform"])
    assert f"{gap:.1f} points at 98 % (balanced above uniform)" in told
    dense = np.mean(found.values(found.dense))
    cost = [100 * (dense - levels[key]) for key in ((0.9, "ERK"), (0.98, "balanced"))]
    assert f"costs {cost[0]:.1f} points at 90 % and {cost[1]:.1f} points at 98 % against" in told
    assert "can be replaced by its densities of layers" in told
