from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

from randsparse.comparison import frames as common
from randsparse.comparison import verdicts
from randsparse.data import catalogue
from randsparse.questions.layerwise_density import frames, plan
from randsparse.questions.layerwise_density.plan import score_mask
from randsparse.training import network

PARAMETERS = {
    "dataset": "digits",
    "train_samples": 320,
    "model": "wrn-10-1",
    "batch_size": 32,
    "epochs": 3,
    "seeds": 2,
    "rules": ["uniform", "synflow"],
    "sparsities": [0.995],
    "criteria": ["synflow"],
    "mask_sparsities": [0.9],
}
NAMES = ["stem.weight", "group1.0.conv1.weight", "group2.0.shortcut.weight", "classifier.weight"]


@cache
def density(config):
    return network.create(config, *catalogue.shape("digits")).density


class Records:
    """What `frames.layers` asks of a store: records whose densities are those of untrained networks."""

    def __init__(self, failed=()):
        self.failed = failed

    def load(self, configs):
        return {config.key: {"density": self.density(config)} for config in configs}

    def density(self, config):
        found = density(config)
        layers = {} if config.rule in self.failed else dict(sorted(found["layers"].items()))  # as in a JSON file
        return found | {"layers": layers}


def layers_of(**changes):
    return common.layers(plan.layers(PARAMETERS | changes), Records())


def test_layers_are_those_of_the_records_in_order_of_depth():
    layers = layers_of()
    assert set(layers["arm"]) == {"uniform", "synflow", "synflow mask", "synflow mask, new init"}
    run = layers[(layers["arm"] == "uniform") & (layers["replicate"] == 1)]
    assert run["layer"].iloc[0] == "stem.weight" and run["layer"].iloc[-1] == "classifier.weight"
    assert list(run["role"][run["role"] != "other layers"]) == ["first layer", "shortcuts", "shortcuts", "classifier"]
    assert run["kept"].sum() == round(0.005 * run["size"].sum())


def test_weights_on_paths_are_those_that_the_record_counted():
    comparison = plan.layers(PARAMETERS)
    layers = layers_of().assign(used=lambda rows: rows["effective"] * rows["size"])
    records = Records().load([arm.config for arm in comparison.arms])
    for arm in (arm for arm in comparison.arms if arm.sparsity and arm.config.criterion == "random"):
        own = layers[(layers["arm"] == arm.arm) & (layers["sparsity"] == arm.sparsity)]
        own = own[own["replicate"] == arm.replicate]
        density = records[arm.config.key]["density"]["effective"]
        assert own["used"].sum() / own["size"].sum() == pytest.approx(density), arm
    by_scores = layers["arm"].str.contains("mask")
    assert layers.loc[by_scores, "effective"].isna().all() and layers.loc[~by_scores, "effective"].notna().all()
    assert layers.loc[layers["arm"] == "uniform", "effective"].eq(0).any()


def test_a_failed_run_has_no_layers():
    layers = common.layers(plan.layers(PARAMETERS), Records(failed=["uniform"]))
    assert "uniform" not in set(layers["arm"]) and "synflow" in set(layers["arm"])


def test_roles_are_told_by_place_and_name():
    roles = [common.role(name, NAMES) for name in NAMES]
    assert roles == ["first layer", "other layers", "shortcuts", "classifier"]


def rows(**columns):
    """Four layers of 100 weights, in one run a replicate."""
    frame = pd.DataFrame(
        {"arm": "a", "sparsity": 0.75, "replicate": 0, "asked": 0.25, "layer": NAMES, "size": 100} | columns
    )
    frame["role"] = [common.role(name, NAMES) for name in frame["layer"]]
    return frame.assign(density=frame["kept"] / frame["size"])


def test_a_row_of_the_table_is_a_mean_over_runs():
    first = rows(kept=[60, 0, 30, 10], effective=[0.3, 0, 0.3, 0])
    second = rows(kept=[80, 0, 10, 10], effective=[0.8, 0, 0.1, 0.1], replicate=1)
    row = frames.by_role(pd.concat([first, second])).iloc[0]
    assert row["first layer"] == 0.7 and row["shortcuts"] == pytest.approx(0.2) and row["classifier"] == 0.1
    assert row["emptied"] == 1 and row["cut_off"] == 1.5 and row["runs"] == 2
    assert row["on_path"] == pytest.approx((0.6 + 1.0) / 2)


def test_nothing_is_said_of_the_paths_of_masks_by_scores():
    row = frames.by_role(rows(kept=[60, 0, 30, 10], effective=np.nan)).iloc[0]
    assert row["emptied"] == 1 and np.isnan(row["cut_off"]) and np.isnan(row["on_path"])


@pytest.mark.parametrize(("kept", "verdict"), [(30, "supported"), (31, "contradicted")])
def test_one_weight_too_many_is_another_density(kept, verdict):
    both = [rows(kept=[60, 0, 30, 10], effective=1.0), rows(kept=[50, 10, kept, 10], effective=1.0, arm="b")]
    matched = common.matched(pd.concat(both))
    assert matched["error"].item() == kept - 30 and matched["arms"].item() == 2 and matched["runs"].item() == 2
    assert matched["highest"].item() == pytest.approx((70 + kept) / 400)
    row = verdicts.same_density(matched)
    assert row["verdict"] == verdict and f"is {kept - 30} weights in 2 trained networks" in row["evidence"]


def runs(means, noise=0.002, n=6, sparsity=0.9, **columns):
    """One row a run: arms with these mean accuracies."""
    spread = noise * np.linspace(-1, 1, n)
    parts = [pd.DataFrame({"arm": arm, "test_accuracy": mean + spread}) for arm, mean in means.items()]
    return pd.concat(parts, ignore_index=True).assign(structure="weight", sparsity=sparsity, **columns)


def test_differences_are_those_of_the_points_that_both_arms_have():
    frame = pd.concat([runs({"erk": 0.8, "uniform": 0.7}), runs({"erk": 0.5}, sparsity=0.995)])
    rows = common.differences(frame, [("uniform", "erk"), ("erk+", "erk")], margin=0.01)
    labels = rows[["arm", "baseline", "structure", "sparsity"]]
    assert labels.to_numpy().tolist() == [["uniform", "erk", "uniform", 0.9]]
    assert rows["mean"].item() == pytest.approx(-0.1) and rows["verdict"].item() == "worse"
    assert common.differences(frame, [], 0.01).empty and "baseline" in common.differences(frame, [], 0.01)


@pytest.mark.parametrize(
    ("effect", "noise", "verdict"),
    [(0, 0.002, "supported"), (0.05, 0.002, "contradicted"), (-0.05, 0.002, "contradicted"), (0, 0.1, "inconclusive")],
)
def test_only_counts_matter_if_every_mask_is_as_its_shuffled_version(effect, noise, verdict):
    frame = runs({"snip": 0.8, score_mask("snip"): 0.8 + effect, "grasp": 0.7, score_mask("grasp"): 0.7}, noise)
    rows = common.differences(frame, [(score_mask(name), name) for name in ("snip", "grasp")], margin=0.01)
    row = verdicts.row("only counts matter", rows, "equivalent")
    assert row["verdict"] == verdict
    assert ("at 90% (snip mask)" in row["evidence"]) == bool(effect)


def of_rules(accuracies, shares, sparsity=0.99):
    means = {f"rule {index}": accuracy for index, accuracy in enumerate(accuracies)}
    frame = runs(means, n=3, sparsity=sparsity, density_realised=1 - sparsity)
    share = frame["arm"].map(dict(zip(means, shares, strict=True)))
    return frame.assign(density_effective=share * frame["density_realised"])


FALLING = np.linspace(1, 0.3, 8)
MIXED = [0.8, 0.5, 0.7, 0.9, 0.55, 0.85, 0.6, 0.75]


@pytest.mark.parametrize(
    ("accuracies", "verdict"),
    [
        (0.9 * FALLING, "supported"),
        (0.9 * FALLING[[0, 1, 2, 3, 5, 4, 7, 6]], "supported"),
        (0.9 * FALLING[::-1], "contradicted"),
        (0.9 * FALLING[[7, 6, 5, 4, 2, 3, 0, 1]], "contradicted"),
        (MIXED, "inconclusive"),
    ],
)
def test_effective_density_explains_what_it_orders(accuracies, verdict):
    row = frames.effective_explains(of_rules(accuracies, FALLING), gap=0.1)
    assert row["verdict"] == verdict and "at 99% (n = 8)" in row["evidence"]
    both = pd.concat([of_rules(accuracies, FALLING), of_rules(MIXED, FALLING, 0.995)])
    mixed = frames.effective_explains(both, gap=0.1)["verdict"]
    assert mixed == ("contradicted" if verdict == "contradicted" else "inconclusive")


def test_effective_density_is_judged_only_where_it_differs_and_of_enough_rules():
    alike = frames.effective_explains(of_rules(MIXED, np.linspace(1, 0.95, 8)), gap=0.1)
    assert alike["verdict"] == "inconclusive" and alike["evidence"] == "effective density differs nowhere"
    perfect = frames.effective_explains(of_rules(FALLING[:5], FALLING[:5]), gap=0.1)
    assert perfect["verdict"] == "supported" and "+1.00 at 99% (n = 5)" in perfect["evidence"]
    assert frames.effective_explains(of_rules(FALLING[:4], FALLING[:4]), gap=0.1)["verdict"] == "inconclusive"


def test_ranks_are_of_rules_and_leave_dense_and_lost_runs_out():
    frame = of_rules(FALLING, FALLING)
    dense = runs({"dense": 0.99}, sparsity=0.0, density_realised=1.0, density_effective=1.0)
    lost = frame.iloc[[0]].assign(arm="lost", test_accuracy=np.nan)
    ranks = frames.effective_ranks(pd.concat([frame, dense, lost]))
    assert ranks["sparsity"].tolist() == [0.99] and ranks["n"].item() == 8 and ranks["rho"].item() == pytest.approx(1)
    assert ranks["lowest"].item() == pytest.approx(0.3)
