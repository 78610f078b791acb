"""What runs of notebook 07 say: random masks of wider networks against the dense one, and the width theory asks for."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from randsparse.comparison.contrasts import contrast_of
from randsparse.comparison.crossed import Crossed
from randsparse.comparison.inference.simultaneous import simultaneous_intervals
from randsparse.questions.theory.plan import width_factor, width_of

GAP = ["cell", "sparsity", "width", "asked", "weights_ratio", "mean", "low", "high", "n"]


def against_dense(design: Crossed, results: pd.DataFrame, dense: str, wider: Sequence[str]) -> pd.DataFrame:
    """Return random minus dense in test accuracy, one row per cell of `wider` with enough runs.

    Args:
        results: as from `candidates.results`.

    Columns GAP: width in that of the dense network, asked (1/log(1/s), the same of a source that contains it),
    weights_ratio (weights kept over those of the dense network), and simultaneous 95 % intervals.
    """
    cells = {cell.name: cell.point for cell in design.networks}
    found = {name: contrast_of(design, results, {name: 1.0, dense: -1.0}) for name in wider}
    known = {name: each for name, each in found.items() if each is not None}
    rows = []
    for (name, each), ends in zip(known.items(), simultaneous_intervals(list(known.values())), strict=True):
        point, width = cells[name], width_of(cells[name].model) / width_of(cells[dense].model)
        ratio = (1 - point.sparsity) * width**2
        rows.append((name, point.sparsity, width, width_factor(point.sparsity), ratio, each.value, *ends, each.n))
    return pd.DataFrame(rows, columns=GAP)
