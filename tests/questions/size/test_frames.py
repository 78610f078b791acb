"""Verdicts on size follow the data: planted effects are found, and none is found where there is none."""

from __future__ import annotations

import pandas as pd
import pytest

from made_up import record, runs_of_sizes
from randsparse import questions
from randsparse.comparison import frames as common
from randsparse.questions.size import frames
from randsparse.runs.store import Store
from randsparse.study import parameters

ROOT = parameters.find_root()
PARAMETERS = {
    "dataset": "digits",
    "models": ["wrn-10-1", "wrn-10-2"],
    "narrow": ["wrn-10-2"],
    "sparsities": [0.5, 0.9],
    "lrs": [0.1, 0.2, 0.4],
    "rule": "erk",
    "seeds": 2,
    "epochs": 3,
}
MARGIN = 0.005


def finish(store, score=lambda config: 0.5):
    stages = []
    while missing := questions.plan("04_size", PARAMETERS, store):
        for config in missing:
            made = record(config)
            made["curve"][-1]["val_accuracy"] = score(config)
            store.put(made)
        stages.append(missing)
    return stages


def test_learning_rates_are_chosen_first_and_for_each_sparsity(tmp_path):
    """The best rate, planted, is 0.1 for dense and 0.4 for the sparsest network."""
    best = {0.0: 0.1, 0.5: 0.2, 0.9: 0.4}
    store = Store(tmp_path)
    first, second = finish(store, lambda config: 0.9 - abs(config.lr - best.get(config.sparsity, 0.1)))
    assert {(config.model, config.lr) for config in first} == {("wrn-10-1", lr) for lr in PARAMETERS["lrs"]}
    assert len(first) == 3 * 3 * 2  # rates, sparsities, seeds
    assert {(config.sparsity, config.lr) for config in second if config.method == "static"} == set(best.items())
    assert {config.lr for config in second if config.method == "small-dense"} == {0.1}
    compared = questions.compared("04_size", PARAMETERS)
    gains = frames.rate_gains(common.rates(compared, store), MARGIN)
    assert frames.at_the_edge(common.rates(compared, store)) == 2  # 0.1 and 0.4
    assert list(gains["lr"]) == [0.2, 0.4] and (gains["mean"] > 0.09).all() and set(gains["dense_lr"]) == {0.1}


@pytest.mark.parametrize(("best", "verdict"), [(0.2, "equivalent"), (0.1, "inconclusive"), (0.4, "inconclusive")])
def test_one_rate_for_all_is_the_same_runs_and_decides_only_inside_the_grid(tmp_path, best, verdict):
    store = Store(tmp_path)
    finish(store, lambda config: 0.9 - abs(config.lr - best))
    compared = questions.compared("04_size", PARAMETERS)
    assert set(frames.rate_gains(common.rates(compared, store), MARGIN)["verdict"]) == {verdict}
    frame = common.sized(compared, store)
    assert {"dense", "random", "small dense (own scale)", "small dense (equal FLOPs)"} == set(frame["arm"])


def test_a_rate_that_diverges_is_not_chosen(tmp_path):
    store = Store(tmp_path)
    for config in questions.plan("04_size", PARAMETERS, store):
        made = record(config) | ({"status": "diverged", "reason": "loss is nan"} if config.lr < 0.4 else {})
        store.put(made | ({"test": None} if config.lr < 0.4 else {}))
    chosen = {each.chosen(store) for each in questions.compared("04_size", PARAMETERS).tunings}
    assert chosen == {0.4}


def test_a_rate_is_not_known_before_its_trials_are(tmp_path):
    compared = questions.compared("04_size", PARAMETERS)
    assert compared.singles(Store(tmp_path)) == []


def test_equivalence_is_shown_up_to_where_the_gap_begins():
    found = frames.equivalent_up_to(frames.gaps(runs_of_sizes(lambda _, sparsity: -0.02 * (sparsity > 0.5)), MARGIN))
    assert set(found["equivalent_up_to"]) == {0.5} and set(found["worse_from"]) == {0.9}
    none = frames.equivalent_up_to(frames.gaps(runs_of_sizes(lambda *_: -0.02), MARGIN))
    assert none["equivalent_up_to"].isna().all() and set(none["worse_from"]) == {0.5}


def test_equivalence_above_a_gap_does_not_count():
    found = frames.equivalent_up_to(frames.gaps(runs_of_sizes(lambda _, sparsity: -0.02 * (sparsity < 0.9)), MARGIN))
    assert found["equivalent_up_to"].isna().all()


def test_two_noisy_runs_show_no_equivalence():
    noisy = frames.gaps(runs_of_sizes(lambda *_: 0.0, spread=0.02, seeds=2), MARGIN)
    assert frames.equivalent_up_to(noisy)["equivalent_up_to"].isna().all()


@pytest.mark.parametrize(
    ("gap", "verdict"),
    [
        (lambda index, _: -0.05 + 0.01 * index, "supported"),
        (lambda index, _: -0.01 * index, "contradicted"),
        (lambda index, _: -0.02 * (index % 2), "inconclusive"),
    ],
)
def test_whether_size_helps_is_read_from_the_data(gap, verdict):
    assert frames.larger_lose_less(frames.gaps(runs_of_sizes(gap), MARGIN))["verdict"] == verdict


@pytest.mark.parametrize(("effect", "verdict"), [(0.03, "supported"), (-0.03, "contradicted"), (0.0, "contradicted")])
def test_sparse_and_wide_against_narrow_is_read_from_the_data(effect, verdict):
    at_parameters, at_flops = frames.width_claims(runs_of_sizes(lambda *_: 0.0, narrow=effect), MARGIN)
    assert at_parameters["verdict"] == verdict
    assert at_flops["verdict"] == "inconclusive"  # no such runs


def test_published_points_stand_beside_runs_of_their_recipe_only():
    recipe = {name: [value] * 2 for name, value in frames.PUBLISHED_RECIPE.items()}
    ours = pd.DataFrame(
        {
            **recipe,
            "model": ["resnet-20", "resnet-20"],
            "rule": ["erk", "erk"],
            "sparsity": [0.0, 0.8],
            "arm": ["dense", "random"],
        }
    )
    found = frames.comparable_published(ours, ROOT)
    assert list(found["test_accuracy"]) == pytest.approx([0.9236, 0.899])
    assert frames.comparable_published(ours.assign(epochs=8), ROOT).empty
    assert frames.comparable_published(ours.assign(train_samples=10_000), ROOT).empty
