"""The verdicts of notebook 10: its primary claim, findings about explanations, and checks of the measurement."""

from __future__ import annotations

import numpy as np
import pandas as pd

from randsparse.comparison.cells import count_runs
from randsparse.comparison.conclusions import tell_interim
from randsparse.comparison.primary import find_claims, judge, judge_together
from randsparse.comparison.wording import number
from randsparse.questions.early_and_late import frames, hypotheses
from randsparse.questions.early_and_late.evidence import Evidence
from randsparse.questions.early_and_late.plan import EARLY
from randsparse.questions.early_and_late.prediction import prediction_error
from randsparse.questions.early_and_late.prose import describe_regime
from randsparse.questions.early_and_late.words import format_interval

NOTEBOOK = "10"
TOGETHER = "Early accuracy does not order the ends, and later accuracy orders them better."
SIZE = 4
"""Candidates of the search whose gain is compared with its prediction."""
COLUMNS = ["kind", "claim", "verdict", "estimate", "low", "high", "unit", "n", "evidence", "regime", "power"]


def judge_claims(found: Evidence) -> pd.DataFrame:
    """Return one row per claim: the primary claim and its parts, findings, and the check of the machinery.

    Columns COLUMNS; kind is "primary claim", "finding" or "check".
    """
    rows = [{"kind": "primary claim"} | row for row in judge_primary(found)]
    rows += [{"kind": "finding"} | row for row in [*_explanations(found), _prediction(found)]]
    rows.append({"kind": "check"} | _planted(found))
    return pd.DataFrame(rows).reindex(columns=COLUMNS).assign(regime=describe_regime(found))


def judge_primary(found: Evidence) -> list[dict[str, object]]:
    """Return the rows of the primary claim: together, then its parts; not tested where no end is known to be better.

    Ends are known to differ if in one cell at least the reliability of final test accuracy is above 0.
    """
    told, early, late = describe_regime(found), *find_claims(NOTEBOOK)
    estimates = (found.early, found.rise)
    differ = bool((found.reliable.loc[found.reliable["epoch"].isna(), "low"] > 0).any())
    parts = [
        dict(judge(claim, estimate if differ else None, told, "correlation"))
        for claim, estimate in zip((early, late), estimates, strict=True)
    ]
    if not differ:
        sentence = "Final accuracies differ by no more than the choice of test images: no network is the best."
        parts = [row | {"evidence": sentence} for row in parts]
    ceilings = found.ceilings.set_index("epoch")["ceiling"]
    ceiling = ceilings.get(frames.find_epoch(found.curves, EARLY), np.nan)
    parts[0]["evidence"] += f" The choice of images allows at most r = {number(ceiling)}."
    counts = count_runs(found.design, found.store)
    together = dict(judge_together(TOGETHER, parts))
    together["evidence"] += tell_interim(*counts[["runs", "planned"]].sum())
    return [together, *parts]


def _explanations(found: Evidence) -> list[dict[str, object]]:
    """Return the explanations as findings."""
    return [
        {
            "claim": f"{row.hypothesis} (test: {row.intervention}).",
            "verdict": row.verdict,
            "estimate": row.value,
            "low": row.low,
            "high": row.high,
            "n": row.n,
            "unit": row.unit,
            "evidence": f"{row.measured}: {format_interval(row._asdict())}",
        }
        for row in found.explanations.itertuples()
    ]


def _prediction(found: Evidence) -> dict[str, object]:
    """Return whether the gain at the end is the predicted one, within the margin that notebook 03 has for a gain."""
    margin = find_claims("03")[0].margin
    pairs = frames.look_after(found.curves, frames.find_epoch(found.curves, EARLY))
    cells = [(pair.early, 100 * pair.final) for pair in pairs]
    error = frames.limits(frames.attempt(prediction_error, cells, SIZE))
    inside = -margin < error["low"] and error["high"] < margin
    outside = error["low"] > 0 or error["high"] < 0
    verdict = "supported" if inside else "contradicted" if outside else "undecided"
    return {
        "claim": f"A search among {SIZE} candidates gains at the end what r and spreads predict, to {margin} points.",
        "verdict": "not tested" if np.isnan(error["low"]) else verdict,
        "estimate": error["value"],
        "low": error["low"],
        "high": error["high"],
        "n": error["n"],
        "unit": "points",
        "evidence": f"measured − predicted: {format_interval(error)} points",
    }


def _planted(found: Evidence) -> dict[str, object]:
    planted = found.planted
    return {
        "claim": f"A planted correlation of {planted['planted']:g} is recovered to {hypotheses.TOLERANCE}.",
        "verdict": hypotheses.check_recovery(planted),
        "estimate": planted["recovered"],
        "n": int(planted["draws"]),
        "unit": "correlation",
        "evidence": (
            f"mean over {planted['draws']:g} draws of early scores for these runs; "
            f"{100 * planted['covered']:.0f} % of the 95 % intervals hold the planted value"
        ),
    }
