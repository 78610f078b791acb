from __future__ import annotations

import math

import pytest

from randsparse.errors import StudyError
from randsparse.networks import registry
from randsparse.sparsity.densities import RULES, allocate, apportion, clip_densities, custom, fit_within
from randsparse.sparsity.layers import maskable

DENSITIES = [i / 100 for i in range(1, 101)]
NETWORKS = ["wrn-16-1", "wrn-22-2", "wrn-28-10", "resnet-20"]
SMALL = {"first": (8, 3, 3, 3), "middle": (16, 8, 3, 3), "classifier": (10, 16)}


@pytest.fixture(scope="module")
def shapes() -> dict[str, dict[str, tuple[int, ...]]]:
    return {name: maskable(registry.build(name, classes=10, channels=3, size=32)) for name in NETWORKS}


def total(shapes) -> int:
    return sum(map(math.prod, shapes.values()))


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("rule", RULES)
def test_every_rule_is_exact_at_every_density(shapes, name, rule):
    layers = shapes[name]
    for density in DENSITIES:
        counts = allocate(layers, density, rule)
        assert list(counts) == list(layers)
        assert sum(counts.values()) == round(density * total(layers))
        assert all(1 <= counts[layer] <= math.prod(shape) for layer, shape in layers.items())


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize("rule", RULES)
def test_real_valued_densities_meet_the_density_asked_for(shapes, name, rule):
    layers = shapes[name]
    for density in DENSITIES:
        densities = RULES[rule](layers, density)
        assert all(0 < p <= 1 for p in densities.values())
        kept = sum(p * math.prod(layers[layer]) for layer, p in densities.items())
        assert kept == pytest.approx(density * total(layers), rel=1e-9)


@pytest.mark.parametrize("rule", RULES)
def test_counts_are_within_one_of_the_rule(shapes, rule):
    layers = shapes["wrn-22-2"]
    densities, counts = RULES[rule](layers, 0.1), allocate(layers, 0.1, rule)
    for layer, shape in layers.items():
        assert abs(counts[layer] - densities[layer] * math.prod(shape)) < 1


def test_proportions_are_those_of_the_formulas_where_no_layer_is_full():
    weights = {
        "uniform": (1, 1, 1),
        "er": ((8 + 3) / (8 * 3), (16 + 8) / (16 * 8), (10 + 16) / (10 * 16)),
        "erk": (17 / 216, 30 / 1152, 26 / 160),
        "balanced": (1 / 216, 1 / 1152, 1 / 160),
    }
    for rule, (first, middle, classifier) in weights.items():
        p = RULES[rule](SMALL, 0.05)
        assert p["first"] / p["middle"] == pytest.approx(first / middle)
        assert p["classifier"] / p["middle"] == pytest.approx(classifier / middle)


def test_a_full_layer_is_exactly_dense_and_the_others_keep_their_proportions():
    p = RULES["balanced"](SMALL, 0.5)  # 764 weights: the classifier holds 160, the first 216, the rest 388
    assert p == pytest.approx({"first": 1, "middle": 388 / 1152, "classifier": 1})
    assert allocate(SMALL, 0.5, "balanced") == {"first": 216, "middle": 388, "classifier": 160}


def test_pyramidal_densities_are_powers():
    p = RULES["pyramidal"](SMALL, 0.3)
    q = p["first"]
    assert p["middle"] == pytest.approx(q**2) and p["classifier"] == pytest.approx(q**3)


def test_uniform_plus_fixes_the_first_layer_and_bounds_the_classifier():
    sparse, dense = RULES["uniform+"](SMALL, 0.2), RULES["uniform+"](SMALL, 0.7)
    assert sparse["first"] == dense["first"] == 1
    assert sparse["classifier"] == 0.2 and sparse["middle"] == pytest.approx((305.6 - 216 - 32) / 1152)
    assert dense["classifier"] == pytest.approx(dense["middle"]) and dense["middle"] > 0.2


def test_erk_plus_has_a_dense_classifier_and_erk_elsewhere():
    p = RULES["erk+"](SMALL, 0.15)
    assert p["classifier"] == 1
    assert p["first"] / p["middle"] == pytest.approx((17 / 216) / (30 / 1152))


def test_smart_ratio_grows_by_k_squared_plus_k_from_the_output():
    p = RULES["smart"](SMALL, 0.15)  # 229.2 weights: .3 of the classifier, 48, the rest by 12 : 6
    c = (229.2 - 48) / (12 * 216 + 6 * 1152)
    assert p == pytest.approx({"first": 12 * c, "middle": 6 * c, "classifier": 0.3})
    assert RULES["smart"](SMALL, 0.7)["classifier"] == 0.3 and RULES["smart"](SMALL, 0.7)["first"] == 1


def test_ideal_gas_quotas_compress_all_layers_by_one_force(shapes):
    for layers, density in ((SMALL, 0.3), (shapes["wrn-28-10"], 0.01), (shapes["wrn-28-10"], 0.99)):
        p = RULES["igq"](layers, density)
        forces = [(1 / p[name] - 1) / math.prod(shape) for name, shape in layers.items()]
        assert forces == pytest.approx([forces[0]] * len(forces), rel=1e-5) and forces[0] > 0
    hand = {"a": (10, 10), "b": (10, 30)}  # F = 1/100: 100/2 + 300/4 = 125 weights of 400
    assert RULES["igq"](hand, 125 / 400) == pytest.approx({"a": 1 / 2, "b": 1 / 4})


def test_custom_densities_are_kept_and_the_other_layers_share_the_rest():
    p = custom(SMALL, 0.25, {"classifier": 0.5, "first": 1.0})  # 382 weights: 80, 216, the rest 86
    assert p == pytest.approx({"first": 1.0, "middle": 86 / 1152, "classifier": 0.5})
    assert apportion(SMALL, 0.25, p) == {"first": 216, "middle": 86, "classifier": 80}
    everything = {"classifier": 0.5, "first": 0.25, "middle": 0.125}  # 80 + 54 + 144 = 278
    assert apportion(SMALL, 278 / 1528, custom(SMALL, 278 / 1528, everything)) == {
        "first": 54,
        "middle": 144,
        "classifier": 80,
    }


def test_custom_counts_are_exact_at_every_density(shapes):
    layers = shapes["wrn-16-1"]
    for density in DENSITIES[1:-1]:
        given = {"stem.weight": 1.0, "classifier.weight": 0.317, "group2.0.shortcut.weight": density}
        counts = apportion(layers, density, custom(layers, density, given))
        assert sum(counts.values()) == round(density * total(layers))
        assert abs(counts["classifier.weight"] - 0.317 * 640) < 1 and counts["stem.weight"] == 432


@pytest.mark.parametrize(
    "layers, density, says",
    [
        ({"last": 0.5}, 0.5, "unknown layer 'last': choose one of first, middle, classifier"),
        ({"first": 1.0, "middle": 0.5}, 0.5, "allow a density from 0.518.* to 0.623.* in all, not 0.5: change them"),
        ({"middle": 0.01}, 0.5, "allow a density from 0.008.* to 0.253.* in all, not 0.5"),
        ({"first": 0.5, "middle": 0.5, "classifier": 0.5}, 0.4, "allow a density of 0.5 in all, not 0.4"),
    ],
)
def test_custom_densities_that_do_not_fit_are_refused(layers, density, says):
    with pytest.raises(StudyError, match=says):
        custom(SMALL, density, layers)


def test_density_one_keeps_everything():
    for rule in RULES:
        assert allocate(SMALL, 1.0, rule) == {name: math.prod(shape) for name, shape in SMALL.items()}


@pytest.mark.parametrize(
    "rule,fixed", [("uniform+", 216 + 32 + 1), ("erk+", 160 + 2), ("smart", 48 + 2), ("erk", 3), ("igq", 3)]
)
def test_the_lowest_density_is_met_and_below_it_the_error_names_it(rule, fixed):
    counts = allocate(SMALL, fixed / 1528, rule)
    assert sum(counts.values()) == fixed and min(counts.values()) == 1
    with pytest.raises(StudyError, match=rf"choose one from {math.ceil(fixed / 1528 * 1e6) / 1e6:g} to 1$"):
        allocate(SMALL, (fixed - 1) / 1528, rule)


@pytest.mark.parametrize("density", [0.0, -0.1, 1.01, math.nan])
@pytest.mark.parametrize("rule", RULES)
def test_impossible_densities_are_refused(rule, density):
    with pytest.raises(StudyError, match="cannot be met"):
        allocate(SMALL, density, rule)


def test_unknown_rules_are_refused_with_the_list():
    with pytest.raises(StudyError, match="'foo'.*erk.*pyramidal"):
        allocate(SMALL, 0.5, "foo")
    with pytest.raises(StudyError, match="'pyramidal'.*balanced"):
        clip_densities(SMALL, 0.5, "pyramidal")


@pytest.mark.parametrize("rule,realised", [("balanced", 0.46), ("erk", 0.65), ("uniform", 0.8)])
def test_clipping_loses_the_surplus(shapes, rule, realised):
    layers = shapes["wrn-28-10"]
    densities = clip_densities(layers, 0.8, rule)
    kept = sum(densities[layer] * math.prod(shape) for layer, shape in layers.items())
    assert kept / total(layers) == pytest.approx(realised, abs=0.005)
    assert max(densities.values()) <= 1


def test_clipping_does_nothing_where_no_layer_is_full():
    for rule in ("uniform", "er", "erk", "balanced"):
        assert clip_densities(SMALL, 0.05, rule) == pytest.approx(RULES[rule](SMALL, 0.05))


def test_counts_within_limits_hand_on_what_a_layer_cannot_take():
    limits = {"a": 5, "b": 100, "c": 100}
    assert fit_within({"a": 5, "b": 10, "c": 30}, limits) == {"a": 5, "b": 10, "c": 30}
    assert fit_within({"a": 25, "b": 10, "c": 30}, limits) == {"a": 5, "b": 15, "c": 45}  # 20 shared 1 : 3
    assert fit_within({"a": 25, "b": 50, "c": 30}, {"a": 25, "b": 50, "c": 30}) == {"a": 25, "b": 50, "c": 30}
    assert sum(fit_within({"a": 25, "b": 10, "c": 31}, limits).values()) == 66
    with pytest.raises(StudyError, match="66 weights do not fit into layers that have 60"):
        fit_within({"a": 25, "b": 10, "c": 31}, {"a": 25, "b": 10, "c": 25})
