"""Flow preservation: random masks that leave no unit without incoming or outgoing edges (Gadhikar et al. 2023).

The units of a weight (out, in, *kernel) are its rows, which have incoming edges, and its columns, which have outgoing
ones; image channels and classes are units too. An edge is a kept weight. With an edge at each unit of each layer, every
kept weight lies on a path from the input to the classes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

import numpy as np

from randsparse.errors import StudyError
from randsparse.sparsity.densities import Shapes, round_counts


def floors(shapes: Shapes) -> dict[str, int]:
    """Return the fewest edges that leave no unit of a layer alone: max(R, C) for R rows and C columns."""
    return {name: max(shape[:2]) for name, shape in shapes.items()}


def lift(shapes: Shapes, counts: Mapping[str, int]) -> dict[str, int]:
    """Return counts of the same sum, none below the layer's floor: k_l ≥ f_l.

    Layers below theirs get it; the others give it in proportion to k_l - f_l, what they have above it, rounded by
    largest remainder. Counts that are nowhere below the floor stay as they are.
    Raises StudyError where the sum of the floors is above that of the counts (it says which density has room).
    """
    floor = floors(shapes)
    k, f = (np.array([each[name] for name in shapes]) for each in (counts, floor))
    sizes = np.array([math.prod(shape) for shape in shapes.values()])
    size, total, fewest = (int(each.sum()) for each in (sizes, k, f))
    if fewest > total:
        raise StudyError(
            f"{total} of {size} weights cannot preserve flow: the units of the {len(shapes)} layers need {fewest}; "
            f"choose a density from {math.ceil(fewest / size * 1e6) / 1e6:g} to 1"
        )
    above, below = np.maximum(k - f, 0), np.maximum(f - k, 0)
    if not below.any():
        return dict(counts)
    wanted = np.maximum(k, f) - above * (below.sum() / above.sum())
    return dict(zip(shapes, round_counts(wanted, sizes, total).tolist(), strict=True))


def repair(scores: np.ndarray, kept: np.ndarray) -> np.ndarray:
    """Return a mask of as many weights, in which each row and column has one, that differs little from `kept`.

    Args:
        scores: of one layer, (out, in, *kernel); what is added has low ones, what is removed high ones.
        kept: bool, of that shape; at least max(out, in) weights are kept.

    Unchanged where no unit is alone. Otherwise:

        1. Each empty row and column gets the lowest of its own scores; empty rows and empty columns are paired first,
           as one edge serves both.
        2. As many weights are removed as were added, in order of falling score, of those with others in their row and
           in their column.
        3. Where none is left to remove, each weight is the last of its row or column: the edges are stars, around a row
           or a column. Of a row's star with two edges or more and a column's, each loses an end, and these two ends
           are joined: one weight less.

    Step 3 always finds both stars while there are more than max(out, in) weights, so the count comes out exactly: with
    no such star of a row, each row is a star of its own or an end of a column's, so there are as many weights as rows;
    likewise for columns.
    """
    shape = kept.shape
    scores, kept = scores.reshape(*shape[:2], -1), kept.reshape(*shape[:2], -1).copy()
    rows, columns = (np.flatnonzero(~kept.any(axis)) for axis in ((1, 2), (0, 2)))
    if not len(rows) and not len(columns):
        return kept.reshape(shape)
    surplus = -int(kept.sum())
    for row, column in _edges(scores.min(2), rows, columns):
        kept[row, column, scores[row, column].argmin()] = True
    surplus += int(kept.sum())

    in_row, in_column = kept.sum((1, 2)), kept.sum((0, 2))
    falling = np.argwhere(kept)[np.argsort(-scores[kept], kind="stable")].tolist()
    for row, column, position in falling:  # once: what is the last of its row or column stays so
        if not surplus:
            break
        if in_row[row] > 1 and in_column[column] > 1:
            kept[row, column, position] = False
            in_row[row] -= 1
            in_column[column] -= 1
            surplus -= 1

    stars = [edge for edge in falling if kept[tuple(edge)]] if surplus else []
    of_rows, of_columns = iter(stars), iter(stars)
    for _ in range(surplus):
        row, free_column, position = next(edge for edge in of_rows if in_row[edge[0]] > 1)
        kept[row, free_column, position] = False
        in_row[row] -= 1
        free_row, column, position = next(edge for edge in of_columns if in_column[edge[1]] > 1)
        kept[free_row, column, position] = False
        in_column[column] -= 1
        kept[free_row, free_column, scores[free_row, free_column].argmin()] = True
    return kept.reshape(shape)


def _edges(scores: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> Iterator[tuple[int, int]]:
    """Yield an edge, (row, column), for each empty row and column: as few as serve all."""
    if len(rows) > len(columns):
        yield from ((row, column) for column, row in _edges(scores.T, columns, rows))
        return
    free = columns.tolist()
    for row in rows:
        yield row, free.pop(int(scores[row, free].argmin()))
    for column in free:
        yield int(scores[:, column].argmin()), column
