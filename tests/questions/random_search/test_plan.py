"""Plans of searches are pure functions of parameters and store, and frames say what was trained."""

from __future__ import annotations

import pytest

from made_up import finish
from randsparse import questions
from randsparse.comparison import frames
from randsparse.comparison.design import RANDOM, SEARCHED
from randsparse.errors import StudyError
from randsparse.questions.random_search import frames as searched_frames
from randsparse.questions.random_search import plan
from randsparse.runs.store import Store

PARAMETERS = {
    "dataset": "digits",
    "model": "wrn-10-1",
    "sparsities": [0.0, 0.8],
    "structures": ["weight", "node"],
    "arms": list(plan.ARMS),
    "rule": "erk",
    "node_engine": "compacted",
    "seeds": 2,
    "populations": 2,
    "population_size": 3,
    "early_epochs": 2,
    "keep": 1,
    "halving_rate": 0,
    "vary": "mask+init",
    "epochs": 8,
}


def test_the_plan_asks_for_controls_and_candidates_then_for_survivors(tmp_path):
    store = Store(tmp_path)
    name = "03_sparsity_vs_accuracy"
    first = questions.plan(name, PARAMETERS, store)
    assert first == questions.plan(name, PARAMETERS, store)
    searched = [config for config in first if config.stop_epoch]
    assert len(searched) == 3 * 2 * 3  # dense (one for both structures), weight, node; 2 populations of 3
    assert len(first) - len(searched) == 2 + 2 * 3 * 2  # 2 dense; 2 structures, 3 controls, 2 seeds
    assert finish(name, PARAMETERS, store) == [len(first), 6]
    assert questions.plan(name, PARAMETERS, store) == []


def test_results_have_every_arm_at_every_point(tmp_path):
    store = Store(tmp_path)
    finish("03_sparsity_vs_accuracy", PARAMETERS, store)
    compared = plan.comparison(PARAMETERS)
    frame = frames.results(compared, store)
    counts = frame.groupby(["structure", "sparsity", "arm"]).size()
    assert set(counts) == {2}
    assert len(counts) == 2 * (2 + 4)  # dense and searched at 0, four arms at 80 %
    searched = frame[frame["arm"] == "searched"]
    assert set(searched["search_epochs"]) == {6} and set(searched["total_epochs"]) == {3 * 2 + 6}
    assert set(searched["init_seed"]) == {1002, 2002}  # the best of each population
    controls = set(frame.loc[frame["arm"] != "searched", "init_seed"])
    assert controls.isdisjoint({config.init_seed for each in compared.searches for config in each.candidates})


def test_one_candidate_of_each_population_is_chosen(tmp_path):
    store = Store(tmp_path)
    finish("03_sparsity_vs_accuracy", PARAMETERS, store)
    candidates = searched_frames.candidates(plan.comparison(PARAMETERS), store)
    assert set(candidates.groupby(["structure", "sparsity", "replicate"])["chosen"].sum()) == {1}


def test_early_phases_share_their_candidates(tmp_path):
    store = Store(tmp_path)
    parameters = {
        **PARAMETERS,
        "early_phases": [0.25, 0.5],
        "structures": ["node"],
        "sparsities": [0.8],
        "arms": [RANDOM, SEARCHED],
    }
    first = questions.plan("02_random_search", parameters, store)
    assert {config.stop_epoch for config in first} == {None, 4} and len(first) == 2 + 2 * 3
    finish("02_random_search", parameters, store)
    compared = plan.early_phases(parameters)
    ends = searched_frames.early_and_final(compared, store)
    assert set(ends.groupby(["arm", "early_epochs"]).size()) == {2}
    advantages = searched_frames.advantages(ends, margin=0.01)
    assert set(zip(advantages["early_epochs"], advantages["measured"], strict=True)) == {
        (2, "early_val_accuracy"),
        (2, "test_accuracy"),
        (4, "early_val_accuracy"),
        (4, "test_accuracy"),
    }
    assert compared.after(2).searches == compared.searches[:2]


def test_a_shorter_look_reuses_the_longer_one(tmp_path):
    store = Store(tmp_path)
    parameters = {**PARAMETERS, "early_phases": [0.5], "structures": ["node"], "arms": [SEARCHED]}
    finish("02_random_search", parameters, store)
    shorter = {**parameters, "early_epochs": 1}
    needed = questions.plan("03_sparsity_vs_accuracy", shorter, store)
    assert needed == []  # every candidate was looked at for longer, and the same one is the fittest


def test_points_out_of_reach_are_listed_and_not_trained():
    compared = plan.comparison({**PARAMETERS, "sparsities": [0.8, 0.98]})
    assert {(p.structure, p.sparsity) for p in compared.infeasible} >= {("node", 0.98)}
    assert not any(arm.structure == "node" and arm.sparsity == 0.98 for arm in compared.arms)
    assert all(point.reason for point in compared.infeasible)


@pytest.mark.parametrize(
    "changes, says",
    [
        ({"sparsities": [1.0]}, "sparsity=1.0"),
        ({"early_epochs": 8}, "rounds"),
        ({"vary": "masks"}, "unknown vary"),
        ({"rule": "erq"}, "unknown density rule"),
        ({"model": "wrn-9-1"}, "depth"),
        ({"dataset": "mnist"}, "unknown dataset"),
    ],
)
def test_impossible_parameters_are_refused_before_anything_runs(changes, says):
    with pytest.raises(StudyError, match=says):
        plan.comparison({**PARAMETERS, **changes})


def test_unknown_arms_and_structures_are_refused():
    with pytest.raises(StudyError, match="unknown arm 'serched'.*searched"):
        plan.comparison({**PARAMETERS, "arms": ["serched"]})
    with pytest.raises(StudyError, match="unknown structure"):
        plan.comparison({**PARAMETERS, "structures": ["filters"]})
