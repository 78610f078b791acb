"""The plan of strong tickets has its controls, and verdicts on tickets follow the data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from made_up import finish
from randsparse import questions
from randsparse.comparison import frames, verdicts
from randsparse.questions.strong_tickets import frames as tickets
from randsparse.questions.strong_tickets.frames import FROZEN, LONGER, PER_FROZEN, PER_LONGER, PER_RANDOM, TUNED
from randsparse.runs.store import Store

NAME = "09_strong_tickets"
PARAMETERS = {
    "dataset": "digits",
    "model": "wrn-10-1",
    "sparsities": [0.8, 0.9],
    "source_sparsities": [0.0, 0.5, 0.8],
    "source_rule": "er",
    "weights": ["signed-constant", "kaiming-normal"],
    "weights_sparsity": 0.9,
    "rule": "erk",
    "seeds": 2,
    "epochs": 6,
    "tuned_epochs": 3,
    "lr": 0.1,
    "ticket_lr": 0.3,
    "update_interval": 7,
}
SOURCES = {0.0: "dense source", 0.5: "ER source, density 0.5", 0.8: "ER source, density 0.2"}
MARGIN = 0.01


@pytest.fixture(scope="module")
def compared():
    return questions.compared(NAME, PARAMETERS)


def test_tickets_are_of_each_source_that_is_denser_and_the_others_are_named(compared):
    found = [arm.config for arm in compared.arms if arm.config.method == "edge-popup"]
    kinds = {0.8: ["signed-constant"], 0.9: ["signed-constant", "kaiming-normal"]}
    wanted = {(s, source, kind) for s in kinds for source in SOURCES if source < s for kind in kinds[s]}
    assert {(each.sparsity, each.source_sparsity, each.frozen_weights) for each in found} == wanted
    assert len(found) == 2 * 2 * len(wanted)  # frozen and fine-tuned, of two seeds
    (point,) = compared.infeasible
    assert (point.sparsity, point.reason) == (0.8, "the source is no denser") and point.arm.endswith("in er 0.2")


def test_the_parameters_reach_the_runs(compared):
    for arm in compared.arms:
        config = arm.config
        ticket = config.method == "edge-popup"
        assert config.lr == (0.3 if ticket else 0.1)
        assert config.epochs in (6, 9) and config.fine_tune_epochs == (3 if ticket and config.epochs == 9 else 0)
        assert not ticket or (config.update_interval == 7 and config.source_rule in ("er", "erk"))


def test_a_fine_tuned_ticket_is_the_frozen_one_for_longer(compared):
    configs = {(arm.arm, arm.sparsity, arm.replicate): arm.config for arm in compared.arms}
    tuned = {place: config for place, config in configs.items() if config.fine_tune_epochs}
    for (arm, *point), config in tuned.items():
        frozen = configs[arm.removesuffix(", fine-tuned"), *point]
        assert config.replace(epochs=6, fine_tune_epochs=0) == frozen


def test_random_masks_are_trained_for_both_lengths(compared):
    random = {(arm.arm, arm.config.epochs) for arm in compared.arms if arm.arm.startswith("random")}
    assert random == {("random", 6), ("random, 9 epochs", 9)}


def test_rows_are_told_by_stage_and_source(compared, tmp_path):
    store = Store(tmp_path)
    finish(NAME, PARAMETERS, store)
    frame = tickets.results(compared, store)
    assert len(frame) == len(frames.results(compared, store)) == len(compared.arms)
    stages = dict.fromkeys(zip(frame["arm"], frame["stage"], frame["source"], strict=True))
    assert {("dense", "dense", ""), ("random", "random", ""), ("random, 9 epochs", LONGER, "")} <= set(stages)
    arm = "edge-popup of signed-constant weights in er 0.5"
    assert {(arm, FROZEN, SOURCES[0.5]), (f"{arm}, fine-tuned", TUNED, SOURCES[0.5])} <= set(stages)
    curves = tickets.curves(compared, store)
    assert curves.loc[curves["stage"] == TUNED, "epoch"].max() == 9
    kept = tickets.of_kind(frame, "kaiming-normal")
    assert set(kept["stage"]) == set(frame["stage"]) and set(kept["arm"]) < set(frame["arm"])
    assert not kept["arm"].str.contains("signed").any()


def table(dense=0.95, random=0.9, longer=0.92, source_costs=0.0, tuning=0.0, kaiming=0.0, ticket=0.8, spread=0.001):
    """Return runs with planted differences: ER sources cost `source_costs`, Kaiming-normal weights `kaiming`."""
    noise, rows = np.random.default_rng(0), []

    def add(stage, sparsity, mean, source=None, kind="signed-constant"):
        labels = {"stage": stage, "arm": stage, "structure": "weight", "sparsity": sparsity, "frozen_weights": kind}
        labels |= {"source": SOURCES.get(source, ""), "source_sparsity": source or 0.0, "epochs": 6}
        labels |= {"sparse_flops": 10.0 if stage == "dense" else 5.0, "flops": 10.0}
        labels |= {"density_realised": 0.2, "density_effective": 0.1}
        rows.extend({**labels, "test_accuracy": mean + value} for value in noise.normal(0, spread, 5))

    add("dense", 0.0, dense)
    for sparsity in (0.8, 0.9):
        add("random", sparsity, random)
        add(LONGER, sparsity, longer)
        for source in (each for each in SOURCES if each < sparsity):
            own = ticket - (source_costs if source else 0)
            for kind, mean in (("signed-constant", own), ("kaiming-normal", own - kaiming)):
                add(FROZEN, sparsity, mean, source, kind)
                add(TUNED, sparsity, mean + tuning, source, kind)
    return pd.DataFrame(rows)


def test_what_a_source_costs_is_found_at_each_stage():
    frame = tickets.of_kind(table(source_costs=0.05, tuning=0.1), "signed-constant")
    found = tickets.of_sources(frame, MARGIN)
    assert set(found["source"]) == {SOURCES[0.5], SOURCES[0.8]} and set(found["stage"]) == {FROZEN, TUNED}
    assert len(found) == 2 * 3  # stages; .5 at both sparsities, .2 at one
    assert found["mean"].to_numpy() == pytest.approx(-0.05, abs=0.002) and set(found["verdict"]) == {"worse"}
    assert list(found["structure"]) == list(found["source"]) and set(found["n_baseline"]) == {5}
    none = tickets.of_sources(tickets.of_kind(table(), "signed-constant"), MARGIN)
    assert verdicts.row("", none, "equivalent")["verdict"] == "supported"


def test_what_a_ticket_is_worth_is_against_masks_of_the_same_sparsity_and_against_itself():
    frame = tickets.of_kind(table(random=0.9, longer=0.92, ticket=0.8, tuning=0.15), "signed-constant")
    found = tickets.worth(frame, MARGIN).groupby("compared")["mean"].agg(["min", "max", "size"])
    for compared, expected in {PER_RANDOM: -0.1, PER_LONGER: 0.03, PER_FROZEN: 0.15}.items():
        assert found.loc[compared, ["min", "max"]].tolist() == pytest.approx([expected, expected], abs=0.003)
    assert set(found["size"]) == {5}


def test_fine_tuning_is_judged_within_a_source():
    found = tickets.worth(tickets.of_kind(table(source_costs=0.3, tuning=0.15), "signed-constant"), MARGIN)
    gains = found[found["compared"] == PER_FROZEN]
    assert gains["mean"].to_numpy() == pytest.approx(0.15, abs=0.003) and set(gains["n_baseline"]) == {5}


def test_kinds_of_weights_are_compared_in_the_same_source():
    found = tickets.of_weights(table(source_costs=0.3, kaiming=0.04), ["signed-constant", "kaiming-normal"], MARGIN)
    assert found["mean"].to_numpy() == pytest.approx(0.04, abs=0.003) and set(found["verdict"]) == {"better"}
    assert set(found["compared"]) == {f"{stage}: signed-constant − kaiming-normal" for stage in (FROZEN, TUNED)}
    assert tickets.of_weights(table(), ["signed-constant"], MARGIN).empty


def test_without_a_random_source_nothing_is_compared():
    frame = table()
    assert tickets.of_sources(frame[frame["source_sparsity"] == 0], MARGIN).empty
    assert verdicts.row("", tickets.of_sources(frame.iloc[:0], MARGIN), "equivalent")["verdict"] == "inconclusive"


@pytest.mark.parametrize(
    ("ticket", "spread", "verdict"),
    [(0.8, 0.001, "supported"), (0.4, 0.001, "contradicted"), (0.525, 0.02, "inconclusive")],
)
def test_tickets_are_above_a_level_if_all_intervals_are(ticket, spread, verdict):
    """Half-way from chance, .1, to dense, .95, is .525."""
    frame = table(ticket=ticket, spread=spread)
    least = tickets.halfway(frame, 0.1)
    assert least == pytest.approx(0.525, abs=0.02)
    found = tickets.above("claim", frame[frame["stage"] == FROZEN], least)
    assert found["verdict"] == verdict and "of 5 intervals above" in found["evidence"]


def test_one_ticket_below_the_level_is_enough_to_contradict_and_none_tells_nothing():
    frame = table(ticket=0.8)
    low = (frame["source"] == SOURCES[0.8]) & (frame["stage"] == FROZEN)
    frame.loc[low, "test_accuracy"] -= 0.5
    found = tickets.above("claim", frame[frame["stage"] == FROZEN], 0.5)
    assert found["verdict"] == "contradicted" and "at 90 % (ER source, density 0.2)" in found["evidence"]
    assert tickets.above("claim", frame.iloc[:0], 0.5)["verdict"] == "inconclusive"
    single = frame[frame["stage"] == FROZEN].groupby(["source", "sparsity"]).head(1)
    assert tickets.above("claim", single, 0.1)["verdict"] == "inconclusive"


def test_costs_are_shares_of_the_dense_run():
    found = tickets.costs(tickets.of_kind(table(), "signed-constant")).set_index(["stage", "source", "sparsity"])
    assert len(found) == 1 + 2 * 2 + 2 * 5
    assert found.loc[(FROZEN, SOURCES[0.5], 0.9), ["kept_flops", "computed_flops", "on_path"]].tolist() == [0.5, 1, 0.5]
    assert found.loc[("dense", "", 0.0), "kept_flops"] == 1 and set(found["runs"]) == {5}
