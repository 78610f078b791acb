"""The verdicts of notebook 07, one finding and checks of the theory, and the sentences that numbers write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pandas as pd

from randsparse.comparison import sentences
from randsparse.comparison.conclusions import (
    conclude_check,
    conclude_finding,
    convert_to_points,
    estimate_text,
    make_table,
)
from randsparse.comparison.verdicts import Row
from randsparse.comparison.wording import number
from randsparse.questions.theory.containment import CONNECTED, DROPPED, EVERY
from randsparse.questions.theory.evidence import Evidence
from randsparse.questions.theory.plan import find_width, width_factor
from randsparse.questions.theory.verdicts import (
    judge_bounded,
    judge_construction,
    judge_near_one,
    judge_not_faster,
    judge_predicted,
)

if TYPE_CHECKING:
    from IPython.display import Markdown

FOLLOWS = {
    "supported": "So training finds a network as good as the dense one in a source far too narrow to contain it.",
    "contradicted": "So a random network of this width is worse than the dense one.",
    "undecided": "That does not decide whether so narrow a source is enough.",
    "not tested": "There are too few runs yet to say.",
}


def judge(found: Evidence) -> pd.DataFrame:
    """Return the rows of notebook 07: findings on trained networks first, then checks."""
    return make_table(
        [*(_finding(found, name) for name in found.parameters["wider"]), *map(conclude_check, _checks(found))]
    )


def _finding(found: Evidence, name: str) -> dict[str, Any]:
    points = {cell.name: cell.point for cell in found.design.networks}
    width = find_width(points[name].model) / find_width(points[found.parameters["dense"]].model)
    asked = number(width_factor(points[name].sparsity), 1)
    sentence = (
        f"A random network of {width:g} times the width and {100 * points[name].sparsity:.3g} % sparsity is at most 1 "
        f"point less accurate than the dense one, where containment asks for {asked} times the width."
    )
    return conclude_finding(sentence, convert_to_points(found.gap(name)), found.regime, "points", "at least", -1)


def _checks(found: Evidence) -> list[Row]:
    """Return the checks of theorems and predictions, as rows of `comparison.verdicts`."""
    given, slopes = found.parameters, found.slopes
    resolution, margin = given["resolution"], given["slope_margin"]
    every, dropped = (found.contained[found.contained["event"] == event] for event in (EVERY, DROPPED))
    connected = found.ends[found.ends["event"] == CONNECTED]
    one = found.rates["target"] == "one weight"
    width, rate = "exponent of the width over 1/log(1/s)", "bits of error that each copy left takes away"
    every_copy = slopes["event"] == EVERY
    grows, halves = "The width that is needed grows as 1/log(1/s)", "Each copy left halves the error of"
    return [
        judge_predicted("A random source contains the target as often as predicted", every, resolution),
        judge_construction(found.contained),
        judge_bounded("If copies that fail are dropped, it does so between the bounds", dropped, resolution),
        judge_predicted("An input or output is cut off as often as predicted", connected, resolution),
        judge_near_one(f"{grows} if copies that fail are dropped", slopes[~every_copy], "exponent", margin, width),
        judge_near_one(f"{grows} if every copy has to succeed", slopes[every_copy], "exponent", margin, width),
        judge_near_one(f"{halves} one weight of a strong ticket", found.rates[one], "rate", margin, rate),
        judge_near_one(f"{halves} a whole strong ticket", found.rates[~one], "rate", margin, rate),
        judge_not_faster("No strong ticket beats the bound on the error", found.weights),
    ]


def write_abstract(found: Evidence, verdict: str) -> Markdown:
    """Return question and regime, estimate, and what follows, in three sentences.

    Args:
        verdict: the one on the first finding.
    """
    name = found.parameters["wider"][0]
    question = f"Does training need a source as wide as one that contains the dense network ({found.regime})?"
    gap = estimate_text(convert_to_points(found.gap(name)), "points")
    sparsity = next(cell.point.sparsity for cell in found.design.networks if cell.name == name)
    estimate = (
        f"*{name}* differs from *{found.parameters['dense']}* by {gap}, where a source that contains a given network "
        f"has to be {number(width_factor(sparsity), 1)} times as wide as that."
    )
    return sentences.write_abstract(question, estimate, FOLLOWS[verdict])


def write_what_follows(found: Evidence, rows: pd.DataFrame) -> Markdown:
    """Return what a practitioner can take from the notebook."""
    checks = rows[rows["kind"] == "check"]["verdict"].value_counts()
    held = ", ".join(f"{number} {verdict}" for verdict, number in checks.items())
    return sentences.write_what_follows(
        FOLLOWS[rows["verdict"].iloc[0]],
        f"The theory bounds what a source contains, and its checks hold or fail as such ({held}); it does not say how "
        "wide a network has to be for training.",
    )
