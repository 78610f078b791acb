"""The verdicts of notebooks 02 and 03: the primary claim, further findings, and checks, one row each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from randsparse.comparison.conclusions import (
    check,
    complete,
    conclude_finding,
    conclude_like,
    conclude_primary,
    convert_to_points,
    make_table,
    tell_interim,
)
from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.primary import PrimaryClaim, find_claims
from randsparse.comparison.wording import format_phase
from randsparse.questions.random_search.evidence import AccuracyEvidence, Evidence, SearchEvidence

FIXED = (0.1, 4)
"""The early phase and the candidates of one search that the primary claims are about."""


def judge_search(found: SearchEvidence) -> pd.DataFrame:
    """Return the rows of notebook 02, the primary claim first: those of `primary.judge`, with the column kind."""
    (claim,) = find_claims("02")
    rows = [_primary(claim, found, found.share_after(found.phase))]
    for phase in found.parameters["phases"][1:]:
        sentence = claim.claim.replace(format_phase(FIXED[0]), format_phase(phase))
        if found.size != FIXED[1]:
            sentence = sentence.replace("four", str(found.size))
        rows.append(conclude_like(claim, sentence, found.share_after(phase), found.regime))
    for phase in found.parameters["phases"]:
        sentence = f"The winner after {format_phase(phase)} of training is ahead of its subset afterwards, on average."
        rows.append(conclude_finding(sentence, convert_to_points(found.lead_after(phase)), found.regime))
    if others := found.parameters["others"]:
        sentence = f"On another network, too: {claim.claim[0].lower()}{claim.claim[1:]}"
        rows.append(conclude_like(claim, sentence, found.share_after(found.phase, "others"), found.regime_of(others)))
    return make_table([*rows, complete(found.cells, found.regime)])


def judge_accuracy(found: AccuracyEvidence) -> pd.DataFrame:
    """Return the rows of notebook 03, the primary claim first: those of `primary.judge`, with the column kind."""
    (claim,) = find_claims("03")
    pairs = [
        conclude_finding(f"{a} is more accurate than {b}.", convert_to_points(found.difference(a, b)), found.regime)
        for a, b in found.parameters["pairs"]
    ]
    first = _primary(claim, found, convert_to_points(found.gain_after(found.phase)))
    return make_table([first, *pairs, complete(found.cells, found.regime), *_same_shapes(found)])


def _primary(claim: PrimaryClaim, found: Evidence, estimate: Estimate | None) -> dict[str, Any]:
    """Return the row of the primary claim, which says where runs are missing."""
    if (found.phase, found.size) != FIXED:
        why_not = f"The claim is about {FIXED[1]} candidates and {format_phase(FIXED[0])} of training."
        return conclude_primary(claim, None, found.regime, why_not)
    row = conclude_primary(claim, estimate, found.regime)
    candidates = found.cells[found.cells["cell"].isin(found.parameters["candidates"])]
    return row | {"evidence": row["evidence"] + tell_interim(*candidates[["runs", "planned"]].sum())}


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
