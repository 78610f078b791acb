"""The cells of notebook 09 with made-up accuracies."""

from __future__ import annotations

from planted_cells import design_of, noise, parameters, plant
from randsparse.questions.strong_tickets.evidence import Tickets
from randsparse.runs.store import Store

_TICKET = {"method": "edge-popup", "init_scale": "own", "update_interval": 20, "lr": 0.3}
CELLS = {"dense": {}, "dense, longer": {"epochs": 9}}
LEVEL = {"dense": 0.8, "dense, longer": 0.82}
for sparsity in (0.9, 0.95):
    at, loss = f"{100 * sparsity:.0f}", 3 * sparsity - 2.7
    CELLS |= {
        f"whole {at}": _TICKET | {"sparsity": sparsity},
        f"part {at}": _TICKET
        | {"sparsity": sparsity, "source_sparsity": 0.5, "source_rule": "uniform", "seeds_of": f"whole {at}"},
        f"mask {at}": {"sparsity": sparsity, "rule": "uniform", "seeds_of": f"whole {at}"},
    }
    LEVEL |= {f"whole {at}": 0.7 - loss, f"part {at}": 0.7 - loss, f"mask {at}": 0.75 - loss}
CELLS["part 90, longer"] = CELLS["part 90"] | {"epochs": 9, "fine_tune_epochs": 3}
CELLS["mask 90, longer"] = CELLS["mask 90"] | {"epochs": 9}
CELLS["whole 90, normal"] = CELLS["whole 90"] | {"frozen_weights": "kaiming-normal", "seeds_of": "whole 90"}
LEVEL |= {"part 90, longer": 0.8, "mask 90, longer": 0.78, "whole 90, normal": 0.66}
OTHERS = {
    "er 90": CELLS["part 90"] | {"source_rule": "er"},
    "er 95": CELLS["part 95"] | {"source_rule": "er"},
    "er 90, longer": CELLS["part 90, longer"] | {"source_rule": "er"},
    "erk 90, longer": CELLS["mask 90, longer"] | {"rule": "erk"},
}
"""Cells of an ER source, whose layer densities are not those of the dense source."""
LEVEL |= {"er 90": 0.74, "er 95": 0.59, "er 90, longer": 0.84, "erk 90, longer": 0.85}
PARAMETERS = parameters(CELLS)


def _curve(record, config):
    """Let the first epoch after the choice of edges fall to .3."""
    if config.fine_tune_epochs:
        chosen = config.epochs - config.fine_tune_epochs
        for point in record["curve"]:
            point["val_accuracy"] = 0.5 if point["epoch"] <= chosen else 0.3 if point["epoch"] == chosen + 1 else 0.7


def planted(folder, spread=0.004, shift=None, skip=lambda *_: False, n=10, cells=CELLS):
    """Return the evidence of made-up runs; `shift` is added to the level of cells."""
    store, design = Store(folder), design_of(cells, n)
    drawn = noise(spread, of_seed=0.01)
    level = {cell: LEVEL[cell] + (shift or {}).get(cell, 0.0) for cell in cells}
    plant(design, store, lambda cell, network: level[cell] + drawn(cell, network), skip, _curve)
    return Tickets(design, store)
