"""The page of findings shows every primary claim once, decided ones apart from open ones, and no check among them."""

from __future__ import annotations

import pandas as pd
import pytest

from conftest import REPOSITORY
from randsparse.comparison.primary import read_claims
from randsparse.study import freshness, overview

NUMBERS = {"estimate": 1.234, "low": 0.5, "high": 2.0, "unit": "points", "n": 10, "regime": "WRN-16-1, dense 89 %"}
NEEDED = "Values below 0.5 and above 2 are excluded. Were this the true value, 40 replicates would decide."


def row(notebook, claim, verdict, kind="primary claim"):
    evidence = f"1.23 points, one-sided limits 0.5 and 2, n = 10. {NEEDED}"
    return {"notebook": notebook, "claim": claim, "verdict": verdict, "kind": kind, "evidence": evidence} | NUMBERS


@pytest.fixture
def verdicts():
    claims = {claim.notebook: claim.claim for claim in read_claims()}
    return pd.DataFrame(
        [
            row("01_masks_and_densities", "Masks lose weights.", "supported", "finding"),
            row("01_masks_and_densities", "They lose more.", "supported", "finding"),
            row("02_random_search", claims["02"], "contradicted"),
            row("02_random_search", "Something else.", "supported", "finding"),
            row("06_beyond_accuracy", claims["06"], "undecided"),
            row("06_beyond_accuracy", "Everything adds up.", "supported", "check"),
            row("07_theory", "A theorem holds.", "contradicted", "check"),
        ]
    )


def test_every_primary_claim_is_a_finding_whatever_the_outcome(verdicts):
    found = overview.write_findings(verdicts)
    assert found["claim"][: len(read_claims())].tolist() == [claim.claim for claim in read_claims()]
    assert found["claim"][len(read_claims()) :].tolist() == ["Masks lose weights."]
    told = found.set_index("claim")["verdict"]
    by_notebook = {claim.notebook: told[claim.claim] for claim in read_claims()}
    assert by_notebook["02"] == "contradicted" and by_notebook["06"] == "undecided"
    assert [by_notebook[name] for name in ("03", "12")] == ["not tested"] * 2
    assert len(found) <= overview.MOST


def test_decided_findings_have_effect_limits_n_regime_and_a_link(verdicts):
    told = overview.write_settled(verdicts).data
    lines = told.splitlines()
    assert len(lines) == 2 and lines[0].startswith("- **Contradicted.** The winner after 10 %")
    assert lines[0].endswith(
        "1.23 points, one-sided 95 % limits 0.50 and 2.00 (n = 10; WRN-16-1, dense 89 %). [02](02_random_search.ipynb)"
    )
    assert "Something else" not in told and "theorem" not in told and "They lose more" not in told


def test_a_finding_on_a_part_of_its_runs_is_interim(verdicts):
    verdicts.loc[2, "evidence"] += " Interim: 64 of 80 runs are there."
    first = overview.write_settled(verdicts).data.splitlines()[0]
    assert "(n = 10; interim, 64 of 80 runs; WRN-16-1, dense 89 %)" in first


def test_open_findings_say_what_would_decide_them(verdicts):
    lines = overview.write_undecided(verdicts).data.splitlines()
    assert len(lines) == len(read_claims()) - 1
    own = next(line for line in lines if "[06](06_beyond_accuracy.ipynb)" in line)
    assert own.endswith(f"{NEEDED} [06](06_beyond_accuracy.ipynb)") and own.startswith("- **Undecided.**")
    other = next(line for line in lines if "[03](03.ipynb)" in line)
    assert other.startswith("- **Not tested.**") and other.endswith(f"{overview.NOT_YET} [03](03.ipynb)")


def test_checks_and_all_verdicts_are_folded(verdicts):
    shown = overview.fold_checks(verdicts).data
    assert shown.startswith("<details><summary>1 of 2 checks hold</summary>")
    assert "A theorem holds." in shown and "Masks lose" not in shown
    assert "All 7 verdicts" in overview.fold_everything(verdicts).data


def test_verdicts_of_notebooks_without_kinds_are_no_findings():
    own = {"notebook": "05_layerwise_density", "claim": "It matters", "verdict": "supported", "evidence": ""}
    old = pd.DataFrame([own])
    found = overview.write_findings(old)
    assert set(found["verdict"]) == {"not tested"} and "05_layerwise_density" in set(found["notebook"])
    assert (
        overview.write_settled(old).data == "Nothing is decided yet."
        and "0 of 0 checks" in overview.fold_checks(old).data
    )
    assert len(overview.write_findings(old[:0])) == len(read_claims())


def test_the_page_is_made_anew_when_its_code_changes():
    names = {path.name for path in freshness.list_sources("00_overview", REPOSITORY)}
    assert "overview.py" in names
    assert "overview.py" not in {path.name for path in freshness.list_sources("01_masks_and_densities", REPOSITORY)}
