"""Runs whose learning rate falls to zero early: what a network is worth then, beside what becomes of it."""

from __future__ import annotations

import numpy as np
import pandas as pd

from randsparse.comparison import candidates
from randsparse.comparison.candidates import array
from randsparse.comparison.crossed import Crossed
from randsparse.comparison.inference.correlation import KINDS, correlation, correlation_gain
from randsparse.comparison.inference.estimate import Estimate
from randsparse.questions.early_and_late.frames import LIMITS, attempt, limits
from randsparse.runs.store import Store

RUN = ["cell", "network", "order"]


def pair_runs(cooled: Crossed, ordinary: Crossed, curves: pd.DataFrame, store: Store) -> pd.DataFrame:
    """Return one row per run that was cooled down and that was trained to its end as well.

    Args:
        cooled: cells that cool down; each has the seeds of an ordinary one.
        curves: as from `frames.curves`, of the ordinary cells.

    Columns cell (the ordinary one), network, order, epoch (after which the rate falls), end (the epoch in which it is
    zero), before and after (validation accuracy), test_accuracy (of the ordinary run).
    """
    names = {cell.first_seed: cell.name for cell in ordinary.networks}
    short = candidates.curves(cooled, store)
    rows = []
    for cell in cooled.networks:
        first = curves[(curves["cell"] == names[cell.first_seed]) & (curves["epoch"] == cell.point.cooldown_epoch)]
        own = short[(short["cell"] == cell.name) & (short["epoch"] == cell.point.last_epoch)]
        last = own[["network", "order", "epoch", "val_accuracy"]]
        last = last.rename(columns={"epoch": "end", "val_accuracy": "after"})
        rows.append(first.rename(columns={"val_accuracy": "before"}).merge(last, on=["network", "order"]))
    columns = [*RUN, "epoch", "end", "before", "after", "test_accuracy"]
    return pd.concat(rows, ignore_index=True)[columns] if rows else pd.DataFrame(columns=columns)


def estimate_gain(found: pd.DataFrame) -> Estimate:
    """Return how much better validation accuracy foretells the end after the cool-down than before it."""
    return correlation_gain(_arrays(found))


def correlations(found: pd.DataFrame) -> pd.DataFrame:
    """Return the correlation of validation accuracy after the cool-down with final test accuracy.

    Columns kind (pearson, spearman), epoch, end, value, low, high, n, runs, cells, before (the correlation before the
    cool-down); one row per kind and epoch, none without enough runs.
    """
    rows = []
    for (epoch, end), own in found.groupby(["epoch", "end"]):
        for kind in KINDS:
            estimate = attempt(correlation, [(after, final) for _, after, final in _arrays(own)], kind)
            if estimate is not None and np.isfinite(estimate.value):
                before = correlation([(before, final) for before, _, final in _arrays(own)], kind).value
                place = {"kind": kind, "epoch": epoch, "end": end, "cells": own["cell"].nunique(), "before": before}
                rows.append(place | limits(estimate))
    return pd.DataFrame(rows, columns=["kind", "epoch", "end", *LIMITS, "cells", "before"])


def _arrays(found: pd.DataFrame) -> list[tuple]:
    names = ("before", "after", "test_accuracy")
    return [tuple(array(found, str(cell), name) for name in names) for cell in found["cell"].unique()]
