"""What a search gains, from planted curves: values by hand, winners, shares and leads."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

import planted
from planted import CANDIDATES, EPOCHS, SEARCH
from randsparse.questions.random_search import gains, plan
from randsparse.questions.random_search.evidence import SearchEvidence
from randsparse.questions.random_search.gains import BEST, EARLY, FINAL, POOLED
from randsparse.runs.store import Store


def evidence(folder, curve, **changes):
    """Return what notebook 02 finds in a store of planted curves."""
    store, parameters = Store(folder), SEARCH | changes
    design = plan.search(parameters)
    planted.plant(design, store, curve)
    return SearchEvidence(design, store, parameters)


def ordered(cell, network, order):
    """Early accuracy grows with the network, final accuracy falls, and the lead turns round after epoch 2."""
    early = 0.5 + 0.01 * network
    later = 0.6 - 0.005 * network
    return [early, early] + [later] * (EPOCHS - 2), 0.9 - 0.001 * network


def by_hand(early, final, size):
    """The mean over all subsets of the winner's final value minus that of its subset."""
    found = []
    for column in range(early.shape[1]):
        for subset in itertools.combinations(range(len(early)), size):
            members = list(subset)
            best = members[int(np.argmax(early[members, column]))]
            found.append(final[best, column] - final[members, column].mean())
    return np.mean(found)


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    return evidence(tmp_path_factory.mktemp("ordered"), ordered)


def test_gains_are_those_of_all_subsets_by_hand(known):
    networks = np.repeat(np.arange(8.0)[:, None], 2, axis=1)
    of = {EARLY: 0.01 * networks, FINAL: -0.001 * networks, BEST: -0.001 * networks}
    ranks = {EARLY: networks, FINAL: networks, BEST: -networks}
    rows = known.gains[known.gains["phase"] == 0.1].set_index(["measured", "cell"])
    for measured in (EARLY, FINAL, BEST):
        expected = by_hand(ranks[measured], of[measured], 4)
        for cell in (*CANDIDATES, POOLED):
            assert rows.loc[(measured, cell), "mean"] == pytest.approx(expected)
    assert rows.loc[(FINAL, POOLED), "mean"] < 0 < rows.loc[(BEST, POOLED), "mean"]
    assert set(rows.loc[(FINAL, POOLED), ["n", "runs"]]) == {40, 80}


def test_cells_have_wider_intervals_than_one_alone_since_all_have_to_hold(tmp_path):
    found = evidence(tmp_path, planted.correlated(0.0))
    alone = gains.gains(gains.select_cells(found.curves, ["nodes 80 %"]), [0.1], 4).set_index(["measured", "cell"])
    rows = found.gains[found.gains["phase"] == 0.1].set_index(["measured", "cell"])
    ours, single = rows.loc[(FINAL, "nodes 80 %")], alone.loc[(FINAL, POOLED)]
    assert ours["mean"] == single["mean"] and ours["high"] - ours["low"] > 1.2 * (single["high"] - single["low"])


def test_a_share_is_one_where_the_early_winner_is_the_best_and_minus_one_where_it_is_the_worst(tmp_path, known):
    worst = known.shares.set_index(["phase", "cell"])["mean"]
    assert worst.to_numpy() == pytest.approx([-1.0] * 6 + [-1.0] * 6 + [1.0] * 6)  # the last look sees the turned order
    assert list(worst.index.get_level_values("phase").unique()) == [0.1, 0.2, 0.5]


def test_leads_begin_at_the_choice_and_turn_where_the_curves_cross(known):
    early = by_hand(np.repeat(np.arange(8.0)[:, None], 2, axis=1), np.repeat(np.arange(8.0)[:, None], 2, axis=1), 4)
    rows = known.leads[(known.leads["phase"] == 0.1) & (known.leads["cell"] == POOLED)].set_index("epoch")["mean"]
    assert list(rows.index) == list(range(1, EPOCHS + 1))
    assert rows.to_numpy() == pytest.approx([0.01 * early] * 2 + [-0.005 * early] * (EPOCHS - 2))
    means = known.mean_leads[known.mean_leads["cell"] == POOLED].set_index("phase")
    assert list(means["epochs"]) == [9, 8, 5]
    assert means.loc[0.1, "mean"] == pytest.approx((0.01 * early - 0.005 * early * (EPOCHS - 2)) / (EPOCHS - 1))
    assert means.loc[0.5, "mean"] == pytest.approx(0.005 * early)  # chosen by the later order


def test_the_winner_of_a_subset_is_the_candidate_with_the_highest_early_accuracy(known):
    rows = known.looked_at[(known.looked_at["phase"] == 0.1) & (known.looked_at["cell"] == "dense")]
    wins = rows.pivot(index="network", columns="order", values="wins").to_numpy()
    assert wins[:, 0] == pytest.approx([0, 0, 0, 1 / 70, 4 / 70, 10 / 70, 20 / 70, 35 / 70])
    assert set(rows["epoch"]) == {1} and len(known.looked_at) == 3 * 80


def test_a_cell_without_runs_is_left_out_and_one_with_few_is_looked_at_but_not_searched(tmp_path):
    store, design = Store(tmp_path), plan.search(SEARCH)
    few = {"dense": 4, "nodes 40 %": 0}
    planted.plant(design, store, ordered, skip=lambda cell, network, _: network >= few.get(cell, 8))
    found = SearchEvidence(design, store, SEARCH)
    assert list(found.gains["cell"].unique()) == ["nodes 60 %", "nodes 80 %", "nodes 90 %", POOLED]
    assert "dense" in set(found.looked_at["cell"]) and "nodes 40 %" not in set(found.looked_at["cell"])
    counts = found.cells.set_index("cell")["runs"]
    assert (counts["dense"], counts["nodes 40 %"], counts["nodes 60 %"]) == (8, 0, 16)
    nothing = SearchEvidence(design, Store(tmp_path / "empty"), SEARCH)
    assert nothing.gains.empty and nothing.leads.empty and nothing.gain_after(0.1) is None and nothing.longer is None


def test_longer_training_is_compared_with_the_means_of_the_same_networks(tmp_path):
    found = evidence(tmp_path, planted.correlated(0.0, shift={"nodes 80 %, 14 epochs": 0.05}))
    table = found.results.groupby("cell")["test_accuracy"].mean()
    assert found.longer.value == pytest.approx(table["nodes 80 %, 14 epochs"] - table["nodes 80 %"])
    assert found.longer.n == 8
    only = found.gains.query("phase == 0.1 and measured == 'final' and cell == 'nodes 80 %'")["mean"].iloc[0]
    assert found.gain_of_longer.value == pytest.approx(only)
