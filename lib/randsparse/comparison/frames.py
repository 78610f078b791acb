"""The frames that figures and tables are made from: one row an arm and replicate, candidate, or epoch."""

from __future__ import annotations

from typing import Any

import pandas as pd

from randsparse.comparison import search, stats
from randsparse.comparison.design import SEARCHED, Arm, Comparison, found
from randsparse.questions.experiments import RANDOM
from randsparse.runs.config import RunConfig
from randsparse.runs.store import Store


def results(compared: Comparison, store: Store) -> pd.DataFrame:
    """Return one row an arm and replicate of finished runs: its labels, then the columns of `Store.frame`.

    `search_epochs` and `total_epochs` are what a searched network cost, all candidates counted; others cost their own
    training. `early_epochs` tells searches with different early phases apart.
    """
    rows = [_labels(arm) | {"total_epochs": arm.config.epochs, "search_epochs": 0} for arm in compared.singles(store)]
    for each in compared.searches:
        outcome = search.outcome(each.candidates, each.rounds, store)
        costs = {"total_epochs": outcome.total_epochs, "search_epochs": outcome.search_epochs}
        rows.append(_labels(found(each, store)) | costs | {"early_epochs": each.early_epochs})
    return _with_records(rows, store)


def candidates(compared: Comparison, store: Store) -> pd.DataFrame:
    """Return one row a candidate: validation accuracy and loss when first looked at, and whether it was chosen."""
    rows = []
    for each in compared.searches:
        best = found(each, store).config
        epoch = each.rounds[0][0]
        for config in each.candidates:
            point = store.get(config.replace(stop_epoch=epoch))["curve"][-1]
            rows.append(
                {
                    "structure": each.structure,
                    "sparsity": each.sparsity,
                    "replicate": each.replicate,
                    "early_epochs": epoch,
                    "key": config.key,
                    "early_val_accuracy": point["val_accuracy"],
                    "early_val_loss": point["val_loss"],
                    "chosen": config == best,
                }
            )
    return pd.DataFrame(rows)


def early_and_final(compared: Comparison, store: Store) -> pd.DataFrame:
    """Return one row an arm, replicate and early phase: validation accuracy after it, and test accuracy at the end.

    A searched network has the early phase after which it was chosen; every other arm has all of them.
    """
    phases = sorted({each.early_epochs for each in compared.searches})
    rows = [_labels(arm) | {"early_epochs": epoch} for arm in compared.singles(store) for epoch in phases]
    for each in compared.searches:
        rows.append(_labels(found(each, store)) | {"early_epochs": each.early_epochs})
    for row in rows:
        curve = store.get(row["config"])["curve"]
        row["early_val_accuracy"] = curve[row["early_epochs"] - 1]["val_accuracy"]
    return _with_records(rows, store)


def advantages(ends: pd.DataFrame, margin: float) -> pd.DataFrame:
    """Return searched minus random after each early phase: early on validation, and at the end on the test set.

    Args:
        ends: as from `early_and_final`.

    The columns of `stats.comparisons`, with early_epochs, and `measured`, the column of `ends` that is compared.
    """
    return pd.concat(
        [
            stats.comparisons(group, SEARCHED, RANDOM, y=y, margin=margin).assign(early_epochs=epochs, measured=y)
            for epochs, group in ends.groupby("early_epochs")
            for y in ("early_val_accuracy", "test_accuracy")
        ],
        ignore_index=True,
    )


def rank_correlations(ends: pd.DataFrame, x: str = "early_val_accuracy", y: str = "test_accuracy") -> pd.DataFrame:
    """Return Spearman's rho of x and y with its interval and n, one row a structure and sparsity; see `stats.spearman`.

    Args:
        ends: rows of `early_and_final` with one early phase, so that each network is there once.
    """
    groups = ends.dropna(subset=[x, y]).groupby(["structure", "sparsity"])
    rows = [(*point, *stats.spearman(rows[x], rows[y])) for point, rows in groups]
    return pd.DataFrame(rows, columns=["structure", "sparsity", *stats.Correlation._fields])


def curves(compared: Comparison, store: Store) -> pd.DataFrame:
    """Return one row an arm, replicate and epoch, of the finished runs of a comparison."""
    rows: list[dict[str, Any]] = []
    configs: dict[str, RunConfig] = {}
    for arm in compared.finished(store):
        configs[arm.config.key] = arm.config
        labels = _labels(arm)
        del labels["config"]
        rows.append(labels)
    points = store.curves(list(configs.values()))
    return pd.DataFrame(rows).merge(points.drop(columns=["structure", "sparsity"]), on="key", validate="many_to_many")


def infeasible(compared: Comparison) -> pd.DataFrame:
    """Return one row a point that cannot be reached: arm, structure, sparsity, reason."""
    columns = ["model", "arm", "structure", "sparsity", "reason"]
    return pd.DataFrame([vars(point) for point in compared.infeasible], columns=columns)


def _labels(arm: Arm) -> dict[str, Any]:
    names = ("arm", "structure", "sparsity", "replicate")
    return {name: getattr(arm, name) for name in names} | {"key": arm.config.key, "config": arm.config}


def _with_records(rows: list[dict[str, Any]], store: Store) -> pd.DataFrame:
    """Join labelled rows with their records, without the times, which differ between equal runs.

    Labels win: a dense run stands in the panels of both structures.
    """
    configs = {row["key"]: row.pop("config") for row in rows}
    records = store.frame(list(configs.values()))
    labels = pd.DataFrame(rows)
    records = records.drop(columns=["structure", "sparsity", "seconds", "images_per_second"])
    return labels.merge(records, on="key", how="inner", validate="many_to_one")
