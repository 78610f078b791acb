"""What notebook 03 finds in planted runs: levels, differences between pairs, and their verdicts."""

from __future__ import annotations

import numpy as np
import pytest

import planted
from planted import ACCURACY
from randsparse.questions.random_search import accuracies, gains, plan
from randsparse.questions.random_search.accuracies import DENSE, NODES, SEARCHED, SMALL, WEIGHTS
from randsparse.questions.random_search.evidence import AccuracyEvidence
from randsparse.runs.store import Store


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    store, design = Store(tmp_path_factory.mktemp("runs")), plan.sparsities(ACCURACY)
    planted.plant(design, store, planted.correlated(0.9, shift={"ERK 80 %": 0.16, "nodes 40 %": -0.01}))
    return AccuracyEvidence(design, store, ACCURACY)


def test_each_cell_has_its_mean_and_the_interval_of_its_networks(found):
    rows = found.levels.set_index(["series", "cell"])
    own = found.results[found.results["cell"] == "nodes 60 %"]
    networks = own.groupby("network")["test_accuracy"].mean()
    row = rows.loc[(NODES, "nodes 60 %")]
    half = 2.364624 * networks.std() / np.sqrt(8)  # Student's t, seven degrees of freedom
    assert row["mean"] == pytest.approx(own["test_accuracy"].mean())
    assert (row["low"], row["high"]) == pytest.approx((row["mean"] - half, row["mean"] + half))
    assert (row["n"], row["runs"]) == (8, 16) and row["weights_kept"] == pytest.approx(0.16)


def test_series_are_told_apart_and_only_sparse_candidates_are_searched(found):
    pairs = set(found.levels[["series", "cell"]].itertuples(index=False, name=None))
    nodes = ["nodes 40 %", "nodes 60 %", "nodes 80 %", "nodes 90 %"]
    expected = {(series, cell) for series in (NODES, SEARCHED) for cell in nodes}
    expected |= {(DENSE, "dense"), (WEIGHTS, "ERK 80 %")}
    assert pairs == expected | {(SMALL, "small dense, nodes 80 %"), (SMALL, "small dense, weights 80 %")}


def test_searched_networks_stand_at_the_random_mean_plus_their_gain(found):
    rows = found.levels.set_index(["series", "cell"])
    single = gains.gains(gains.select_cells(found.curves, ["nodes 80 %"]), [0.1], 4).set_index(["measured", "cell"])
    gain = single.loc[("final", gains.POOLED)]
    random, searched = rows.loc[(NODES, "nodes 80 %")], rows.loc[(SEARCHED, "nodes 80 %")]
    assert gain["mean"] > 0.001
    for name in ("mean", "low", "high"):
        assert searched[name] - random["mean"] == pytest.approx(gain[name])


def test_pairs_have_the_difference_of_their_means_and_how_often_one_beats_the_other(found):
    (erk, nodes) = found.controls.itertuples()
    means = found.results.groupby("cell")["test_accuracy"].mean()
    assert erk.mean == pytest.approx(means["ERK 80 %"] - means["nodes 60 %"]) and erk.mean > 0.05
    assert nodes.mean == pytest.approx(means["nodes 80 %"] - means["small dense, nodes 80 %"])
    assert erk.low < erk.mean < erk.high and erk.p_above == 1.0 and erk.n_a == erk.n_b == 8
    assert (erk.weights_a, erk.weights_b) == pytest.approx((0.2, 0.16))


def test_a_single_run_of_a_crossed_network_is_the_one_of_its_own_order(found):
    own = found.results[found.results["cell"] == "nodes 80 %"].set_index(["network", "order"])["test_accuracy"]
    once = accuracies._one_run_each(found.results, "nodes 80 %")
    assert sorted(once) == sorted(own[(network, network % 2)] for network in range(8))


def test_pairs_of_too_few_runs_are_left_out(tmp_path):
    store, design = Store(tmp_path), plan.sparsities(ACCURACY)
    few = {"ERK 80 %": 2, "small dense, nodes 80 %": 0}
    planted.plant(design, store, planted.correlated(0.0), skip=lambda cell, network, _: network >= few.get(cell, 8))
    rest = AccuracyEvidence(design, store, ACCURACY)
    assert rest.controls.empty and rest.difference("ERK 80 %", "nodes 60 %") is None
    assert rest.difference("nodes 80 %", "small dense, nodes 80 %") is None
    empty = AccuracyEvidence(design, Store(tmp_path / "empty"), ACCURACY)
    assert empty.levels.empty and empty.controls.empty and empty.differences.empty
