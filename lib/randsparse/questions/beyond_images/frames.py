"""What runs of notebook 12 say, dataset by dataset: arms against each other, and the verdicts of that."""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

from randsparse.comparison import frames
from randsparse.comparison.design import DENSE, SMALL_OWN, Comparison, Parameters
from randsparse.comparison.verdicts import Row, row
from randsparse.data import catalogue
from randsparse.questions.beyond_images.plan import changing, random
from randsparse.runs.store import Store

Pairs = list[tuple[str, str]]


def results(compared: Comparison, store: Store) -> pd.DataFrame:
    """Return `frames.results`, the datasets in the order of the comparison."""
    frame = frames.results(compared, store)
    order = {dataset: index for index, dataset in enumerate(_datasets(compared))}
    return frame.sort_values("dataset", key=lambda names: names.map(order), kind="stable", ignore_index=True)


def rates(compared: Comparison, store: Store) -> pd.DataFrame:
    """Return one row per dataset, sparsity and learning rate that was tried.

    Columns dataset, sparsity, lr, val_accuracy (mean, nan if a run diverged), runs, and chosen.
    """
    trials = {trial.key: trial.dataset for each in compared.tunings for trial in each.trials}
    found = frames.rates(compared, store)
    rows = found.assign(dataset=found["key"].map(trials)).groupby(["dataset", "sparsity", "lr"], sort=False)
    columns = {"val_accuracy": ("val_accuracy", lambda values: values.mean(skipna=False)), "runs": ("key", "size")}
    return rows.agg(**columns, chosen=("chosen", "first")).reset_index()


def data(datasets: Iterable[str]) -> pd.DataFrame:
    """Return one row per dataset: what it is, how many samples its parts have, and the classes and inputs."""
    rows = []
    for dataset in datasets:
        described = catalogue.source(dataset)
        classes, inputs, length = described.shape
        rest = described.samples - described.val - described.test
        rows.append(
            {
                "dataset": dataset,
                "kind": described.kind,
                "training": rest,
                "validation": described.val,
                "test": described.test,
                "classes": classes,
                "features or vocabulary": inputs,
                "words of a text": length if described.kind == "text" else None,
            }
        )
    return pd.DataFrame(rows)


def against_dense(parameters: Parameters) -> Pairs:
    """Return the arms of static masks, each with the dense network."""
    return [(random(rule), DENSE) for rule in parameters["rules"]]


def against_small(parameters: Parameters) -> Pairs:
    """Return the arms of static masks, each with small dense networks of as many weights."""
    return [(random(rule), SMALL_OWN) for rule in parameters["rules"]]


def of_sources(parameters: Parameters) -> Pairs:
    """Return the methods inside random sources, each with the same one inside the dense network."""
    inside = [each for each in parameters["source_sparsities"] if each]
    return [(changing(method, source), method) for method in parameters["methods"] for source in inside]


def against_static(parameters: Parameters) -> Pairs:
    """Return all methods, each with static masks by the rule of their first masks."""
    return [
        (changing(method, source), random(parameters["rule"]))
        for method in parameters["methods"]
        for source in parameters["source_sparsities"]
    ]


def differences(frame: pd.DataFrame, pairs: Pairs, margin: float) -> pd.DataFrame:
    """Return arm a minus arm b at each dataset and sparsity that both have runs of.

    The columns of `frames.differences`, with dataset.

    Args:
        frame: as from `results`.
        margin: the difference that matters, a fraction.
    """
    found = [
        frames.differences(frame[frame["dataset"] == dataset], pairs, margin).assign(dataset=dataset)
        for dataset in dict.fromkeys(frame["dataset"])
    ]
    return pd.concat([each for each in found if len(each)] or found, ignore_index=True)


def verdicts(claim: str, rows: pd.DataFrame, expected: str, datasets: Iterable[str]) -> list[Row]:
    """Return the verdict on a claim for each dataset, from `differences`."""
    return [row(f"{name}: {claim}", rows[rows["dataset"] == name], expected) for name in datasets]


def _datasets(compared: Comparison) -> list[str]:
    return list(dict.fromkeys(arm.config.dataset for each in compared.tunings for arm in each.arms))
