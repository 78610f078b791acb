"""The whole of notebook 11 with planted runs: plan, store, arrays, strategies, verdicts and sentences."""

from __future__ import annotations

import json
from itertools import combinations

import numpy as np
import pytest

from planted_costs import EPOCHS, LONGER, campaign, parameters, plant
from randsparse import questions
from randsparse.comparison import sentences
from randsparse.comparison.conclusions import CHECK, FINDING, PRIMARY
from randsparse.comparison.inference.estimate import Estimate
from randsparse.comparison.inference.power import one_sided_power
from randsparse.errors import StudyError
from randsparse.questions.search_cost import prose, strategies, verdicts
from randsparse.questions.search_cost.evidence import Evidence
from randsparse.runs.store import Store

NAME = "11_search_cost"


def evidence(folder, **planted):
    store = Store(folder)
    plant(store, **planted)
    return Evidence(questions.compare(NAME, parameters()), store, parameters())


def row(found, part):
    table = verdicts.judge(found)
    return table[table["claim"].str.contains(part, regex=False)].iloc[0]


@pytest.mark.parametrize(
    ("planted", "verdict", "sentence"),
    [
        ({"r": 0.0, "longer": 0.03}, "supported", "better spent on training one random network longer"),
        ({"r": 0.95, "longer": -0.02}, "contradicted", "a search is worth its epochs"),
        ({"r": 0.0, "longer": 0.0}, "undecided", "does not decide"),
        ({"spread": 0.0}, "not tested", "too few runs"),
        ({"without": ("nodes 90 %, longer",)}, "not tested", "too few runs"),
        ({"without": ("nodes 80 %", "nodes 90 %")}, "not tested", "too few runs"),
    ],
)
def test_planted_runs_decide_the_primary_claim(tmp_path, planted, verdict, sentence):
    found = evidence(tmp_path, **planted)
    table = verdicts.judge(found)
    first = table.iloc[0]
    assert (first["kind"], first["verdict"]) == (PRIMARY, verdict) and (table["kind"] == PRIMARY).sum() == 1
    assert first["claim"] == "Search gains less than spending its epochs on longer training."
    assert sentence in prose.write_abstract(found).data and sentence in prose.write_what_follows(found).data


def test_the_primary_row_is_in_points_with_its_limits_and_its_power(tmp_path):
    found = evidence(tmp_path, longer=0.015)
    first, estimate = verdicts.judge(found).iloc[0], found.difference
    assert first["estimate"] == pytest.approx(100 * estimate.value) and -3 < first["estimate"] < -0.5
    limits = [100 * limit for limit in estimate.interval(0.9)]
    assert first[["low", "high"]].tolist() == pytest.approx(limits)
    least = verdicts.detectable(verdicts.convert_to_points(estimate))
    assert first["power"].startswith(f".8 at a true difference of −{least:.2f} points")
    pairs = np.mean([(each.longer < end).mean() for each in found.groups for end in each.accuracies])
    told = int(first["evidence"].split(" longer in ")[1].split(" %")[0])
    assert 0 < told < 50 and told == pytest.approx(100 * pairs, abs=5) and "Interim" not in first["evidence"]
    assert "WRN-10-1 on digits, 100 images, 10 epochs of 1 steps, dense" in first["regime"]


def test_an_interim_estimate_says_so(tmp_path):
    found = evidence(tmp_path, without=("nodes 90 %, longer",))
    assert "Interim: 40 of 48 runs are there." in verdicts.judge(found).iloc[0]["evidence"]
    assert sentences.write_missing_runs(found.cells).data == "No run yet: *nodes 90 %, longer*."
    assert row(found, "(nodes 80 % alone)")["verdict"] == "supported"
    assert row(found, "(nodes 90 % alone)")["verdict"] == "not tested"


@pytest.mark.parametrize(("small", "verdict"), [(-0.03, "supported"), (0.03, "contradicted"), (0.0, "undecided")])
def test_small_dense_networks_are_judged(tmp_path, small, verdict):
    found = evidence(tmp_path, small=small)
    assert row(found, "than a random sparse one of its shape (nodes 80 %)")["verdict"] == verdict


@pytest.mark.parametrize(("r", "verdict"), [(0.95, "supported"), (-0.95, "contradicted")])
def test_the_gain_of_search_is_judged(tmp_path, r, verdict):
    found = evidence(tmp_path, r=r)
    assert row(found, "more accurate at the end than a random network (nodes 90 %)")["verdict"] == verdict


@pytest.mark.parametrize(
    ("training", "verdict"),
    [
        ([1.5, 2.0, 2.5], "supported"),
        ([0.5, 0.6, 0.7], "contradicted"),
        ([0.8, 1.0, 1.2], "undecided"),
        (None, "not tested"),
    ],
)
def test_measured_seconds_are_judged(tmp_path, training, verdict):
    (tmp_path / "bench").mkdir()
    kernel = {"outputs": 8, "inputs": 8, "kernel": "CSR", "sparsity": 0.98, "flops": 50.0, "training": training}
    slow = kernel | {"sparsity": 0.8, "training": [0.1, 0.2, 0.3]}  # at 80 % nothing is claimed
    report = {"kernels": [kernel, slow]} if training else {}
    (tmp_path / "bench" / "cpu.json").write_text(json.dumps(report))
    found = evidence(tmp_path)
    assert row(found, "sparse kernels")["verdict"] == verdict
    assert questions.list_paths(NAME, parameters(), found.store) == [tmp_path / "bench" / "cpu.json"]


def test_checks_are_apart_and_hold(tmp_path):
    table = verdicts.judge(evidence(tmp_path))
    assert (table.loc[table["kind"] == CHECK, "verdict"] == "supported").all() and (table["kind"] == CHECK).sum() == 2
    assert set(table["kind"]) == {PRIMARY, FINDING, CHECK}


@pytest.mark.parametrize(("error", "df"), [(0.5, 8.0), (2.0, 3.5)])
def test_the_detectable_difference_has_the_power(error, df):
    found = verdicts.detectable(Estimate(0.0, error, df, 16, 16))
    assert one_sided_power(found, 0.0, error, df) == pytest.approx(0.8)


def test_strategies_are_charged_and_gain_what_was_planted(tmp_path):
    found = evidence(tmp_path, r=0.0, longer=0.03, small=-0.04, seed=3)
    rows = found.strategies.set_index(["cell", "strategy", "looks"])
    one = rows.loc["nodes 80 %"]
    longer = one.loc[(strategies.LONGER, "")]
    assert (longer["epochs"], longer["trainings"]) == (LONGER, 1.4) and longer["mean"] == pytest.approx(0.03, abs=0.015)
    look = one.loc[(strategies.ONE_LOOK, "1")]
    assert (look["epochs"], look["epochs_going_on"], look["candidates"]) == (14, 13, 4)
    best = one.loc[(strategies.FINALS, str(EPOCHS))]
    assert best["epochs"] == best["epochs_going_on"] == 20 and best["mean"] > 0
    assert one.loc[(strategies.SMALL, "")]["mean"] == pytest.approx(-0.04, abs=0.015)
    assert look["accuracy"] == pytest.approx(gain_base(found, 0) + look["mean"])
    halved = one.loc[(strategies.HALVING, "1, 2, 5")]
    assert halved["epochs"] == 8 + 4 + 6 + 10 and np.isnan(halved["low"]) and np.isfinite(halved["mean"])
    first, second, final = (found.groups[0].scores[1], found.groups[0].scores[2], found.groups[0].final)
    assert one.loc[(strategies.HALVING, "1, 2")]["mean"] == pytest.approx(
        survivors(first, second, final) - final.mean()
    )
    points = found.charges.set_index(["cell", "strategy", "looks"])
    assert points.loc[("nodes 80 %", strategies.LONGER, ""), "gain (points)"] == pytest.approx(100 * longer["mean"])


def survivors(first, second, final):
    """The mean end of halving four candidates twice, one subset after another."""
    ends = []
    for order in range(final.shape[1]):
        for subset in combinations(range(len(final)), 4):
            half = sorted(subset, key=lambda each: first[each, order])[-2:]
            ends.append(final[max(half, key=lambda each: second[each, order]), order])
    return np.mean(ends)


def gain_base(found, index):
    return np.nanmean(found.groups[index].final)


def test_cells_that_do_not_belong_together_are_refused():
    with pytest.raises(
        StudyError, match="no candidates have the model, structure and sparsity of 'nodes 90 %, longer'"
    ):
        questions.compare(NAME, parameters() | {"candidates": ["nodes 80 %"]})
    with pytest.raises(StudyError, match="'small dense, nodes 80 %' is not trained longer than 'nodes 80 %'"):
        questions.compare(NAME, parameters() | {"trained_longer": ["small dense, nodes 80 %"]})


def test_the_plan_wants_all_runs_or_none(tmp_path):
    store = Store(tmp_path)
    assert len(questions.plan(NAME, parameters(), store)) == 2 * (16 + 8 + 8) + 3
    assert questions.plan(NAME, parameters(train_missing=False), store) == []
    assert len(campaign()["parts"]["A"]) == 7
