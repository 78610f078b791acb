"""Points become runs: replicates of those that can be, and reasons for the others."""

from __future__ import annotations

from randsparse.comparison.design import compare
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
    assert found.infeasible == ()


def test_points_out_of_reach_have_a_reason_and_no_runs_and_all_keep_their_order():
    points = {("b", "weight", 0.9999): EMPTY, ("a", "weight", 0.5): HALF, ("c", "weight", 0.9999): EMPTY}
    found = compare(points, seeds=1)
    assert [arm.arm for arm in found.arms] == ["a"]
    assert [(point.arm, point.structure, point.sparsity, point.model) for point in found.infeasible] == [
        (name, "weight", 0.9999, EMPTY.model) for name in "bc"
    ]
    assert all(point.reason for point in found.infeasible)
