"""The sentences of notebook 06 that numbers write: the abstract, and what follows for a practitioner."""

from __future__ import annotations

from IPython.display import Markdown

from randsparse.comparison import sentences
from randsparse.comparison.conclusions import convert_to_points, estimate_text
from randsparse.comparison.wording import list_words, number
from randsparse.questions.beyond_accuracy.evidence import Evidence
from randsparse.questions.beyond_accuracy.frames import (
    ATTACKS,
    CALIBRATION,
    CORRUPTIONS,
    DENSE,
    EQUAL_ACCURACY,
    IMAGES,
    name_ood_column,
    shorten,
)

FOLLOWS = {
    "supported": "So a random sparse network is no worse at this than its dense parent, to the margin that was fixed.",
    "contradicted": "So a random sparse network is worse at this than its dense parent, by more than the margin that "
    "was fixed.",
    "undecided": "That does not decide whether it is within the margin that was fixed.",
    "not tested": "The primary claim is not tested by these runs.",
}


def write_abstract(found: Evidence, verdict: str) -> Markdown:
    """Return question and regime, estimates, and what follows, in three sentences.

    Args:
        verdict: the one on the primary claim.
    """
    near = found.parameters["near"]
    column = name_ood_column(near, found.parameters["ood_score"])
    question = f"Does a random sparse network detect images of another kind as well as a dense one ({found.regime})?"
    parts = [convert_to_points(found.estimate(column, baseline)) for baseline in (DENSE, EQUAL_ACCURACY)]
    estimate = (
        f"Against the nearest images ({shorten(near)}), its AUROC differs from that of the dense parent by "
        f"{estimate_text(parts[0], 'points')}, and from that of a dense network of its own accuracy by "
        f"{estimate_text(parts[1], 'points')}."
    )
    return sentences.write_abstract(question, estimate, FOLLOWS[verdict])


def equal_accuracy(found: Evidence) -> Markdown:
    """Return which dense networks a dense network of the sparse one's accuracy lies between."""
    if found.ends is None:
        return Markdown("No two dense cells have mean accuracies on both sides of the sparse one's yet.")
    means = found.measured.groupby("cell")["accuracy"].mean()
    texts = [f"*{cell}* ({number(100 * means[cell], 1)} %)" for cell in found.ends]
    return Markdown(
        f"*{found.sparse}* reaches {number(100 * means[found.sparse], 1)} %. A dense network of this accuracy lies "
        f"between {texts[0]} and {texts[1]}."
    )


def write_what_follows(found: Evidence, verdict: str) -> Markdown:
    """Return what a practitioner can take from the notebook."""
    own = found.differences[found.differences["baseline"] == EQUAL_ACCURACY]
    if own.empty:
        return sentences.write_what_follows(
            FOLLOWS[verdict], "There are too few runs for a comparison at equal accuracy."
        )
    beside = "Beside a dense network of the same accuracy, by kind of measure (simultaneous 95 % intervals):"
    texts = [FOLLOWS[verdict], beside]
    for kind in (IMAGES, CALIBRATION, CORRUPTIONS, ATTACKS):
        rows = own[(own["kind"] == kind) & ((own["low"] > 0) | (own["high"] < 0))]
        is_better = (rows["mean"] > 0) != rows["lower_is_better"]
        names = {"better": list(rows["name"][is_better]), "worse": list(rows["name"][~is_better])}
        told = [f"{word} in {list_words(each)}" for word, each in names.items() if each]
        texts.append(f"{kind.capitalize()}: {' and '.join(told) or 'no difference is shown'}.")
    return sentences.write_what_follows(*texts)
