"""Forks, lines and sharpness in notebook 10: what is measured of which run, and what frames and charts make of it."""

from __future__ import annotations

import numpy as np
import pytest

from made_up import record_of
from randsparse import questions
from randsparse.questions.early_and_late import basin_charts, basins, plan
from randsparse.questions.early_and_late.evidence import Evidence
from randsparse.questions.early_and_late.landscapes import Line, Sharpness
from randsparse.runs import evaluations
from randsparse.runs.store import Store

NAME = "10_early_and_late"
BASE = "WRN-10-1, dense, 10 epochs"
CELLS = {
    "dense": {"lr": 0.1, "networks": 6, "orders": 2, "first_seed": 1000},
    "dense, cooled": {"lr": 0.1, "seeds_of": "dense", "cooldown_epoch": 1, "cooldown_epochs": 1},
    "other": {"lr": 0.1, "networks": 6, "orders": 2, "first_seed": 2000, "sparsity": 0.5},
    "base": {"lr": 0.1, "networks": 2, "orders": 2, "crossed": False, "first_seed": 3000},
    "fork at 0": {"lr": 0.1, "seeds_of": "base", "fork_epoch": 0},
    "fork at 4": {"lr": 0.1, "seeds_of": "base", "fork_epoch": 4},
}
CAMPAIGN = {"recipe": {"dataset": "digits", "epochs": 10}, "parts": {"A": CELLS}}
PARAMETERS = {"campaign": CAMPAIGN, "train_missing": True, "candidates": ["dense", "other"]}


def line(barrier, distance, errors=(0.5, 0.9, 0.1)):
    """The values of a line with three places."""
    right = [1 - error for error in errors]
    return {
        "alpha": [0.0, 0.5, 1.0],
        "val_accuracy": right,
        "train_accuracy": right,
        "val_error_barrier": barrier,
        "train_error_barrier": 0.0,
        "relative_distance": distance,
    }


@pytest.fixture(scope="module")
def found(tmp_path_factory) -> Evidence:
    """Networks whose sharpness falls with early accuracy and says nothing about the end."""
    store = Store(tmp_path_factory.mktemp("basins"))
    generator = np.random.default_rng(0)
    for config in questions.plan(NAME, PARAMETERS, store):
        record = record_of(config)
        record["curve"][0]["val_accuracy"] = float(generator.random())
        record["test"]["accuracy"] = float(generator.random())
        store.put(record)
    for runs, wanted in questions.group_evaluations(NAME, PARAMETERS, store):
        for place, run in enumerate(runs):
            for each in wanted:
                if isinstance(each, Sharpness):
                    early = store.get(run)["curve"][0]["val_accuracy"]
                    values = {"sharpness": float(np.exp(3 - 2 * early)), "products": 9}
                elif each.start == "unforked":
                    values = line(
                        0.3 if run.fork_epoch == 0 else 0.01 * (run.init_seed - 3000), 1.2 - run.fork_epoch / 10
                    )
                else:
                    values = line(0.0, 0.8, (0.6 - place / 10, 0.4, 0.2))
                evaluations.save(run, each, values, {}, store)
    return Evidence(questions.compare(NAME, PARAMETERS), store)


def test_each_run_has_the_evaluations_that_are_possible_of_it(found):
    groups = questions.group_evaluations(NAME, PARAMETERS, found.store)
    (forks, lines), (bases, early), (checkpoints, sharp) = groups
    assert lines == [Line("unforked")] and early == [Line(epoch=4)] and sharp == [Sharpness()]
    assert sorted((run.init_seed, run.fork_epoch) for run in forks) == [(3000, 0), (3000, 4), (3001, 0), (3001, 4)]
    assert sorted(run.init_seed for run in bases) == [3000, 3001] and {run.fork_seed for run in bases} == {None}
    assert [run.init_seed for run in checkpoints] == list(range(1000, 1006))
    assert {(run.stop_epoch, run.data_seed) for run in checkpoints} == {(1, 1500)}


def test_what_is_missing_is_made_here_or_by_the_campaign(found, tmp_path):
    assert questions.find_missing(NAME, PARAMETERS, found.store) == []
    assert len(questions.list_paths(NAME, PARAMETERS, found.store)) == 4 + 2 + 6
    bare = Store(tmp_path)
    for config in questions.plan(NAME, PARAMETERS, bare):
        bare.put(record_of(config))
    assert sum(len(unit.evaluations) for unit in questions.find_missing(NAME, PARAMETERS, bare)) == 4 + 2 + 6
    assert questions.find_missing(NAME, PARAMETERS | {"train_missing": False}, bare) == []


def test_candidates_are_neither_forks_nor_what_they_leave_nor_cooled(found):
    assert [cell.name for cell in found.design.networks] == ["dense", "other"]
    assert [cell.name for cell in plan.select_unforked(found.whole).networks] == ["base"]
    assert [cell.name for cell in plan.select_cooled(found.whole).networks] == ["dense, cooled"]
    assert set(found.curves["cell"]) == {"dense", "other"}


def test_barriers_belong_to_the_cell_that_was_left_and_fall_with_the_epoch(found):
    rows = found.barriers.set_index(["epoch", "network"])
    assert set(rows["cell"]) == {BASE} and rows.loc[(4, 1), "share"] == 0.4
    assert rows["val_error_barrier"].to_dict() == {(0, 0): 0.3, (0, 1): 0.3, (4, 0): 0.0, (4, 1): 0.01}
    settled = found.settled().set_index("epoch")
    assert settled["error barrier of forks (points)"].tolist() == pytest.approx([30, 0.5])
    assert settled["distance of their ends"].tolist() == pytest.approx([1.2, 0.8])
    assert settled.loc[4, "distance to the end"] == pytest.approx(0.8) and np.isnan(
        settled.loc[0, "distance to the end"]
    )


def test_the_chart_of_barriers_shows_their_means_beside_r(found):
    drawn = basin_charts.barriers(found.barriers, found.plain, found.averaged, found.networks())
    left, right = drawn.figure.axes
    (mean,) = [each for each in left.get_lines() if each.get_label().startswith(BASE)]
    assert mean.get_xdata() == pytest.approx([0, 40]) and mean.get_ydata() == pytest.approx([30, 0.5])
    points = np.sort(np.asarray(left.collections[0].get_offsets()), axis=0)
    assert points == pytest.approx(np.array([(0, 0), (0, 1), (40, 30), (40, 30)]))
    plain = next(each for each in right.get_lines() if "as trained" in each.get_label())
    assert plain.get_xdata() == pytest.approx(np.arange(10, 101, 10))
    assert np.allclose(plain.get_ydata(), found.pooled(found.plain)["value"], equal_nan=True)
    assert f"{BASE}: 30.00 points for forks at 0 % of training and 0.50 at 40 %" in drawn.caption
    assert "(WRN-10-1, 10 epochs)" in drawn.caption


def test_the_chart_of_lines_shows_mean_errors_from_the_checkpoint_to_the_end(found):
    drawn = basin_charts.travels(found.travels)
    (ax,) = drawn.figure.axes
    (way,) = [each for each in ax.get_lines() if each.get_label() == "from epoch 4"]
    assert way.get_xdata() == pytest.approx([0, 0.5, 1]) and way.get_ydata() == pytest.approx([55, 40, 20])
    assert (
        f"{BASE}: from 55.0 % error after epoch 4 over at most 55.0 % to 20.0 %, over a distance of 0.80"
        in drawn.caption
    )


def test_sharpness_correlates_with_early_accuracy_as_planted(found):
    rows = found.sharpness.set_index("measured")
    assert rows.loc["log sharpness and early validation accuracy", "value"] == pytest.approx(-1, abs=1e-6)
    at = basins.sharpness(found.whole, found.store)
    assert len(at) == 6 and set(at["order"]) == {0}
    expected = np.corrcoef(at["log_sharpness"], at["test_accuracy"])[0, 1]
    assert rows.loc["log sharpness and final test accuracy", "value"] == pytest.approx(expected)


def test_without_forks_and_evaluations_there_is_no_chart(tmp_path):
    bare = Evidence(questions.compare(NAME, PARAMETERS), Store(tmp_path))
    assert basin_charts.barriers(bare.barriers, None, None, "") is None and basin_charts.travels(bare.travels) is None
    assert bare.sharpness["value"].isna().all() and bare.settled().empty
