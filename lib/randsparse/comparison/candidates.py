"""The frames of crossed candidates: one row per run, one row per run and epoch, and the arrays of each cell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pandas as pd

from randsparse.comparison.campaign import Networks, Rates
from randsparse.comparison.crossed import Crossed, find_epoch
from randsparse.runs import records
from randsparse.runs.config import RunConfig
from randsparse.runs.store import Record, Store

PLACE = ["cell", "part", "model", "structure", "sparsity", "network", "order", "key"]


def results(design: Crossed, store: Store) -> pd.DataFrame:
    """Return one row per finished run.

    Columns cell, part, model, structure, sparsity, network, order (both from 0), key, method, epochs, lr,
    weights_kept (the share of the dense parent's weights that the run has), test_accuracy (nan if it diverged).
    """
    rows = [
        _place(cell, place, config)
        | {
            "method": config.method,
            "epochs": config.epochs,
            "lr": config.lr,
            "weights_kept": (record["density"] or {}).get("realised"),
            "test_accuracy": (record["test"] or {}).get("accuracy"),
        }
        for cell, place, config, record in _runs(design, store)
    ]
    columns = [*PLACE, "method", "epochs", "lr", "weights_kept", "test_accuracy"]
    return pd.DataFrame(rows, columns=columns).astype({"weights_kept": float, "test_accuracy": float})


def curves(design: Crossed, store: Store) -> pd.DataFrame:
    """Return one row per finished run and epoch: lr, val_loss, val_accuracy, ema_val_accuracy, final test_accuracy.

    `ema_val_accuracy` is that of the moving average of the network, nan in records that lack it.
    """
    names = ("epoch", "lr", "val_loss", "val_accuracy", "ema_val_accuracy")
    rows = [
        _place(cell, place, config)
        | {name: point.get(name) for name in names}
        | {"test_accuracy": (record["test"] or {}).get("accuracy")}
        for cell, place, config, record in _runs(design, store)
        for point in record["curve"]
    ]
    frame = pd.DataFrame(rows, columns=[*PLACE, *names, "test_accuracy"])
    return frame.astype(dict.fromkeys((*names[1:], "test_accuracy"), float))


def rates(design: Crossed, store: Store) -> pd.DataFrame:
    """Return one row per cell that chooses a learning rate and rate: validation accuracy, n, and which is chosen."""
    rows = []
    for cell in (cell for cell in design.cells if isinstance(cell, Rates)):
        chosen, runs = cell.chosen(store), cell.wanted(store)
        found = store.load(runs)
        for lr in sorted({config.lr for config in runs}):
            own = [found[config.key] for config in runs if config.lr == lr and config.key in found]
            final = [record["curve"][-1]["val_accuracy"] if record["status"] == "done" else np.nan for record in own]
            row = {"cell": cell.name, "lr": lr, "val_accuracy": np.mean(final) if final else np.nan, "n": len(final)}
            rows.append(row | {"chosen": lr == chosen})
    return pd.DataFrame(rows, columns=["cell", "lr", "val_accuracy", "n", "chosen"])


def array(frame: pd.DataFrame, cell: str, y: str) -> np.ndarray:
    """Return the values of a cell as (networks, orders), nan for a run that is missing.

    Args:
        frame: one row per network and order of the cell: `results`, or `curves` at one epoch.
    """
    own = frame[frame["cell"] == cell]
    return own.pivot(index="network", columns="order", values=y).to_numpy(dtype=float)


class Early(NamedTuple):
    """What a search sees of a cell and what it gets: arrays (networks, orders), nan for a run that is missing."""

    cell: str
    early: np.ndarray
    final: np.ndarray

    @property
    def pair(self) -> tuple[np.ndarray, np.ndarray]:
        """Return both arrays, as statistics of a search take them."""
        return self.early, self.final


def look_after(frame: pd.DataFrame, share: float, y: str = "val_accuracy", final: str = "test_accuracy") -> list[Early]:
    """Return each cell as a search sees it after a share of training.

    Args:
        frame: as from `curves`.
        y: the column that a search ranks by.
        final: the column, equal at all epochs of a run, that its result is judged by.
    """
    found = []
    for cell, own in frame.groupby("cell", sort=False):
        at = own[own["epoch"] == find_epoch(share, int(own["epoch"].max()))]
        found.append(Early(str(cell), array(at, str(cell), y), array(at, str(cell), final)))
    return found


def correct_images(design: Crossed, store: Store, cell: str, epoch: int | None = None) -> list[np.ndarray]:
    """Return which images the networks of a cell classify correctly: per order, bools (networks, images).

    Args:
        epoch: as `records.correct` has it: validation images after this epoch, or test images at the end.

    Runs whose records do not say are left out.
    """
    by_order: dict[int, list[np.ndarray]] = {}
    for _, (_, order), _, record in _runs(design, store, cell):
        bits = records.correct(record, epoch)
        if bits is not None:
            by_order.setdefault(order, []).append(bits)
    return [np.stack(bits) for _, bits in sorted(by_order.items())]


def _runs(
    design: Crossed, store: Store, name: str | None = None
) -> Iterator[tuple[Networks, tuple[int, int], RunConfig, Record]]:
    """Yield cell, (network, order), config and record of each finished run, of one cell or of all."""
    for cell in design.networks:
        runs = cell.placed(store) if name in (None, cell.name) else {}
        found = store.load(runs.values())
        for place, config in runs.items():
            if config.key in found:
                yield cell, place, config, found[config.key]


def _place(cell: Networks, place: tuple[int, int], config: RunConfig) -> dict[str, object]:
    values = (cell.name, cell.part, config.model, cell.point.structure, cell.point.sparsity, *place, config.key)
    return dict(zip(PLACE, values, strict=True))
