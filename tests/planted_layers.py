"""The cells of notebook 05 with made-up accuracies and the layer densities of real masks."""

from __future__ import annotations

from functools import cache

from planted_cells import design_of, noise, parameters, plant
from randsparse.data import catalogue
from randsparse.questions.layerwise_density.evidence import Layerwise
from randsparse.runs.store import Store
from randsparse.sparsity.densities import SCORED
from randsparse.training import network

CELLS = {
    "dense": {},
    "one": {"sparsity": 0.9, "rule": "erk"},
    "two": {"sparsity": 0.9, "rule": "uniform"},
    "three": {"sparsity": 0.98, "rule": "erk"},
    "four": {"sparsity": 0.98, "rule": "uniform"},
    "five": {"sparsity": 0.98, "rule": "balanced"},
    "snip": {"sparsity": 0.9, "rule": "snip", "criterion": "snip"},
    "snip, counts": {"sparsity": 0.9, "rule": "snip", "seeds_of": "snip"},
    "snip, moved": {
        "sparsity": 0.9,
        "rule": "snip",
        "criterion": "snip",
        "score_init_seed": 100_000,
        "seeds_of": "snip",
    },
    "magnitude": {"sparsity": 0.98, "rule": "magnitude", "criterion": "magnitude"},
    "magnitude, counts": {"sparsity": 0.98, "rule": "magnitude", "seeds_of": "magnitude"},
}
"""Names tell nothing: what a cell is stands in its config."""
LEVEL = {
    "dense": 0.9,
    "one": 0.85,
    "two": 0.83,
    "three": 0.7,
    "four": 0.6,
    "five": 0.71,
    "snip": 0.84,
    "snip, counts": 0.84,
    "snip, moved": 0.81,
    "magnitude": 0.7,
    "magnitude, counts": 0.68,
}
PARAMETERS = parameters(CELLS)


@cache
def densities(config):
    """The densities of a network's layers, the same for all seeds but those of scores."""
    return network.create(config, *catalogue.shape("digits")).density


def _layers(record, config):
    same = {"mask_seed": 0, "init_seed": 0, "data_seed": 0, "criterion": "random", "score_init_seed": None}
    rule = "magnitude" if config.rule in SCORED else config.rule  # other scores need training images
    own = config.replace(rule=rule, **same)
    record["density"] |= {"layers": dict(densities(own)["layers"])}


def planted(folder, spread=0.005, shift=None, skip=lambda *_: False, n=10):
    """Return the evidence of made-up runs; `shift` is added to the level of cells."""
    store, design = Store(folder), design_of(CELLS, n)
    drawn = noise(spread, of_seed=0.01)
    level = {cell: LEVEL[cell] + (shift or {}).get(cell, 0.0) for cell in CELLS}
    plant(design, store, lambda cell, network: level[cell] + drawn(cell, network), skip, _layers)
    return Layerwise(design, store)
