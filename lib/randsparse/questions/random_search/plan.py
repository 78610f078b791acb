"""The runs of notebooks 02 and 03: crossed candidates of a search, and what stands beside them (Farahani 2024)."""

from __future__ import annotations

from randsparse.comparison.campaign import Networks
from randsparse.comparison.crossed import Crossed, find_epoch, select_cells
from randsparse.comparison.design import Parameters
from randsparse.errors import StudyError, require, unknown

SMALLEST = 2
"""The fewest candidates among which a search can choose."""


def search(parameters: Parameters) -> Crossed:
    """Return the cells of notebook 02: `candidates`, those of `others` (other networks), and `longer` training.

    Raises StudyError for an unknown cell, an early phase that is no part of the training, a search of fewer than two
    candidates or of more than an order of batches has, and for longer training of no candidates.
    """
    design = select_cells(parameters, [*parameters["candidates"], *parameters["others"], *parameters["longer"]])
    cells = design.by_name
    searched = [cells[name] for name in (*parameters["candidates"], *parameters["others"])]
    require(len(parameters["phases"]) > 0, "phases", parameters["phases"], "a list of shares of training")
    _check_search(searched, parameters["phases"], parameters["size"])
    for name in parameters["longer"]:
        find_candidates(cells[name], searched)
    return design


def sparsities(parameters: Parameters) -> Crossed:
    """Return the cells of notebook 03: `candidates`, and `controls`, whose networks have an order of batches each.

    Raises StudyError as `search`, and for a pair in `pairs` that names no cell of these.
    """
    design = select_cells(parameters, [*parameters["candidates"], *parameters["controls"]])
    cells = design.by_name
    _check_search([cells[name] for name in parameters["candidates"]], [parameters["phase"]], parameters["size"])
    for pair in parameters["pairs"]:
        require(len(pair) == 2, "pair", pair, "two cells")
        for name in pair:
            if name not in cells:
                raise unknown("cell", name, cells)
    return design


def find_candidates(longer: Networks, cells: list[Networks]) -> Networks:
    """Return the cell of the same networks trained for fewer epochs; raises StudyError where there is none."""
    for cell in cells:
        if cell.point.epochs < longer.point.epochs and cell.point == longer.point.replace(epochs=cell.point.epochs):
            return cell
    raise StudyError(f"{longer.name}: no cell of candidates has the same networks with fewer epochs")


def _check_search(cells: list[Networks], phases: list[float], size: int) -> None:
    """Raise StudyError for a phase that is no part of training, and a search that is too small or too large."""
    for cell in cells:
        for phase in phases:
            find_epoch(phase, cell.point.epochs)
        most = cell.networks - 1
        require(SMALLEST <= size <= most, "size", size, f"from {SMALLEST} to {most} of the {cell.networks} networks")
