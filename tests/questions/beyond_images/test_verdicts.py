"""Planted runs flip the verdicts of notebook 12 as they should, and parameters are counted as they are."""

from __future__ import annotations

import pytest

from planted_other_data import PARAMETERS, evidence
from randsparse.errors import StudyError
from randsparse.questions.beyond_images import plan, prose, verdicts
from randsparse.questions.beyond_images.evidence import count_parameters
from randsparse.runs.config import RunConfig


@pytest.mark.parametrize(
    ("r", "spread", "verdict"),
    [(0.0, 0.004, "supported"), (0.98, 0.03, "contradicted"), (-0.98, 0.03, "contradicted"), (0.0, 0.08, "undecided")],
)
def test_what_a_search_gains_decides_the_claim(r, spread, verdict, tmp_path):
    found = evidence(tmp_path, r, spread)
    first = verdicts.judge(found).iloc[0]
    assert (first["kind"], first["verdict"], first["n"], first["unit"]) == ("primary claim", verdict, 16, "points")
    assert first["estimate"] == pytest.approx(100 * found.gain.value)
    assert first["estimate"] == pytest.approx(100 * 1.03 * r * spread, abs=100 * spread)  # E[max of 4 normals] = 1.03
    assert prose.FOLLOWS[verdict] in prose.write_abstract(found, verdict).data


def test_one_kind_of_data_does_not_test_the_claim(tmp_path):
    rows = verdicts.judge(evidence(tmp_path, candidates=["text, ER 90 %"]))
    assert rows.loc[0, "verdict"] == "not tested" and "only one of them" in rows.loc[0, "evidence"]


@pytest.mark.parametrize(
    ("cell", "shift", "claim", "verdict"),
    [
        ("text, dense", 0.05, "On text, ER 90 % is more accurate than dense.", "contradicted"),
        ("text, dense", -0.05, "On text, ER 90 % is more accurate than dense.", "supported"),
        ("text, bag of words", 0.05, "On text, dense is more accurate than bag of words.", "contradicted"),
        (
            "table, RigL 90 %, in a source",
            -0.05,
            "On table, RigL 90 %, in a source is at most 1 point less accurate than RigL 90 %, from dense.",
            "contradicted",
        ),
        (
            "table, RigL 90 %, in a source",
            -0.005,
            "On table, RigL 90 %, in a source is at most 1 point less accurate than RigL 90 %, from dense.",
            "supported",
        ),
    ],
)
def test_pairs_of_cells_are_judged_by_their_difference(cell, shift, claim, verdict, tmp_path):
    rows = verdicts.judge(evidence(tmp_path, shift={cell: shift})).set_index("claim")
    assert (rows.loc[claim, "verdict"], rows.loc[claim, "kind"]) == (verdict, "finding")


def test_sources_are_compared_seed_by_seed(tmp_path):
    found = evidence(tmp_path, spread=0.05, shift={"text, RigL 90 %, in a source": 0.01})
    estimate = found.difference("text, RigL 90 %, in a source", "text, RigL 90 %, from dense")
    assert estimate.value == pytest.approx(0.01, abs=0.001) and estimate.error < 0.001 and estimate.n == 5


def test_without_runs_nothing_is_tested_and_every_sentence_says_so(tmp_path):
    for networks in (0, 2):
        found = evidence(tmp_path / str(networks), networks=networks)
        rows = verdicts.judge(found)
        assert set(rows.loc[rows["kind"] != "check", "verdict"]) == {"not tested"}
        assert "too few runs" in prose.write_abstract(found, "not tested").data
        assert "too few runs" in prose.write_what_follows(found, "not tested").data
        assert len(found.cell_table) == 9


def test_what_follows_names_what_differs(tmp_path):
    found = evidence(tmp_path, shift={"text, dense": 0.05})
    told = prose.write_what_follows(found, "supported").data
    assert "*text, ER 90 %* is less accurate than *text, dense*" in told
    assert "*text, dense* is more accurate than *text, bag of words*" in told


def test_parameters_are_counted_with_what_no_mask_covers():
    text = {"dataset": "docstrings", "model": "transformer-2-32"}
    stream, vocabulary, length = 32, 1000, 32
    embeddings, norms = (vocabulary + length) * stream, 5 * 2 * stream
    covered = 2 * (4 * stream**2 + 2 * 4 * stream**2) + 5 * stream
    biases = 2 * (4 * stream + stream) + 5
    assert count_parameters(RunConfig(**text)) == (embeddings + norms + biases + covered, covered)
    kept = round(0.1 * covered)
    assert count_parameters(RunConfig(**text, sparsity=0.9)) == (embeddings + norms + biases + kept, kept)
    whole, weights = count_parameters(RunConfig(**text, sparsity=0.9, method="small-dense"))
    assert weights == pytest.approx(kept, rel=0.02) and whole < 0.4 * embeddings  # its embedding is narrower, too
    bag = count_parameters(RunConfig(dataset="docstrings", model="transformer-0-32"))
    assert bag == (vocabulary * stream + 2 * stream + 5 * stream + 5, 5 * stream)


def test_the_table_says_what_is_left_of_all_parameters(tmp_path):
    table = evidence(tmp_path).cell_table.set_index("cell")
    assert table.loc["text, ER 90 %", "of the largest network's (%)"] == pytest.approx(61.88, abs=0.01)
    assert table.loc["text, bag of words", "of the largest network's (%)"] == pytest.approx(55.18, abs=0.01)
    assert table.loc["table, ER 90 %", "runs"] == "16 of 16"


def test_parameters_are_checked_before_anything_runs():
    for changes, message in (
        ({"size": 8}, r"size=8 is not possible: it must be from 2 to 7 \(table, ER 90 %\)"),
        ({"phase": 1.0}, "early phase"),
        ({"controls": [["text, dense"]]}, "pair in controls=.* two cells"),
        ({"sources": [["text, dense", "none"]]}, "unknown cell 'none'"),
    ):
        with pytest.raises(StudyError, match=message):
            plan.cells(PARAMETERS | changes)
