"""Which cells notebook 08 compares, and dense networks of equal cost."""

from __future__ import annotations

import math

import numpy as np
import pytest

from planted_methods import CELLS, COST, planted
from randsparse.questions.sparse_to_sparse.evidence import DENSE, SMALL, STATIC, label


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    return planted(tmp_path_factory.mktemp("runs"))


def cell(found, name):
    return next(cell for cell in found.design.networks if cell.name == name)


def test_methods_are_paired_with_themselves_from_dense(found):
    names = {key: (a.name, b.name) for key, (a, b) in found.pairs.items()}
    assert names == {
        (method, sparsity): (f"{method} {at} inside", f"{method} {at}")
        for sparsity, at in ((0.9, 90), (0.98, 98))
        for method in ("rigl", "gmp")
    }
    assert found.methods == ["rigl", "gmp"]
    assert [[b.name for _, b in found.over_static(method)] for method in found.methods] == [["mask 90", "mask 98"]] * 2
    assert label(cell(found, "gmp 90 inside").point) == "GMP in a source"
    assert [label(cell(found, name).point) for name in ("dense", "mask 90", "small 98")] == [DENSE, STATIC, SMALL]


def test_a_static_mask_that_is_trained_for_less_is_no_control(tmp_path):
    cells = CELLS | {"mask 90": CELLS["mask 90"] | {"epochs": 3}}
    own = planted(tmp_path, cells=cells)
    assert [b.name for _, b in own.over_static("rigl")] == ["mask 98"]


def test_the_claim_is_the_mean_over_four_pairs_seed_by_seed(found):
    differences = [found.values(a) - found.values(b) for a, b in found.pairs.values()]
    claim = found.claim
    assert claim.value == pytest.approx(np.mean(differences))
    assert claim.error == pytest.approx(np.sqrt(np.var(differences, axis=1, ddof=1).sum() / 10) / 4)
    assert (claim.n, claim.runs) == (40, 80)


def test_costs_are_shares_of_the_dense_cell_and_dense_networks_lie_on_a_line(found):
    assert found.costs == pytest.approx(COST)
    assert [each.name for _, each in found.line] == ["small 98", "small 90", "dense"], "trained as long, by cost"


def test_equal_cost_interpolates_in_the_logarithm_between_the_two_nearest(found):
    cost = COST["gmp 90 inside"]
    share = math.log(cost / COST["small 90"]) / math.log(1 / COST["small 90"])
    weights = {each.name: weight for each, weight in found.equal_cost(cell(found, "gmp 90 inside")).items()}
    assert weights == pytest.approx({"small 90": 1 - share, "dense": share})
    between = {each.name for each in found.equal_cost(cell(found, "mask 98"))}
    assert between == {"small 98", "small 90"}
    assert {each.name: w for each, w in found.equal_cost(found.dense).items()} == {"dense": 1.0}


def test_a_cheaper_network_than_every_dense_one_has_no_opponent(found, monkeypatch):
    monkeypatch.setitem(found.costs, "rigl 98 inside", 0.001)
    inside = cell(found, "rigl 98 inside")
    assert found.equal_cost(inside) is None and found.over_equal_cost([inside]) is None


def test_the_difference_at_equal_cost_weighs_the_dense_networks(found):
    inside = [cell(found, "rigl 90 inside"), cell(found, "rigl 98 inside")]
    estimate = found.over_equal_cost(inside)
    share = math.log(0.16 / 0.1) / math.log(10)
    method, others = (
        np.array([found.values(each) for each in inside]),
        {name: found.values(cell(found, name)) for name in ("small 90", "dense")},
    )
    expected = method.mean() - (1 - share) * others["small 90"].mean() - share * others["dense"].mean()
    assert estimate.value == pytest.approx(expected)
    parts = [*(each.var(ddof=1) / 4 for each in method), (1 - share) ** 2 * others["small 90"].var(ddof=1)]
    parts.append(share**2 * others["dense"].var(ddof=1))
    assert estimate.error == pytest.approx(math.sqrt(sum(parts) / 10)), "one dense network stands in both differences"
    row = found.cost_forest.set_index("row").loc["RigL, 90 %"]
    assert row["mean"] == pytest.approx(found.over_equal_cost(inside[:1]).value)


def test_a_point_is_on_the_front_if_no_cheaper_one_is_as_accurate(found):
    points = found.points.set_index(["sparsity", "cell"])
    own = points.loc[0.9]
    assert list(own.index[own["front"]]) == [
        "small 90",
        *(name for name in ("mask 90", "rigl 90 inside") if own.loc[name, "front"]),
        *(name for name in ("gmp 90 inside", "gmp 90") if own.loc[name, "front"]),
        "dense",
    ]
    for sparsity in (0.9, 0.98):
        rows = points.loc[sparsity].reset_index()
        for row in rows.itertuples():
            others = rows[(rows["cost"] <= row.cost) & (rows["cell"] != row.cell)]
            assert row.front == (not (others["mean"] >= row.mean).any()), row.cell
    assert not own.loc["short", "front"] and own.loc["mask 90", "cost"] == pytest.approx(0.15)


def test_what_a_source_saves_is_counted_in_flops(found):
    table = found.cost_table.set_index(["method", "sparsity (%)"])
    assert table.loc[("RigL", 90.0)].tolist() == pytest.approx([16, 20, 20])
    assert table.loc[("GMP", 98.0)].tolist() == pytest.approx([19, 23, 100 * 4 / 23])
