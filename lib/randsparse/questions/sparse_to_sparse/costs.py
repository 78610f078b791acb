"""What training costs in notebook 08, what a source saves of it, and how accurate networks are for their cost."""

from __future__ import annotations

import numpy as np
import pandas as pd

from randsparse.comparison import frames, stats
from randsparse.comparison.design import DENSE
from randsparse.comparison.verdicts import Row, conclude
from randsparse.questions.sparse_to_sparse.frames import is_dense, placed
from randsparse.runs import methods


def of_sources(frame: pd.DataFrame) -> pd.DataFrame:
    """Return what sources save: one row per method, sparsity and source.

    Columns method, sparsity, source_sparsity, begins_full, cost and dense_cost (means, over the training of the dense
    network), saved (1 - their ratio), least and most (that could be, of single runs), and times_static and
    dense_times_static: medians of measured times, relative to a static mask.
    """
    changing, rows = frame[frame["method"].isin(methods.DYNAMIC)], []
    for (method, sparsity), own in changing.groupby(["method", "sparsity"], sort=False):
        start = own[own["source_sparsity"] == 0]
        for source, inside in own[own["source_sparsity"] > 0].groupby("source_sparsity"):
            rows.append(
                {
                    "method": method,
                    "sparsity": sparsity,
                    "source_sparsity": source,
                    "begins_full": bool(inside["begins_full"].all()),
                    "cost": inside["cost"].mean(),
                    "dense_cost": start["cost"].mean(),
                    "saved": 1 - inside["cost"].mean() / start["cost"].mean(),
                    "least": 1 - inside["cost"].max() / start["cost"].min(),
                    "most": 1 - inside["cost"].min() / start["cost"].max(),
                    "times_static": inside["times_static"].median(),
                    "dense_times_static": start["times_static"].median(),
                }
            )
    columns = ["method", "sparsity", "source_sparsity", "begins_full", "cost", "dense_cost", "saved", "least", "most"]
    table = pd.DataFrame(rows, columns=[*columns, "times_static", "dense_times_static"])
    return table.dropna(subset=["saved"]).reset_index(drop=True)


def saves(claim: str, savings: pd.DataFrame) -> Row:
    """Judge whether training inside the source takes fewer FLOPs; they are counted, not measured, and need no test.

    Supported if each run inside has fewer than each from dense, contradicted if at one point it is the other way.
    """
    ends = savings.loc[[savings["saved"].idxmin(), savings["saved"].idxmax()]] if len(savings) else savings
    texts = [f"{row.saved:.0%} ({row.method} at {100 * row.sparsity:.4g}%)" for row in ends.itertuples()]
    evidence = f"FLOPs saved at {len(savings)} points: from {' to '.join(texts)}" if texts else "no comparison"
    return conclude(claim, savings["least"] > 0, savings["most"] <= 0, evidence)


def trade_offs(frame: pd.DataFrame) -> pd.DataFrame:
    """Return one row per arm at each sparsity, dense networks of all lengths at each: accuracy against cost.

    Columns sparsity, arm, method ("dense" for dense networks), source_sparsity, epochs, cost, mean, low, high, n
    (of test accuracy), and front: no other arm of that sparsity is as accurate at no higher cost.
    """
    labels = ["arm", "method", "source_sparsity", "epochs"]
    found = frame.assign(method=frame["method"].mask(is_dense(frame), DENSE))
    parts = []
    for sparsity in sorted(set(frame["sparsity"]) - {0.0}):
        own = found[is_dense(frame) | (frame["sparsity"] == sparsity)]
        table = stats.summary(own, labels, "test_accuracy").merge(own.groupby("arm")["cost"].mean(), on="arm")
        table = table[table["n"] > 0].sort_values(["cost", "mean"], ascending=[True, False])
        ahead = table["mean"].cummax().shift(fill_value=-np.inf)
        parts.append(table.assign(sparsity=sparsity, front=table["mean"] > ahead))
    return pd.concat(parts, ignore_index=True)


def from_shorter(frame: pd.DataFrame, margin: float) -> pd.DataFrame:
    """Return each method inside a source minus the dense network that is trained at the next higher cost.

    That is the cheapest one that costs no less than the method, and the dearest of all where none does. Columns as of
    `frames.from_dense`, with cost and baseline_cost.
    """
    dense = frame[is_dense(frame)]
    dense_costs = dense.groupby("arm")["cost"].mean().sort_values()
    rows = [placed(frames.differences(frame.iloc[:0], [], margin), frame).assign(cost=0.0, baseline_cost=0.0)]
    inside = frame[frame["method"].isin(methods.DYNAMIC) & (frame["source_sparsity"] > 0)]
    for (arm, sparsity), own in inside.groupby(["arm", "sparsity"], sort=False):
        enough = dense_costs[dense_costs >= own["cost"].mean()]
        baseline = enough.index[0] if len(enough) else dense_costs.index[-1]
        both = pd.concat([own, dense[dense["arm"] == baseline].assign(sparsity=sparsity)])
        found = placed(frames.differences(both, [(arm, baseline)], margin), frame)
        rows.append(found.assign(cost=own["cost"].mean(), baseline_cost=dense_costs[baseline]))
    return pd.concat([each for each in rows if len(each)] or rows[:1], ignore_index=True)
