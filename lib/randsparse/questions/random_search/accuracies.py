"""What searched, random and small dense networks reach at the end: frames of notebook 03."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd

from randsparse.comparison import stats
from randsparse.comparison.candidates import array, looks
from randsparse.comparison.crossed import Crossed
from randsparse.comparison.inference.dominance import dominance
from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.inference.pooled import difference_of_own_seeds
from randsparse.comparison.inference.search_value import by_cell, search_gain
from randsparse.errors import StudyError
from randsparse.runs.store import Store

DENSE, NODES, SEARCHED = "dense", "random nodes", "searched nodes"
WEIGHTS, SMALL = "random weights (ERK)", "small dense"
LEVEL = ["series", "cell", "weights_kept", "mean", "low", "high", "n", "runs"]


def levels(
    results: pd.DataFrame, curves: pd.DataFrame, candidates: Sequence[str], phase: float, size: int
) -> pd.DataFrame:
    """Return the mean test accuracy of each cell, and that of the winners of a search among its candidates.

    Args:
        results, curves: as from `candidates.results` and `candidates.curves`.
        candidates: the cells that a search chooses from; the others are shown as they are.
        phase: the share of training after which it chooses.
        size: the candidates of one search.

    Columns of LEVEL; series is one of the names above. Intervals are 95 % intervals over networks, n their number. A
    searched network stands at the mean of the random ones plus what it gains, with the interval of that gain.
    """
    rows = []
    for cell, own in results.groupby("cell", sort=False):
        found = network_means(results, str(cell))
        limits = stats.mean_interval(found[np.isfinite(found)])
        kept, counts = own["weights_kept"].mean(), (np.isfinite(found).sum(), own["test_accuracy"].count())
        rows.append((_series(own.iloc[0], cell in candidates), cell, kept, *limits, *counts))
    means = {row[1]: row for row in rows}
    sparse = [name for name in candidates if name in means and means[name][0] == NODES]
    pairs = looks(curves[curves["cell"].isin(sparse)], phase)
    won = by_cell(search_gain, [(each.early, each.final) for each in pairs], size)
    for each, gain in zip(pairs, won, strict=True):
        if gain is not None:
            _, cell, kept, mean, *_ = means[each.cell]
            values = [mean + value for value in (gain.value, *gain.interval())]
            rows.append((SEARCHED, cell, kept, *values, gain.n, gain.runs))
    return pd.DataFrame(rows, columns=LEVEL)


def controls(results: pd.DataFrame, pairs: Iterable[Sequence[str]], flops: pd.Series) -> pd.DataFrame:
    """Return cell a minus cell b in test accuracy, with own seeds, and how often a run of a beats one of b.

    Args:
        pairs: names of cells (a, b); a pair with fewer than three networks of one of them is left out.
        flops: as from `flops_per_image`.

    Columns a, b, weights_a and weights_b (shares of the dense parent's weights), flops_ratio (a over b), mean, low,
    high (Welch's 95 % interval of the means over networks), n_a, n_b, p_above, p_low, p_high: P(A > B) of single runs,
    one per network. Networks of a cell that is crossed have several orders of batches: the first difference takes
    their mean, P(A > B) takes network i in order i modulo the number of orders.
    """
    rows = []
    kept = results.groupby("cell")["weights_kept"].mean()
    cost = flops.groupby(results.set_index("key")["cell"]).mean()
    for a, b in pairs:
        try:
            above = dominance(_one_run_each(results, a), _one_run_each(results, b))
        except StudyError:
            continue
        found = difference(results, a, b)
        if found is not None:
            limits = (found.value, *found.interval(), above.n_a, above.n_b, *above[:3])
            rows.append((a, b, kept[a], kept[b], cost[a] / cost[b], *limits))
    names = ["a", "b", "weights_a", "weights_b", "flops_ratio", "mean", "low", "high", "n_a", "n_b"]
    return pd.DataFrame(rows, columns=[*names, "p_above", "p_low", "p_high"])


def difference(results: pd.DataFrame, a: str, b: str) -> Estimate | None:
    """Return cell a minus cell b in test accuracy, means over networks with own seeds; None with too few runs."""
    try:
        return difference_of_own_seeds([(network_means(results, a), network_means(results, b))])
    except StudyError:
        return None


def flops_per_image(design: Crossed, store: Store) -> pd.Series:
    """Return the forward FLOPs of one image on the weights that a run keeps, by the key of each finished run."""
    found = store.load(design.used(store))
    costs = {key: record["cost"] for key, record in found.items()}
    return pd.Series({key: cost["sparse_flops"] / (3 * cost["images"]) for key, cost in costs.items()}, dtype=float)


def network_means(results: pd.DataFrame, cell: str) -> np.ndarray:
    """Return the mean test accuracy of each network of a cell over its orders of batches; nan without a run."""
    values = array(results, cell, "test_accuracy")
    there = np.isfinite(values).any(axis=1)
    return np.array([np.nanmean(row) if known else np.nan for row, known in zip(values, there, strict=True)])


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
