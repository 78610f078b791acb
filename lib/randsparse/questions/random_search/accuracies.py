"""What searched, random and small dense networks reach at the end: frames of notebook 03."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np
import pandas as pd

from randsparse.comparison.candidates import Early
from randsparse.comparison.crossed import Crossed
from randsparse.comparison.inference.dominance import dominance
from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.inference.search_value import estimate_by_cell, search_gain
from randsparse.errors import StudyError
from randsparse.runs.store import Store

DENSE, NODES, SEARCHED = "dense", "random nodes", "searched nodes"
WEIGHTS, SMALL = "random weights (ERK)", "small dense"
LEVEL = ["series", "cell", "weights_kept", "mean", "low", "high", "n", "runs"]


def average_cells(means: pd.DataFrame, results: pd.DataFrame, looks: Iterable[Early], size: int) -> pd.DataFrame:
    """Return the mean test accuracy of each cell, and that of the winners of a search among its candidates.

    Args:
        means, results: as from `contrasts.levels` and `candidates.results`.
        looks: the cells that a search chooses from, as it sees them; the others are shown as they are.
        size: the candidates of one search.

    Columns of LEVEL; series is one of the names above. Intervals are 95 % intervals over networks, n their number. A
    searched network stands at the mean of the random ones plus what it gains, with the interval of that gain.
    """
    kept = results.groupby("cell")["weights_kept"].mean()
    searched = {each.cell: each for each in looks}
    first = results.drop_duplicates("cell")
    series = {run["cell"]: _series(run, run["cell"] in searched) for _, run in first.iterrows()}
    known = {row.cell: row for row in means.itertuples()}
    rows = [(series[row.cell], row.cell, kept[row.cell], *row[2:]) for row in known.values()]
    sparse = [each for cell, each in searched.items() if cell in known and series[cell] == NODES]
    for each, gain in zip(sparse, estimate_by_cell(search_gain, [each.pair for each in sparse], size), strict=True):
        if gain is not None:
            values = [known[each.cell].mean + value for value in (gain.value, *gain.interval())]
            rows.append((SEARCHED, each.cell, kept[each.cell], *values, gain.n, gain.runs))
    return pd.DataFrame(rows, columns=LEVEL)


def compare_controls(
    results: pd.DataFrame, found: Mapping[tuple[str, str], Estimate | None], flops: pd.Series
) -> pd.DataFrame:
    """Return cell a minus cell b in test accuracy, and how often a run of a beats one of b.

    Args:
        found: the difference by names of cells (a, b), None where it has too few runs: such a pair is left out.
        flops: as from `flops_per_image`.

    Columns a, b, weights_a and weights_b (shares of the dense parent's weights), flops_ratio (a over b), mean, low,
    high (the 95 % interval of the means over networks), n_a, n_b, p_above, p_low, p_high: P(A > B) of single runs,
    one per network. Networks of a cell that is crossed have several orders of batches: the first difference takes
    their mean, P(A > B) takes network i in order i modulo the number of orders.
    """
    rows = []
    kept = results.groupby("cell")["weights_kept"].mean()
    cost = flops.groupby(results.set_index("key")["cell"]).mean()
    for (a, b), each in found.items():
        try:
            above = dominance(_one_run_each(results, a), _one_run_each(results, b))
        except StudyError:
            continue
        if each is not None:
            limits = (each.value, *each.interval(), above.n_a, above.n_b, *above[:3])
            rows.append((a, b, kept[a], kept[b], cost[a] / cost[b], *limits))
    names = ["a", "b", "weights_a", "weights_b", "flops_ratio", "mean", "low", "high", "n_a", "n_b"]
    return pd.DataFrame(rows, columns=[*names, "p_above", "p_low", "p_high"])


def flops_per_image(design: Crossed, store: Store) -> pd.Series:
    """Return the forward FLOPs of one image on the weights that a run keeps, by the key of each finished run."""
    found = store.load(design.used(store))
    costs = {key: record["cost"] for key, record in found.items()}
    return pd.Series({key: cost["sparse_flops"] / (3 * cost["images"]) for key, cost in costs.items()}, dtype=float)


def _one_run_each(results: pd.DataFrame, cell: str) -> np.ndarray:
    """Return the test accuracy of network i in order i modulo the number of orders."""
    own = results[results["cell"] == cell]
    orders = int(own["order"].max()) + 1 if len(own) else 1
    return own.loc[own["network"] % orders == own["order"], "test_accuracy"].to_numpy()


def _series(run: pd.Series, candidate: bool) -> str:
    """Return the series that a cell belongs to."""
    if run["method"] == "small-dense":
        return SMALL
    if run["sparsity"] == 0:
        return DENSE
    return NODES if candidate or run["structure"] == "node" else WEIGHTS
