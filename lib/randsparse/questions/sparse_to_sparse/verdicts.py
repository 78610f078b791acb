"""The verdicts of notebook 08: its primary claim, further findings, and checks, one row each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pandas as pd

from randsparse.comparison import conclusions
from randsparse.comparison.conclusions import in_points
from randsparse.comparison.primary import PrimaryClaim, claims_of
from randsparse.comparison.wording import listed
from randsparse.questions.sparse_to_sparse.evidence import CLAIMED, NAMES, Methods, row_of


def verdicts(found: Methods) -> pd.DataFrame:
    """Return one row per claim, the primary one first: the columns of `conclusions.table`."""
    (claim,) = claims_of("08")
    rows = [
        conclusions.primary(claim, in_points(found.claim), found.regime, _missing(found)),
        *_of_sources(claim, found),
        *_of_controls(replace(claim, direction="above", margin=0.0), found),
        conclusions.complete(found.cells, found.regime),
        conclusions.same_density(found.matched, found.regime),
    ]
    return conclusions.table(rows)


def _missing(found: Methods) -> str:
    """Return why the primary claim has no estimate; empty where it has one."""
    if found.claim:
        return ""
    there = [key for key, pair in found.pairs.items() if found.difference([pair])]
    lacking = [row_of(*key) for key in CLAIMED if key not in there]
    return f"There are too few runs with both starts of {listed(lacking)}."


def _of_sources(claim: PrimaryClaim, found: Methods) -> Iterator[dict[str, object]]:
    """Yield the claim for all methods and sparsities, where these are others, and for each method alone."""
    if found.pairs and set(found.pairs) != set(CLAIMED):
        sentence = "Over all methods and sparsities here, a random source costs at most .5 points."
        yield conclusions.like(claim, sentence, in_points(found.difference(list(found.pairs.values()))), found.regime)
    for method in found.methods if len(found.methods) > 1 else ():
        sentence = f"{NAMES[method]} does as well in a random source as from the dense network, to .5 points."
        pairs = found.of_method(method)
        above = found.above(*pairs[0]) if len(pairs) == 1 else float("nan")
        yield conclusions.like(claim, sentence, in_points(found.difference(pairs)), found.regime, above)


def _of_controls(claim: PrimaryClaim, found: Methods) -> Iterator[dict[str, object]]:
    """Yield methods in sources against static masks, and against dense networks of equal cost."""
    for method in found.methods:
        if pairs := found.over_static(method):
            sentence = f"In a random source, {NAMES[method]} is better than static ERK masks."
            yield conclusions.like(claim, sentence, in_points(found.difference(pairs)), found.regime)
    for method in found.methods:
        sentence = f"In a random source, {NAMES[method]} is better than dense networks of equal training FLOPs."
        inside = [pair[0] for pair in found.of_method(method)]
        yield conclusions.like(claim, sentence, in_points(found.over_equal_cost(inside)), found.regime)
