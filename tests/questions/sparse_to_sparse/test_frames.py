"""What is read from the runs of notebook 08, against numbers by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from randsparse.comparison import verdicts
from randsparse.comparison.design import Arm, Comparison
from randsparse.data import catalogue
from randsparse.questions.sparse_to_sparse import costs as training_costs
from randsparse.questions.sparse_to_sparse import frames as sparse_results
from randsparse.runs.config import RunConfig
from randsparse.runs.methods import Schedule
from randsparse.runs.store import Store
from randsparse.training import network
from randsparse.training.train import train

MARGIN = 0.01
DEFAULTS = {
    "structure": "weight",
    "source_sparsity": 0.0,
    "source_rule": "erk",
    "rule": "erk",
    "preserve_flow": False,
    "epochs": 4,
    "begins_full": False,
    "turnover": np.nan,
    "updates": np.nan,
    "times_static": 1.0,
    "density_effective": 0.05,
    "density_realised": 0.1,
}


def runs(arm, sparsity, accuracy, cost, method="static", spread=0.001, **fields):
    """Three runs whose accuracies and costs are around those given."""
    rows = [
        {
            **DEFAULTS,
            "arm": arm,
            "sparsity": sparsity,
            "method": method,
            "replicate": seed,
            **fields,
            "key": f"{arm} {sparsity} {seed}",
            "test_accuracy": accuracy + spread * (seed - 1),
            "cost": cost * (1 + 0.01 * (seed - 1)),
        }
        for seed in range(3)
    ]
    return pd.DataFrame(rows)


def inside(method, sparsity, accuracy, cost, source=0.5, source_rule="er", preserve_flow=False, **fields):
    arm = f"{method} in {source_rule} {1 - source:g}" + ", flow preserved" * preserve_flow
    fields |= {"source_sparsity": source, "source_rule": source_rule, "preserve_flow": preserve_flow}
    return runs(arm, sparsity, accuracy, cost, method, **fields)


@pytest.fixture
def frame():
    return pd.concat(
        [
            runs("dense", 0.0, 0.95, 1.0),
            runs("dense, 1 epochs", 0.0, 0.80, 0.25, epochs=1),
            runs("dense, 2 epochs", 0.0, 0.90, 0.5, epochs=2),
            runs("random", 0.9, 0.90, 0.1),
            runs("small dense (own scale)", 0.9, 0.85, 0.1, "small-dense"),
            runs("gmp", 0.9, 0.94, 0.4, "gmp", begins_full=True),
            inside("gmp", 0.9, 0.94, 0.3, begins_full=True),
            inside("gmp", 0.9, 0.91, 0.2, source=0.8, begins_full=True),
            runs("rigl", 0.9, 0.93, 0.12, "rigl", turnover=2.0, updates=10),
            inside("rigl", 0.9, 0.91, 0.11, turnover=2.0, updates=10),
            inside("gmp", 0.9, 0.5, 0.3, preserve_flow=True),
            runs("random", 0.99, 0.7, 0.01),
        ],
        ignore_index=True,
    )


@pytest.fixture
def main(frame):
    return sparse_results.main(frame, [0.9], [0.0, 0.5], "er")


def test_main_has_the_starts_that_were_asked_for_and_their_controls(main):
    dense = {"dense", "dense, 1 epochs", "dense, 2 epochs"}
    methods = {"gmp", "gmp in er 0.5", "rigl", "rigl in er 0.5"}
    assert set(main["arm"]) == dense | methods | {"random", "small dense (own scale)"}
    assert set(main["sparsity"]) == {0.0, 0.9}


def test_swept_has_one_method_in_all_its_sources(frame):
    found = sparse_results.swept(frame, "gmp", 0.9, [0.0, 0.5, 0.8], "er")
    assert set(found["arm"]) == {"dense", "random", "gmp", "gmp in er 0.5", "gmp in er 0.2"}
    kept = sparse_results.from_dense(found, MARGIN).set_index("source_sparsity")
    assert kept["mean"].to_dict() == pytest.approx({0.5: 0.0, 0.8: -0.03})
    assert kept["verdict"].to_dict() == {0.5: "equivalent", 0.8: "worse"}


def test_a_source_is_compared_with_the_same_method_from_dense(main):
    lost = sparse_results.from_dense(main, MARGIN).set_index("method")
    assert lost["baseline"].to_dict() == {"gmp": "gmp", "rigl": "rigl"}
    assert lost["mean"].to_dict() == pytest.approx({"gmp": 0.0, "rigl": -0.02})
    assert lost["verdict"].to_dict() == {"gmp": "equivalent", "rigl": "worse"}
    assert list(lost["source_sparsity"]) == [0.5, 0.5] and list(lost["n"]) == [3, 3]


def test_means_over_methods_have_the_seeds_as_replicates(main):
    row = sparse_results.on_average(main, MARGIN).iloc[0]
    assert (row["mean"], row["sparsity"], row["source_sparsity"]) == pytest.approx((-0.01, 0.9, 0.5))
    assert row["n"] == row["n_baseline"] == 3
    lost = main.assign(test_accuracy=main["test_accuracy"].where(main["key"] != "rigl 0.9 0"))
    row = sparse_results.on_average(lost, MARGIN).iloc[0]
    assert (row["n"], row["n_baseline"], row["missing"]) == (3, 2, 1)  # a seed without one method has no mean


def test_every_start_is_compared_with_static_masks(main):
    gained = sparse_results.from_static(main, MARGIN).set_index(["method", "source_sparsity"])["mean"]
    wanted = {("gmp", 0.0): 0.04, ("gmp", 0.5): 0.04, ("rigl", 0.0): 0.03, ("rigl", 0.5): 0.01}
    assert gained.to_dict() == pytest.approx(wanted)


def test_the_dense_network_that_is_compared_costs_no_less_than_the_method(main):
    found = training_costs.from_shorter(main, MARGIN).set_index("method")
    assert found["baseline"].to_dict() == {"gmp": "dense, 2 epochs", "rigl": "dense, 1 epochs"}
    assert found["mean"].to_dict() == pytest.approx({"gmp": 0.04, "rigl": 0.11})
    dear = training_costs.from_shorter(main.assign(cost=main["cost"].where(main["method"] != "gmp", 3.0)), MARGIN)
    assert dear.set_index("method").loc["gmp", "baseline"] == "dense"  # the longest there is
    assert training_costs.from_shorter(main[main["sparsity"] == 0], MARGIN).empty


def test_at_least_as_good_is_an_interval_above_minus_the_margin():
    rows = pd.DataFrame({"low": [-0.005, -0.02, -0.03, np.nan, 0.01], "high": [0.004, 0.01, -0.001, np.nan, 0.02]})
    found = verdicts.at_least(rows, MARGIN)["verdict"]
    good = verdicts.AT_LEAST
    assert list(found) == [good, "inconclusive", "worse", "inconclusive", good]


def test_a_claim_of_at_least_as_good_can_fail(main):
    worse = verdicts.at_least(sparse_results.from_dense(main, MARGIN), MARGIN)
    assert verdicts.row("it is", worse, verdicts.AT_LEAST)["verdict"] == "contradicted"
    assert verdicts.row("it is", worse[worse["method"] == "gmp"], verdicts.AT_LEAST)["verdict"] == "supported"


def test_what_a_source_saves_is_a_share_of_the_same_methods_flops(main):
    saved = training_costs.of_sources(main).set_index("method")
    assert saved["saved"].to_dict() == pytest.approx({"gmp": 0.25, "rigl": 1 - 0.11 / 0.12})
    assert saved.loc["gmp", "least"] == pytest.approx(1 - 0.303 / 0.396)
    assert saved.loc["gmp", "most"] == pytest.approx(1 - 0.297 / 0.404)
    assert saved["begins_full"].to_dict() == {"gmp": True, "rigl": False}


@pytest.mark.parametrize(
    ("cost", "verdict"), [(0.3, "supported"), (0.5, "contradicted"), (0.4, "inconclusive"), (None, "inconclusive")]
)
def test_saving_is_judged_by_all_runs(main, cost, verdict):
    gmp = main["arm"] == "gmp in er 0.5"
    factor = 1 if cost is None else cost / 0.3
    saved = training_costs.of_sources(main.assign(cost=main["cost"].where(~gmp, main["cost"] * factor)))
    saved = saved[saved["begins_full"]] if cost else saved[:0]
    row = training_costs.saves("it saves", saved)
    assert row["verdict"] == verdict and ("gmp at 90%" in row["evidence"]) == bool(cost)


def test_the_front_is_what_nothing_beats_at_no_higher_cost(main):
    points = training_costs.trade_offs(main)
    front = points[points["front"]].sort_values("cost")
    assert list(front["arm"]) == ["random", "rigl in er 0.5", "rigl", "gmp in er 0.5", "dense"]
    assert list(points.loc[points["method"] == "dense", "epochs"].sort_values()) == [1, 2, 4]
    assert set(points["n"]) == {3}


def test_pairs_of_equal_seeds_are_subtracted(main):
    found = sparse_results.by_seed(main[main["replicate"] < 2], "rigl")
    assert len(found) == 4
    own = found[found["source_sparsity"] == 0.5]
    assert list(own["difference"]) == pytest.approx([0.01, 0.01]) and list(own["cost"]) == pytest.approx([1.1, 1.1])


def test_exploration_is_bounded_by_what_the_updates_can_grow(main):
    found = sparse_results.exploration(main).set_index("source_sparsity")
    assert found["tried"].to_dict() == pytest.approx({0.0: 0.1 * 3, 0.5: 0.1 / 0.5 * 3})
    long = sparse_results.exploration(main.assign(turnover=10 * main["turnover"]))
    assert list(long["tried"]) == [1, 1] and set(long["method"]) == {"rigl"}


def spread_rows():
    return pd.concat(
        [
            runs("random", 0.99, 0.8, 0.01, rule="erk"),
            runs("random er", 0.99, 0.7, 0.01, rule="er"),
            runs("random er, flow preserved", 0.99, 0.72, 0.01, rule="er", preserve_flow=True),
            inside("gmp", 0.99, 0.75, 0.02, source=0.9),
            inside("gmp", 0.99, 0.70, 0.02, source=0.9, source_rule="erk"),
            inside("gmp", 0.99, 0.1, 0.02, source=0.5),
            runs("random", 0.9, 0.9, 0.1),
        ],
        ignore_index=True,
    )


def test_rules_and_flow_are_compared_within_their_kind():
    rows = sparse_results.spread(spread_rows(), "gmp", 0.99, 0.9, ["er", "erk"])
    assert len(rows) == 5 * 3 and set(rows["kind"]) == {"static masks", "gmp in sources, 90 % sparse"}
    of_rules = sparse_results.rule_differences(rows, "er", MARGIN).set_index("kind")
    assert of_rules["mean"].to_dict() == pytest.approx({"static masks": 0.1, "gmp in sources, 90 % sparse": -0.05})
    assert set(of_rules["spread_by"]) == {"erk"}
    flow = sparse_results.flow_differences(rows, MARGIN)
    assert list(flow["mean"]) == pytest.approx([0.02]) and list(flow["baseline"]) == ["random er"]


def test_units_alone_are_rows_and_columns_without_an_edge():
    base = RunConfig(dataset="digits", model="wrn-10-1", sparsity=0.99, rule="er")
    flow, source = base.replace(preserve_flow=True), base.replace(method="gmp", source_sparsity=0.95, source_rule="er")
    configs = [base, flow, source]
    arms = tuple(Arm("a", "weight", 0.99, 0, config) for config in configs)
    alone = sparse_results.units_alone(Comparison(arms, (), ()), [config.key for config in configs])
    assert alone[flow.key] == 0 < alone[source.key] < alone[base.key] < 1
    mask = network.create(base, *catalogue.shape("digits")).mask
    counts = [
        (kept.sum(axis).flatten() == 0).sum().item()
        for kept in (each.flatten(2).sum(2) if each.dim() > 2 else each.int() for each in mask.values())
        for axis in (0, 1)
    ]
    assert alone[base.key] == sum(counts) / sum(sum(each.shape[:2]) for each in mask.values())


def test_costs_times_and_updates_come_from_the_records(tiny, tmp_path):
    base = tiny.replace(train_samples=128, epochs=1, warmup_epochs=0.0)
    changing = base.replace(sparsity=0.9, method="rigl", update_interval=1, prune_rate=0.2)
    configs = {"dense": base, "random": base.replace(sparsity=0.9), "rigl": changing}
    store, records = Store(tmp_path), {}
    for name, config in configs.items():
        records[name] = train(config)
        store.put(records[name])
    compared = Comparison(tuple(Arm(name, "weight", c.sparsity, 0, c) for name, c in configs.items()), (), ())
    found = sparse_results.results(compared, store).set_index("arm")
    flops = {name: record["cost"]["sparse_flops"] for name, record in records.items()}
    assert found["cost"].to_dict() == pytest.approx({name: value / flops["dense"] for name, value in flops.items()})
    assert found.loc["rigl", "seconds"] == records["rigl"]["cost"]["seconds"]
    assert found.loc["random", "times_static"] == 1 and found.loc["random", "cost"] < found.loc["rigl", "cost"] < 1
    schedule = Schedule(changing, steps_per_epoch=2)
    assert found.loc["rigl", "updates"] == schedule.updates and found.loc[["dense", "random"], "updates"].isna().all()
    assert not found["begins_full"].any() and len(sparse_results.masked(compared).arms) == 3
