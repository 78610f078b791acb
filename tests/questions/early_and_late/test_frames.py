"""Correlations, gains, shares and explanations of planted runs, through plan, store and frames."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from planted_curves import EPOCHS, parameters, plant
from randsparse import questions
from randsparse.comparison.candidates import array
from randsparse.questions.early_and_late import cooling, hypotheses, prediction, variance
from randsparse.questions.early_and_late.evidence import Evidence
from randsparse.runs.store import Store

NAME = "10_early_and_late"


def rises_late(epoch):
    return 0.95 if epoch >= 8 else 0.0


def evidence(tmp_path, r, cells=5, **changes) -> Evidence:
    store = Store(tmp_path)
    plant(store, r, cells=cells, **changes)
    return Evidence(questions.compare(NAME, parameters(cells)), store)


@pytest.fixture(scope="module")
def late(tmp_path_factory) -> Evidence:
    """Early accuracy says nothing until epoch 8 of 10; the moving average says all, from the first epoch on."""
    return evidence(tmp_path_factory.mktemp("late"), rises_late, averaged=lambda epoch: 0.95, gap=0.05)


def verdicts(found: Evidence) -> dict[str, str]:
    rows = found.explanations
    return dict(zip(rows["intervention"].str.split(":").str[0] + rows.index.astype(str), rows["verdict"], strict=True))


def test_the_plan_wants_all_runs_and_trains_none_where_the_campaign_does(tmp_path):
    store = Store(tmp_path)
    assert len(questions.plan(NAME, parameters(), store)) == 5 * 8 * 2
    assert questions.plan(NAME, parameters(train_missing=False), store) == []
    plant(store, rises_late, keep=lambda network, order: order == 0)
    assert len(questions.plan(NAME, parameters(), store)) == 5 * 8
    assert len(questions.find_used(NAME, parameters(train_missing=False), store)) == 5 * 8


def test_correlations_are_those_planted_epoch_by_epoch(late):
    pooled, averaged = late.pooled(late.plain), late.pooled(late.averaged)
    assert list(pooled.index) == list(range(1, EPOCHS + 1))
    assert pooled.loc[:7, "value"].abs().max() < 0.35 and pooled.loc[8:, "value"].min() > 0.8
    assert averaged["value"].min() > 0.8
    assert set(pooled["n"]) == {40} and set(pooled["runs"]) == {80}
    assert ((pooled["low"] < pooled["value"]) & (pooled["value"] < pooled["high"])).all()


def test_the_correlation_of_a_cell_is_that_of_its_runs_within_orders(late):
    at = late.curves[late.curves["epoch"] == 3]
    early, final = array(at, "nodes 60 %", "val_accuracy"), array(at, "nodes 60 %", "test_accuracy")
    early, final = early - early.mean(0), final - final.mean(0)
    expected = (early * final).sum() / np.sqrt((early**2).sum() * (final**2).sum())
    rows = late.plain[(late.plain["cell"] == "nodes 60 %") & (late.plain["kind"] == "pearson")].set_index("epoch")
    assert rows.loc[3, "value"] == pytest.approx(expected, abs=1e-12)


def test_gains_are_those_of_all_subsets_and_of_normal_order_statistics(late):
    at = late.curves[late.curves["epoch"] == 1]
    rows = late.gains.set_index(["moment", "size", "how"])["value"]
    measured, lead, best, predicted, shrunk = ([] for _ in range(5))
    for cell in at["cell"].unique():
        early, final = array(at, cell, "val_accuracy"), array(at, cell, "test_accuracy")
        for e, f in zip(early.T, final.T, strict=True):
            for subset in map(list, combinations(range(8), 3)):
                measured.append(f[subset][np.argmax(e[subset])] - f[subset].mean())
                lead.append(e[subset].max() - e[subset].mean())
                best.append(f[subset].max() - f[subset].mean())
            c4 = 0.9650305  # of eight normal values
            predicted.append(0.8462844 * e.std(ddof=1) / c4)
            shrunk.append(0.8462844 * np.corrcoef(e, f)[0, 1] * f.std(ddof=1) / c4)
    assert rows["early", 3, "measured"] == pytest.approx(np.mean(lead))
    assert rows["late", 3, "measured"] == pytest.approx(np.mean(measured))
    assert rows["late", 3, "best possible"] == pytest.approx(np.mean(best))
    assert rows["early", 3, "predicted"] == pytest.approx(np.mean(predicted), rel=1e-6)
    assert rows["late", 3, "predicted"] == pytest.approx(np.mean(shrunk), rel=1e-6)


def test_a_whole_order_has_its_one_subset_and_no_interval(late):
    at = late.curves[late.curves["epoch"] == 1]
    ends = [array(at, cell, "test_accuracy") for cell in at["cell"].unique()]
    rows = late.gains[late.gains["size"] == 8].set_index(["moment", "how"])
    best = np.mean([end.max(0) - end.mean(0) for end in ends])
    assert rows.loc[("late", "best possible"), "value"] == pytest.approx(best)
    assert rows[rows.index.get_level_values("how") != "predicted"][["low", "high"]].isna().all(axis=None)


def test_predictions_meet_measurements_where_values_are_normal(tmp_path):
    """With r = .7 a search keeps most of the gain; with r = 0 it keeps nothing."""
    for r in (0.7, 0.0):
        rows = evidence(tmp_path / str(r), lambda epoch, r=r: r).gains.set_index(["moment", "size", "how"])
        for place in (("early", 4), ("late", 4)):
            measured, predicted = rows.loc[(*place, "measured")], rows.loc[(*place, "predicted")]
            assert measured["low"] < predicted["value"] < measured["high"]
        assert rows.loc[("late", 4, "predicted"), "value"] == pytest.approx(1.029 * r * 0.01, abs=0.0025)


def test_early_scores_that_are_equal_predict_no_gain():
    final = np.random.default_rng(0).normal(size=(6, 2))
    assert prediction.predicted_gain([(np.ones((6, 2)), final)], 2, 3).value == 0


def test_winners_win_again_by_chance_or_always(late, tmp_path):
    rows = late.winners.set_index("K")
    assert list(rows["by chance"]) == [1 / 2, 1 / 3, 1 / 4]
    assert rows.loc[4, "low"] < 1 / 4 < rows.loc[4, "high"]
    sure = evidence(tmp_path, lambda epoch: 1.0, network=0.05, images=100_000).winners.set_index("K")
    assert sure.loc[2, "probability"] > 0.93 and sure.loc[4, "low"] > 0.7


def test_reliability_is_the_share_of_the_variance_that_is_true(tmp_path):
    found = evidence(tmp_path, lambda epoch: 0.0, images=1000, cells=2)
    means = found.ceilings.set_index("epoch")
    sampling = np.sqrt(0.6 * 0.4 / 1000)
    assert means["sampling"].iloc[:EPOCHS].mean() == pytest.approx(sampling, rel=0.02)
    assert means["reliability"].iloc[:EPOCHS].mean() == pytest.approx(0.05**2 / (0.05**2 + sampling**2), abs=0.05)
    own = found.reliable[found.reliable["cell"] == "dense"].set_index("epoch")
    ends = own.loc[own.index.isna(), "reliability"].item()
    assert own.loc[1, "ceiling"] == pytest.approx(np.sqrt(own.loc[1, "reliability"] * max(ends, 0)))


def test_shares_of_network_and_residual_are_those_planted(tmp_path):
    same = evidence(tmp_path / "same", rises_late, network=0.03).shares
    other = evidence(tmp_path / "other", rises_late, network=1e-9, noise=0.03).shares
    at_end = [rows[rows["epoch"].isna()].set_index("source")["value"] for rows in (same, other)]
    assert at_end[0]["network"] > 0.9 and at_end[1]["network"] < 0.3
    assert at_end[0].sum() == pytest.approx(1) and at_end[1]["residual"] > 0.6


def test_transient_noise_is_told_from_a_moving_average_that_says_no_more(late, tmp_path):
    rows = late.explanations.set_index("measured")
    name = "r of the average − r of the network as trained, epoch 1"
    assert rows.loc[name, "verdict"] == "supported"
    pooled, averaged = late.pooled(late.plain), late.pooled(late.averaged)
    assert rows.loc[name, "value"] == pytest.approx(averaged.loc[1, "value"] - pooled.loc[1, "value"])
    worse = evidence(tmp_path, lambda epoch: 0.95).explanations.set_index("measured")
    assert worse.loc[name, "verdict"] == "contradicted" and worse.loc[name, "value"] < -0.5


@pytest.mark.parametrize(("before", "after", "verdict"), [(0.0, 0.95, "supported"), (0.95, 0.0, "contradicted")])
def test_a_cool_down_that_brings_out_the_ranking_is_told_from_one_that_does_not(tmp_path, before, after, verdict):
    store = Store(tmp_path)
    plant(store, lambda epoch: before, cells=2, cooled=after)
    found = Evidence(questions.compare(NAME, parameters(2, cooled=True)), store)
    assert questions.plan(NAME, parameters(2, cooled=True), store) == []
    assert len(found.cooled) == 32 and set(found.cooled["cell"]) == {"dense", "nodes 40 %"}
    assert set(found.cooled["epoch"]) == {1} and set(found.cooled["end"]) == {2}
    assert found.curves["cell"].nunique() == found.at_end()["cell"].size == 2
    row = found.explanations.iloc[3]
    assert row["verdict"] == verdict and row["measured"] == "r after the cool-down − r before it, epoch 1"
    shown = cooling.correlations(found.cooled).set_index("kind").loc["pearson"]
    own = found.cooled.groupby(["cell", "order"])[["before", "after", "test_accuracy"]]
    apart = found.cooled[["cell"]].join(own.transform(lambda values: values - values.mean()))
    r = apart.groupby("cell").corr().xs("test_accuracy", level=1)[["before", "after"]].mean()
    assert shown[["before", "value"]].tolist() == pytest.approx(r.tolist(), abs=1e-9)
    assert row["value"] == pytest.approx(r["after"] - r["before"], abs=1e-9)


def test_few_images_hide_a_ranking_and_many_do_not(late, tmp_path):
    hidden = evidence(tmp_path, lambda epoch: 1.0, images=60, network=0.08).explanations.iloc[0]
    assert hidden["measured"] == "r over its ceiling after epoch 1" and hidden["verdict"] == "supported"
    assert late.explanations.iloc[0]["verdict"] == "contradicted" and abs(late.explanations.iloc[0]["value"]) < 0.3


def test_attenuation_divides_by_the_ceiling_and_stays_within_one():
    found = hypotheses.correct_attenuation({"value": 0.2, "low": -0.1, "high": 0.6, "n": 8}, 0.5)
    assert found == {"value": 0.4, "low": -0.2, "high": 1.0, "n": 8}
    assert np.isnan(hypotheses.correct_attenuation({"value": 0.2, "low": -0.1, "high": 0.6, "n": 8}, 0.0)["value"])


def test_networks_that_differ_persistently_are_told_from_those_that_do_not(tmp_path, late):
    assert late.explanations.iloc[4]["verdict"] == "contradicted"
    chance = evidence(tmp_path, rises_late, network=1e-9, noise=0.02).explanations.iloc[4]
    assert chance["verdict"] in ("undecided", "supported") and chance["high"] > chance["value"]


def test_candidates_of_mixed_sparsity_show_that_the_machinery_sees_what_is_there(late, tmp_path):
    row = late.explanations.iloc[5]
    assert (row["verdict"], row["n"]) == ("contradicted", 8) and row["low"] > 0.3
    flat = evidence(tmp_path, lambda epoch: 0.0).explanations.iloc[5]
    assert flat["verdict"] != "contradicted" and flat["value"] < 0.3


def test_a_population_of_mixed_sparsity_is_one_network_of_each_cell(late):
    at = late.curves[late.curves["epoch"] == 1]
    early, final = hypotheses.mix_populations(at)[2]
    third = at[at["network"] == 2].pivot(index="cell", columns="order", values="val_accuracy")
    assert early.shape == final.shape == (5, 2)
    assert np.array_equal(early, third.loc[at["cell"].unique()].to_numpy())


def test_a_planted_correlation_is_recovered(late):
    assert late.planted["recovered"] == pytest.approx(0.9, abs=0.02) and late.planted["covered"] > 0.9
    assert hypotheses.check_recovery(late.planted) == "supported"
    weak = hypotheses.recover_planted(late.curves, 0.3, 60)
    assert weak["recovered"] == pytest.approx(0.3, abs=0.05)
    assert hypotheses.check_recovery(hypotheses.recover_planted(late.curves, 0.9, 20) * [0.5, 1, 1, 1]) != "supported"


def test_with_one_cell_of_ten_runs_all_is_there_and_little_is_decided(tmp_path):
    found = evidence(tmp_path, rises_late, cells=1, keep=lambda network, order: order == 0 or network < 2)
    assert found.at_end()["runs"].tolist() == [10]
    assert found.pooled(found.plain)["n"].max() == 8
    assert found.shares.empty and len(found.winners) == 3
    assert found.explanations["verdict"].tolist()[3:] == ["not tested"] * 3
    assert np.isnan(variance.network_at_end(found.curves)["share"])


def test_the_table_of_cells_is_in_percent_and_points(late):
    ends, shown = late.at_end().set_index("cell"), late.cells().set_index("cell")
    assert shown.loc["dense", "test accuracy (%)"] == pytest.approx(100 * ends.loc["dense", "test_accuracy"])
    assert shown.loc["nodes 60 %", "spread (points)"] == pytest.approx(100 * ends.loc["nodes 60 %", "spread"])
    assert shown["reliability"].tolist() == ends["reliability"].tolist()


def test_cells_without_a_run_are_named(tmp_path):
    store = Store(tmp_path)
    plant(store, rises_late, cells=2)
    ends = Evidence(questions.compare(NAME, parameters(3)), store).at_end()
    assert ends.set_index("cell")["runs"].to_dict() == {"dense": 16, "nodes 40 %": 16, "nodes 60 %": 0}
