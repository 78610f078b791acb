"""What runs of notebook 02 say: candidates of a search, and what an early look at a network foretells."""

from __future__ import annotations

import pandas as pd

from randsparse.comparison import stats
from randsparse.comparison.design import RANDOM, SEARCHED, Comparison, found
from randsparse.comparison.frames import join_records, label
from randsparse.runs.store import Store


def candidates(compared: Comparison, store: Store) -> pd.DataFrame:
    """Return one row per candidate: validation accuracy and loss when first looked at, and whether it was chosen."""
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
    """Return one row per arm, replicate and early phase: validation accuracy after it, and test accuracy at the end.

    A searched network has the early phase after which it was chosen; every other arm has all of them.
    """
    phases = sorted({each.early_epochs for each in compared.searches})
    rows = [label(arm) | {"early_epochs": epoch} for arm in compared.singles(store) for epoch in phases]
    for each in compared.searches:
        rows.append(label(found(each, store)) | {"early_epochs": each.early_epochs})
    for row in rows:
        curve = store.get(row["config"])["curve"]
        row["early_val_accuracy"] = curve[row["early_epochs"] - 1]["val_accuracy"]
    return join_records(rows, store)


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
    """Return Spearman's rho of x and y, its interval and n, one row per structure and sparsity; see `stats.spearman`.

    Args:
        ends: rows of `early_and_final` with one early phase, so that each network is there once.
    """
    groups = ends.dropna(subset=[x, y]).groupby(["structure", "sparsity"])
    rows = [(*point, *stats.spearman(rows[x], rows[y])) for point, rows in groups]
    return pd.DataFrame(rows, columns=["structure", "sparsity", *stats.Correlation._fields])
