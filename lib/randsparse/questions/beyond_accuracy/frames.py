"""The frames of evaluations: one row per arm, replicate and evaluation, and what charts and tables take of them.

Accuracies, AUROC and the like are fractions, NLL is in nats. A run without weights, which diverged, has rows without
values.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import pandas as pd

from randsparse.comparison import stats
from randsparse.comparison.design import Comparison
from randsparse.errors import StudyError
from randsparse.questions.beyond_accuracy.adversarial import Adversarial, masking_checks
from randsparse.questions.beyond_accuracy.calibration import Calibration
from randsparse.questions.beyond_accuracy.ood import METRICS, SCORES
from randsparse.runs import evaluations
from randsparse.runs.config import DEFAULTS
from randsparse.runs.evaluations import Evaluation
from randsparse.runs.store import Store

LABELS = ["arm", "structure", "sparsity", "replicate", "key"]
CALIBRATION = ("ece_mass", "ece_mass_scaled", "nll", "nll_scaled", "brier", "brier_scaled")


def results(compared: Comparison, wanted: Iterable[Evaluation], store: Store) -> pd.DataFrame:
    """Return one row per arm, replicate and evaluation: LABELS, then the columns of `evaluations.frame`.

    Arms are those of single runs. A dense run stands in the rows of each structure. Raises StudyError if no run has
    been evaluated.
    """
    wanted, arms = list(wanted), compared.singles(store)
    rows = [
        {name: getattr(arm, name) for name in LABELS[:-1]}
        | {"key": arm.config.key, "evaluation": each.key, "kind": each.kind}
        | each.parameters
        | dict.fromkeys(each.without_effect())
        for arm in arms
        for each in wanted
    ]
    labels = pd.DataFrame(rows)
    values = evaluations.frame([arm.config for arm in arms], wanted, store)
    if values.empty:
        raise StudyError(f"none of {len(arms)} runs is evaluated: they are missing, or all of them diverged or failed")
    values = values[["key", "evaluation", *values.columns.difference([*labels.columns, *DEFAULTS], sort=False)]]
    return labels.merge(values, on=["key", "evaluation"], how="left", validate="many_to_one")


def reliability(compared: Comparison, calibration: Calibration, store: Store) -> pd.DataFrame:
    """Return one row per arm, replicate, bin of equal mass (from 1, the least confident first) and scaling.

    Columns: LABELS, scaled (whether with the temperature), bin, confidence, accuracy, share, and gap, accuracy -
    confidence.
    """
    arms = compared.singles(store)
    records = {
        run.key: record["values"]
        for (run, _), record in evaluations.load([arm.config for arm in arms], [calibration], store).items()
    }
    rows = [
        {name: getattr(arm, name) for name in LABELS[:-1]}
        | {"key": arm.config.key, "scaled": scaled, "bin": number, **values}
        for arm in arms
        if arm.config.key in records
        for scaled, column in ((False, "reliability"), (True, "reliability_scaled"))
        for number, values in enumerate(records[arm.config.key][column], 1)
    ]
    frame = pd.DataFrame(rows, columns=[*LABELS, "scaled", "bin", "confidence", "accuracy", "share"])
    return frame.assign(gap=frame["accuracy"] - frame["confidence"])


def detection(frame: pd.DataFrame) -> pd.DataFrame:
    """Return one row per arm, replicate, set of images and outlier score: LABELS, data, score, and METRICS."""
    rows = _of_kind(frame, "ood")
    parts = [
        rows[[*LABELS, "data"]].assign(score=score, **{name: rows[f"{name}_{score}"] for name in METRICS})
        for score in SCORES
    ]
    return pd.concat(parts, ignore_index=True)


def corruptions(frame: pd.DataFrame) -> pd.DataFrame:
    """Return one row per arm, replicate, corruption and severity: LABELS, then accuracy, clean_accuracy and drop.

    `drop` is what accuracy has lost to the corruption; severity 0 are the same images as they are.
    """
    rows = _of_kind(frame, "corruption")[[*LABELS, "corruption", "severity", "accuracy", "clean_accuracy"]]
    return _with_clean(rows, [*LABELS, "corruption"], "severity")


def attacks(frame: pd.DataFrame, epsilons: Iterable[float]) -> pd.DataFrame:
    """Return one row per arm, replicate, attack and epsilon (in 1/255): LABELS, accuracy, clean_accuracy, drop.

    Args:
        epsilons: those of the curves; epsilon 0 are the images as they are. Of PGD, the one with the most steps.
    """
    rows = _of_kind(frame, "adversarial")
    rows = rows[rows["epsilon"].isin([float(epsilon) for epsilon in epsilons])]
    rows = rows[rows["steps"].isna() | (rows["steps"] == rows["steps"].max())]
    rows = rows[[*LABELS, "attack", "epsilon", "accuracy", "clean_accuracy"]]
    return _with_clean(rows, [*LABELS, "attack"], "epsilon")


def masking(frame: pd.DataFrame, suite: dict[str, Adversarial]) -> pd.DataFrame:
    """Return one row per arm, replicate and sign of gradient masking: LABELS, and the columns of `masking_checks`."""
    rows = _of_kind(frame, "adversarial").dropna(subset=["accuracy"])
    checks = masking_checks(rows.drop_duplicates(["key", "evaluation"]), suite)
    return rows[LABELS].drop_duplicates().merge(checks, on="key")


def measures(frame: pd.DataFrame, ood_score: str, epsilons: Iterable[float], chance: float) -> pd.DataFrame:
    """Return one row per arm and replicate, with the measures on which arms are compared: each a mean of its own.

    Columns: LABELS; CALIBRATION; auroc and fpr95 (by `ood_score`, mean over sets); accuracy on images as they are;
    corrupted_accuracy and corrupted_drop (mean over corruptions and severities); fgsm_accuracy, pgd_accuracy,
    fgsm_drop, pgd_drop (mean over the epsilons at which the attack leaves the mean of an arm above `chance`; nan if
    there is none).
    """
    own = _of_kind(frame, "calibration").set_index(LABELS)[["accuracy", *CALIBRATION]]
    found = detection(frame).query("score == @ood_score")
    parts = [own, found.groupby(LABELS)[["auroc", "fpr95"]].mean()]
    changed = corruptions(frame).query("severity > 0").groupby(LABELS)[["accuracy", "drop"]].mean()
    parts.append(changed.add_prefix("corrupted_"))
    attacked = above_chance(attacks(frame, epsilons).query("epsilon > 0"), chance)
    for attack in ("fgsm", "pgd"):
        rows = attacked[attacked["attack"] == attack]
        parts.append(rows.groupby(LABELS)[["accuracy", "drop"]].mean().add_prefix(f"{attack}_"))
    return pd.concat(parts, axis=1).reset_index()


def above_chance(attacked: pd.DataFrame, chance: float) -> pd.DataFrame:
    """Return the rows of those attacks and epsilons that leave the mean accuracy of an arm above `chance`.

    Where every arm is at the floor, equal accuracies say nothing of robustness.
    """
    groups = attacked.groupby(["attack", "epsilon", "arm", "structure", "sparsity"])["accuracy"].mean()
    best = groups.groupby(["attack", "epsilon"]).max()
    kept = pd.MultiIndex.from_frame(attacked[["attack", "epsilon"]]).isin(best[best > chance].index)
    return attacked[kept]


def summary(frame: pd.DataFrame, columns: Sequence[str], by: Sequence[str] = LABELS[:3]) -> pd.DataFrame:
    """Return one row per measure of `columns` and group: measure, `by`, then mean, low, high, n, missing."""
    parts = [stats.summary(frame, by, name).assign(measure=name) for name in columns]
    whole = pd.concat(parts, ignore_index=True)
    return whole[["measure", *whole.columns.drop("measure")]]


def _with_clean(rows: pd.DataFrame, by: list[str], level: str) -> pd.DataFrame:
    """Return the rows with those of the unchanged images, at level 0, and with what accuracy has lost."""
    clean = rows.drop_duplicates(by).assign(**{level: 0})
    clean["accuracy"] = clean["clean_accuracy"]
    whole = pd.concat([clean, rows], ignore_index=True)
    return whole.assign(drop=whole["clean_accuracy"] - whole["accuracy"])


def _of_kind(frame: pd.DataFrame, kind: str) -> pd.DataFrame:
    return frame[frame["kind"] == kind]
