"""The verdicts of notebook 05: its two primary claims, further findings, and checks, one row each."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from randsparse.comparison import conclusions
from randsparse.comparison.conclusions import in_points
from randsparse.comparison.plots import percent_text
from randsparse.comparison.primary import PrimaryClaim, claims_of
from randsparse.comparison.wording import listed
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


def verdicts(found: Layerwise) -> pd.DataFrame:
    """Return one row per claim, the primary ones first: the columns of `conclusions.table`."""
    rule, mask = claims_of("05")
    rows = [
        conclusions.primary(rule, in_points(found.rule_claim), found.regime, "" if found.rule_claim else NO_RULES),
        conclusions.primary(mask, in_points(found.mask_claim), found.regime, "" if found.mask_claim else NO_MASKS),
        *_of_rules(rule, found),
        *_of_masks(mask, found, SHUFFLED),
        *_of_masks(mask, found, MOVED),
        conclusions.complete(found.cells, found.regime),
        conclusions.same_density(found.matched, found.regime),
    ]
    return conclusions.table(rows)


def _of_rules(claim: PrimaryClaim, found: Layerwise) -> Iterator[dict[str, object]]:
    """Yield ERK against each other rule and sparsity."""
    for (rule, sparsity), pair in found.rules.items():
        if (rule, sparsity) != (PLAIN, RULES_AT):
            other = "the same density in each layer" if rule == PLAIN else f"the rule {NAMES.get(rule, rule)}"
            sentence = f"At {percent_text(sparsity)} % sparsity, ERK is better than {other}."
            estimate = found.difference([pair])
            yield conclusions.like(claim, sentence, in_points(estimate), found.regime, found.above(*pair))


def _of_masks(claim: PrimaryClaim, found: Layerwise, version: str) -> Iterator[dict[str, object]]:
    """Yield score masks against a version of them: each sparsity, the mean over its scores."""
    pairs = found.masks(version)
    for sparsity in dict.fromkeys(sparsity for _, sparsity in pairs):
        scores = [score for score, at in pairs if at == sparsity]
        if version == SHUFFLED and (sparsity, scores) == (MASKS_AT, [SCORE]):
            continue
        own = [pairs[score, sparsity] for score in scores]
        names = [NAMES.get(score, score) for score in scores]
        several = len(scores) > 1
        who = f"masks of {listed(names)} scores are on average" if several else f"a {names[0]} mask is"
        what = f"{who} as good as {TOLD[version][several]}, to {claim.margin:g} point"
        sentence = f"At {percent_text(sparsity)} % sparsity, {what}."
        above = found.above(*own[0]) if len(own) == 1 else float("nan")
        yield conclusions.like(claim, sentence, in_points(found.difference(own)), found.regime, above)
