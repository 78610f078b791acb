"""The sentences of notebook 04 that numbers write: the abstract, and what follows for a practitioner."""

from __future__ import annotations

from IPython.display import Markdown

from randsparse.comparison import sentences
from randsparse.comparison.conclusions import convert_to_points, estimate_text
from randsparse.comparison.wording import format_interval, format_points
from randsparse.questions.size.evidence import Evidence
from randsparse.questions.size.verdicts import UNIT

FOLLOWS = {
    "supported": "So the gap of a random sparse network closes with size in this regime.",
    "contradicted": "So the gap of a random sparse network grows with size in this regime.",
    "undecided": "That does not decide whether the gap closes with size.",
    "not tested": "The primary claim is not tested by these runs.",
}


def write_abstract(found: Evidence, verdict: str) -> Markdown:
    """Return question and regime, estimate, and what follows, in three sentences.

    Args:
        verdict: the one on the primary claim.
    """
    question = f"Does a random sparse network lose less to its dense parent if that is larger ({found.regime})?"
    at = "several sparsities" if found.sparsity is None else f"{100 * found.sparsity:g} % sparsity"
    slope = estimate_text(convert_to_points(found.slope()), f"{UNIT} of the number of weights")
    estimate = f"At {at}, the difference to the dense network changes by {slope}."
    return sentences.write_abstract(question, estimate, FOLLOWS[verdict])


def write_what_follows(found: Evidence, verdict: str) -> Markdown:
    """Return what a practitioner can take from the notebook."""
    texts = [FOLLOWS[verdict]]
    own = found.gaps[found.gaps["sparsity"] == found.sparsity].sort_values("weights")
    if len(own) > 1:
        first, last = own.iloc[0], own.iloc[-1]
        texts.append(
            f"The smallest network (*{first['cell']}*) differs from its dense parent by {format_points(first['mean'])} "
            f"{format_interval(first['low'], first['high'])} points, the largest (*{last['cell']}*) by "
            f"{format_points(last['mean'])} "
            f"{format_interval(last['low'], last['high'])}."
        )
    for equal, mean in found.means_against_narrow.items():
        if mean is None:
            texts.append(f"Beside dense narrow networks with {equal} there are too few runs yet.")
        else:
            shown = "is more accurate than" if mean.low > 0 else "is less accurate than"
            verb = "is not shown to differ from" if mean.low <= 0 <= mean.high else shown
            texts.append(
                f"A sparse wide network {verb} a dense narrow one with {equal}: {format_points(mean.value)} "
                f"{format_interval(*mean.interval())} points."
            )
    return sentences.write_what_follows(*texts)
