"""The sentences of notebook 09 that numbers write: its abstract, and what follows for a practitioner."""

from __future__ import annotations

import pandas as pd
from IPython.display import Markdown

from randsparse.comparison import sentences
from randsparse.comparison.wording import TOO_FEW, format_estimate, list_words
from randsparse.questions.strong_tickets.evidence import Tickets

FOLLOWS = {
    "supported": "So in this regime, a random sparse source has tickets about as good as those of the dense network.",
    "contradicted": "So in this regime, tickets of a random sparse source are more than a point worse.",
    "undecided": "That does not decide whether tickets of a random sparse source are more than a point worse.",
    "not tested": "The claim itself is not tested here: tickets of its sources or sparsities are missing.",
}


def write_abstract(found: Tickets, rows: pd.DataFrame) -> Markdown:
    """Return question and regime, estimate, and what follows, in three sentences.

    Args:
        rows: as from `verdicts.judge`.
    """
    question = f"Does a random sparse network have tickets as good as those of the dense network ({found.regime})?"
    if found.claim:
        estimate = (
            f"At equal layer densities, mean over 90 and 95 % sparsity, the test accuracy of tickets of a random "
            f"source minus that of tickets of the dense one is {format_estimate(found.claim)} points (95 % interval, "
            f"n = {found.claim.n}, {found.claim.runs} runs)."
        )
    else:
        texts = [f"{format_estimate(found.difference(pairs))} ({source})" for source, pairs in found.unequal.items()]
        estimate = (
            f"The test accuracy of tickets of random sources minus that of tickets of the dense one, whose layers have "
            f"other densities, is {list_words(texts)} in points (95 % intervals)."
            if texts
            else f"There are {TOO_FEW}."
        )
    return sentences.write_abstract(question, estimate, FOLLOWS[rows["verdict"][0]])


def write_what_follows(found: Tickets, rows: pd.DataFrame) -> Markdown:
    """Return what a practitioner can take from notebook 09; `rows` as from `verdicts.judge`."""
    return sentences.write_what_follows(
        FOLLOWS[rows["verdict"][0]],
        _against_training(found, False, "Choosing edges instead of training weights as long gives"),
        _against_training(found, True, "Training the weights of a ticket instead of those of a random mask gives"),
    )


def describe_restart(found: Tickets) -> Markdown:
    """Return what the first epoch of training weights does to a ticket."""
    if found.restart is None:
        return sentences.write_what_follows("No ticket is retrained in these runs.")
    before, after = (f"{100 * value:.1f} %" for value in found.restart)
    return sentences.write_what_follows(
        f"The first epoch that trains the weights takes tickets from {before} to {after} of validation accuracy, since "
        f"the learning rate starts again: it is the mask that is retrained, and not the ticket that is fine-tuned."
        if found.restart[1] < found.restart[0]
        else f"The first epoch that trains the weights takes tickets from {before} to {after} of validation accuracy."
    )


def _against_training(found: Tickets, retrained: bool, what: str) -> str:
    estimates = {source: found.difference(pairs) for source, pairs in found.trained(retrained).items()}
    texts = [f"{format_estimate(each)} points ({source})" for source, each in estimates.items() if each]
    return f"{what} {list_words(texts)}." if texts else ""
