"""The verdicts of notebook 06: the primary claim, further findings, and checks, one row each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from randsparse.comparison.conclusions import check, finding, in_points, primary, table
from randsparse.comparison.primary import claims_of
from randsparse.questions.beyond_accuracy.evidence import Evidence
from randsparse.questions.beyond_accuracy.frames import DENSE, EQUAL_ACCURACY, attack_column, ood_column, short

CLAIMED = "cifar100", ("weight", 0.8, "erk")
"""The images and the mask that the primary claim is about."""
FLOOR = "All networks are at or below chance, where equal accuracies say nothing."
NLL_MARGIN = 0.02
"""In nats."""


def of_evaluations(found: Evidence) -> pd.DataFrame:
    """Return the rows of notebook 06, the primary claim first."""
    return table([primary_row(found), *_findings(found), *_checks(found)])


def primary_row(found: Evidence) -> dict[str, Any]:
    """Return the row of the primary claim, which is not tested by other images, nor by another mask."""
    (claim,) = claims_of("06")
    near, point = found.parameters["near"], found.design.networks
    mask = next(cell.point for cell in point if cell.name == found.sparse)
    why_not = ""
    if (near, (mask.structure, mask.sparsity, mask.rule)) != CLAIMED:
        why_not = f"The claim is about ERK at 80 % and CIFAR-100; these are *{found.sparse}* and *{short(near)}*."
    estimate = in_points(found.estimate(ood_column(near, found.parameters["ood_score"]), DENSE))
    return primary(claim, estimate, found.regime, why_not)


def _findings(found: Evidence) -> Iterator[dict[str, Any]]:
    margin = 100 * found.parameters["margin"]
    told = f"{margin:g} point{'' if margin == 1 else 's'}"
    near, score = found.parameters["near"], found.parameters["ood_score"]
    allowed = claims_of("06")[0].margin
    sentence = (
        f"Against {short(near)}, a random sparse network detects at most {-allowed:g} points worse than a dense one"
    )
    if near != CLAIMED[0]:
        estimate = in_points(found.estimate(ood_column(near, score), DENSE))
        yield finding(f"{sentence}.", estimate, found.regime, "points", "at least", allowed)
    estimate = in_points(found.estimate(ood_column(near, score), EQUAL_ACCURACY))
    yield finding(f"{sentence} of its accuracy.", estimate, found.regime, "points", "at least", allowed)
    share = found.parameters["ece_margin"]
    ece = 100 * found.measured.loc[found.measured["cell"] == found.dense, "ece"].mean()
    sentence = f"The ECE of a random sparse network is at most {100 * share:g} % higher than the dense network's."
    estimate = in_points(found.estimate("ece", DENSE)) if ece > 0 else None
    yield finding(sentence, estimate, found.regime, "points", "below", share * ece if ece > 0 else share)
    beside = "that of a dense network of its accuracy"
    sentence = f"Temperature-scaled, its NLL is at most {NLL_MARGIN:g} nats higher than {beside}."
    yield finding(sentence, found.estimate("nll_scaled", EQUAL_ACCURACY), found.regime, "nats", "below", NLL_MARGIN)
    for name in found.parameters["corruptions"]:
        sentence = f"On images with {name}, its accuracy is at most {told} below {beside}."
        estimate = in_points(found.estimate(name, EQUAL_ACCURACY))
        yield finding(sentence, estimate, found.regime, "points", "at least", -margin)
    for epsilon in found.parameters["epsilons"]:
        column = attack_column("pgd", epsilon)
        sentence = f"Under PGD with {epsilon:g}/255, its accuracy is at most {told} below {beside}."
        means = found.measured.groupby("cell")[column].mean().dropna()
        floor = len(means) > 0 and bool((means <= found.chance).all())
        estimate = None if floor else in_points(found.estimate(column, EQUAL_ACCURACY))
        row = finding(sentence, estimate, found.regime, "points", "at least", -margin)
        yield row | ({"evidence": FLOOR} if floor else {})


def _checks(found: Evidence) -> Iterator[dict[str, Any]]:
    checks = found.masking
    failed = checks[~checks["holds"].astype(bool)]
    counts = failed.groupby(["check", "cell"]).size()
    told = f"{len(checks) - len(failed)} of {len(checks)} checks hold, of {checks['key'].nunique()} networks."
    told += "".join(f" Not so: {name} ({count} of {cell})." for (name, cell), count in counts.items())
    yield check("No network shows a sign of gradient masking.", checks["holds"], told)
    planned = sum(cell.evaluated for cell in found.design.networks)
    there = int(found.measured[[each.column for each in found.measures]].notna().all(axis=1).sum())
    told = f"{there} of {planned} networks have all of their evaluations."
    yield check("Every planned network is evaluated.", [there == planned] if there else [], told) | {"n": there}
