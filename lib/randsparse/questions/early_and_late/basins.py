"""Lines between weights and sharpness: from which epoch on is the end of a run settled, and is its place sharp?"""

from __future__ import annotations

import numpy as np
import pandas as pd

from randsparse.comparison import candidates
from randsparse.comparison.campaign import Networks
from randsparse.comparison.candidates import array
from randsparse.comparison.crossed import Crossed
from randsparse.comparison.inference.correlation import correlation
from randsparse.comparison.wording import format_model, format_phase
from randsparse.questions.early_and_late import plan
from randsparse.questions.early_and_late.frames import LIMITS, attempt, limits
from randsparse.questions.early_and_late.landscapes import Line, Sharpness
from randsparse.runs import evaluations
from randsparse.runs.store import Store

BARRIERS = ["cell", "network", "epoch", "share", "val_error_barrier", "train_error_barrier", "relative_distance"]
MEASURED = ["alpha", "val_accuracy", "train_accuracy", "relative_distance"]
"""What `travels` takes of a line; accuracies become errors."""


def barriers(design: Crossed, store: Store) -> pd.DataFrame:
    """Return one row per fork: the barrier between its end and that of the run that it leaves.

    Columns BARRIERS: cell (network and training of the run that it leaves), network, epoch (of the fork), share (of
    training), error barriers on validation and training images (fractions), distance of the ends relative to the norm
    of the fork's weights.
    """
    left = {cell.first_seed: _name(cell) for cell in plan.select_unforked(design).networks}
    rows = []
    for cell in plan.forks(design).networks:
        epoch = cell.point.fork_epoch
        place = {"cell": left[cell.first_seed], "epoch": epoch, "share": epoch / cell.point.epochs}
        rows += [place | {"network": network} | values for network, values in _lines(cell, Line("unforked"), store)]
    return pd.DataFrame(rows, columns=BARRIERS)


def travels(design: Crossed, store: Store) -> pd.DataFrame:
    """Return one row per run, early epoch and place on the line from the weights after that epoch to the final ones.

    Columns cell, network, epoch, share, alpha (0: early, 1: the end), val_error, train_error, relative_distance.
    """
    rows = [
        (_name(cell), network, epoch, epoch / cell.point.epochs, *(values[name] for name in MEASURED))
        for cell in plan.select_unforked(design).networks
        for epoch in plan.fork_epochs(design)
        for network, values in _lines(cell, Line(epoch=epoch), store)
    ]
    lists = ["alpha", "val_error", "train_error"]
    columns = ["cell", "network", "epoch", "share", *lists, "relative_distance"]
    frame = pd.DataFrame(rows, columns=columns).explode(lists, ignore_index=True).astype(dict.fromkeys(lists, float))
    return frame.assign(val_error=1 - frame["val_error"], train_error=1 - frame["train_error"])


def _name(cell: Networks) -> str:
    """Return the network and the length of training of a cell that forks leave, as figures have them."""
    point = cell.point
    kind = f"{point.structure} masks of {format_phase(point.sparsity)}" if point.sparsity else "dense"
    return f"{format_model(point.model)}, {kind}, {point.epochs} epochs"


def _lines(cell: Networks, line: Line, store: Store) -> list[tuple[int, dict]]:
    """Return the values of a line of each run of a cell that has them, with the number of its network."""
    runs = {config: network for (network, _), config in cell.placed(store).items()}
    found = evaluations.load(runs, [line], store)
    return [(runs[config], record["values"]) for (config, _), record in found.items()]


def sharpness(design: Crossed, store: Store) -> pd.DataFrame:
    """Return one row per early checkpoint that was measured.

    Columns cell, network, order, log_sharpness (natural logarithm of the largest eigenvalue of the Hessian), then
    val_accuracy after the early phase, and test_accuracy at the end.
    """
    ordinary = plan.candidates(design)
    checkpoints = plan.list_checkpoints(design, store)
    found = evaluations.load(checkpoints, [Sharpness()], store)
    values = {run.replace(stop_epoch=None).key: record["values"]["sharpness"] for (run, _), record in found.items()}
    curves = candidates.curves(ordinary, store)
    stops = {run.replace(stop_epoch=None).key: run.stop_epoch for run in checkpoints}
    own = curves[curves["key"].isin(list(values)) & (curves["epoch"] == curves["key"].map(stops))]
    logs = own["key"].map(values).astype(float).map(lambda value: np.log(value) if value > 0 else np.nan)
    columns = ["cell", "network", "order", "log_sharpness", "val_accuracy", "test_accuracy"]
    return own.assign(log_sharpness=logs)[columns].reset_index(drop=True)


def sharpness_correlations(found: pd.DataFrame) -> pd.DataFrame:
    """Return how the sharpness of early checkpoints correlates with early and final accuracy, within cells.

    Columns measured, value, low, high, n, runs.
    """
    cells, rows = found["cell"].unique(), []
    for name, told in (("val_accuracy", "early validation accuracy"), ("test_accuracy", "final test accuracy")):
        pairs = [(array(found, cell, "log_sharpness"), array(found, cell, name)) for cell in cells]
        rows.append({"measured": f"log sharpness and {told}"} | limits(attempt(correlation, pairs)))
    return pd.DataFrame(rows, columns=["measured", *LIMITS])


def average_by_epoch(found: pd.DataFrame, journeys: pd.DataFrame) -> pd.DataFrame:
    """Return one row per cell and epoch: means over networks of barriers and distances.

    Columns cell, epoch, error barrier of forks (points), distance of their ends, distance to the end (both relative to
    the norm of the weights at the end), networks.
    """
    forks = found.groupby(["cell", "epoch"], sort=False).agg(
        **{
            "error barrier of forks (points)": ("val_error_barrier", lambda values: 100 * values.mean()),
            "distance of their ends": ("relative_distance", "mean"),
            "networks": ("network", "nunique"),
        }
    )
    moved = journeys.groupby(["cell", "epoch"], sort=False)["relative_distance"].mean()
    return forks.join(moved.rename("distance to the end")).reset_index()
