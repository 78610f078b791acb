"""The verdicts of notebook 01, one finding and checks of the library, and the sentences that numbers write."""

from __future__ import annotations

import pandas as pd
from IPython.display import Markdown

from randsparse.comparison import sentences
from randsparse.comparison.conclusions import conclude_check, conclude_finding, estimate_text, make_table
from randsparse.comparison.verdicts import conclude_comparisons
from randsparse.questions.masks_and_densities.evidence import Evidence
from randsparse.questions.masks_and_densities.verdicts import (
    judge_allocation,
    judge_clipping,
    judge_effective_density,
    judge_nesting,
)

RULE, SPARSITY = "erk", 0.99
"""Of the finding."""
FOLLOWS = {
    "supported": "So at this sparsity, density alone does not say how large the network is that signals pass through.",
    "contradicted": "So at this sparsity, nearly all of the weights that are kept are of use.",
    "undecided": "That does not decide whether effective density is much lower than density.",
    "not tested": "There are too few masks to say.",
}


def judge(found: Evidence) -> pd.DataFrame:
    """Return the rows of notebook 01: the finding on effective density, then checks."""
    used = 100 * (1 - found.parameters["gap"])
    at = f"At {100 * SPARSITY:g} % sparsity"
    sentence = f"{at}, less than {used:g} % of the weights that an ERK mask keeps lie on a path."
    first = conclude_finding(sentence, found.on_path(RULE, SPARSITY), found.regime, "% of kept weights", "below", used)
    checks = [
        judge_effective_density(found.gaps, found.parameters["gap"]),
        judge_allocation(found.allocated),
        judge_clipping(found.allocated),
        conclude_comparisons("Masks of two seeds share what chance gives", found.overlap, "equivalent"),
        judge_nesting(found.nested),
    ]
    return make_table([first, *map(conclude_check, checks)])


def write_abstract(found: Evidence, verdict: str) -> Markdown:
    """Return question and regime, estimate, and what follows, in three sentences.

    Args:
        verdict: the one on the finding.
    """
    question = f"How much of what a random mask keeps is of use ({found.regime})?"
    share = estimate_text(found.on_path(RULE, SPARSITY), "%")
    estimate = f"At {100 * SPARSITY:g} % sparsity, the share of an ERK mask's weights on a path to a class is {share}."
    return sentences.write_abstract(question, estimate, FOLLOWS[verdict])


def write_what_follows(found: Evidence, verdict: str) -> Markdown:
    """Return what a practitioner can take from the notebook."""
    starts = found.gaps.query("draw == 'exact'")["gap_from"].dropna()
    told = (
        f"More than {100 * found.parameters['gap']:g} % of the kept weights are on no path from "
        f"{100 * starts.min():g} to {100 * starts.max():g} % sparsity on, depending on the rule."
    )
    return sentences.write_what_follows(
        FOLLOWS[verdict],
        told if len(starts) else "",
        "Compare networks at the density that was realised, and above 98 % sparsity at the effective one, too.",
    )
