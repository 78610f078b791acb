"""Random search on a store of made-up records: who is kept, what is needed next, what it costs."""

from __future__ import annotations

import pytest

from randsparse.comparison import search
from randsparse.errors import StudyError
from randsparse.runs.config import RunConfig


class FakeStore:
    """Records by key, made by the test: validation accuracy after each epoch, and loss."""

    def __init__(self):
        self.records = {}

    def put(self, config, accuracies, loss=1.0):
        curve = [{"epoch": i + 1, "val_accuracy": a, "val_loss": loss} for i, a in enumerate(accuracies)]
        self.records[config.key] = {"curve": curve}

    def get(self, config):
        return self.records.get(config.key)

    def has(self, config):
        return config.key in self.records


BASE = RunConfig(sparsity=0.5, epochs=8)


def test_candidates_are_networks_of_their_own():
    candidates = search.population(BASE, index=2, size=4)
    assert len({c.mask_seed for c in candidates}) == len({c.init_seed for c in candidates}) == 4
    assert min(c.mask_seed for c in candidates) == 3000
    masks_only = search.population(BASE.replace(init_seed=7), index=2, size=4, vary="mask")
    assert {c.init_seed for c in masks_only} == {7} and len({c.mask_seed for c in masks_only}) == 4


def test_populations_share_no_seed_with_each_other_or_with_controls():
    seeds = [c.mask_seed for index in range(3) for c in search.population(BASE, index, 1000)]
    assert len(set(seeds)) == 3000 and min(seeds) == search.POPULATION_SEEDS


def test_masks_alone_cannot_vary_in_a_dense_network():
    with pytest.raises(StudyError, match="mask\\+init"):
        search.population(BASE.replace(sparsity=0.0), 0, 3, vary="mask")
    assert len(search.population(BASE.replace(sparsity=0.0), 0, 3)) == 3


def test_the_fittest_on_validation_are_kept_and_ties_go_to_the_lower_loss():
    configs = search.population(BASE, 0, 4)
    store = FakeStore()
    for config, accuracy, loss in zip(configs, (0.5, 0.7, 0.6, 0.7), (1.0, 0.9, 1.0, 0.8), strict=True):
        store.put(config, [accuracy], loss)
    records = [store.get(c) for c in configs]
    assert search.weed_out(configs, records, 1, 3) == [configs[3], configs[1], configs[2]]


def test_a_diverged_candidate_comes_last():
    configs = search.population(BASE, 0, 3)
    store = FakeStore()
    store.put(configs[0], [None], None)
    store.put(configs[1], [0.1], 5.0)
    store.put(configs[2], [])
    assert search.weed_out(configs, [store.get(c) for c in configs], 1, 1) == [configs[1]]


def test_one_round_trains_candidates_then_the_survivor():
    store, rounds = FakeStore(), search.one_round(early_epochs=2)
    configs = search.population(BASE, 0, 3)
    stage = search.needed(configs, rounds, store)
    assert [c.stop_epoch for c in stage] == [2, 2, 2]
    for config, accuracy in zip(stage, (0.2, 0.4, 0.3), strict=True):
        store.put(config, [0.1, accuracy])
    assert search.needed(configs, rounds, store) == [configs[1]]
    with pytest.raises(StudyError, match="not finished"):
        search.outcome(configs, rounds, store)
    store.put(configs[1], [0.5] * 8)
    assert search.needed(configs, rounds, store) == []
    found = search.outcome(configs, rounds, store)
    assert found.survivors == (configs[1],) and found.ranking == (configs[1], configs[2], configs[0])
    assert found.search_epochs == 3 * 2 and found.total_epochs == 3 * 2 + 6


def test_successive_halving_is_a_setting_of_the_rounds():
    assert search.halving(1, 8) == ((1, 4), (2, 2), (4, 1))
    store, rounds, configs = FakeStore(), search.halving(1, 4), search.population(BASE, 0, 4)
    while stage := search.needed(configs, rounds, store):
        for config in stage:
            store.put(config, [config.mask_seed / 1e4] * config.last_epoch)
    found = search.outcome(configs, rounds, store)
    assert found.survivors == (configs[3],)
    assert found.search_epochs == 4 * 1 + 2 * 1  # four for an epoch, two for one more
    assert found.total_epochs == 6 + 6
    assert len(store.records) == 4 + 2 + 1


@pytest.mark.parametrize("rounds", [(), ((8, 1),), ((2, 2), (2, 1)), ((1, 5),), ((1, 0),), ((1, 2), (2, 3))])
def test_impossible_rounds_are_refused(rounds):
    with pytest.raises(StudyError, match="rounds"):
        search.check_rounds(rounds, size=4, epochs=8)
