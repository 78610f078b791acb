"""The verdicts of notebook 09: its primary claim, further findings, and checks, one row each."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from randsparse.comparison import conclusions
from randsparse.comparison.cells import Pair
from randsparse.comparison.conclusions import convert_to_points
from randsparse.comparison.plots import percent_text
from randsparse.comparison.primary import find_claims
from randsparse.comparison.wording import list_words
from randsparse.questions.strong_tickets.evidence import CLAIMED, Tickets


def judge(found: Tickets) -> pd.DataFrame:
    """Return one row per claim, the primary one first: the columns of `conclusions.make_table`."""
    (claim,) = find_claims("09")
    rows = [
        conclusions.conclude_primary(claim, convert_to_points(found.claim), found.regime, _missing(found)),
        *found.judge(claim, _no_worse(found)),
        *found.judge(replace(claim, direction="above", margin=0.0), _better(found)),
        *found.checks(),
    ]
    return conclusions.make_table(rows)


def _missing(found: Tickets) -> str:
    """Return why the primary claim has no estimate; empty where it has one."""
    there = [sparsity for sparsity, pair in found.equal.items() if found.difference([pair])]
    lacking = [f"{percent_text(sparsity)} %" for sparsity in CLAIMED if sparsity not in there]
    where = list_words(lacking)
    why = f"There are too few tickets of a random source with the layer densities of the dense one, at {where}."
    return "" if found.claim else why


def _no_worse(found: Tickets) -> dict[str, list[Pair]]:
    """Return what may be a point worse at the most, by the sentences that claim it.

    Tickets of random sources whose layers are not as dense as those of the dense source, and tickets beside random
    masks that are trained as long.
    """
    sources = {
        f"A ticket of a random source ({source}) is at most 1 point worse than one of the dense source, whose layers "
        "have other densities.": pairs
        for source, pairs in found.unequal.items()
    }
    return sources | {
        f"A ticket ({source}) is at most 1 point worse than a random mask that is trained as long.": pairs
        for source, pairs in found.trained(False).items()
    }


def _better(found: Tickets) -> dict[str, list[Pair]]:
    """Return what has to be better, by the sentences that claim it.

    Retrained tickets beside random masks that are trained as long, and signed constants beside normal weights in the
    same sources.
    """
    retrained = {
        f"A retrained ticket ({source}) is better than a random mask that is trained as long.": pairs
        for source, pairs in found.trained(True).items()
    }
    return retrained | {"Signed constants make better tickets than normal weights.": found.weights}
