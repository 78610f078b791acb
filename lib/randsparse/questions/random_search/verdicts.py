"""The verdicts of notebooks 02 and 03: the primary claim, further findings, and checks, one row each."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import pandas as pd

from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.primary import PrimaryClaim, Row, claims_of, judge
from randsparse.comparison.wording import phase_text
from randsparse.questions.random_search.evidence import AccuracyEvidence, Evidence, SearchEvidence

PRIMARY, FINDING, CHECK = "primary claim", "finding", "check"
FIXED = (0.1, 4)
"""The early phase and the candidates of one search that the primary claims are about."""
UNPLANNED = "not planned"
POINTS = "points"


def of_search(found: SearchEvidence) -> pd.DataFrame:
    """Return the rows of notebook 02, the primary claim first: those of `primary.judge`, with the column kind."""
    (claim,) = claims_of("02")
    rows = [_primary(claim, found, found.share_after(found.phase))]
    for phase in found.parameters["phases"][1:]:
        sentence = claim.claim.replace(phase_text(FIXED[0]), phase_text(phase))
        if found.size != FIXED[1]:
            sentence = sentence.replace("four", str(found.size))
        rows.append(_finding(replace(claim, claim=sentence), found, found.share_after(phase)))
    for phase in found.parameters["phases"]:
        sentence = f"The winner after {phase_text(phase)} of training is ahead of its subset afterwards, on average."
        faster = replace(claim, claim=sentence, unit=POINTS, direction="above", margin=0.0)
        rows.append(_finding(faster, found, in_points(found.lead_after(phase))))
    if others := found.parameters["others"]:
        told = replace(claim, claim=f"On another network, too: {claim.claim[0].lower()}{claim.claim[1:]}")
        row = _finding(told, found, found.share_after(found.phase, "others"))
        rows.append(row | {"regime": found.regime_of(others)})
    return _table([*rows, _complete(found)])


def of_accuracy(found: AccuracyEvidence) -> pd.DataFrame:
    """Return the rows of notebook 03, the primary claim first: those of `primary.judge`, with the column kind."""
    (claim,) = claims_of("03")
    rows = [_primary(claim, found, in_points(found.gain_after(found.phase)))]
    for a, b in found.parameters["pairs"]:
        better = replace(claim, claim=f"{a} is more accurate than {b}.", direction="above", margin=0.0)
        rows.append(_finding(better, found, in_points(found.difference(a, b))))
    return _table([*rows, _complete(found), *_same_shapes(found)])


def in_points(estimate: Estimate | None) -> Estimate | None:
    """Return an estimate of a difference of fractions in percentage points."""
    return estimate and replace(estimate, value=100 * estimate.value, error=100 * estimate.error)


def _primary(claim: PrimaryClaim, found: Evidence, estimate: Estimate | None) -> dict[str, object]:
    if (found.phase, found.size) != FIXED:
        row = judge(claim, None, found.regime, claim.unit) | {"kind": PRIMARY}
        return row | {"evidence": f"The claim is about {FIXED[1]} candidates and {phase_text(FIXED[0])} of training."}
    row = judge(claim, estimate, found.regime, claim.unit) | {"kind": PRIMARY}
    candidates = found.cells[found.cells["cell"].isin(found.parameters["candidates"])]
    runs, planned = candidates["runs"].sum(), candidates["planned"].sum()
    interim = f" Interim: {runs} of {planned} runs are there." if runs < planned else ""
    return row | {"evidence": row["evidence"] + interim}


def _finding(claim: PrimaryClaim, found: Evidence, estimate: Estimate | None) -> dict[str, object]:
    return judge(claim, estimate, found.regime, claim.unit) | {"kind": FINDING, "power": UNPLANNED}


def _complete(found: Evidence) -> dict[str, object]:
    """Return the check that every planned run is there and none diverged."""
    runs, planned, diverged = (int(found.cells[name].sum()) for name in ("runs", "planned", "diverged"))
    told = f"{runs} of {planned} runs are there, {diverged} of them diverged."
    verdict = "contradicted" if diverged else "supported" if runs == planned else "undecided"
    return _check("Every planned run is finished, and none diverged.", verdict, told, found, runs)


def _same_shapes(found: AccuracyEvidence) -> Iterator[dict[str, object]]:
    """Yield the check that a small dense network has the weights of the node mask whose shape it has."""
    kept = found.results.groupby("cell")["weights_kept"].agg(["min", "max", "size"])
    masks = found.results[(found.results["method"] == "static") & (found.results["structure"] == "node")]
    small = found.results[(found.results["method"] == "small-dense") & (found.results["structure"] == "node")]
    for sparsity in sorted(set(masks["sparsity"]) & set(small["sparsity"])):
        pair = [own.loc[own["sparsity"] == sparsity, "cell"].iloc[0] for own in (masks, small)]
        shares = kept.loc[pair, ["min", "max"]].to_numpy()
        same = bool((shares == shares[0, 0]).all())
        told = f"{' and '.join(pair)} keep {100 * shares.min():.6g} to {100 * shares.max():.6g} % of the weights."
        claim = "A node mask and the small dense network of its shape keep the same number of weights."
        yield _check(claim, "supported" if same else "contradicted", told, found, int(kept.loc[pair, "size"].sum()))


def _check(claim: str, verdict: str, evidence: str, found: Evidence, runs: int) -> dict[str, object]:
    empty = {"estimate": math.nan, "low": math.nan, "high": math.nan, "unit": "", "power": ""}
    row = {"claim": claim, "verdict": verdict, "n": runs, "regime": found.regime, "evidence": evidence}
    return row | empty | {"kind": CHECK}


def _table(rows: list[dict[str, object]]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=[*Row.__annotations__, "kind"])
