"""The sentences of notebooks 02 and 03 that numbers write: abstracts, and what follows for a practitioner."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from randsparse.comparison.inference.estimate import Estimate
from randsparse.questions.random_search.accuracies import DENSE
from randsparse.questions.random_search.evidence import AccuracyEvidence, Evidence, SearchEvidence
from randsparse.questions.random_search.gains import EARLY, FINAL, POOLED
from randsparse.questions.random_search.wording import interval, listed, phase_text, points, share_text

if TYPE_CHECKING:
    from IPython.display import Markdown

TOO_FEW = "There are too few runs yet to say."
KEPT = {
    "supported": "So less than half of what a search could gain is left at the end: a choice this early is little better "
    "than a blind one in this regime.",
    "contradicted": "So more than half of what a search could gain is left at the end: in this regime an early choice is "
    "worth making.",
    "undecided": "That does not decide whether half of what a search could gain is left at the end.",
    "not tested": TOO_FEW,
}
SAME = {
    "supported": "So searched and random networks are equally accurate at the end in this regime.",
    "contradicted": "So searched and random networks differ at the end in this regime.",
    "undecided": "That does not decide whether the difference is within the margin.",
    "not tested": TOO_FEW,
}


def search_abstract(found: SearchEvidence, verdict: str) -> Markdown:
    """Return question and regime, estimates, and what follows, in three sentences.

    Args:
        verdict: the one on the primary claim.
    """
    question = (
        f"Is the best of {found.size} random networks after {phase_text(found.phase)} of training still better than "
        f"the others at the end ({regime(found)})?"
    )
    return _abstract(question, _gain_sentence(found), KEPT[verdict])


def accuracy_abstract(found: AccuracyEvidence, verdict: str) -> Markdown:
    """Return question and regime, estimates, and what follows, in three sentences.

    Args:
        verdict: the one on the primary claim.
    """
    question = f"How accurate are searched and random networks at each sparsity ({regime(found)})?"
    if found.gain is None:
        return _abstract(question, "No cell has enough runs for a search.", TOO_FEW)
    low, high = found.results["weights_kept"].min(), found.results["weights_kept"].max()
    estimate = (
        f"With {100 * high:.3g} to {100 * low:.3g} % of the weights left, the winner among {found.size} after "
        f"{phase_text(found.phase)} of training is {_points(found.gain)} points above random networks in final test "
        f"accuracy (n = {found.gain.n} networks, {found.gain.runs} runs)."
    )
    return _abstract(question, estimate, SAME[verdict])


def regime(found: Evidence) -> str:
    """Return networks, dataset, training and dense accuracy in words."""
    cells = [cell for cell in found.design.networks if cell.name in found.parameters["candidates"]]
    point = cells[0].point
    dense = found.results[(found.results["sparsity"] == 0) & found.results["cell"].isin(found.parameters["candidates"])]
    reached = f"dense {100 * dense['test_accuracy'].mean():.1f} %" if len(dense) else "no dense run yet"
    return (
        f"{point.model.upper()} on {point.dataset}, {found.images:,} images, {point.epochs} epochs of "
        f"{-(-found.images // point.batch_size):,} steps, {reached}"
    )


def _gain_sentence(found: SearchEvidence) -> str:
    if found.gain is None or found.share is None:
        return "No cell has enough runs for a search."
    first = found.gains[(found.gains["cell"] == POOLED) & (found.gains["phase"] == found.phase)].set_index("measured")
    share = share_text(found.share.value, *found.share.interval())
    return (
        f"It leads the mean of its subset by {points(first.loc[EARLY, 'mean'])} points of validation accuracy when it "
        f"is chosen and by {_points(found.gain)} points of test accuracy at the end, {share} of what the best of the "
        f"subset gains (n = {found.gain.n} networks, {found.gain.runs} runs, 95 % intervals)."
    )


def longer_training(found: SearchEvidence) -> Markdown:
    """Return what the same epochs gain if they are spent on longer training, beside what the search gains."""
    from IPython.display import Markdown

    if found.longer is None or found.gain_of_longer is None:
        return Markdown("The random networks that are trained longer have too few runs yet; notebook 11 shows them.")
    cells = {cell.name: cell.point for cell in found.design.networks}
    epochs = {cells[name].epochs for name in found.parameters["longer"]}
    return Markdown(
        f"Random networks that spend the epochs of such a search on longer training ({listed(sorted(map(str, epochs)))} "
        f"epochs: {listed(found.parameters['longer'])}) gain {_points(found.longer)} points of test accuracy over "
        f"random ones, where the search gains {_points(found.gain_of_longer)} (95 % intervals, the same cells). "
        f"Notebook 11 compares all ways to spend epochs."
    )


def what_follows_of_search(found: SearchEvidence, verdict: str) -> Markdown:
    """Return what a practitioner can take from notebook 02."""
    from IPython.display import Markdown

    if found.gain is None:
        return Markdown(TOO_FEW)
    faster = found.mean_leads[(found.mean_leads["cell"] == POOLED) & (found.mean_leads["phase"] == found.phase)].iloc[0]
    texts = [
        KEPT[verdict],
        f"A search among {found.size} costs {100 * (found.size - 1) * found.phase:.0f} % of a training more than one "
        f"random network and gives {_points(found.gain)} points of test accuracy for it.",
        f"Nor does it save time, as far as these runs tell: after the choice the winner is {points(faster['mean'])} "
        f"{interval(faster['low'], faster['high'])} points ahead in validation accuracy on average."
        if faster["low"] <= 0
        else f"It also converges faster: after the choice the winner is {points(faster['mean'])} "
        f"{interval(faster['low'], faster['high'])} points ahead in validation accuracy on average.",
    ]
    return Markdown(" ".join(texts))


def what_follows_of_accuracy(found: AccuracyEvidence, verdict: str) -> Markdown:
    """Return what a practitioner can take from notebook 03."""
    from IPython.display import Markdown

    texts = [SAME[verdict]]
    dense = found.levels[found.levels["series"] == DENSE]
    sparse = found.levels[found.levels["series"] != DENSE].sort_values("weights_kept")
    if len(dense) and len(sparse):
        least = sparse.iloc[0]
        lost = dense["mean"].iloc[0] - found.levels.loc[found.levels["cell"] == least["cell"], "mean"].iloc[0]
        texts.append(
            f"What matters is how much is left: {least['cell']} ({100 * least['weights_kept']:.3g} % of the weights) "
            f"costs {points(lost, signed=False)} points against the dense network, and a search gives "
            f"{_points(found.gain) if found.gain else 'an unknown number of'} points."
        )
    texts += [_control_sentence(row) for row in found.controls.itertuples()]
    return Markdown(" ".join(texts))


def _control_sentence(row: tuple) -> str:
    verb = "differ by" if row.low > 0 or row.high < 0 else "do not differ clearly:"
    return f"{row.a} and {row.b} {verb} {points(row.mean)} {interval(row.low, row.high)} points."


def missing_runs(cells: pd.DataFrame) -> Markdown:
    """Return which cells have no run yet, or not all; it says so where none is missing."""
    from IPython.display import Markdown

    none = list(cells.loc[cells["runs"] == 0, "cell"])
    some = [f"{row.cell} ({row.runs} of {row.planned})" for row in cells.itertuples() if 0 < row.runs < row.planned]
    texts = [f"No run yet: {listed(none)}."] if none else []
    texts += [f"Not all runs yet: {listed(some)}."] if some else []
    return Markdown(" ".join(texts) or f"All {cells['planned'].sum()} runs are there.")


def _points(estimate: Estimate) -> str:
    return f"{points(estimate.value)} {interval(*estimate.interval())}"


def _abstract(*sentences: str) -> Markdown:
    from IPython.display import Markdown

    return Markdown(f"**Abstract.** {' '.join(sentences)}")
