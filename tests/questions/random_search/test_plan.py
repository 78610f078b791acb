"""The plans of notebooks 02 and 03: which cells they show, what they train, and what they refuse."""

from __future__ import annotations

import pytest

from conftest import REPOSITORY
from made_up import finish
from planted import ACCURACY, CANDIDATES, SEARCH
from randsparse import questions
from randsparse.errors import StudyError
from randsparse.questions.random_search import plan
from randsparse.runs.store import Store
from randsparse.study import parameters

NOTEBOOKS = {"02_random_search": SEARCH, "03_sparsity_vs_accuracy": ACCURACY}


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_a_notebook_trains_its_cells_or_leaves_that_to_the_campaign(name, tmp_path):
    store, values = Store(tmp_path), NOTEBOOKS[name]
    assert questions.plan(name, values, store) == [] == questions.find_used(name, values, store)
    training = values | {"train_missing": True}
    runs = questions.plan(name, training, store)
    others = 8 if name == "02_random_search" else 3 * 8
    assert len(runs) == 5 * 16 + others
    assert finish(name, training, store) == [len(runs)]
    assert questions.plan(name, training, store) == []
    assert set(questions.find_used(name, values, store)) == set(runs)


def test_rates_are_chosen_first_and_their_cells_come_with_those_that_are_named(tmp_path):
    values = parameters.read_parameters("02_random_search", "tiny", REPOSITORY)
    store = Store(tmp_path)
    first = questions.plan("02_random_search", values, store)
    rates = {(config.sparsity, config.lr) for config in first}
    assert rates == {(sparsity, lr) for sparsity in (0.0, 0.8) for lr in (0.1, 0.2)}
    everything = questions.plan_runs("02_random_search", values, store)
    assert set(first) < set(everything)
    finish("02_random_search", values, store)
    design = questions.compare("02_random_search", values)
    runs = {cell.name: cell.wanted(store) for cell in design.networks}
    assert {name: len(own) for name, own in runs.items()} == {"nodes 80 %": 8, "dense": 8, "nodes 80 %, 6 epochs": 3}
    assert all(store.has(config) for own in runs.values() for config in own)


@pytest.mark.parametrize("profile", ["digits", "cifar10-small", "tiny"])
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_every_profile_names_cells_that_its_campaign_has(name, profile, tmp_path):
    values = parameters.read_parameters(name, profile, REPOSITORY)
    design = questions.compare(name, values)
    cells = {cell.name for cell in design.networks}
    assert set(values["candidates"]) <= cells
    assert bool(questions.plan(name, values, Store(tmp_path))) == (profile != "cifar10-small")
    if profile != "tiny":
        assert set(values["candidates"]) == set(CANDIDATES) and values["size"] == 4
        assert [cell.networks * cell.orders for cell in design.networks if cell.name in CANDIDATES] == [16] * 5


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"candidates": ["dense", "nodes 70 %"]}, "unknown cell 'nodes 70 %': choose one of dense, "),
        ({"phases": [1.0]}, "early phase=1.0 is not possible: it must be a share of training"),
        ({"phases": [0.97]}, "early phase=0.97 is not possible: it must be a part of the 10 epochs"),
        ({"phases": []}, "phases=.. is not possible: it must be a list of shares"),
        ({"size": 1}, "size=1 is not possible: it must be from 2 to 7 of the 8 networks"),
        ({"size": 8}, "size=8 is not possible: it must be from 2 to 7 of the 8 networks"),
        ({"longer": ["ERK 80 %"]}, "ERK 80 %: no cell of candidates has the same networks with fewer epochs"),
        ({"longer": ["nodes 80 %"]}, "nodes 80 %: no cell of candidates has the same networks with fewer epochs"),
    ],
)
def test_impossible_searches_are_refused_before_anything_runs(changes, message):
    with pytest.raises(StudyError, match=f"^{message}"):
        plan.search(SEARCH | changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"controls": ["ERK 70 %"]}, "unknown cell 'ERK 70 %'"),
        ({"pairs": [["ERK 80 %"]]}, "pair=.* is not possible: it must be two cells"),
        ({"pairs": [["ERK 80 %", "nodes 20 %"]]}, "unknown cell 'nodes 20 %'"),
        ({"phase": 0.0}, "early phase=0.0 is not possible"),
        ({"size": 9}, "size=9 is not possible"),
    ],
)
def test_impossible_comparisons_are_refused_before_anything_runs(changes, message):
    with pytest.raises(StudyError, match=f"^{message}"):
        plan.sparsities(ACCURACY | changes)
