"""The sentences of notebooks 02 and 03 that numbers write: abstracts, and what follows for a practitioner."""

from __future__ import annotations

from typing import TYPE_CHECKING

from randsparse.comparison.sentences import write_abstract, write_what_follows
from randsparse.comparison.wording import (
    format_estimate,
    format_interval,
    format_phase,
    format_points,
    list_names,
    list_words,
    share_text,
)
from randsparse.questions.random_search.accuracies import DENSE
from randsparse.questions.random_search.evidence import AccuracyEvidence, SearchEvidence
from randsparse.questions.random_search.gains import EARLY, POOLED

if TYPE_CHECKING:
    from IPython.display import Markdown

TOO_FEW = "There are too few runs yet to say."
KEPT = {
    "supported": "So less than half of what a search could gain is left at the end: in this regime a choice this early "
    "is little better than a blind one.",
    "contradicted": "So more than half of what a search could gain is left at the end: in this regime a choice this "
    "early is worth making.",
    "undecided": "That does not decide whether half of what a search could gain is left at the end.",
    "not tested": TOO_FEW,
}
SAME = {
    "supported": "So searched and random networks are equally accurate at the end in this regime.",
    "contradicted": "So searched and random networks differ at the end by more than the margin in this regime.",
    "undecided": "That does not decide whether the difference is within the margin.",
    "not tested": TOO_FEW,
}


def write_search_abstract(found: SearchEvidence, verdict: str) -> Markdown:
    """Return question and regime, estimates, and what follows, in three sentences.

    Args:
        verdict: the one on the primary claim.
    """
    question = (
        f"Is the best of {found.size} random networks after {format_phase(found.phase)} of training still better than "
        f"the others at the end ({found.regime})?"
    )
    return write_abstract(question, _gain_sentence(found), KEPT[verdict])


def write_accuracy_abstract(found: AccuracyEvidence, verdict: str) -> Markdown:
    """Return question and regime, estimates, and what follows, in three sentences.

    Args:
        verdict: the one on the primary claim.
    """
    question = f"How accurate are searched and random networks at each sparsity ({found.regime})?"
    gain = found.gain_after(found.phase)
    if gain is None:
        return write_abstract(question, "No cell has enough runs for a search.", TOO_FEW)
    low, high = found.results["weights_kept"].min(), found.results["weights_kept"].max()
    left = f"{100 * high:.3g}" if low == high else f"{100 * high:.3g} to {100 * low:.3g}"
    estimate = (
        f"With {left} % of the weights left, the winner among {found.size} after "
        f"{format_phase(found.phase)} of training "
        f"differs from random networks by {format_estimate(gain)} points of final test accuracy "
        f"(n = {gain.n} networks, {gain.runs} runs, 95 % interval)."
    )
    return write_abstract(question, estimate, SAME[verdict])


def _gain_sentence(found: SearchEvidence) -> str:
    gain, share = found.gain_after(found.phase), found.share_after(found.phase)
    if gain is None or share is None:
        return "No cell has enough runs for a search."
    first = found.gains[(found.gains["cell"] == POOLED) & (found.gains["phase"] == found.phase)].set_index("measured")
    return (
        f"It differs from the mean of its subset by {format_points(first.loc[EARLY, 'mean'])} points of "
        "validation accuracy "
        f"when it is chosen and by {format_estimate(gain)} points of test accuracy at the end, which is "
        f"{share_text(share.value, *share.interval())} of what the best of the subset gains (n = {gain.n} networks, "
        f"{gain.runs} runs, 95 % intervals)."
    )


def longer_training(found: SearchEvidence) -> Markdown:
    """Return what the same epochs gain if they are spent on longer training, beside what the search gains."""
    if found.longer is None or found.gain_of_longer is None:
        return write_what_follows(
            "The random networks that are trained longer have too few runs yet; notebook 11 shows them."
        )
    epochs = {found.design.by_name[name].point.epochs for name in found.parameters["longer"]}
    return write_what_follows(
        f"Random networks that spend the epochs of such a search on longer training "
        f"({list_words(sorted(map(str, epochs)))} epochs: {list_names(found.parameters['longer'])}) gain "
        f"{format_estimate(found.longer)} points of test accuracy over random ones, where the search gains "
        f"{format_estimate(found.gain_of_longer)} (95 % intervals, the same cells). "
        f"Notebook 11 compares all ways to spend epochs."
    )


def write_what_follows_of_search(found: SearchEvidence, verdict: str) -> Markdown:
    """Return what a practitioner can take from notebook 02."""
    gain, lead = found.gain_after(found.phase), found.lead_after(found.phase)
    if gain is None or lead is None:
        return write_what_follows(TOO_FEW)
    ahead = f"after the choice the winner is {format_estimate(lead)} points ahead in validation accuracy on average."
    texts = [
        KEPT[verdict],
        f"A search among {found.size} costs {100 * (found.size - 1) * found.phase:.0f} % of a training more than one "
        f"random network and changes final test accuracy by {format_estimate(gain)} points.",
        f"It also converges faster: {ahead}" if lead.low > 0 else f"That it converges faster is not shown: {ahead}",
    ]
    return write_what_follows(*texts)


def write_what_follows_of_accuracy(found: AccuracyEvidence, verdict: str) -> Markdown:
    """Return what a practitioner can take from notebook 03."""
    texts, gain = [SAME[verdict]], found.gain_after(found.phase)
    dense = found.levels[found.levels["series"] == DENSE]
    sparse = found.levels[found.levels["series"] != DENSE].sort_values("weights_kept")
    if len(dense) and len(sparse):
        least = sparse.iloc[0]
        lost = dense["mean"].iloc[0] - found.levels.loc[found.levels["cell"] == least["cell"], "mean"].iloc[0]
        texts.append(
            f"What matters is how much is left: *{least['cell']}* ({100 * least['weights_kept']:.3g} % of the weights) "
            f"costs {format_points(lost, signed=False)} points against the dense network, and a search gives "
            f"{format_estimate(gain) if gain else 'an unknown number of'} points."
        )
    texts += [_control_sentence(row) for row in found.controls.itertuples()]
    return write_what_follows(*texts)


def _control_sentence(row: tuple) -> str:
    verb = "differ by" if row.low > 0 or row.high < 0 else "do not differ clearly:"
    return f"*{row.a}* and *{row.b}* {verb} {format_points(row.mean)} {format_interval(row.low, row.high)} points."


def explain_no_others(found: SearchEvidence) -> Markdown:
    """Return why there is nothing to show of other networks."""
    names = found.parameters["others"]
    return write_what_follows(
        f"No run yet: {list_names(names)}." if names else "This profile has runs of no other network."
    )
