"""The verdicts of notebook 01, one finding and checks of the library, and the sentences that numbers write."""

from __future__ import annotations

import pandas as pd
from IPython.display import Markdown

from randsparse.comparison import sentences
from randsparse.comparison.conclusions import as_check, estimate_text, finding, table
from randsparse.comparison.verdicts import row
from randsparse.questions.masks_and_densities.evidence import Evidence
from randsparse.questions.masks_and_densities.verdicts import clipping, effective_density, exact_allocation, nesting

RULE, SPARSITY = "erk", 0.99
"""Of the finding."""
FOLLOWS = {
    "supported": "So at this sparsity, density alone does not say how large the network is that signals pass through.",
    "contradicted": "So at this sparsity, nearly all of the weights that are kept are of use.",
    "undecided": "That does not decide whether effective density is much lower than density.",
    "not tested": "There are too few masks to say.",
}


def of_masks(found: Evidence) -> pd.DataFrame:
    """Return the rows of notebook 01: the finding on effective density, then checks."""
    used = 100 * (1 - found.parameters["gap"])
    at = f"At {100 * SPARSITY:g} % sparsity"
    sentence = f"{at}, less than {used:g} % of the weights that an ERK mask keeps lie on a path."
    first = finding(sentence, found.on_path(RULE, SPARSITY), found.regime, "% of kept weights", "below", used)
    checks = [
        effective_density(found.gaps, found.parameters["gap"]),
        exact_allocation(found.allocated),
        clipping(found.allocated),
        row("Masks of two seeds share what chance gives", found.overlap, "equivalent"),
        nesting(found.nested),
    ]
    return table([first, *map(as_check, checks)])


def abstract(found: Evidence, verdict: str) -> Markdown:
    """Return question and regime, estimate, and what follows, in three sentences.

    Args:
        verdict: the one on the finding.
    """
    question = f"How much of what a random mask keeps is of use ({found.regime})?"
    share = estimate_text(found.on_path(RULE, SPARSITY), "%")
    estimate = f"At {100 * SPARSITY:g} % sparsity, the share of an ERK mask's weights on a path to a class is {share}."
    return sentences.abstract(question, estimate, FOLLOWS[verdict])


def what_follows(found: Evidence, verdict: str) -> Markdown:
    """Return what a practitioner can take from the notebook."""
    starts = found.gaps.query("draw == 'exact'")["gap_from"].dropna()
    told = (
        f"More than {100 * found.parameters['gap']:g} % of the kept weights are on no path from "
        f"{100 * starts.min():g} to {100 * starts.max():g} % sparsity on, depending on the rule."
    )
    return sentences.what_follows(
        FOLLOWS[verdict],
        told if len(starts) else "",
        "Compare networks at the density that was realised, and above 98 % sparsity at the effective one, too.",
    )
