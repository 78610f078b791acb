"""The frames of notebook 06: one row per evaluated network with all measures, and differences between cells.

Accuracies, AUROC and ECE are fractions, NLL is in nats. A measure that a network lacks is nan.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd

from randsparse.comparison.contrasts import estimate_contrast
from randsparse.comparison.crossed import Crossed
from randsparse.comparison.design import Parameters
from randsparse.comparison.inference.estimate import Estimate
from randsparse.questions.beyond_accuracy.adversarial import masking_checks
from randsparse.questions.beyond_accuracy.ood import SCORES
from randsparse.questions.beyond_accuracy.plan import Evaluated, evaluations, suite
from randsparse.runs import evaluations as stored
from randsparse.runs.store import Store

DENSE, EQUAL_WEIGHTS, EQUAL_ACCURACY = "dense", "small dense, as many weights", "dense, as accurate"
BASELINES = (DENSE, EQUAL_ACCURACY, EQUAL_WEIGHTS)
"""What the sparse network is compared with."""
IMAGES, CALIBRATION, CORRUPTIONS, ATTACKS = "other images", "calibration", "corrupted images", "attacks"
CALIBRATED = {
    "ece": "ECE",
    "ece_scaled": "ECE, temperature-scaled",
    "nll": "NLL",
    "nll_scaled": "NLL, temperature-scaled",
}
"""The measures of calibration by their columns; the ECE is that of bins of equal mass."""
KINDS = {"fgsm": "FGSM", "pgd": "PGD", "noise": "random signs"}


class Measure(NamedTuple):
    """What networks are compared on: a column of `measure_runs`, its name and kind, and which way is better."""

    column: str
    name: str
    kind: str
    lower_is_better: bool = False


def list_measures(parameters: Parameters) -> list[Measure]:
    """Return the measures of a notebook's evaluations, in the order in which they are shown."""
    images = [parameters["near"], *parameters["far"]]
    attacks = [(attack, each) for attack in ("fgsm", "pgd") for each in parameters["epsilons"]]
    return [
        *(
            Measure(name_ood_column(name, parameters["ood_score"]), f"AUROC, {shorten(name)}", IMAGES)
            for name in images
        ),
        *(Measure(column, name, CALIBRATION, True) for column, name in CALIBRATED.items()),
        *(Measure(name, f"accuracy, {name}", CORRUPTIONS) for name in parameters["corruptions"]),
        *(Measure(attack_column(*each), f"accuracy, {KINDS[each[0]]} {each[1]:g}/255", ATTACKS) for each in attacks),
    ]


def name_ood_column(name: str, score: str) -> str:
    """Return the column of the AUROC against a set of images by an outlier score."""
    return f"auroc {score} {name}"


def attack_column(attack: str, epsilon: float) -> str:
    """Return the column of the accuracy under an attack with a budget in 1/255."""
    return f"{attack} {epsilon:g}"


def shorten(name: str) -> str:
    """Return the name of a set of images; of a folder, its last part."""
    return f"folder …/{name.rstrip('/').rpartition('/')[2]}" if "/" in name else name


def measure_runs(design: Evaluated, store: Store, parameters: Parameters) -> pd.DataFrame:
    """Return one row per finished run that is evaluated: cell, network, order, key, accuracy, and all measures.

    The accuracy on images of a corruption is the mean over severities. Of attacks there are FGSM, PGD with all of its
    steps, and random signs.
    """
    wanted, runs = evaluations(parameters), design.evaluated(store)
    found = stored.load(runs.values(), wanted, store)
    rows = []
    for (cell, network), run in runs.items():
        record = store.get(run)
        row = {"cell": cell.name, "network": network, "order": network % cell.orders, "key": run.key}
        row |= {"weights_kept": record["density"]["realised"], "accuracy": (record["test"] or {}).get("accuracy")}
        corrupted: dict[str, list[float]] = {name: [] for name in parameters["corruptions"]}
        for each in wanted:
            values, of = found[run, each]["values"] if (run, each) in found else {}, each.parameters
            if each.kind == "calibration":
                row |= {name: values.get(name.replace("ece", "ece_mass")) for name in CALIBRATED}
            elif each.kind == "ood":
                row |= {name_ood_column(of["data"], score): values.get(f"auroc_{score}") for score in SCORES}
            elif each.kind == "corruption":
                corrupted[of["corruption"]].append(values.get("accuracy", np.nan))
            elif of["attack"] != "pgd" or of["steps"] == parameters["pgd_steps"]:
                row[attack_column(of["attack"], of["epsilon"])] = values.get("accuracy")
        rows.append(row | {name: np.mean(values) for name, values in corrupted.items()})
    scores = [name_ood_column(name, score) for name in (parameters["near"], *parameters["far"]) for score in SCORES]
    attacks = [attack_column(attack, each) for attack in KINDS for each in parameters["epsilons"]]
    measures = [each.column for each in list_measures(parameters)]
    values = dict.fromkeys(["weights_kept", "accuracy", *measures, *scores, *attacks], float)
    return pd.DataFrame(rows, columns=["cell", "network", "order", "key", *values]).astype(values)


def find_bracket(frame: pd.DataFrame, sparse: str, narrow: list[str]) -> tuple[str, str] | None:
    """Return the two dense cells between whose mean accuracies the sparse one's lies, the less accurate first.

    None where it lies outside all of them, or a cell has no run. Args: `narrow`, the dense cells, the widest too.
    """
    means = frame.groupby("cell")["accuracy"].mean().reindex([sparse, *narrow])
    below, above = means[narrow][means[narrow] <= means[sparse]], means[narrow][means[narrow] > means[sparse]]
    return (below.idxmax(), above.idxmin()) if len(below) and len(above) else None


def difference_at_equal_accuracy(
    design: Crossed, frame: pd.DataFrame, sparse: str, ends: tuple[str, str] | None, y: str
) -> Estimate | None:
    """Return y of the sparse cell minus y of a dense network with its accuracy, on the line between two dense cells.

    With slope b of y over accuracy between the means of `ends`, the difference is that of y - b accuracy, weighted as
    the line weights the two ends. To first order this is also how errors of the accuracies propagate (delta method),
    so that the interval allows for them.
    """
    if ends is None:
        return None
    cells = (sparse, *ends)
    means = {cell: frame.loc[frame["cell"] == cell, ["accuracy", y]].dropna().mean() for cell in cells}
    own, low, high = (means[cell]["accuracy"] for cell in cells)
    slope = (means[ends[1]][y] - means[ends[0]][y]) / (high - low)
    share = (own - low) / (high - low)
    rest = frame.assign(rest=frame[y] - slope * frame["accuracy"])
    return estimate_contrast(design, rest, {sparse: 1.0, ends[0]: share - 1, ends[1]: -share}, "rest")


def masking(design: Evaluated, store: Store, parameters: Parameters) -> pd.DataFrame:
    """Return one row per network and sign of gradient masking: cell, and the columns of `masking_checks`."""
    runs, attacks = design.evaluated(store), suite(parameters)
    cells = {run.key: cell.name for (cell, _), run in runs.items()}
    rows = stored.make_frame(runs.values(), attacks.values(), store)
    if rows.empty:
        return pd.DataFrame(columns=["cell", "key", "check", "lead", "holds"])
    whole = rows.groupby("key")["evaluation"].transform("nunique") == len(set(attacks.values()))
    checks = masking_checks(rows[whole], attacks)
    return checks.assign(cell=checks["key"].map(cells))[["cell", *checks.columns]]
