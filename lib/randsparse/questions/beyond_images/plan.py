"""The runs of notebook 12: random masks, a search among them, and their controls, on a table and on texts."""

from __future__ import annotations

from randsparse.comparison.crossed import Crossed, find_epoch, select_cells
from randsparse.comparison.design import Parameters
from randsparse.errors import require

GROUPS = ("controls", "sources")
"""The parameters that hold pairs of cells."""


def cells(parameters: Parameters) -> Crossed:
    """Return the cells of candidates, and those of all pairs.

    Raises StudyError for an unknown cell, for what is no pair, for an early phase that is no part of the training, and
    for a search of fewer than two candidates or of more than an order of batches has.
    """
    for group in GROUPS:
        for pair in parameters[group]:
            require(len(pair) == 2, f"pair in {group}", pair, "two cells")
    names = [name for group in GROUPS for pair in parameters[group] for name in pair]
    design = select_cells(parameters, dict.fromkeys([*parameters["candidates"], *names]))
    for cell in design.networks:
        if cell.name in parameters["candidates"]:
            find_epoch(parameters["phase"], cell.point.epochs)
            most = cell.networks - 1
            require(2 <= parameters["size"] <= most, "size", parameters["size"], f"from 2 to {most} ({cell.name})")
    return design
