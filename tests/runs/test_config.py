"""What a run is: keys, canonical forms and refusals."""

from __future__ import annotations

import dataclasses
import json
import re

import pytest

from randsparse.errors import StudyError
from randsparse.runs import forms
from randsparse.runs.config import CHOICES, DEFAULTS, RunConfig
from randsparse.runs.settings import setting

# A changed default would give old keys a new meaning: add fields, never change these.
FROZEN = {
    "dataset": "digits",
    "train_samples": None,
    "model": "wrn-10-1",
    "sparsity": 0.0,
    "structure": "weight",
    "rule": "erk",
    "layer_densities": (),
    "criterion": "random",
    "score_init_seed": None,
    "draw": "exact",
    "method": "static",
    "init_scale": "parent",
    "epochs": 20,
    "stop_epoch": None,
    "batch_size": 128,
    "optimizer": "sgd",
    "lr": 0.1,
    "momentum": 0.9,
    "nesterov": True,
    "weight_decay": 5e-4,
    "schedule": "cosine",
    "milestones": (0.5, 0.75),
    "gamma": 0.1,
    "warmup_epochs": 1.0,
    "label_smoothing": 0.0,
    "norm_group": None,
    "precision": "float32",
    "memory_format": "channels_last",
    "engine": "masked",
    "mask_seed": 0,
    "init_seed": 0,
    "data_seed": 0,
    "source_sparsity": 0.0,
    "source_rule": "erk",
    "start_sparsity": 0.0,
    "prune_rate": 0.3,
    "prune_decay": "cosine",
    "prune_scope": "global",
    "update_interval": 100,
    "update_start": 0.0,
    "update_end": 0.75,
    "frozen_weights": "signed-constant",
    "levels": 5,
    "rewind": "weights",
    "rewind_epoch": 0,
    "threshold_init": -5.0,
    "threshold_decay": 5e-4,
    "fine_tune_epochs": 0,
    "preserve_flow": False,
    "cooldown_epoch": 0,
    "cooldown_epochs": 0.0,
    "fork_seed": None,
    "fork_epoch": 0,
}


def test_defaults_are_frozen():
    assert {name: DEFAULTS[name] for name in FROZEN} == FROZEN


def test_keys_are_frozen():
    assert RunConfig().key == "b8d5375997857103"
    assert RunConfig(sparsity=0.8, mask_seed=3).key == "9c6b662951d6cb19"
    assert RunConfig(sparsity=0.8, engine="batched").key == "a394e6dae0c84dcf"


def test_defaults_are_all_frozen():
    assert DEFAULTS.keys() == FROZEN.keys()


def test_defaults_are_in_order_as_they_are_not_checked():
    typed = {name: forms.convert(name, value, value) for name, value in DEFAULTS.items()}
    assert typed == DEFAULTS and [*map(type, typed.values())] == [*map(type, DEFAULTS.values())]
    assert all(DEFAULTS[name] in allowed for name, allowed in CHOICES.items())


@pytest.mark.parametrize(
    "name, bound, value",
    [
        (field.name, bound, value)
        for field in dataclasses.fields(RunConfig)
        for bound, value in field.metadata.get("bounds", {}).items()
    ],
)
def test_a_number_outside_the_bounds_of_its_field_is_refused(name, bound, value):
    step = 1 if isinstance(DEFAULTS[name] or 0, int) else 1e-9
    outside = {"at_least": value - step, "above": value, "at_most": value + step, "below": value}[bound]
    says = re.escape(f"{bound.replace('_', ' ')} {value:g}")
    with pytest.raises(StudyError, match=f"^{name}=.* must be .*{says}"):
        RunConfig(**{name: outside})


def test_a_field_with_a_bound_of_an_unknown_kind_is_an_error():
    with pytest.raises(TypeError, match="minimum"):
        setting(1, minimum=0)


@pytest.mark.parametrize(
    "a, b",
    [
        (dict(sparsity=0), dict(sparsity=0.0)),
        (dict(mask_seed=5), dict()),
        (dict(rule="uniform", structure="node", draw="fan_in", method="small-dense"), dict()),
        (dict(sparsity=0.5, structure="node", rule="er"), dict(sparsity=0.5, structure="node")),
        (dict(sparsity=0.5, method="small-dense", mask_seed=2), dict(sparsity=0.5, method="small-dense")),
        (dict(sparsity=0.5, method="small-dense", engine="batched"), dict(sparsity=0.5, method="small-dense")),
        (dict(criterion="snip", rule="snip", score_init_seed=3), dict()),
        (dict(sparsity=0.5, criterion="snip", method="small-dense"), dict(sparsity=0.5, method="small-dense")),
        (dict(sparsity=0.5, criterion="snip", mask_seed=3, draw="fan_in"), dict(sparsity=0.5, criterion="snip")),
        (
            dict(sparsity=0.5, rule="grasp", score_init_seed=2, init_seed=2),
            dict(sparsity=0.5, rule="grasp", init_seed=2),
        ),
        (dict(sparsity=0.5, score_init_seed=3), dict(sparsity=0.5)),
        (dict(sparsity=0.5, layer_densities={"stem.weight": 0.5}), dict(sparsity=0.5)),
        (dict(sparsity=0.5, rule="custom", structure="node"), dict(sparsity=0.5, structure="node")),
        (
            dict(sparsity=0.5, rule="custom", layer_densities={"stem.weight": 1, "classifier.weight": 0.5}),
            dict(sparsity=0.5, rule="custom", layer_densities=[("classifier.weight", 0.5), ("stem.weight", 1.0)]),
        ),
        (dict(optimizer="adamw", momentum=0.5), dict(optimizer="adamw")),
        (dict(gamma=0.3, milestones=[0.1]), dict()),
        (dict(epochs=10, stop_epoch=10), dict(epochs=10)),
        (dict(epochs=10, cooldown_epoch=4, cooldown_epochs=1.5, stop_epoch=4), dict(epochs=10, stop_epoch=4)),
        (
            dict(epochs=10, cooldown_epoch=4, cooldown_epochs=1.5, stop_epoch=6),
            dict(epochs=10, cooldown_epoch=4, cooldown_epochs=1.5),
        ),
        (dict(fork_seed=7, fork_epoch=3, stop_epoch=3), dict(stop_epoch=3)),
        (dict(fork_seed=7, fork_epoch=3, data_seed=7), dict(data_seed=7)),
        (
            dict(fork_seed=7, fork_epoch=4, cooldown_epoch=2, cooldown_epochs=1.5),
            dict(cooldown_epoch=2, cooldown_epochs=1.5),
        ),
        (dict(norm_group=128), dict()),
        (dict(model="resnet-20-16"), dict(model="resnet-20")),
        (dict(sparsity=0.5, source_sparsity=0.2, source_rule="er", update_interval=7), dict(sparsity=0.5)),
        (dict(method="rigl", update_interval=7), dict()),
        (
            dict(sparsity=0.5, method="edge-popup", start_sparsity=0.5, update_interval=7, rule="er", prune_rate=0.1),
            dict(sparsity=0.5, method="edge-popup", start_sparsity=0.5),
        ),
        (
            dict(
                sparsity=0.5, method="set", source_rule="er", update_start=0.3, prune_scope="layer", start_sparsity=0.1
            ),
            dict(sparsity=0.5, method="set"),
        ),
        (dict(sparsity=0.5, method="gmp", rule="er", prune_rate=0.1, mask_seed=3), dict(sparsity=0.5, method="gmp")),
        (
            dict(sparsity=0.5, method="granet", source_sparsity=0.2, start_sparsity=0.1, rule="er"),
            dict(sparsity=0.5, method="granet", source_sparsity=0.2),
        ),
        (dict(sparsity=0.5, method="granet", mask_seed=1), dict(sparsity=0.5, method="granet")),
        (dict(epochs=20.0, lr=1), dict(lr=1.0)),
        (dict(preserve_flow=True, draw="bernoulli"), dict()),
        (
            dict(sparsity=0.5, structure="node", preserve_flow=True, draw="bernoulli"),
            dict(sparsity=0.5, structure="node"),
        ),
        (dict(sparsity=0.5, method="small-dense", preserve_flow=True), dict(sparsity=0.5, method="small-dense")),
        *[
            (dict(sparsity=0.5, method=method, preserve_flow=True), dict(sparsity=0.5, method=method))
            for method in ("gmp", "granet", "imp", "str", "edge-popup")
        ],
    ],
)
def test_fields_without_effect_do_not_split_keys(a, b):
    assert RunConfig(**a) == RunConfig(**b)
    assert RunConfig(**a).key == RunConfig(**b).key


@pytest.mark.parametrize(
    "changes",
    [
        dict(sparsity=0.5),
        dict(sparsity=0.5, mask_seed=1),
        dict(init_seed=1),
        dict(data_seed=1),
        dict(stop_epoch=3),
        dict(sparsity=0.5, structure="node"),
        dict(sparsity=0.5, structure="node", engine="compacted"),
        dict(precision="bfloat16"),
        dict(memory_format="contiguous"),
        dict(sparsity=0.5, draw="bernoulli"),
        dict(schedule="step", gamma=0.2),
        dict(train_samples=100),
        dict(norm_group=64),
        dict(sparsity=0.5, method="set"),
        dict(sparsity=0.5, method="rigl", mask_seed=1),
        dict(sparsity=0.5, preserve_flow=True),
        dict(sparsity=0.5, method="edge-popup"),
        dict(sparsity=0.5, method="edge-popup", mask_seed=1),
        dict(cooldown_epoch=2, cooldown_epochs=1),
        dict(fork_seed=1),
    ],
)
def test_fields_with_effect_split_keys(changes):
    assert RunConfig(**changes).key != RunConfig().key


@pytest.mark.parametrize(
    "values",
    [
        dict(),
        dict(rule="snip"),
        dict(method="set"),
        dict(method="rigl"),
        dict(method="granet", start_sparsity=0.2),
        *[
            dict(method=method, source_sparsity=0.2)
            for method in ("set", "rigl", "granet", "gmp", "imp", "str", "edge-popup")
        ],
    ],
)
def test_preserved_flow_is_another_run_where_a_mask_is_drawn(values):
    config = RunConfig(sparsity=0.5, **values)
    assert config.replace(preserve_flow=True).key != config.key


def test_rule_criterion_and_scored_weights_split_keys():
    scored = RunConfig(sparsity=0.5, rule="snip", criterion="snip")
    others = [
        scored.replace(criterion="random"),
        scored.replace(criterion="random", mask_seed=1),
        scored.replace(rule="erk"),
        scored.replace(score_init_seed=1),
        scored.replace(score_init_seed=2),
        scored.replace(criterion="random", score_init_seed=1),
        RunConfig(sparsity=0.5),
    ]
    custom = [dict(sparsity=0.5, rule="custom", layer_densities={"stem.weight": p}) for p in (0.5, 0.25)]
    configs = [scored, *others, *(RunConfig(**values) for values in custom)]
    assert len({config.key for config in configs}) == len(set(configs)) == len(configs)


OF_METHODS = {
    "source_sparsity": {"method": "set"},
    "source_rule": {"method": "set", "source_sparsity": 0.25},
    "start_sparsity": {"method": "granet"},
    "prune_rate": {"method": "rigl"},
    "prune_decay": {"method": "set"},
    "prune_scope": {"method": "gmp"},
    "update_interval": {"method": "gmp"},
    "update_start": {"method": "granet", "update_interval": 9},
    "update_end": {"method": "rigl", "update_interval": 9},
    "frozen_weights": {"method": "edge-popup"},
    "fine_tune_epochs": {"method": "edge-popup", "warmup_epochs": 0},
    "levels": {"method": "imp", "epochs": 24},
    "rewind": {"method": "imp"},
    "rewind_epoch": {"method": "imp", "epochs": 21},
    "threshold_init": {"method": "str"},
    "threshold_decay": {"method": "str"},
}


@pytest.mark.parametrize("name", [n for n in DEFAULTS if n not in ("dataset", "model")])
def test_every_field_survives_json(name):
    other = {
        "structure": "node",
        "rule": "er",
        "draw": "fan_in",
        "method": "small-dense",
        "init_scale": "own",
        "optimizer": "adamw",
        "schedule": "step",
        "precision": "float64",
        "memory_format": "contiguous",
        "engine": "compacted",
        "nesterov": False,
        "train_samples": 500,
        "stop_epoch": 2,
        "milestones": (0.3,),
        "criterion": "snip",
        "score_init_seed": 4,
        "fork_seed": 7,
        "norm_group": 32,
        "source_rule": "balanced",
        "prune_decay": "constant",
        "prune_scope": "layer",
        "frozen_weights": "kaiming-normal",
        "rewind": "rate",
        "preserve_flow": True,
        "layer_densities": (("classifier.weight", 1.0), ("stem.weight", 0.5)),
    }
    base = {"sparsity": 0.5}
    if name == "engine":
        base["structure"] = "node"
    if name in ("milestones", "gamma"):
        base["schedule"] = "step"
    if name == "layer_densities":
        base["rule"] = "custom"
    if name == "score_init_seed":
        base["criterion"] = "grasp"
    if name.startswith("cooldown"):
        base |= {"cooldown_epoch": 2, "cooldown_epochs": 1.0}
    if name == "fork_epoch":
        base["fork_seed"] = 7
    base |= OF_METHODS.get(name, {})
    default = DEFAULTS[name]
    value = other.get(name, default + 1 if isinstance(default, int) else 0.25)
    config = RunConfig(**(base | {name: value}))
    assert getattr(config, name) == value
    assert RunConfig.from_dict(json.loads(json.dumps(config.to_dict()))) == config


@pytest.mark.parametrize(
    "values, says",
    [
        (dict(sparsity=1.0), r"sparsity=1.0.*below 1: 1 would leave no weight"),
        (dict(sparsity=-0.1), r"sparsity=-0.1.*at least 0"),
        (dict(sparsity="0.5"), "sparsity='0.5' is a str: it must be a finite number"),
        (dict(sparsity=float("nan")), "sparsity=nan"),
        (dict(dataset="mnist"), "unknown dataset 'mnist'.*digits"),
        (dict(model="wrn-11-1"), "depth must be 6n"),
        (dict(model="vgg"), "unknown model 'vgg'"),
        (dict(rule="random"), "unknown density rule 'random'.*erk.*snip.*custom"),
        (dict(sparsity=0.5, criterion="snap"), "unknown criterion 'snap'.*random.*snip"),
        (dict(sparsity=0.5, criterion="snip", structure="node"), "criterion='snip'.*'random' unless structure"),
        (dict(sparsity=0.5, preserve_flow=True, draw="bernoulli"), "preserve_flow=True.*'random' and draw is 'exact'"),
        (dict(sparsity=0.5, preserve_flow=True, draw="fan_in"), "preserve_flow=True.*'random' and draw is 'exact'"),
        (dict(sparsity=0.5, preserve_flow=True, criterion="snip"), "preserve_flow=True.*False unless criterion"),
        (dict(sparsity=0.5, preserve_flow=1), "preserve_flow=1 is a int: it must be bool"),
        (dict(sparsity=0.5, rule="custom"), r"layer_densities=\(\).*of one at least"),
        (dict(sparsity=0.5, rule="custom", layer_densities={"stem": 0.5}), "'stem'.*choose one of stem.weight, group1"),
        (dict(rule="custom", layer_densities={"stem.weight": 0}), r"layer_densities\['stem.weight'\]=0.*in \(0, 1\]"),
        (dict(layer_densities={"stem.weight": 1.1}), r"=1.1 is not possible: it must be in \(0, 1\]"),
        (dict(layer_densities={"stem.weight": "all"}), "'all'.*must map names of layers to densities"),
        (dict(layer_densities=0.5), "layer_densities=0.5: it must map"),
        (dict(structure="filter"), "unknown structure 'filter'.*weight, node"),
        (dict(epochs=0), "epochs=0.*at least 1"),
        (dict(epochs=True), "epochs=True is a bool"),
        (dict(epochs=5, stop_epoch=6), "stop_epoch=6.*epochs"),
        (dict(epochs=5, fork_seed=1, fork_epoch=5), r"fork_epoch=5.*below epochs \(5\)"),
        (dict(fork_seed=1, fork_epoch=-1), "fork_epoch=-1.*at least 0"),
        (dict(fork_epoch=1), "fork_epoch=1.*0 without a fork_seed"),
        (dict(epochs=5, cooldown_epoch=5, cooldown_epochs=1), r"cooldown_epoch=5.*below epochs \(5\)"),
        (dict(cooldown_epoch=-1, cooldown_epochs=1), "cooldown_epoch=-1.*at least 0"),
        (dict(cooldown_epochs=1), "cooldown_epochs=1.0.*0 without a cooldown_epoch"),
        (dict(cooldown_epoch=1), "cooldown_epochs=0.0.*above 0"),
        (dict(cooldown_epoch=1, cooldown_epochs=-0.5), "cooldown_epochs=-0.5.*at least 0"),
        (
            dict(cooldown_epoch=1, cooldown_epochs=float("nan")),
            "cooldown_epochs=nan is a float: it must be a finite number",
        ),
        (dict(epochs=5, cooldown_epoch=3, cooldown_epochs=2.5), "cooldown_epochs=2.5.*at most 2, the epochs after 3"),
        (dict(cooldown_epoch=2, cooldown_epochs=2, stop_epoch=3), r"stop_epoch=3.*at most cooldown_epoch \(2\)"),
        (dict(cooldown_epoch=2, cooldown_epochs=2, stop_epoch=5), r"stop_epoch=5.*at most cooldown_epoch \(2\)"),
        (
            dict(sparsity=0.5, method="rigl", cooldown_epoch=2, cooldown_epochs=2),
            "cooldown_epoch=2.*0 with method='rigl'",
        ),
        (dict(lr=0), "lr=0.0.*above 0"),
        (dict(nesterov="yes"), "nesterov='yes' is a str"),
        (dict(sparsity=0.5, engine="compacted"), "engine='compacted'.*batched.*node"),
        (dict(engine="batched", model="resnet-20-8"), "engine='batched'.*masked.*multiple of 16"),
        (dict(schedule="step", milestones=(0.8, 0.5)), "milestones"),
        (dict(method="edge-popup"), "sparsity=0.0.*above source_sparsity.*only chooses"),
        (dict(method="edge-popup", sparsity=0.5, source_sparsity=0.5), "sparsity=0.5.*above source_sparsity"),
        (dict(method="edge-popup", sparsity=0.5, epochs=4, fine_tune_epochs=4), "fine_tune_epochs=4.*below epochs .4."),
        (dict(method="edge-popup", sparsity=0.5, epochs=4, fine_tune_epochs=1), "warmup_epochs=1.*below the 1 epochs"),
        (dict(method="edge-popup", sparsity=0.5, frozen_weights="one"), "frozen_weights 'one'.*signed-constant"),
        (dict(method="imp", sparsity=0.5, levels=1), "levels=1.*at least 2"),
        (dict(method="imp", sparsity=0.5, epochs=21), r"epochs=21.*rewind_epoch \(0\) and a multiple of levels \(5\)"),
        (dict(method="imp", sparsity=0.5, rewind_epoch=20), r"rewind_epoch=20.*below epochs \(20\)"),
        (dict(method="imp", sparsity=0.5, epochs=5), "warmup_epochs=1.0.*below the 1 epochs of a level"),
        (dict(method="imp", sparsity=0.5, rewind="all"), "unknown rewind 'all'.*weights, rate"),
        (dict(method="str", sparsity=0.5, threshold_decay=-1), "threshold_decay=-1.0.*at least 0"),
        (
            dict(method="str", sparsity=0.5, threshold_init=float("-inf")),
            "threshold_init=-inf is a float: it must be a finite",
        ),
        (dict(method="rigle"), "unknown method 'rigle'.*static.*rigl"),
        (dict(sparsity=0.5, method="set", source_sparsity=0.6), r"source_sparsity=0.6.*at most sparsity \(0.5\)"),
        (dict(sparsity=0.5, method="set", source_sparsity=0.2, source_rule="snip"), "source_rule 'snip'.*erk"),
        (dict(sparsity=0.5, method="granet", start_sparsity=0.6), r"start_sparsity=0.6.*at most sparsity \(0.5\)"),
        (dict(sparsity=0.5, method="rigl", update_interval=0), "update_interval=0.*at least 1"),
        (dict(sparsity=0.5, method="rigl", update_interval=500), "update_interval=500.*at most 135, as masks change"),
        (
            dict(sparsity=0.5, method="rigl", update_interval=1.5),
            "update_interval=1.5 is a float: it must be a whole number",
        ),
        (dict(sparsity=0.5, method="rigl", update_end=0), r"update_end=0.0.*above 0 and at most 1"),
        (dict(sparsity=0.5, method="gmp", update_start=0.75), r"update_start=0.75.*below update_end \(0.75\)"),
        (dict(sparsity=0.5, method="rigl", prune_rate=0), r"prune_rate=0.0.*above 0 and at most 1"),
        (dict(sparsity=0.5, method="rigl", prune_rate=1.1), r"prune_rate=1.1.*above 0 and at most 1"),
        (dict(sparsity=0.5, method="rigl", prune_decay="linear"), "unknown prune_decay 'linear'.*cosine, constant"),
        (dict(sparsity=0.5, method="gmp", prune_scope="net"), "unknown prune_scope 'net'.*global, layer"),
        (dict(sparsity=0.5, method="gmp", structure="node"), "structure='node'.*'weight' with method='gmp'"),
        (dict(sparsity=0.5, method="set", rule="snip"), "rule='snip'.*no scores with method='set'.*erk"),
        (dict(sparsity=0.5, method="set", criterion="snip"), "criterion='snip'.*'random' with method='set'"),
        (dict(sparsity=0.5, method="set", draw="bernoulli"), "draw='bernoulli'.*'exact' with method='set'"),
        (dict(sparsity=0.5, method="set", engine="batched"), "engine='batched'.*'masked' with method='set'"),
        (dict(sparsity=0.5, method="set", engine="compacted"), "engine='compacted'.*'masked' with method='set'"),
        (dict(sparsity=0.5, method="set", dataset="folder-a-10-64", model="resnet-50"), "method='set'.*'static'"),
    ],
)
def test_impossible_values_say_what_is_possible(values, says):
    with pytest.raises(StudyError, match=says):
        RunConfig(**values)


def test_unknown_fields_are_refused():
    with pytest.raises(StudyError, match="unknown RunConfig field 'sparcity'.*sparsity"):
        RunConfig.from_dict({"sparcity": 0.5})
    with pytest.raises(StudyError, match="unknown RunConfig field"):
        RunConfig().replace(sparcity=0.5)


def test_a_candidate_and_its_complete_run_share_a_trajectory():
    candidate = RunConfig(sparsity=0.5, epochs=10, stop_epoch=2)
    assert candidate.trajectory == RunConfig(sparsity=0.5, epochs=10)
    assert candidate.last_epoch == 2 and candidate.trajectory.last_epoch == 10
    assert candidate.key != candidate.trajectory.key


def test_a_run_that_stops_before_its_fork_or_cooldown_belongs_to_the_ordinary_one():
    ordinary = RunConfig(epochs=10)
    for other in (
        ordinary.replace(fork_seed=7, fork_epoch=4),
        ordinary.replace(cooldown_epoch=4, cooldown_epochs=1.5),
    ):
        assert other.replace(stop_epoch=4) == ordinary.replace(stop_epoch=4)
        assert other.trajectory == other != ordinary
    forked = ordinary.replace(fork_seed=7, fork_epoch=4, stop_epoch=5)
    assert forked.trajectory == ordinary.replace(fork_seed=7, fork_epoch=4) and forked.last_epoch == 5
    cooled = ordinary.replace(cooldown_epoch=4, cooldown_epochs=1.5)
    assert (cooled.last_epoch, cooled.stop_epoch, cooled.replace(cooldown_epochs=1).last_epoch) == (6, None, 5)
