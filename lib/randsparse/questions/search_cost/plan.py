"""The runs of notebook 11: candidates of a search, random networks trained longer, and small dense networks."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from randsparse.comparison.campaign import Networks
from randsparse.comparison.crossed import Crossed, select_cells
from randsparse.comparison.design import Parameters
from randsparse.errors import StudyError
from randsparse.runs.store import Store


class Group(NamedTuple):
    """A cell of candidates, and the cells of the same networks that it is compared with; None where there is none."""

    candidates: Networks
    longer: Networks | None
    small_dense: Networks | None


def search_cost(parameters: Parameters) -> Crossed:
    """Return the cells that the notebook shows.

    Args:
        parameters: `campaign`, `train_missing`, and the names of cells: `candidates`, `trained_longer`, `small_dense`,
            and `dense`, whose accuracy says what the others are compared with.

    Raises StudyError as `groups`.
    """
    named = [parameters[role] for role in ("candidates", "trained_longer", "small_dense", "dense")]
    design = select_cells(parameters, [name for names in named for name in names])
    groups(design, parameters)
    return design


def groups(design: Crossed, parameters: Parameters) -> list[Group]:
    """Return the cells of candidates in the order of the campaign, each with its controls.

    A control belongs to the candidates of the same model, structure and sparsity. Raises StudyError for a control that
    belongs to none, and for one that is called longer and is not.
    """
    cells = {cell.name: cell for cell in design.networks}
    candidates = [cell for cell in design.networks if cell.name in parameters["candidates"]]
    controls = {role: [cells[name] for name in parameters[role]] for role in ("trained_longer", "small_dense")}
    for role, control in ((role, cell) for role, found in controls.items() for cell in found):
        if not (own := [cell for cell in candidates if _kind(cell) == _kind(control)]):
            raise StudyError(f"{role}: no candidates have the model, structure and sparsity of {control.name!r}")
        if role == "trained_longer" and control.point.epochs <= own[0].point.epochs:
            raise StudyError(f"trained_longer: {control.name!r} is not trained longer than {own[0].name!r}")
    return [Group(cell, *(_like(cell, controls[role]) for role in controls)) for cell in candidates]


def _kind(cell: Networks) -> tuple[str, str, float]:
    return cell.point.model, cell.point.structure, cell.point.sparsity


def _like(cell: Networks, controls: Iterable[Networks]) -> Networks | None:
    return next((control for control in controls if _kind(control) == _kind(cell)), None)


def bench_files(store: Store) -> list[Path]:
    """Return the files of `make bench` beside the store: what the notebook says of seconds."""
    return sorted((store.root / "bench").glob("*.json"))
