"""Verdicts beyond accuracy: random masks against the dense network, and against small dense ones, on each measure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from randsparse.comparison import stats
from randsparse.comparison.design import DENSE, RANDOM, SMALL_OWN
from randsparse.comparison.verdicts import Row, conclude, row


@dataclass(frozen=True)
class Measure:
    """What arms are compared on.

    Attributes:
        column: that of `frames.measures`.
        name: what it is, with its unit.
        lower: whether a lower value is better.
        unit: of differences; "points" of a fraction.
        margin: the parameter that says which difference matters.
        as_dense: what random masks do if it is equal to the dense network's.
        than_small: what they do if it is better than that of small dense networks.
    """

    column: str
    name: str
    lower: bool
    as_dense: str
    than_small: str
    unit: str = "points"
    margin: str = "margin"


MEASURES = (
    Measure("ece_mass", "ECE (% points)", True, "are as calibrated as", "are better calibrated than"),
    Measure(
        "ece_mass_scaled",
        "ECE, scaled (% points)",
        True,
        "are as calibrated, after temperature scaling, as",
        "are better calibrated, after temperature scaling, than",
    ),
    Measure("nll", "NLL (nats)", True, "have as low an NLL as", "have a lower NLL than", "nats", "nll_margin"),
    Measure(
        "nll_scaled",
        "NLL, scaled (nats)",
        True,
        "have, after temperature scaling, as low an NLL as",
        "have, after temperature scaling, a lower NLL than",
        "nats",
        "nll_margin",
    ),
    Measure(
        "auroc",
        "AUROC, other images (% points)",
        False,
        "detect images of another kind as well as",
        "detect images of another kind better than",
        margin="auroc_margin",
    ),
    Measure(
        "corrupted_accuracy",
        "Accuracy, corrupted (% points)",
        False,
        "are as accurate on corrupted images as",
        "are more accurate on corrupted images than",
    ),
    Measure(
        "corrupted_drop",
        "Loss by corruption (% points)",
        True,
        "lose as much accuracy to corruptions as",
        "lose less accuracy to corruptions than",
    ),
    Measure(
        "fgsm_accuracy",
        "Accuracy, FGSM (% points)",
        False,
        "are as accurate under FGSM as",
        "are more accurate under FGSM than",
    ),
    Measure(
        "pgd_accuracy",
        "Accuracy, PGD (% points)",
        False,
        "are as accurate under PGD as",
        "are more accurate under PGD than",
    ),
)
BASELINES = (DENSE, SMALL_OWN)
_LOWER = {"better": "worse", "worse": "better"}


def differences(measured: pd.DataFrame, margins: Mapping[str, Any]) -> pd.DataFrame:
    """Return random - baseline on each of MEASURES, one row per measure, baseline, structure and sparsity.

    Args:
        measured: as from `frames.measures`; a measure that is nan everywhere has rows without n.
        margins: the value of each parameter that is a margin.

    Columns: measure, baseline, unit, margin, and those of `stats.comparisons`, whose verdict says whether random
    masks are better, also where a lower value is.
    """
    parts = [
        _compared(measured, each, baseline, margins[each.margin])
        for each in MEASURES
        for baseline in BASELINES
        if (measured["arm"] == baseline).any()
    ]
    return pd.concat(parts, ignore_index=True) if parts else pd.DataFrame()


def _compared(measured: pd.DataFrame, measure: Measure, baseline: str, margin: float) -> pd.DataFrame:
    points = measured[measured["arm"].isin([RANDOM, baseline])]
    points = points[(points["sparsity"] > 0) | (points["arm"] == DENSE)]
    rows = stats.comparisons(points, RANDOM, baseline, y=measure.column, margin=margin)
    if measure.lower:
        rows["verdict"] = rows["verdict"].replace(_LOWER)
    labels = {"measure": measure.column, "baseline": baseline, "unit": measure.unit, "margin": margin}
    return rows.assign(**labels)[[*labels, *rows.columns]]


def rows(found: pd.DataFrame) -> list[Row]:
    """Return the verdicts on all measures: random masks equal the dense network, and are better than small ones.

    Args:
        found: as from `differences`.
    """
    return [
        row(f"Random masks {wording} {of}", _of(found, each, baseline), expected, each.unit)
        for each in MEASURES
        for baseline, expected, wording, of in (
            (DENSE, "equivalent", each.as_dense, "the dense network"),
            (SMALL_OWN, "better", each.than_small, "small dense networks of as many weights"),
        )
        if (found["baseline"] == baseline).any()
    ]


def no_masking(checks: pd.DataFrame) -> Row:
    """Return the verdict on whether the attacks can be believed, from the rows of `frames.masking`."""
    checks = checks.drop_duplicates(["key", "check"])
    failed = checks[~checks["holds"]]
    evidence = f"{checks['holds'].sum()} of {len(checks)} checks hold, of {checks['key'].nunique()} networks"
    if len(failed):
        counts = failed.groupby(["check", "arm"]).size()
        evidence += "; not so: " + ", ".join(f"{check} ({count} {arm})" for (check, arm), count in counts.items())
    return conclude("No network shows a sign of gradient masking", checks["holds"], ~checks["holds"], evidence)


def _of(found: pd.DataFrame, measure: Measure, baseline: str) -> pd.DataFrame:
    """Return the comparisons of a measure and a baseline for which there are values."""
    return found[(found["measure"] == measure.column) & (found["baseline"] == baseline)].dropna(subset=["mean"])
