"""The frames of arms: every finished run with its labels, as a notebook of one's own gets them."""

from __future__ import annotations

from made_up import record_of
from randsparse.comparison import frames
from randsparse.comparison.design import compare
from randsparse.runs.config import RunConfig
from randsparse.runs.store import Store


def test_finished_runs_have_the_labels_of_each_of_their_arms(tmp_path):
    dense, half = RunConfig(epochs=3), RunConfig(epochs=3, sparsity=0.5)
    points = {("dense", "weight", 0.0): dense, ("dense", "node", 0.0): dense, ("random", "weight", 0.5): half}
    compared, store = compare(points, seeds=2), Store(tmp_path)
    for config in compared.needed(store)[:3]:
        store.put(record_of(config))
    results, curves = frames.results(compared, store), frames.curves(compared, store)
    labels = ["arm", "structure", "replicate"]
    expected = [("dense", "weight", 0), ("dense", "weight", 1), ("dense", "node", 0), ("dense", "node", 1)]
    assert list(results[labels].itertuples(index=False, name=None)) == [*expected, ("random", "weight", 0)]
    assert len(curves) == 3 * len(results) and list(curves["epoch"][:3]) == [1, 2, 3]
    assert len(compared.needed(store)) == 1 and len(compared.used(store)) == 3
