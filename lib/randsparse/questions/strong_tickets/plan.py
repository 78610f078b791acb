"""The runs of notebook 09: strong tickets in dense and in random networks, beside random masks that are trained."""

from __future__ import annotations

from randsparse.comparison.crossed import Crossed, cells_of
from randsparse.comparison.design import Parameters


def strong_tickets(parameters: Parameters) -> Crossed:
    """Return the cells of notebook 09: tickets, retrained ones, trained random masks, and dense networks."""
    return cells_of(parameters, parameters["cells"])
