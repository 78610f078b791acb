"""The verdicts of notebook 04: the primary claim, further findings, and checks, one row each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from randsparse.comparison.conclusions import check, conclude_finding, conclude_primary, convert_to_points, make_table
from randsparse.comparison.primary import find_claims
from randsparse.comparison.wording import list_words
from randsparse.questions.size.evidence import FLOPS, WEIGHTS, Evidence
from randsparse.questions.size.plan import sparsities

CLAIMED, FEWEST = 0.8, 3
"""The sparsity that the primary claim is about, and the fewest sizes that can test it."""
TOLERANCE = 0.1
"""By how much, as a share, weights or FLOPs that are called equal may differ."""
UNIT = "points per doubling"


def judge(found: Evidence) -> pd.DataFrame:
    """Return the rows of notebook 04, the primary claim first."""
    return make_table([judge_primary(found), *_findings(found), *_checks(found)])


def judge_primary(found: Evidence) -> dict[str, Any]:
    """Return the row of the primary claim, which other sparsities and fewer than three sizes do not test."""
    (claim,) = find_claims("04")
    shown, number = sparsities(found.design, found.parameters["pairs"]), len(found.parameters["pairs"])
    why_not = ""
    if shown != [CLAIMED] or number < FEWEST:
        told = list_words([f"{100 * each:g}" for each in shown])
        why_not = f"The claim is about several sizes at {100 * CLAIMED:g} %; these are {number} sizes at {told} %."
    return conclude_primary(claim, convert_to_points(found.slope()), found.regime, why_not)


def _findings(found: Evidence) -> Iterator[dict[str, Any]]:
    for group in ("pairs", "milder"):
        for sparsity in sparsities(found.design, found.parameters[group]):
            if (group, sparsity) != ("pairs", CLAIMED):
                sentence = f"The larger the network, the less a random sparse network of {100 * sparsity:g} % loses."
                yield conclude_finding(sentence, convert_to_points(found.slope(group)), found.regime, UNIT)
    for equal, mean in found.means_against_narrow.items():
        sentence = f"A sparse wide network is more accurate than a dense narrow one with {equal}, on average."
        yield conclude_finding(sentence, convert_to_points(mean), found.regime)


def _checks(found: Evidence) -> Iterator[dict[str, Any]]:
    for equal, column in ((WEIGHTS, "weights_ratio"), (FLOPS, "flops_ratio")):
        ratios = found.against_narrow.loc[found.against_narrow["equal"] == equal, column]
        told = f"Ratios from {ratios.min():.3f} to {ratios.max():.3f}." if len(ratios) else "No run yet."
        sentence = f"Sparse and narrow dense networks with {equal} have the same number to {100 * TOLERANCE:g} %."
        yield check(sentence, (ratios - 1).abs() <= TOLERANCE, told)
    yield found.every_run()
