"""The runs of notebook 10: crossed candidates trained to their ends, runs that leave their course, and evaluations.

Cells that cool down early or are forks are found in the campaign by what they do: those that have the seeds of a cell
of candidates, and all forks with the cells that they leave.
"""

from __future__ import annotations

from dataclasses import replace

from randsparse.comparison.campaign import Networks, parse
from randsparse.comparison.crossed import Crossed, find_epoch, select_cells
from randsparse.comparison.design import Parameters
from randsparse.questions.early_and_late.landscapes import Line, Sharpness
from randsparse.runs.config import RunConfig
from randsparse.runs.evaluations import Evaluation
from randsparse.runs.store import Store

EARLY, LATE = 0.1, 0.9
"""The shares of training after which early accuracy is looked at; fixed before the runs."""
Group = tuple[list[RunConfig], list[Evaluation]]


def cells(parameters: Parameters) -> Crossed:
    """Return the cells of candidates, those that cool the same runs down, and forks with the cells that they leave.

    Raises StudyError for a name that the campaign does not have.
    """
    campaign = parse(parameters["campaign"])
    shown = {cell.first_seed for cell in campaign.named(parameters["candidates"])}
    networks = [cell for cell in campaign.cells if isinstance(cell, Networks)]
    left = {cell.first_seed for cell in networks if is_fork(cell)}
    others = [cell.name for cell in networks if cell.first_seed in (shown if cell.point.cooldown_epoch else left)]
    return select_cells(parameters, [*parameters["candidates"], *others])


def is_fork(cell: Networks) -> bool:
    """Return whether the runs of a cell go on in another order of batches after some epoch."""
    return cell.point.fork_seed is not None


def candidates(design: Crossed) -> Crossed:
    """Return the cells that a search could choose among."""
    left = {cell.first_seed for cell in forks(design).networks}
    kept = [cell for cell in design.networks if not cell.point.cooldown_epoch and cell.first_seed not in left]
    return replace(design, cells=tuple(kept))


def select_cooled(design: Crossed) -> Crossed:
    """Return the cells whose runs cool down early."""
    return replace(design, cells=tuple(cell for cell in design.networks if cell.point.cooldown_epoch))


def forks(design: Crossed) -> Crossed:
    """Return the cells whose runs are forks."""
    return replace(design, cells=tuple(cell for cell in design.networks if is_fork(cell)))


def select_unforked(design: Crossed) -> Crossed:
    """Return the cells that forks leave."""
    left = {cell.first_seed for cell in forks(design).networks}
    kept = [cell for cell in design.networks if cell.first_seed in left and not is_fork(cell)]
    return replace(design, cells=tuple(kept))


def fork_epochs(design: Crossed) -> list[int]:
    """Return the epochs, from 1 on, after which forks leave their runs."""
    return sorted({cell.point.fork_epoch for cell in forks(design).networks if cell.point.fork_epoch})


def plan_measurements(parameters: Parameters, store: Store) -> list[Group]:
    """Return what is measured of which runs: lines of forks, lines from early checkpoints, sharpness of checkpoints.

    Only finished runs are measured; nothing where the notebook shows what a campaign has trained.
    """
    design = cells(parameters)
    checkpoints = [config for config in list_checkpoints(design, store) if store.has(config)]
    return [
        (forks(design).used(store), [Line("unforked")]),
        (select_unforked(design).used(store), [Line(epoch=epoch) for epoch in fork_epochs(design)]),
        (checkpoints, [Sharpness()]),
    ]


def list_checkpoints(design: Crossed, store: Store) -> list[RunConfig]:
    """Return the candidates of the first order, after the early phase, of the cells that are cooled down as well."""
    seeds = {cell.first_seed for cell in select_cooled(design).networks}
    return [
        config.replace(stop_epoch=find_epoch(EARLY, cell.point.epochs))
        for cell in candidates(design).networks
        if cell.first_seed in seeds
        for (_, order), config in cell.placed(store).items()
        if order == 0
    ]
