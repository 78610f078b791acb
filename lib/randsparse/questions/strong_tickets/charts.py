"""The charts of notebook 09: accuracies of tickets and trained masks, and their differences."""

from __future__ import annotations

from randsparse.comparison.cells import POOLED
from randsparse.comparison.forests import draw_forest, draw_levels
from randsparse.comparison.plots import Drawn
from randsparse.comparison.primary import find_claims
from randsparse.questions.strong_tickets.evidence import CLAIMED, Tickets


def draw_tickets(found: Tickets) -> Drawn:
    """Draw the test accuracy of tickets, and of random masks and dense networks that are trained as long."""
    what = "Test accuracy of tickets, whose weights are not trained, and of random masks that are trained as long."
    return draw_levels(found.accuracies(False), found.results, what, found.dense_level(found.tickets()))


def draw_retrained(found: Tickets) -> Drawn:
    """Draw the test accuracy of retrained tickets, and of random masks and dense networks that are trained as long."""
    what = "Test accuracy of tickets whose weights are trained after the choice, and of masks that are trained as long."
    dense = found.dense_level(found.tickets(retrained=True))
    return draw_levels(found.accuracies(True), found.results, what, dense)


def draw_sources(found: Tickets) -> Drawn:
    """Draw tickets of random sources minus those of the dense one, with the primary claim on their mean."""
    (claim,) = find_claims("09")
    what = "Test accuracy of a ticket of a random source minus that of one of the dense source."
    if found.unequal:
        what += " Those of ER sources have other layer densities, too; those of uniform sources have the same."
    decides = not found.unequal and set(found.equal) == set(CLAIMED) and len(found.sources) == len(CLAIMED)
    decisive = {POOLED: found.claim if decides else None}
    return draw_forest(found.source_forest, what, "random − dense source, test accuracy", claim, decisive)


def draw_trained(found: Tickets) -> Drawn:
    """Draw tickets minus random masks that are trained as long, before and after their weights are trained."""
    what = (
        "Test accuracy of a ticket, and of a retrained one, minus that of random masks of its sparsity that are "
        "trained for as many epochs."
    )
    return draw_forest(found.trained_forest, what, "ticket − trained random mask, test accuracy")
