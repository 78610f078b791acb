"""The verdicts of notebook 06: the primary claim, further findings, and checks, one row each."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

from randsparse.comparison.conclusions import check, conclude_finding, conclude_primary, convert_to_points, make_table
from randsparse.comparison.primary import find_claims
from randsparse.questions.beyond_accuracy.evidence import Evidence
from randsparse.questions.beyond_accuracy.frames import DENSE, EQUAL_ACCURACY, attack_column, name_ood_column, shorten

CLAIMED = "cifar100", ("weight", 0.8, "erk")
"""The images and the mask that the primary claim is about."""
FLOOR = "All networks are at or below chance, where equal accuracies say nothing."
NLL_MARGIN = 0.02
"""In nats."""


def judge(found: Evidence) -> pd.DataFrame:
    """Return the rows of notebook 06, the primary claim first."""
    return make_table([judge_primary(found), *_findings(found), *_checks(found)])


def judge_primary(found: Evidence) -> dict[str, Any]:
    """Return the row of the primary claim, which is not tested by other images, nor by another mask."""
    (claim,) = find_claims("06")
    near, mask = found.parameters["near"], found.points[found.sparse]
    why_not = ""
    if (near, (mask.structure, mask.sparsity, mask.rule)) != CLAIMED:
        why_not = f"The claim is about ERK at 80 % and CIFAR-100; these are *{found.sparse}* and *{shorten(near)}*."
    estimate = convert_to_points(found.estimate(name_ood_column(near, found.parameters["ood_score"]), DENSE))
    return conclude_primary(claim, estimate, found.regime, why_not)


def _findings(found: Evidence) -> Iterator[dict[str, Any]]:
    margin = 100 * found.parameters["margin"]
    told = f"{margin:g} point{'' if margin == 1 else 's'}"
    near, allowed = found.parameters["near"], find_claims("06")[0].margin
    column = name_ood_column(near, found.parameters["ood_score"])
    sentence = (
        f"Against {shorten(near)}, a random sparse network detects at most {-allowed:g} points worse than a dense one"
    )
    if near != CLAIMED[0]:
        yield _at_least(found, f"{sentence}.", column, allowed, DENSE)
    yield _at_least(found, f"{sentence} of its accuracy.", column, allowed)
    share = found.parameters["ece_margin"]
    ece = 100 * found.measured.loc[found.measured["cell"] == found.dense, "ece"].mean()
    sentence = f"The ECE of a random sparse network is at most {100 * share:g} % higher than the dense network's."
    estimate = convert_to_points(found.estimate("ece", DENSE)) if ece > 0 else None
    yield conclude_finding(sentence, estimate, found.regime, "points", "below", share * ece if ece > 0 else share)
    beside = "that of a dense network of its accuracy"
    sentence = f"Temperature-scaled, its NLL is at most {NLL_MARGIN:g} nats higher than {beside}."
    yield conclude_finding(
        sentence, found.estimate("nll_scaled", EQUAL_ACCURACY), found.regime, "nats", "below", NLL_MARGIN
    )
    for name in found.parameters["corruptions"]:
        yield _at_least(found, f"On images with {name}, its accuracy is at most {told} below {beside}.", name, -margin)
    for epsilon in found.parameters["epsilons"]:
        column = attack_column("pgd", epsilon)
        sentence = f"Under PGD with {epsilon:g}/255, its accuracy is at most {told} below {beside}."
        means = found.measured.groupby("cell")[column].mean().dropna()
        if len(means) and (means <= found.chance).all():
            yield conclude_finding(sentence, None, found.regime, "points", "at least", -margin) | {"evidence": FLOOR}
        else:
            yield _at_least(found, sentence, column, -margin)


def _at_least(
    found: Evidence, sentence: str, column: str, lowest: float, baseline: str = EQUAL_ACCURACY
) -> dict[str, Any]:
    """Return the row of a finding that sparse minus a baseline is at least `lowest` points in a column."""
    estimate = convert_to_points(found.estimate(column, baseline))
    return conclude_finding(sentence, estimate, found.regime, "points", "at least", lowest)


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
