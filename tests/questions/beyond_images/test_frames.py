"""What notebook 12 runs, and what it makes of it."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from made_up import finish, record
from randsparse import questions
from randsparse.comparison.design import DENSE, SMALL_OWN
from randsparse.errors import StudyError
from randsparse.questions.beyond_images import frames, plan
from randsparse.runs.store import Store

NAME = "12_beyond_images"
PARAMETERS = {
    "models": {"breast-cancer": "mlp-3-32", "docstrings": "transformer-1-16"},
    "train_samples": {"docstrings": 320},
    "epochs": {"breast-cancer": 4, "docstrings": 2},
    "seeds": {"breast-cancer": 3, "docstrings": 2},
    "sparsities": [0.5, 0.9],
    "rules": ["uniform", "er"],
    "methods": ["set", "gmp"],
    "source_sparsities": [0.0, 0.5],
    "source_rule": "er",
    "rule": "er",
    "update_interval": 3,
    "lrs": [0.01, 0.02],
    "tuning_seeds": 2,
    "optimizer": "adamw",
    "batch_size": 32,
}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    made = Store(tmp_path_factory.mktemp("results"))
    finish(NAME, PARAMETERS, made)
    return made


def test_every_dataset_has_all_arms_with_its_own_recipe(store):
    frame = frames.results(plan.comparison(PARAMETERS), store)
    assert list(dict.fromkeys(frame["dataset"])) == ["breast-cancer", "docstrings"]
    own = frame[frame["sparsity"] == 0.9].groupby(["dataset", "arm"]).size()
    arms = {"random uniform", "random er", SMALL_OWN, "set", "gmp", "set in a source of 0.5", "gmp in a source of 0.5"}
    for dataset, seeds in PARAMETERS["seeds"].items():
        assert own[dataset].to_dict() == dict.fromkeys(arms, seeds)
        rows = frame[frame["dataset"] == dataset]
        assert set(rows["epochs"]) == {PARAMETERS["epochs"][dataset]}
        assert set(rows["model"]) == {PARAMETERS["models"][dataset]}
        assert (rows["arm"] == DENSE).sum() == seeds
    assert set(frame.loc[frame["dataset"] == "docstrings", "train_samples"]) == {320}
    assert frame.loc[frame["dataset"] == "breast-cancer", "train_samples"].isna().all()


def test_fields_that_a_dense_network_has_no_use_for_reach_the_methods():
    configs = [arm.config for each in plan.comparison(PARAMETERS).tunings for arm in each.arms]
    changing = [config for config in configs if config.method in ("set", "gmp")]
    assert {config.update_interval for config in changing} == {3}
    assert {config.source_rule for config in changing if config.source_sparsity} == {"er"}
    assert {config.rule for config in changing if config.method == "set"} == {"er"}


def test_a_source_that_leaves_nothing_to_choose_is_no_arm():
    arms = {(arm.arm, arm.sparsity) for each in plan.comparison(PARAMETERS).tunings for arm in each.arms}
    assert ("set in a source of 0.5", 0.9) in arms and ("set in a source of 0.5", 0.5) not in arms


def test_rates_are_chosen_on_validation_for_each_dataset_and_sparsity(tmp_path):
    store = Store(tmp_path)

    def better(config):
        rate = 0.02 if config.dataset == "docstrings" or config.sparsity else 0.01
        return config.lr == rate

    for config in questions.plan(NAME, PARAMETERS, store):
        assert config.method == "static" and config.init_seed < 2
        made = record(config)
        made["curve"][-1]["val_accuracy"] = 0.5 + 0.4 * better(config)
        made["test"]["accuracy"] = 1.0 - better(config)  # which must not decide
        store.put(made)
    compared = plan.comparison(PARAMETERS)
    rest = compared.needed(store)
    found = {(config.dataset, config.method): config.lr for config in rest if config.sparsity}
    dense_rate = {("breast-cancer", "small-dense"): 0.01, ("breast-cancer", "gmp"): 0.01}
    kinds = ("static", "small-dense", "set", "gmp")
    others = [(dataset, kind) for dataset in PARAMETERS["models"] for kind in kinds]
    assert found == dict.fromkeys(others, 0.02) | dense_rate
    rates = frames.rates(compared, store)
    chosen = rates[rates["chosen"]].set_index(["dataset", "sparsity"])["lr"].to_dict()
    points = [(dataset, sparsity) for dataset in PARAMETERS["models"] for sparsity in (0.0, 0.5, 0.9)]
    assert chosen == dict.fromkeys(points, 0.02) | {("breast-cancer", 0.0): 0.01}
    assert set(rates["runs"]) == {2}


def test_what_cannot_be_reached_is_listed_with_its_dataset():
    compared = plan.comparison({**PARAMETERS, "sparsities": [0.999]})
    assert {(point.arm, point.model) for point in compared.infeasible} >= {(f"{SMALL_OWN}, breast-cancer", "mlp-3-32")}


def test_numbers_are_needed_for_each_dataset():
    with pytest.raises(StudyError, match="epochs=.*also of docstrings"):
        plan.comparison({**PARAMETERS, "epochs": {"breast-cancer": 4}})


def test_differences_are_within_a_dataset_and_each_has_its_verdict():
    noise = np.array([-0.001, 0.0, 0.001, 0.0005])
    means = {
        ("one", DENSE, 0.0): 0.9,
        ("one", "random er", 0.5): 0.9,
        ("two", DENSE, 0.0): 0.8,
        ("two", "random er", 0.5): 0.6,
    }
    rows = [
        pd.DataFrame({"test_accuracy": mean + noise}).assign(
            dataset=dataset, arm=arm, structure="weight", sparsity=sparsity
        )
        for (dataset, arm, sparsity), mean in means.items()
    ]
    found = frames.differences(pd.concat(rows), frames.against_dense({"rules": ["er"]}), margin=0.01)
    assert found[["dataset", "verdict"]].to_numpy().tolist() == [["one", "equivalent"], ["two", "worse"]]
    verdicts = frames.verdicts("they match", found, "equivalent", ["one", "two"])
    assert [(each["claim"], each["verdict"]) for each in verdicts] == [
        ("one: they match", "supported"),
        ("two: they match", "contradicted"),
    ]


def test_pairs_name_the_arms_of_the_plan():
    arms = {arm.arm for each in plan.comparison(PARAMETERS).tunings for arm in each.arms}
    for pairs in (frames.against_dense, frames.against_small, frames.of_sources, frames.against_static):
        assert pairs(PARAMETERS) and {name for pair in pairs(PARAMETERS) for name in pair} <= arms


def test_the_data_is_described():
    table = frames.data(PARAMETERS["models"]).set_index("dataset")
    assert table.loc["breast-cancer", ["kind", "training", "test", "classes"]].tolist() == ["table", 269, 200, 2]
    assert table.loc["docstrings", ["kind", "training", "test", "classes"]].tolist() == ["text", 2400, 800, 5]
