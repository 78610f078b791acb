"""The sentences of notebook 12 that numbers write: the abstract, and what follows for a practitioner."""

from __future__ import annotations

from IPython.display import Markdown

from randsparse.comparison import sentences
from randsparse.comparison.conclusions import convert_to_points, estimate_text
from randsparse.comparison.wording import format_interval, format_phase, format_points
from randsparse.questions.beyond_images.evidence import Evidence

FOLLOWS = {
    "supported": "So searched and random networks are equally accurate here, too, to the margin that was fixed.",
    "contradicted": "So searched and random networks differ here by more than the margin that was fixed.",
    "undecided": "That does not decide whether the difference is within the margin that was fixed.",
    "not tested": "The primary claim is not tested by these runs.",
}


def write_abstract(found: Evidence, verdict: str) -> Markdown:
    """Return question and regime, estimate, and what follows, in three sentences.

    Args:
        verdict: the one on the primary claim.
    """
    question = f"Does a search among random networks change accuracy on a table and on texts ({found.regime})?"
    estimate = (
        f"The winner among {found.size} after {format_phase(found.phase)} of training differs from random networks by "
        f"{estimate_text(convert_to_points(found.gain), 'points')} of final test accuracy."
    )
    return sentences.write_abstract(question, estimate, FOLLOWS[verdict])


def write_what_follows(found: Evidence, verdict: str) -> Markdown:
    """Return what a practitioner can take from the notebook."""
    texts, best = [FOLLOWS[verdict]], found.best
    if best is not None:
        texts.append(
            f"Even the best of {found.size} networks would gain no more than {format_points(best.value)} points."
        )
    for row in found.differences.itertuples():
        verb = "is more accurate than" if row.low > 0 else "is less accurate than" if row.high < 0 else None
        if verb:
            texts.append(
                f"*{row.a}* {verb} *{row.b}* ({format_points(row.mean)} {format_interval(row.low, row.high)} points)."
            )
    if found.differences.empty:
        texts.append("There are too few runs yet for any other comparison.")
    return sentences.write_what_follows(*texts)
