"""The verdicts of notebook 09: its primary claim, further findings, and checks, one row each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pandas as pd

from randsparse.comparison import conclusions
from randsparse.comparison.conclusions import in_points
from randsparse.comparison.plots import percent_text
from randsparse.comparison.primary import PrimaryClaim, claims_of
from randsparse.comparison.wording import listed
from randsparse.questions.strong_tickets.evidence import CLAIMED, Tickets


def verdicts(found: Tickets) -> pd.DataFrame:
    """Return one row per claim, the primary one first: the columns of `conclusions.table`."""
    (claim,) = claims_of("09")
    rows = [
        conclusions.primary(claim, in_points(found.claim), found.regime, _missing(found)),
        *_of_sources(claim, found),
        *_of_trained(claim, found),
        *_of_weights(claim, found),
        conclusions.complete(found.cells, found.regime),
        conclusions.same_density(found.matched, found.regime),
    ]
    return conclusions.table(rows)


def _missing(found: Tickets) -> str:
    """Return why the primary claim has no estimate; empty where it has one."""
    if found.claim:
        return ""
    there = [sparsity for sparsity, pair in found.equal.items() if found.difference([pair])]
    lacking = [f"{percent_text(sparsity)} %" for sparsity in CLAIMED if sparsity not in there]
    return (
        f"There are too few tickets of a random source with the layer densities of the dense one, at {listed(lacking)}."
    )


def _of_sources(claim: PrimaryClaim, found: Tickets) -> Iterator[dict[str, object]]:
    """Yield tickets of random sources whose layers are not as dense as those of the dense source."""
    for source, pairs in found.unequal.items():
        sentence = (
            f"A ticket of a random source ({source}) is at most 1 point worse than one of the dense source, "
            "whose layers have other densities."
        )
        yield conclusions.like(claim, sentence, in_points(found.difference(pairs)), found.regime)


def _of_trained(claim: PrimaryClaim, found: Tickets) -> Iterator[dict[str, object]]:
    """Yield tickets against random masks that are trained as long, before and after retraining."""
    for source, pairs in found.trained(False).items():
        sentence = f"A ticket ({source}) is at most 1 point worse than a random mask that is trained as long."
        yield conclusions.like(claim, sentence, in_points(found.difference(pairs)), found.regime)
    better = replace(claim, direction="above", margin=0.0)
    for source, pairs in found.trained(True).items():
        sentence = f"A retrained ticket ({source}) is better than a random mask that is trained as long."
        yield conclusions.like(better, sentence, in_points(found.difference(pairs)), found.regime)


def _of_weights(claim: PrimaryClaim, found: Tickets) -> Iterator[dict[str, object]]:
    """Yield tickets of signed constants against tickets of normal weights, the mean over their sources."""
    if found.weights:
        better = replace(claim, direction="above", margin=0.0)
        sentence = "Signed constants make better tickets than normal weights."
        yield conclusions.like(better, sentence, in_points(found.difference(found.weights)), found.regime)
