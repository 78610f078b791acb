"""Points become runs: replicates of those that can be, and reasons for the others."""

from __future__ import annotations

from randsparse.comparison import design
from randsparse.comparison.design import Arm, Comparison, compare, join, share_rates, trials
from randsparse.runs.config import RunConfig

BASE = RunConfig(epochs=20)
HALF = BASE.replace(sparsity=0.5)
EMPTY = BASE.replace(sparsity=0.9999)
"""A sparsity at which ERK leaves some layer without a weight."""


def test_each_point_has_replicates_that_differ_in_all_three_seeds():
    found = compare({("dense", "weight", 0.0): BASE, ("random", "weight", 0.5): HALF}, seeds=3)
    assert [(arm.arm, arm.structure, arm.sparsity, arm.replicate) for arm in found.arms] == [
        (name, "weight", sparsity, seed) for name, sparsity in (("dense", 0.0), ("random", 0.5)) for seed in range(3)
    ]
    for arm in found.arms:
        seeds = dict.fromkeys(("mask_seed", "init_seed", "data_seed"), arm.replicate)
        assert arm.config == (HALF if arm.sparsity else BASE).replace(**seeds)
    assert found.searches == found.infeasible == found.tunings == ()


def test_points_out_of_reach_have_a_reason_and_no_runs_and_all_keep_their_order():
    points = {("b", "weight", 0.9999): EMPTY, ("a", "weight", 0.5): HALF, ("c", "weight", 0.9999): EMPTY}
    found = compare(points, seeds=1)
    assert [arm.arm for arm in found.arms] == ["a"]
    assert [(point.arm, point.structure, point.sparsity, point.model) for point in found.infeasible] == [
        (name, "weight", 0.9999, EMPTY.model) for name in "bc"
    ]
    assert all(point.reason for point in found.infeasible)


def test_parts_are_joined_in_their_order():
    one, two = compare({("x", "weight", 0.0): BASE}, 1), compare({("y", "weight", 0.9999): EMPTY}, 1)
    both = join([one, two, one])
    assert both.arms == one.arms * 2 and both.infeasible == two.infeasible
    other = compare({("z", "weight", 0.5): HALF}, 1)
    assert join([one, other]).arms == (*one.arms, *other.arms)
    assert join([]) == Comparison((), (), ())


def test_trials_are_replicates_at_each_rate():
    found = trials(HALF.replace(mask_seed=7), [0.1, 0.2], seeds=2)
    assert [(run.lr, run.mask_seed, run.init_seed, run.data_seed) for run in found] == [
        (0.1, 0, 0, 0),
        (0.1, 1, 1, 1),
        (0.2, 0, 0, 0),
        (0.2, 1, 1, 1),
    ]
    assert {run.sparsity for run in found} == {0.5}


def test_arms_share_the_rate_of_a_sparsity_in_the_order_in_which_sparsities_come():
    named = (("r", 0.9), ("d", 0.0), ("r", 0.5), ("s", 0.9))
    arms = [Arm(name, "weight", sparsity, 0, BASE) for name, sparsity in named]
    found = share_rates(arms, lambda arm: 0.0 if arm.arm in "ds" else arm.sparsity)
    assert {at: [(arm.arm, arm.sparsity) for arm in members] for at, members in found.items()} == {
        0.9: [("r", 0.9)],
        0.0: [("d", 0.0), ("s", 0.9)],
        0.5: [("r", 0.5)],
    }
    assert list(found) == [0.9, 0.0, 0.5]


def test_controls_of_a_node_mask_are_trained_as_smaller_networks():
    parameters = {"structures": ["weight", "node"], "sparsities": [0.0, 0.5], "node_engine": "compacted", "epochs": 2}
    points = list(design.masked_points(parameters))
    assert [point[:2] for point in points] == [("weight", 0.0), ("weight", 0.5), ("node", 0.0), ("node", 0.5)]
    found = design.control_points(*points[-1])
    assert [name for name, _, _ in found] == [design.RANDOM, design.SMALL_PARENT, design.SMALL_OWN]
    random = found[design.RANDOM, "node", 0.5]
    assert (random.engine, random.structure, random.method) == ("compacted", "node", "static")
    assert [(each.method, each.init_scale) for each in found.values()][1:] == [
        ("small-dense", "parent"),
        ("small-dense", "own"),
    ]
    assert list(design.control_points(*points[0])) == [(design.DENSE, "weight", 0.0)]
    assert list(design.control_points(*points[1], arms=[design.RANDOM])) == [(design.RANDOM, "weight", 0.5)]
