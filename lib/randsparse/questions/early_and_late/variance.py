"""Where the spread of validation accuracy comes from: images, networks, orders of batches, and what is left."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from randsparse.comparison.candidates import array, correct_images
from randsparse.comparison.crossed import Crossed as Design
from randsparse.comparison.inference.crossed import SOURCES, Crossed, analyse
from randsparse.comparison.inference.reliability import Reliability, ceiling, reliability
from randsparse.comparison.inference.variance_shares import network_test, pooled_shares
from randsparse.questions.early_and_late.frames import attempt
from randsparse.runs.store import Store

NOTHING = Reliability(np.nan, np.nan, np.nan, np.nan, np.nan, 0, 0)


def reliabilities(design: Design, store: Store, epochs: Sequence[int]) -> pd.DataFrame:
    """Return how much of the spread between runs of one order is real, after each epoch and at the end.

    Columns cell, epoch (nan: test accuracy at the end), reliability, low, high, spread (standard deviation between
    runs of an order, a fraction), sampling (that of the choice of images), ceiling (the largest correlation with final
    test accuracy that both noises allow), runs; nan where records do not say which images are right.
    """
    rows = []
    for cell in sorted(design.networks, key=lambda cell: cell.point.sparsity):
        by_epoch = {epoch: _reliability(design, store, cell.name, epoch) for epoch in (*epochs, None)}
        for epoch, found in by_epoch.items():
            rows.append(
                {
                    "cell": cell.name,
                    "epoch": np.nan if epoch is None else epoch,
                    "reliability": found.value,
                    "low": found.low,
                    "high": found.high,
                    "spread": np.sqrt(found.variance),
                    "sampling": np.sqrt(found.sampling),
                    "ceiling": np.nan if found.runs == 0 else ceiling(_known(found), _known(by_epoch[None])),
                    "runs": found.runs,
                }
            )
    frame = pd.DataFrame(rows)
    return frame[frame["runs"] > 0].reset_index(drop=True) if rows else frame


def _reliability(design: Design, store: Store, cell: str, epoch: int | None) -> Reliability:
    return attempt(reliability, correct_images(design, store, cell, epoch)) or NOTHING


def _known(found: Reliability) -> float:
    """Return a reliability, 0 where no run differs."""
    return 0.0 if np.isnan(found.value) else found.value


def mean_ceilings(reliable: pd.DataFrame) -> pd.DataFrame:
    """Return the mean over cells, weighted by their runs, of ceiling, reliability, spread and sampling by epoch.

    A correlation that is pooled over cells is such a mean; so is its ceiling. Columns epoch, ceiling, reliability,
    spread, sampling.
    """
    names = ["ceiling", "reliability", "spread", "sampling"]
    known = reliable.fillna({"reliability": 0})
    rows = [
        {"epoch": epoch} | {name: np.average(own[name], weights=own["runs"]) for name in names}
        for epoch, own in known.groupby("epoch", dropna=False)
    ]
    return pd.DataFrame(rows, columns=["epoch", *names])


def analyse_cells(frame: pd.DataFrame, y: str) -> list[Crossed]:
    """Return the analysis of variance of each cell that has a complete block of networks and orders, and differs.

    Args:
        frame: one row per network and order of each cell.
    """
    found = [attempt(analyse, array(own, str(cell), y)) for cell, own in frame.groupby("cell", sort=False)]
    return [each for each in found if each is not None and each.components.sum() > 0]


def shares(curves: pd.DataFrame) -> pd.DataFrame:
    """Return the shares of network, order and residual in validation accuracy's variance by epoch, and of the end.

    Columns source, epoch (nan: test accuracy at the end), value, low, high, cells, networks; no row where no cell has
    a complete block.
    """
    last = curves["epoch"].max()
    looked = [(epoch, own, "val_accuracy") for epoch, own in curves.groupby("epoch")]
    rows = []
    for epoch, at, column in [*looked, (np.nan, curves[curves["epoch"] == last], "test_accuracy")]:
        if found := analyse_cells(at, column):
            numbers = {"cells": len(found), "networks": sum(each.networks for each in found)}
            for source, (value, low, high) in pooled_shares(found).items():
                rows.append({"source": source, "epoch": epoch, "value": value, "low": low, "high": high} | numbers)
    return pd.DataFrame(rows, columns=["source", "epoch", "value", "low", "high", "cells", "networks"])


def network_at_end(curves: pd.DataFrame) -> dict[str, float]:
    """Return the share of network in the variance of final test accuracy, its limits, and p.

    Keys share, low and high (each one-sided, at 95 %), p (of no effect in any cell), cells, networks; nan
    without a complete cell. A cell counts by its variance.
    """
    found = analyse_cells(curves[curves["epoch"] == curves["epoch"].max()], "test_accuracy")
    if not found:
        return {"share": np.nan, "low": np.nan, "high": np.nan, "p": np.nan, "cells": 0, "networks": 0}
    share, low, high = pooled_shares(found, level=0.9)[SOURCES[0]]
    numbers = {"cells": len(found), "networks": sum(each.networks for each in found)}
    return {"share": share, "low": low, "high": high, "p": network_test(found)} | numbers
