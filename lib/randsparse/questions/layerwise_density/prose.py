"""The sentences of notebook 05 that numbers write: its abstract, and what follows for a practitioner."""

from __future__ import annotations

import pandas as pd
from IPython.display import Markdown

from randsparse.comparison import sentences
from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.plots import percent_text
from randsparse.comparison.wording import TOO_FEW, format_estimate
from randsparse.questions.layerwise_density.evidence import MASKS_AT, RULES_AT, Layerwise

RULE = {
    "supported": "the layer-wise density matters at high sparsity",
    "contradicted": "uniform density is better than ERK at high sparsity",
    "undecided": "it is open whether ERK is better than uniform density",
    "not tested": "ERK was not compared with uniform density at 98 % sparsity",
}
MASK = {
    "supported": "which weights of a layer SNIP keeps does not matter, to a point",
    "contradicted": "which weights of a layer SNIP keeps makes a difference of more than a point",
    "undecided": "it is open whether it matters which weights of a layer SNIP keeps",
    "not tested": "SNIP masks were not compared with their shuffles at 90 % sparsity",
}


def write_abstract(found: Layerwise, rows: pd.DataFrame) -> Markdown:
    """Return question and regime, estimates, and what follows, in three sentences.

    Args:
        rows: as from `verdicts.judge`.
    """
    question = (
        f"Does it matter how many weights each layer keeps, and which of them, if the whole network has one density "
        f"({found.regime})?"
    )
    estimates = (
        f"ERK − uniform density at {percent_text(RULES_AT)} % sparsity: {_told(found.rule_claim)}; a SNIP mask − its "
        f"shuffle within each layer at {percent_text(MASKS_AT)} %: {_told(found.mask_claim)} (points of final test "
        f"accuracy, 95 % intervals)."
    )
    follows = f"So in this regime, {RULE[rows['verdict'][0]]}, and {MASK[rows['verdict'][1]]}."
    return sentences.write_abstract(question, estimates, follows)


def write_what_follows(found: Layerwise, rows: pd.DataFrame) -> Markdown:
    """Return what a practitioner can take from notebook 05; `rows` as from `verdicts.judge`."""
    return sentences.write_what_follows(
        _advice_on_rules(found), _advice_on_masks(found, rows["verdict"][1]), _cost_of_sparsity(found)
    )


def _told(estimate: Estimate | None) -> str:
    return TOO_FEW if estimate is None else f"{format_estimate(estimate)} (n = {estimate.n})"


def _advice_on_rules(found: Layerwise) -> str:
    """Return by how much the best rule by shapes is above the worst at each sparsity."""
    texts = []
    for sparsity, own in found.rule_levels.groupby("sparsity"):
        if len(own) > 1:
            best, worst = own.loc[own["mean"].idxmax()], own.loc[own["mean"].idxmin()]
            texts.append(
                f"{100 * (best['mean'] - worst['mean']):.1f} points at {percent_text(sparsity)} % "
                f"({best['row']} above {worst['row']})"
            )
    return f"The choice of a rule was worth {', '.join(texts)}." if texts else ""


def _advice_on_masks(found: Layerwise, verdict: str) -> str:
    if verdict == "supported":
        return "A score at initialisation can be replaced by its densities of layers and a random draw."
    estimate = found.mask_claim
    if verdict == "contradicted" and estimate:
        better = "better" if estimate.value > 0 else "worse"
        return f"The SNIP mask itself is {better} than a random mask with its densities of layers."
    return "Whether a score mask is worth more than its densities of layers, these runs do not tell."


def _cost_of_sparsity(found: Layerwise) -> str:
    if not len(found.dense_level) or not len(found.rule_levels):
        return ""
    costs = found.dense_level["mean"].iloc[0] - found.rule_levels.groupby("sparsity")["mean"].max()
    texts = [f"{100 * cost:.1f} points at {percent_text(sparsity)} %" for sparsity, cost in costs.items()]
    return f"The best rule still costs {' and '.join(texts)} against the dense network."
