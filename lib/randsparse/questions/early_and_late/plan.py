"""The runs of notebook 10: crossed candidates of a campaign, trained to their ends, and what was done to them early."""

from __future__ import annotations

from randsparse.comparison.campaign import Networks, parse
from randsparse.comparison.crossed import Crossed, cells_of
from randsparse.comparison.design import Parameters


def cells(parameters: Parameters) -> Crossed:
    """Return the cells of candidates, and those of the campaign that cool the same runs down early.

    Raises StudyError for a name that the campaign does not have.
    """
    campaign = parse(parameters["campaign"])
    seeds = {cell.first_seed for cell in campaign.named(parameters["candidates"])}
    names = [
        cell.name
        for cell in campaign.cells
        if isinstance(cell, Networks) and cell.first_seed in seeds and cell.point.cooldown_epoch
    ]
    return cells_of(parameters, [*parameters["candidates"], *names])


def candidates(design: Crossed) -> Crossed:
    """Return the cells of a design that are trained without an intervention."""
    return Crossed(tuple(cell for cell in design.networks if not cell.point.cooldown_epoch), design.train_missing)


def cooled(design: Crossed) -> Crossed:
    """Return the cells of a design whose runs cool down early."""
    return Crossed(tuple(cell for cell in design.networks if cell.point.cooldown_epoch), design.train_missing)
