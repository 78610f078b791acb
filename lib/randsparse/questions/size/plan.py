"""The runs of notebook 04: dense networks of several sizes, random masks of them, and narrow dense networks."""

from __future__ import annotations

from collections.abc import Sequence

from randsparse.comparison.crossed import Crossed, select_cells
from randsparse.comparison.design import Parameters
from randsparse.errors import require

GROUPS = ("pairs", "milder", "equal_weights", "equal_flops")
"""The parameters that hold pairs of cells."""


def sizes(parameters: Parameters) -> Crossed:
    """Return the cells of all pairs: dense and sparse of one size, and a sparse one beside a narrow dense one.

    Raises StudyError for an unknown cell, for what is no pair, and where the first of a pair of one size is not dense
    or not of the same network.
    """
    for group in GROUPS:
        for pair in parameters[group]:
            require(len(pair) == 2, f"pair in {group}", pair, "two cells")
    names = [name for group in GROUPS for pair in parameters[group] for name in pair]
    design = select_cells(parameters, dict.fromkeys(names))
    cells = {cell.name: cell.point for cell in design.networks}
    for pair in (*parameters["pairs"], *parameters["milder"]):
        dense, sparse = (cells[name] for name in pair)
        require(dense.sparsity == 0 < sparse.sparsity, "pair", pair, "a dense cell, then a sparse one")
        require(dense.model == sparse.model, "pair", pair, "cells of one network")
    return design


def sparsities(design: Crossed, pairs: Sequence[Sequence[str]]) -> list[float]:
    """Return the sparsities of the second cells of pairs, each once."""
    cells = {cell.name: cell.point for cell in design.networks}
    return sorted({cells[sparse].sparsity for _, sparse in pairs})
