"""The verdicts of notebooks 02 and 03: the primary claim, further findings, and checks, one row each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from randsparse.comparison.conclusions import check, complete, finding, in_points, like, primary, table
from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.primary import PrimaryClaim, claims_of
from randsparse.comparison.wording import phase_text
from randsparse.questions.random_search.evidence import AccuracyEvidence, Evidence, SearchEvidence

FIXED = (0.1, 4)
"""The early phase and the candidates of one search that the primary claims are about."""


def of_search(found: SearchEvidence) -> pd.DataFrame:
    """Return the rows of notebook 02, the primary claim first: those of `primary.judge`, with the column kind."""
    (claim,) = claims_of("02")
    rows = [_primary(claim, found, found.share_after(found.phase))]
    for phase in found.parameters["phases"][1:]:
        sentence = claim.claim.replace(phase_text(FIXED[0]), phase_text(phase))
        if found.size != FIXED[1]:
            sentence = sentence.replace("four", str(found.size))
        rows.append(like(claim, sentence, found.share_after(phase), found.regime))
    for phase in found.parameters["phases"]:
        sentence = f"The winner after {phase_text(phase)} of training is ahead of its subset afterwards, on average."
        rows.append(finding(sentence, in_points(found.lead_after(phase)), found.regime))
    if others := found.parameters["others"]:
        sentence = f"On another network, too: {claim.claim[0].lower()}{claim.claim[1:]}"
        rows.append(like(claim, sentence, found.share_after(found.phase, "others"), found.regime_of(others)))
    return table([*rows, complete(found.cells, found.regime)])


def of_accuracy(found: AccuracyEvidence) -> pd.DataFrame:
    """Return the rows of notebook 03, the primary claim first: those of `primary.judge`, with the column kind."""
    (claim,) = claims_of("03")
    pairs = [
        finding(f"{a} is more accurate than {b}.", in_points(found.difference(a, b)), found.regime)
        for a, b in found.parameters["pairs"]
    ]
    first = _primary(claim, found, in_points(found.gain_after(found.phase)))
    return table([first, *pairs, complete(found.cells, found.regime), *_same_shapes(found)])


def _primary(claim: PrimaryClaim, found: Evidence, estimate: Estimate | None) -> dict[str, Any]:
    """Return the row of the primary claim, which says where runs are missing."""
    if (found.phase, found.size) != FIXED:
        why_not = f"The claim is about {FIXED[1]} candidates and {phase_text(FIXED[0])} of training."
        return primary(claim, None, found.regime, why_not)
    row = primary(claim, estimate, found.regime)
    candidates = found.cells[found.cells["cell"].isin(found.parameters["candidates"])]
    runs, planned = candidates["runs"].sum(), candidates["planned"].sum()
    interim = f" Interim: {runs} of {planned} runs are there." if runs < planned else ""
    return row | {"evidence": row["evidence"] + interim}


def _same_shapes(found: AccuracyEvidence) -> Iterator[dict[str, Any]]:
    """Yield the check that a small dense network has the weights of the node mask whose shape it has."""
    kept = found.results.groupby("cell")["weights_kept"].agg(["min", "max", "size"])
    nodes = found.results[found.results["structure"] == "node"]
    masks, small = (nodes[nodes["method"] == method] for method in ("static", "small-dense"))
    for sparsity in sorted(set(masks["sparsity"]) & set(small["sparsity"])):
        pair = [own.loc[own["sparsity"] == sparsity, "cell"].iloc[0] for own in (masks, small)]
        shares = kept.loc[pair, ["min", "max"]].to_numpy()
        told = f"{' and '.join(pair)} keep {100 * shares.min():.6g} to {100 * shares.max():.6g} % of the weights."
        claim = "A node mask and the small dense network of its shape keep the same number of weights."
        runs = int(kept.loc[pair, "size"].sum())
        yield check(claim, [(shares == shares[0, 0]).all()], told, runs, found.regime)
