"""Differences between cells take the statistic that their seeds ask for, and cells are told by their configs."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

import planted_cells
from planted_cells import design_of, noise, plant
from randsparse.comparison.cells import POOLED, Cells
from randsparse.runs.store import Store

CELLS = {
    "dense": {},
    "a 90 %": {"sparsity": 0.9, "rule": "erk"},
    "b 90 %": {"sparsity": 0.9, "rule": "uniform", "seeds_of": "a 90 %"},
    "a 98 %": {"sparsity": 0.98, "rule": "erk"},
    "b 98 %": {"sparsity": 0.98, "rule": "uniform", "seeds_of": "a 98 %"},
    "c 90 %": {"sparsity": 0.9, "rule": "balanced"},
}
LEVEL = {"dense": 0.9, "a 90 %": 0.8, "b 90 %": 0.78, "a 98 %": 0.7, "b 98 %": 0.66, "c 90 %": 0.75}


def found(tmp_path, skip=lambda *_: False, n=8):
    store, design = Store(tmp_path), design_of(CELLS, n)
    drawn = noise(0.01, of_seed=0.02)
    plant(design, store, lambda cell, network: LEVEL[cell] + drawn(cell, network), skip)
    return Cells(design, store)


def named(cells, *names):
    by_name = {cell.name: cell for cell in cells.design.networks}
    return tuple(by_name[name] for name in names)


def test_values_are_those_of_the_networks_in_order(tmp_path):
    cells = found(tmp_path, skip=lambda cell, network: (cell, network) == ("dense", 2))
    drawn = noise(0.01, of_seed=0.02)
    (dense,) = named(cells, "dense")
    expected = [0.9 + drawn("dense", network) for network in range(8)]
    assert np.isnan(cells.values(dense)[2])
    assert np.delete(cells.values(dense), 2) == pytest.approx(np.delete(expected, 2))
    assert cells.cells.set_index("cell").loc["dense", ["runs", "planned"]].tolist() == [7, 8]


def test_shared_seeds_are_paired_and_own_seeds_are_not(tmp_path):
    cells = found(tmp_path)
    a, b, c = named(cells, "a 90 %", "b 90 %", "c 90 %")
    paired, own = cells.difference([(a, b)]), cells.difference([(a, c)])
    values = [cells.values(cell) for cell in (a, b, c)]
    assert paired.interval() == pytest.approx(stats.ttest_rel(*values[:2]).confidence_interval())
    welch = stats.ttest_ind(values[0], values[2], equal_var=False)
    assert own.interval() == pytest.approx(welch.confidence_interval())
    unpaired = stats.ttest_ind(*values[:2], equal_var=False).confidence_interval()
    assert paired.high - paired.low < unpaired.high - unpaired.low, "what a seed does to both cancels"
    assert cells.above(a, b) == np.mean(values[0] > values[1])
    assert cells.above(a, c) == pytest.approx(np.mean(values[0][:, None] > values[2]))


def test_pairs_with_seeds_of_their_own_are_pooled_as_strata(tmp_path):
    cells = found(tmp_path)
    pairs = [named(cells, "a 90 %", "b 90 %"), named(cells, "a 98 %", "b 98 %")]
    whole = cells.difference(pairs)
    differences = np.array([cells.values(a) - cells.values(b) for a, b in pairs])
    assert whole.value == pytest.approx(differences.mean())
    assert whole.error == pytest.approx(np.sqrt(differences.var(axis=1, ddof=1).sum() / 8) / 2)
    assert whole.df > 7 and whole.n == 16
    mixed = cells.difference([pairs[0], named(cells, "a 98 %", "c 90 %")])
    first, a, c = differences[0], *(cells.values(cell) for cell in named(cells, "a 98 %", "c 90 %"))
    assert mixed.value == pytest.approx((first.mean() + a.mean() - c.mean()) / 2)
    assert mixed.error == pytest.approx(np.sqrt(sum(each.var(ddof=1) for each in (first, a, c)) / 8) / 2)


def test_seeds_that_all_cells_share_are_the_replicates(tmp_path):
    cells = {name: values | ({} if name == "dense" else {"seeds_of": "dense"}) for name, values in CELLS.items()}
    design, store = design_of(cells, 5), Store(tmp_path)
    drawn = noise(0.01, of_seed=0.02)
    plant(design, store, lambda cell, network: LEVEL[cell] + drawn(cell, network))
    own = Cells(design, store)
    pairs = [named(own, "a 90 %", "b 90 %"), named(own, "a 98 %", "b 98 %")]
    by_seed = np.mean([own.values(a) - own.values(b) for a, b in pairs], axis=0)
    whole = own.difference(pairs)
    assert (whole.n, whole.df) == (5, 4)
    assert whole.interval() == pytest.approx(stats.ttest_1samp(by_seed, 0).confidence_interval())


def test_too_few_runs_give_no_estimate(tmp_path):
    cells = found(tmp_path, skip=lambda cell, network: cell == "b 90 %" and network > 1)
    pair = named(cells, "a 90 %", "b 90 %")
    assert cells.difference([pair]) is None and cells.difference([]) is None and np.isnan(cells.above(*pair))


def test_a_forest_has_simultaneous_intervals_and_the_mean_of_its_rows(tmp_path):
    cells = found(tmp_path, skip=lambda cell, _: cell == "c 90 %")
    pairs = {
        "90 %": named(cells, "a 90 %", "b 90 %"),
        "98 %": named(cells, "a 98 %", "b 98 %"),
        "none": named(cells, "a 90 %", "c 90 %"),
    }
    frame = cells.forest(pairs, pooled=True)
    assert list(frame["row"]) == ["90 %", "98 %", POOLED]
    single = cells.difference([pairs["90 %"]])
    assert frame.loc[0, ["mean", "low", "high"]].tolist() == pytest.approx([single.value, *single.interval(0.95**0.5)])
    whole = cells.difference([pairs["90 %"], pairs["98 %"]])
    assert frame.loc[2, ["mean", "low", "high"]].tolist() == pytest.approx([whole.value, whole.low, whole.high])
    assert cells.forest({}).empty


def test_cells_are_told_by_their_configs_and_levels_have_every_network(tmp_path):
    cells = found(tmp_path)
    assert [cell.name for cell in cells.find(sparsity=0.9, rule="uniform")] == ["b 90 %"]
    assert cells.dense.name == "dense" and cells.find(method="rigl") == []
    frame = cells.levels(cells.find(sparsity=0.9), lambda point: point.rule)
    assert list(frame["row"]) == ["erk", "uniform", "balanced"] and set(frame["n"]) == {8}
    values = cells.values(cells.find(rule="balanced")[0])
    limits = stats.t.interval(0.95, 7, values.mean(), stats.sem(values))
    assert frame.loc[2, ["mean", "low", "high"]].tolist() == pytest.approx([values.mean(), *limits])


def test_the_regime_names_network_training_and_dense_accuracy(tmp_path):
    regime = found(tmp_path).regime
    reached = 100 * np.mean([0.9 + noise(0.01, 0.02)("dense", network) for network in range(8)])
    assert regime == f"WRN-10-1 on digits, 11 images, 6 epochs of 1 steps, dense {reached:.1f} %"
    empty = Cells(planted_cells.design_of(CELLS), Store(tmp_path / "empty"))
    assert empty.regime == "WRN-10-1 on digits, 6 epochs, no run yet" and empty.results.empty
