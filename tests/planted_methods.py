"""The cells of notebook 08 with made-up accuracies and costs."""

from __future__ import annotations

from planted_cells import design_of, noise, parameters, plant
from randsparse.questions.sparse_to_sparse.evidence import Methods
from randsparse.runs.store import Store

CELLS = {"dense": {}, "short": {"epochs": 2}}
LEVEL = {"dense": 0.9, "short": 0.7}
COST = {"dense": 1.0, "short": 1 / 3}
"""Training FLOPs as a share of those of the dense network."""
for sparsity, loss in ((0.9, 0.05), (0.98, 0.2)):
    at = f"{100 * sparsity:.0f}"
    CELLS |= {
        f"mask {at}": {"sparsity": sparsity, "rule": "erk"},
        f"small {at}": {"sparsity": sparsity, "method": "small-dense", "init_scale": "own"},
    }
    LEVEL |= {f"mask {at}": 0.89 - loss, f"small {at}": 0.88 - loss}
    COST |= {f"mask {at}": 1.5 * (1 - sparsity), f"small {at}": 1 - sparsity}
    for method, gain in (("rigl", 0.0), ("gmp", 0.03)):
        name = f"{method} {at}"
        start = {"sparsity": sparsity, "method": method, "update_interval": 20}
        source = {"source_sparsity": 0.5, "source_rule": "er", "seeds_of": name}
        CELLS |= {name: start, f"{name} inside": start | source}
        LEVEL |= {name: 0.9 - loss + gain, f"{name} inside": 0.9 - loss + gain}
        COST |= {name: 0.2 + gain, f"{name} inside": 0.16 + gain}
PARAMETERS = parameters(CELLS)


def _costs(names):
    def change(record, config):
        record["cost"]["sparse_flops"] = 1e9 * COST[names[config.key]]

    return change


def planted(folder, spread=0.004, shift=None, skip=lambda *_: False, n=10, cells=CELLS):
    """Return the evidence of made-up runs; `shift` is added to the level of cells."""
    store, design = Store(folder), design_of(cells, n)
    names = {config.key: cell.name for cell in design.networks for config in cell.wanted(store)}
    drawn = noise(spread, of_seed=0.01)
    level = {cell: LEVEL[cell] + (shift or {}).get(cell, 0.0) for cell in cells}
    plant(design, store, lambda cell, network: level[cell] + drawn(cell, network), skip, _costs(names))
    return Methods(design, store)
