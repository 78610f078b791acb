"""The runs of notebook 10: crossed candidates of a campaign, trained to their ends, and what was done to them early."""

from __future__ import annotations

from randsparse.comparison.crossed import Crossed, cells_of
from randsparse.comparison.design import Parameters


def candidates(parameters: Parameters) -> Crossed:
    """Return the cells of candidates; raises StudyError for a name that the campaign does not have."""
    return cells_of(parameters, parameters["candidates"])
