"""The runs of notebook 10: crossed candidates trained to their ends, runs that leave their course, and evaluations.

Cells that cool down early or are forks are found in the campaign by what they do: those that have the seeds of a cell
of candidates, and all forks with the cells that they leave.
"""

from __future__ import annotations

from randsparse.comparison.campaign import Networks, parse
from randsparse.comparison.crossed import Crossed, cells_of, epoch_of
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
    return cells_of(parameters, [*parameters["candidates"], *others])


def is_fork(cell: Networks) -> bool:
    """Return whether the runs of a cell go on in another order of batches after some epoch."""
    return cell.point.fork_seed is not None


def candidates(design: Crossed) -> Crossed:
    """Return the cells that a search could choose among."""
    left = {cell.first_seed for cell in forks(design).networks}
    kept = [cell for cell in design.networks if not cell.point.cooldown_epoch and cell.first_seed not in left]
    return Crossed(tuple(kept), design.train_missing)


def cooled(design: Crossed) -> Crossed:
    """Return the cells whose runs cool down early."""
    return Crossed(tuple(cell for cell in design.networks if cell.point.cooldown_epoch), design.train_missing)


def forks(design: Crossed) -> Crossed:
    """Return the cells whose runs are forks."""
    return Crossed(tuple(cell for cell in design.networks if is_fork(cell)), design.train_missing)


def unforked(design: Crossed) -> Crossed:
    """Return the cells that forks leave."""
    left = {cell.first_seed for cell in forks(design).networks}
    kept = [cell for cell in design.networks if cell.first_seed in left and not is_fork(cell)]
    return Crossed(tuple(kept), design.train_missing)


def measured(parameters: Parameters, store: Store) -> list[Group]:
    """Return what is measured of which runs: lines of forks, lines from early checkpoints, sharpness of checkpoints.

    Only finished runs are measured; nothing where the notebook shows what a campaign has trained.
    """
    design = cells(parameters)
    return [(finished(runs, store), wanted) for runs, wanted in landscapes(design, store)]


def landscapes(design: Crossed, store: Store) -> list[Group]:
    """Return the groups of `measured` for all runs that are planned."""
    lines: list[Group] = [(wanted_of(forks(design), store), [Line("unforked")])]
    epochs = sorted({cell.point.fork_epoch for cell in forks(design).networks if cell.point.fork_epoch})
    lines.append((wanted_of(unforked(design), store), [Line(epoch=epoch) for epoch in epochs]))
    return [*lines, (early_checkpoints(design, store), [Sharpness()])]


def early_checkpoints(design: Crossed, store: Store) -> list[RunConfig]:
    """Return the candidates of the first order, after the early phase, of the cells that are cooled down as well."""
    seeds = {cell.first_seed for cell in cooled(design).networks}
    found = []
    for cell in candidates(design).networks:
        if cell.first_seed in seeds:
            stop = epoch_of(EARLY, cell.point.epochs)
            found += [config.replace(stop_epoch=stop) for (_, order), config in cell.placed(store).items() if not order]
    return found


def wanted_of(design: Crossed, store: Store) -> list[RunConfig]:
    """Return the runs of all cells of networks."""
    return [config for cell in design.networks for config in cell.wanted(store)]


def finished(runs: list[RunConfig], store: Store) -> list[RunConfig]:
    """Return the runs that the store has."""
    return [config for config in runs if store.has(config)]
