"""The verdicts of notebook 08: its primary claim, further findings, and checks, one row each."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from randsparse.comparison import conclusions
from randsparse.comparison.cells import Pair
from randsparse.comparison.conclusions import convert_to_points
from randsparse.comparison.primary import find_claims
from randsparse.comparison.wording import list_words
from randsparse.questions.sparse_to_sparse.evidence import CLAIMED, NAMES, Methods, name_row


def judge(found: Methods) -> pd.DataFrame:
    """Return one row per claim, the primary one first: the columns of `conclusions.make_table`."""
    (claim,) = find_claims("08")
    better = replace(claim, direction="above", margin=0.0)
    static = {
        f"In a random source, {NAMES[method]} is better than static ERK masks.": found.over_static(method)
        for method in found.methods
    }
    rows = [
        conclusions.conclude_primary(claim, convert_to_points(found.claim), found.regime, _missing(found)),
        *found.judge(claim, _whole(found)),
        *found.judge(claim, _single(found), dominance=True),
        *found.judge(better, static),
        *(
            conclusions.conclude_like(
                better,
                f"In a random source, {NAMES[method]} is better than dense networks of equal training FLOPs.",
                convert_to_points(found.over_equal_cost([inside for inside, _ in found.of_method(method)])),
                found.regime,
            )
            for method in found.methods
        ),
        *found.checks(),
    ]
    return conclusions.make_table(rows)


def _missing(found: Methods) -> str:
    """Return why the primary claim has no estimate; empty where it has one."""
    there = [key for key, pair in found.pairs.items() if found.difference([pair])]
    lacking = [name_row(*key) for key in CLAIMED if key not in there]
    return "" if found.claim else f"There are too few runs with both starts of {list_words(lacking)}."


def _whole(found: Methods) -> dict[str, list[Pair]]:
    """Return the claim for all methods and sparsities, where these are others than the primary one is about."""
    sentence = "Over all methods and sparsities here, a random source costs at most .5 points."
    return {sentence: list(found.pairs.values())} if set(found.pairs) != set(CLAIMED) else {}


def _single(found: Methods) -> dict[str, list[Pair]]:
    """Return the claim for each method alone, where there are several."""
    same = "does as well in a random source as from the dense network, to .5 points."
    single = {f"{NAMES[method]} {same}": found.of_method(method) for method in found.methods}
    return single if len(single) > 1 else {}
