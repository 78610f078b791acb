"""The verdicts of notebook 05: its two primary claims, further findings, and checks, one row each."""

from __future__ import annotations

import pandas as pd

from randsparse.comparison import conclusions
from randsparse.comparison.cells import Pair
from randsparse.comparison.conclusions import convert_to_points
from randsparse.comparison.plots import percent_text
from randsparse.comparison.primary import find_claims
from randsparse.comparison.wording import list_words
from randsparse.questions.layerwise_density.evidence import (
    MASKS_AT,
    MOVED,
    NAMES,
    PLAIN,
    RULES_AT,
    SCORE,
    SHUFFLED,
    Layerwise,
)

NO_RULES = "There are too few runs of ERK and uniform density at 98 % sparsity."
NO_MASKS = "There are too few runs of SNIP masks and their shuffles at 90 % sparsity."
TOLD = {
    SHUFFLED: ("its shuffle within each layer", "their shuffles within each layer"),
    MOVED: ("the same kind of mask around other initial weights",) * 2,
}


def judge(found: Layerwise) -> pd.DataFrame:
    """Return one row per claim, the primary ones first: the columns of `conclusions.make_table`."""
    rule, mask = find_claims("05")
    rows = [
        conclusions.conclude_primary(
            rule, convert_to_points(found.rule_claim), found.regime, "" if found.rule_claim else NO_RULES
        ),
        conclusions.conclude_primary(
            mask, convert_to_points(found.mask_claim), found.regime, "" if found.mask_claim else NO_MASKS
        ),
        *found.judge(rule, _of_rules(found), dominance=True),
        *found.judge(mask, _of_masks(found, SHUFFLED, mask.margin), dominance=True),
        *found.judge(mask, _of_masks(found, MOVED, mask.margin), dominance=True),
        *found.checks(),
    ]
    return conclusions.make_table(rows)


def _of_rules(found: Layerwise) -> dict[str, list[Pair]]:
    """Return ERK and each other rule at each sparsity, by the sentences that claim a difference."""
    others = {rule: f"the rule {NAMES.get(rule, rule)}" for rule, _ in found.rules}
    others[PLAIN] = "the same density in each layer"
    return {
        f"At {percent_text(sparsity)} % sparsity, ERK is better than {others[rule]}.": [pair]
        for (rule, sparsity), pair in found.rules.items()
        if (rule, sparsity) != (PLAIN, RULES_AT)
    }


def _of_masks(found: Layerwise, version: str, margin: float) -> dict[str, list[Pair]]:
    """Return all score masks of a sparsity, each with a version of it, by the sentences that claim no difference."""
    pairs = {}
    for sparsity in dict.fromkeys(sparsity for _, sparsity in found.masks(version)):
        own = {score: pair for (score, at), pair in found.masks(version).items() if at == sparsity}
        names, several = [NAMES.get(score, score) for score in own], len(own) > 1
        who = f"masks of {list_words(names)} scores are on average" if several else f"a {names[0]} mask is"
        what = f"{who} as good as {TOLD[version][several]}, to {margin:g} point"
        if (version, sparsity, list(own)) != (SHUFFLED, MASKS_AT, [SCORE]):
            pairs[f"At {percent_text(sparsity)} % sparsity, {what}."] = list(own.values())
    return pairs
