"""The sentences of notebook 11 that numbers write: its abstract, what runs are missing, and what follows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from randsparse.comparison import sentences
from randsparse.comparison.conclusions import convert_to_points
from randsparse.comparison.primary import find_claims, judge
from randsparse.comparison.wording import format_estimate, list_words, number
from randsparse.questions.search_cost import gains
from randsparse.questions.search_cost.evidence import Evidence
from randsparse.questions.search_cost.halving import Rounds
from randsparse.questions.search_cost.measured import SIZE
from randsparse.questions.search_cost.speed import KERNEL, MASK, NODES

if TYPE_CHECKING:
    from IPython.display import Markdown

SPEND = {
    "supported": "So the epochs of a search are better spent on training one random network longer, in this regime.",
    "contradicted": "So a search is worth its epochs in this regime: one random network, trained longer, gains less.",
    "undecided": "That does not decide which of the two is the better way to spend the epochs.",
    "not tested": "There are too few runs yet, or they do not differ: which way to spend the epochs is better is open.",
}


def write_abstract(found: Evidence) -> Markdown:
    """Return question and regime, estimates, and what follows, in three sentences."""
    question = (
        f"Is a search among {SIZE} random networks that looks after 10 % of training worth the epochs that it takes "
        f"({found.regime})?"
    )
    return sentences.write_abstract(question, _estimates(found), SPEND[_verdict(found)])


def write_what_follows(found: Evidence) -> Markdown:
    """Return what a practitioner can take from the notebook."""
    return sentences.write_what_follows(SPEND[_verdict(found)], *_per_cell(found), *_seconds(found))


def _verdict(found: Evidence) -> str:
    (claim,) = find_claims("11")
    return judge(claim, convert_to_points(found.difference), found.regime, "points")["verdict"]


def _estimates(found: Evidence) -> str:
    if found.difference is None:
        there = [
            f"{format_estimate(gain)} points at {group.cell}"
            for group in found.groups
            if (gain := gains.gain_of_search(group)) is not None
        ]
        gained = f"It gains {list_words(there)} over one training" if there else "No cell has enough runs for a search"
        return f"{gained}, and no gain of longer training is known for all cells yet."
    first = found.groups[0]
    charged = Rounds((first.phase(),), (SIZE,)).cost(first.epochs, anew=True)
    return (
        f"It takes {charged} epochs where one training takes {first.epochs}, and its winners are "
        f"{format_estimate(found.difference)} points above random networks that are trained for {first.longer_epochs} "
        f"epochs (n = {found.difference.n}, {found.difference.runs} runs, {len(found.groups)} "
        f"cell{'s' if len(found.groups) > 1 else ''}, 95 % interval)."
    )


def _per_cell(found: Evidence) -> list[str]:
    """Return a sentence per cell: the correlation that a search has, and the one at which it would pay."""
    rows = found.needed[(found.needed["winner"] == "trained anew")].dropna(subset=["measured", "needed"])
    return [
        f"At {row.cell} a search pays from a correlation of {number(row.needed)} [{number(row.needed_low)}, "
        f"{number(row.needed_high)}] between early and final accuracy on, and it has {number(row.measured)} "
        f"[{number(row.low)}, {number(row.high)}]."
        for row in rows.itertuples()
    ]


def _seconds(found: Evidence) -> list[str]:
    """Return a sentence per way to have zeros, of what was measured; [] where nothing was."""
    rows = found.speeds.dropna(subset=["times_as_fast"])
    told = {way: rows.loc[rows["way"] == way, "times_as_fast"] for way in (MASK, NODES, KERNEL)}
    sentences = {
        MASK: "A mask saves no seconds by itself: a step with zeros in dense weights is {} times as fast.",
        NODES: "Removed nodes do: the smaller network that is left is {} times as fast.",
        KERNEL: "Sparse kernels make the products of a training step {} times as fast.",
    }
    return [sentences[way].format(_range(speeds)) for way, speeds in told.items() if len(speeds)]


def _range(values: np.ndarray) -> str:
    low, high = number(min(values)), number(max(values))
    return low if low == high else f"{low} to {high}"
