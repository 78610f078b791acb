"""The runs of notebook 08: methods that change their mask, from dense networks and inside random sources."""

from __future__ import annotations

from randsparse.comparison.crossed import Crossed, cells_of
from randsparse.comparison.design import Parameters


def sparse_to_sparse(parameters: Parameters) -> Crossed:
    """Return the cells of notebook 08: methods with both starts, static masks, small dense and dense networks."""
    return cells_of(parameters, parameters["cells"])
