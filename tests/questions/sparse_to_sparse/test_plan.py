"""The plan of notebook 08: which runs there are, and what each is told."""

from __future__ import annotations

import pytest

from randsparse.questions.sparse_to_sparse import plan as sparse_runs
from randsparse.runs import methods
from randsparse.runs.config import DEFAULTS

METHODS = ["set", "rigl", "granet", "gmp", "imp", "str"]
PARAMETERS = {
    "dataset": "digits",
    "model": "wrn-10-1",
    "epochs": 6,
    "batch_size": 64,
    "seeds": 2,
    "rule": "erk",
    "methods": METHODS,
    "sparsities": [0.9, 0.95],
    "source_sparsities": [0.0, 0.5],
    "source_rule": "er",
    "shorter": [1, 3],
    "swept_method": "gmp",
    "swept_sparsity": 0.95,
    "swept_sources": [0.0, 0.5, 0.8],
    "rules": ["er", "balanced"],
    "rules_sparsity": 0.98,
    "rules_source": 0.9,
    "levels": 3,
    "level_epochs": 4,
    "update_interval": 7,
    "update_end": 0.6,
    "prune_rate": 0.2,
    "threshold_decay": 0.03,
}


def plan(**changes):
    return sparse_runs.sparse_to_sparse(PARAMETERS | changes)


def configs(comparison, **fields):
    """The configs of an arm's runs, of those arms whose fields are these."""
    found = [arm.config for arm in comparison.arms]
    return [each for each in found if all(getattr(each, name) == value for name, value in fields.items())]


@pytest.fixture(scope="module")
def comparison():
    return plan()


def test_every_method_is_there_from_both_starts_at_every_sparsity_beside_its_controls(comparison):
    for sparsity in PARAMETERS["sparsities"]:
        arms = {arm.arm for arm in comparison.arms if arm.sparsity == sparsity}
        starts = {f"{method}{start}" for method in METHODS for start in ("", " in er 0.5")}
        assert starts | {"random", "small dense (own scale)"} <= arms
    dense = {arm.arm: arm.config for arm in comparison.arms if arm.sparsity == 0}
    wanted = {"dense": 6, "dense, 1 epochs": 1, "dense, 3 epochs": 3}
    assert {name: config.epochs for name, config in dense.items()} == wanted
    assert all(config.warmup_epochs < config.epochs for config in dense.values())
    keys = [arm.config.key for arm in comparison.arms]
    assert len(keys) == len(set(keys)) and comparison.infeasible == ()


def test_the_sweep_of_sources_and_the_rules_with_and_without_flow_are_there(comparison):
    swept = configs(comparison, method="gmp", sparsity=0.95)
    assert {config.source_sparsity for config in swept} == {0.0, 0.5, 0.8}
    static = configs(comparison, method="static", sparsity=0.98)
    inside = configs(comparison, method="gmp", sparsity=0.98, source_sparsity=0.9)
    wanted = {(rule, flow) for rule in PARAMETERS["rules"] for flow in (False, True)}
    assert {(config.rule, config.preserve_flow) for config in static} == wanted
    assert {(config.source_rule, config.preserve_flow) for config in inside} == wanted


def test_what_only_changing_masks_read_reaches_them(comparison):
    given = {name: value for name, value in PARAMETERS.items() if name in methods.FIELDS}
    assert set(given) >= {"update_interval", "update_end", "prune_rate", "threshold_decay", "levels"}
    for config in (arm.config for arm in comparison.arms):
        reads = methods.READS.get(config.method, set()) if config.sparsity else set()
        for name in given.keys() & reads - {"source_rule"}:
            assert getattr(config, name) == given[name] != DEFAULTS[name], (config.method, name)


def test_each_training_of_imp_has_level_epochs(comparison):
    found = configs(comparison, method="imp")
    assert found and all(config.epochs == 12 and methods.level_epochs(config) == 4 for config in found)
    others = [config for config in configs(comparison) if config.method in set(METHODS) - {"imp"}]
    assert {config.epochs for config in others} == {6}


def test_all_arms_have_the_same_seeds_and_one_engine(comparison):
    seeds = {}
    for arm in comparison.arms:
        assert arm.config.init_seed == arm.config.data_seed == arm.replicate
        assert arm.config.engine == "masked"
        seeds.setdefault((arm.arm, arm.sparsity), []).append(arm.replicate)
    assert set(map(tuple, seeds.values())) == {(0, 1)}
    drawn = [arm for arm in comparison.arms if arm.config.source_sparsity or arm.arm == "random"]
    assert all(arm.config.mask_seed == arm.replicate for arm in drawn)


def test_a_point_that_cannot_be_reached_is_named_with_its_reason():
    comparison = plan(rules_sparsity=0.998)
    assert {(point.arm, point.sparsity) for point in comparison.infeasible} == {
        ("random er, flow preserved", 0.998),
        ("random balanced, flow preserved", 0.998),
    }
    assert all("cannot preserve flow" in point.reason for point in comparison.infeasible)
    assert configs(comparison, method="gmp", sparsity=0.998, preserve_flow=True)  # of the source, which has room
