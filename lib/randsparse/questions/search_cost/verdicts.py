"""The verdicts of notebook 11: its primary claim, findings, and checks of the arithmetic."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from scipy.optimize import brentq

from randsparse.comparison.conclusions import (
    FINDING,
    UNPLANNED,
    check,
    conclude_finding,
    conclude_like,
    conclude_primary,
    convert_to_points,
    tell_interim,
)
from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.inference.power import one_sided_power
from randsparse.comparison.primary import PrimaryClaim, find_claims
from randsparse.comparison.wording import number
from randsparse.questions.search_cost import gains
from randsparse.questions.search_cost.evidence import Evidence
from randsparse.questions.search_cost.halving import Rounds
from randsparse.questions.search_cost.measured import SIZE
from randsparse.questions.search_cost.speed import KERNEL, MASK, NODES, NOT_YET
from randsparse.questions.search_cost.strategies import gain_of_rounds

TOLERANCE = 1e-12
"""The largest error of arithmetic that a check allows."""
COLUMNS = ["kind", "claim", "verdict", "estimate", "low", "high", "unit", "n", "evidence", "regime", "power"]


def judge(found: Evidence) -> pd.DataFrame:
    """Return one row per claim, the primary one first; columns COLUMNS, low and high are one-sided limits."""
    (claim,) = find_claims("11")
    rows = [_primary(claim, found), *_of_cells(claim, found), *_of_speeds(found), *_checks(found)]
    return pd.DataFrame(rows, columns=COLUMNS)


def detectable(estimate: Estimate, power: float = 0.8, level: float = 0.95) -> float:
    """Return the true value above 0 that a one-sided test against 0 would show with this power, at this error."""
    error, df = estimate.error, estimate.df
    return float(brentq(lambda true: one_sided_power(true, 0.0, error, df, level) - power, 0.0, 100 * error))


def _primary(claim: PrimaryClaim, found: Evidence) -> dict[str, object]:
    estimate = convert_to_points(found.difference)
    row = conclude_primary(claim, estimate, found.regime)
    runs, planned = (sum(counts) for counts in zip(*(_runs(group) for group in found.groups), strict=True))
    above = gains.probability_of_search(found.groups)
    pairs = (
        "" if np.isnan(above) else f" A winner is above a run that is trained longer in {100 * above:.0f} % of pairs."
    )
    row["evidence"] += pairs + tell_interim(runs, planned)
    if estimate and estimate.varies:
        row["power"] = (
            f".8 at a true difference of −{detectable(estimate):.2f} points (standard error {estimate.error:.2f})"
        )
    return row


def _runs(group: gains.Measured) -> tuple[int, int]:
    return len(group.accuracies) + len(group.longer), sum(group.planned[:2])


def _of_cells(claim: PrimaryClaim, found: Evidence) -> Iterator[dict[str, object]]:
    """Yield the claim for each cell by itself, whether search gains at all, and small dense networks."""
    for group in found.groups:
        alone = f"{claim.claim[:-1]} ({group.cell} alone)."
        yield conclude_like(claim, alone, convert_to_points(gains.search_minus_longer([group])), found.regime)
        better = f"The winner of a search is more accurate at the end than a random network ({group.cell})."
        yield conclude_finding(better, convert_to_points(gains.gain_of_search(group)), found.regime)
        if group.planned[2]:
            worse = f"A small dense network is less accurate than a random sparse one of its shape ({group.cell})."
            yield conclude_like(claim, worse, convert_to_points(gains.gain_of_small_dense(group)), found.regime)


def _of_speeds(found: Evidence) -> Iterator[dict[str, object]]:
    """Yield what `make bench` says of zeros: quartiles on one side of 1 in every row decide."""
    told = {
        MASK: ("Zeros in dense weights make no step of training faster by more than a tenth.", 1.1, False),
        NODES: ("A network without its removed nodes trains faster at every sparsity.", 1.0, True),
        KERNEL: ("At 98 % sparsity, sparse kernels compute the products of a training step faster.", 1.0, True),
    }
    for way, (claim, bar, faster) in told.items():
        rows = found.speeds[(found.speeds["way"] == way) & found.speeds["times_as_fast"].notna()]
        rows = rows[rows["sparsity"] > 0.95] if way == KERNEL else rows
        above, below = (rows["low"] > bar).to_numpy(), (rows["high"] < bar).to_numpy()
        holds, fails = (above, below) if faster else (below, above)
        verdict = "contradicted" if fails.any() else "supported" if holds.all() else "undecided"
        low, high = rows["times_as_fast"].min(), rows["times_as_fast"].max()
        evidence = f"{number(low)} to {number(high)} times as fast." if len(rows) else f"{NOT_YET.capitalize()}."
        row = {"kind": FINDING, "claim": claim, "verdict": verdict if len(rows) else "not tested", "n": len(rows)}
        yield row | {
            "evidence": evidence,
            "regime": "make bench, one core",
            "power": UNPLANNED,
            "unit": "times as fast",
        }


def _checks(found: Evidence) -> Iterator[dict[str, object]]:
    """Yield what must hold of the arithmetic, whatever the runs are."""
    closed, sums = [], []
    for group in found.groups:
        search, longer = gains.gain_of_search(group), gains.gain_of_longer(group)
        difference = gains.search_minus_longer([group])
        if search:
            closed.append(search.value - gain_of_rounds(group, Rounds((group.phase(),), (SIZE,))).value)
        if search and longer and difference:
            sums.append(search.value - longer.value - difference.value)
    yield _check("The closed form of a search is the mean over all subsets of candidates, drawn one by one.", closed)
    yield _check("Search − longer training is the gain of the one less the gain of the other.", sums)


def _check(claim: str, errors: list[float]) -> dict[str, object]:
    evidence = f"In {len(errors)} cells, to {TOLERANCE:g}." if errors else "No cell has enough runs."
    return check(claim, [abs(error) < TOLERANCE for error in errors], evidence)
