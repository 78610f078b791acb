"""The runs of notebook 07: a dense network, and random masks of wider ones, cells of a campaign."""

from __future__ import annotations

import math

from randsparse.comparison.crossed import Crossed, select_cells
from randsparse.comparison.design import Parameters
from randsparse.errors import StudyError, require


def width_factor(sparsity: float) -> float:
    """Return 1/log(1/s); raises StudyError for s outside of (0, 1)."""
    if not 0 < sparsity < 1:
        raise StudyError(f"the width factor of sparsity {sparsity!r}: it must be above 0 and below 1")
    return 1 / math.log(1 / sparsity)


def cells(parameters: Parameters) -> Crossed:
    """Return the cell `dense`, and those of `wider`, which are sparse.

    Raises StudyError for an unknown cell, and for one that is not as dense or sparse as that.
    """
    design = select_cells(parameters, [parameters["dense"], *parameters["wider"]])
    points = {cell.name: cell.point for cell in design.networks}
    require(points[parameters["dense"]].sparsity == 0, "dense", parameters["dense"], "a cell of dense networks")
    for name in parameters["wider"]:
        width_factor(points[name].sparsity)
    return design


def find_width(model: str) -> int:
    """Return the width that the name of a network ends in: 2 of "wrn-10-2"."""
    return int(model.rsplit("-", 1)[1])
