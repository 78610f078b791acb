"""The runs of notebook 05: rules and score masks at equal density."""

from __future__ import annotations

from randsparse.comparison.crossed import Crossed, cells_of
from randsparse.comparison.design import Parameters


def layers(parameters: Parameters) -> Crossed:
    """Return the cells of notebook 05: dense networks, static masks by rules, and score masks with their controls."""
    return cells_of(parameters, parameters["cells"])
