"""Sentences that notebooks share: claims, abstracts, what is missing."""

from __future__ import annotations

import pandas as pd

from randsparse.comparison import sentences
from randsparse.comparison.primary import find_claims


def test_missing_runs_and_rates_are_named():
    cells = pd.DataFrame({"cell": ["a", "b, c", "d"], "runs": [0, 2, 3], "planned": [3, 3, 3]})
    assert sentences.write_missing_runs(cells).data == "No run yet: *a*. Not all runs yet: *b, c* (2 of 3)."
    assert sentences.write_missing_runs(cells[2:]).data == "All 3 runs are there."
    rates = pd.DataFrame({"cell": ["rate, a"] * 2 + ["rate, b"], "lr": [0.1, 0.2, 0.1], "chosen": [False, True, False]})
    assert sentences.write_chosen_rates(rates).data == "Chosen: 0.2 for *a*. Not chosen yet: *rate, b*."
    assert "their campaign fixes it" in sentences.write_chosen_rates(rates[:0]).data


def test_the_claims_and_sentences_of_a_notebook_are_shown():
    told = sentences.write_claims("05").data
    assert all(claim.claim in told and claim.estimand in told for claim in find_claims("05"))
    assert sentences.write_abstract("One.", "Two.").data == "**Abstract.** One. Two."
    assert sentences.write_what_follows("One.", "", "Two.").data == "One. Two."
