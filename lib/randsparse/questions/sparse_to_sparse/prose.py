"""The sentences of notebook 08 that numbers write: its abstract, and what follows for a practitioner."""

from __future__ import annotations

import pandas as pd
from IPython.display import Markdown

from randsparse.comparison import sentences
from randsparse.comparison.plots import percent_text
from randsparse.comparison.wording import TOO_FEW, format_estimate, list_words
from randsparse.questions.sparse_to_sparse.evidence import CLAIMED, NAMES, SMALL, Methods

FOLLOWS = {
    "supported": "So in this regime, methods can start in a random sparse network without losing accuracy.",
    "contradicted": "So in this regime, a random source costs more than half a point.",
    "undecided": "That does not decide whether a random source costs more than half a point.",
    "not tested": "The claim itself is not tested here: runs of its methods and sparsities are missing.",
}


def write_abstract(found: Methods, rows: pd.DataFrame) -> Markdown:
    """Return question and regime, estimate, and what follows, in three sentences.

    Args:
        rows: as from `verdicts.judge`.
    """
    question = (
        f"Do methods that change their mask need the dense network, or is a random sparse one enough to start from "
        f"({found.regime})?"
    )
    whole = found.claim or (found.difference(list(found.pairs.values())) if found.pairs else None)
    names = list_words([NAMES[method] for method in found.methods])
    estimate = (
        f"Their final test accuracy in a random source minus that from the dense network is {format_estimate(whole)} "
        f"points (95 % interval, n = {whole.n}, {whole.runs} runs of {names} at "
        f"{_sparsities(found)} % sparsity)."
        if whole
        else f"There are {TOO_FEW}."
    )
    return sentences.write_abstract(question, estimate, FOLLOWS[rows["verdict"][0]])


def write_what_follows(found: Methods, rows: pd.DataFrame) -> Markdown:
    """Return what a practitioner can take from notebook 08; `rows` as from `verdicts.judge`."""
    return sentences.write_what_follows(FOLLOWS[rows["verdict"][0]], _saved(found), _front(found), _equal_cost(found))


def _sparsities(found: Methods) -> str:
    keys = CLAIMED if found.claim else found.pairs
    return list_words([percent_text(sparsity) for sparsity in sorted({sparsity for _, sparsity in keys})])


def _saved(found: Methods) -> str:
    """Return what a source saves of the FLOPs of each method."""
    texts = []
    for method, own in found.cost_table.groupby("method", sort=False):
        low, high = (f"{value:.0f}".replace("-", "−") for value in (own["saved (%)"].min(), own["saved (%)"].max()))
        texts.append(f"{method} {low if low == high else f'{low} to {high}'} %")
    return f"A source saves of the counted training FLOPs: {', '.join(texts)}." if texts else ""


def _front(found: Methods) -> str:
    """Return at how many sparsities a small dense network is the cheapest point of the Pareto front."""
    fronts = found.points[found.points["front"]]
    if fronts.empty or found.points[found.points["arm"] == SMALL].empty:
        return ""
    first = fronts.groupby("sparsity", sort=False).first()
    small = int((first["arm"] == SMALL).sum())
    text = (
        f"The cheapest point of the front of accuracy against cost is a small dense network at {small} of "
        f"{len(first)} sparsities"
    )
    beaten = found.points[(found.points["arm"] == SMALL) & ~found.points["front"]]
    at = [percent_text(sparsity) for sparsity in beaten["sparsity"]]
    return (
        f"{text}; it is not on the front at {list_words(at)} %." if at else f"{text}, and on the front at all of them."
    )


def _equal_cost(found: Methods) -> str:
    """Return how methods in sources compare with dense networks of equal cost."""
    estimates = {
        NAMES[method]: found.over_equal_cost([inside for inside, _ in found.of_method(method)])
        for method in found.methods
    }
    texts = [f"{name} {format_estimate(estimate)}" for name, estimate in estimates.items() if estimate]
    told = "Against dense networks of equal training FLOPs, methods in a source have (points, 95 % intervals)"
    return f"{told}: {'; '.join(texts)}." if texts else ""
