"""What records say of layers, and of all of them by role."""

from __future__ import annotations

from functools import cache

import numpy as np
import pandas as pd
import pytest

from planted_cells import design_of
from randsparse.comparison import frames as common
from randsparse.data import catalogue
from randsparse.questions.layerwise_density import evidence
from randsparse.training import network

CELLS = {
    "dense": {},
    "uniform": {"sparsity": 0.995, "rule": "uniform"},
    "shuffled": {"sparsity": 0.9, "rule": "synflow"},
    "mask": {"sparsity": 0.9, "rule": "synflow", "criterion": "synflow"},
}
NAMES = ["stem.weight", "group1.0.conv1.weight", "group2.0.shortcut.weight", "classifier.weight"]


@cache
def density(config):
    return network.create(config, *catalogue.shape("digits")).density


class Records:
    """What `frames.layers` asks of a store: records whose densities are those of untrained networks."""

    def __init__(self, failed=()):
        self.failed = failed

    def has(self, config):
        return True

    def load(self, configs):
        return {config.key: {"density": self.density(config)} for config in configs}

    def density(self, config):
        found = density(config)
        layers = {} if config.rule in self.failed else dict(sorted(found["layers"].items()))  # as in a JSON file
        return found | {"layers": layers}


def layers_of(failed=()):
    return common.layers(design_of(CELLS, 2), Records(failed))


def test_layers_are_those_of_the_records_in_order_of_depth():
    layers = layers_of()
    assert set(layers["arm"]) == {"uniform", "shuffled", "mask"}
    run = layers[(layers["arm"] == "uniform") & (layers["replicate"] == 1)]
    assert run["layer"].iloc[0] == "stem.weight" and run["layer"].iloc[-1] == "classifier.weight"
    assert list(run["role"][run["role"] != "other layers"]) == ["first layer", "shortcuts", "shortcuts", "classifier"]
    assert run["kept"].sum() == round(0.005 * run["size"].sum())


def test_weights_on_paths_are_those_that_the_record_counted():
    layers = layers_of().assign(used=lambda rows: rows["effective"] * rows["size"])
    for arm in design_of(CELLS, 2).singles(Records()):
        own = layers[(layers["arm"] == arm.arm) & (layers["replicate"] == arm.replicate)]
        if arm.sparsity and arm.config.criterion == "random":
            assert own["used"].sum() / own["size"].sum() == pytest.approx(density(arm.config)["effective"]), arm
    by_scores = layers["arm"] == "mask"
    assert layers.loc[by_scores, "effective"].isna().all() and layers.loc[~by_scores, "effective"].notna().all()
    assert layers.loc[layers["arm"] == "uniform", "effective"].eq(0).any()


def test_a_failed_run_has_no_layers():
    assert set(layers_of(failed=["uniform"])["arm"]) == {"shuffled", "mask"}


def test_roles_are_told_by_place_and_name():
    roles = [common.find_role(name, NAMES) for name in NAMES]
    assert roles == ["first layer", "other layers", "shortcuts", "classifier"]


def rows(**columns):
    """Four layers of 100 weights, in one run a replicate."""
    frame = pd.DataFrame(
        {"arm": "a", "sparsity": 0.75, "replicate": 0, "asked": 0.25, "layer": NAMES, "size": 100} | columns
    )
    frame["role"] = [common.find_role(name, NAMES) for name in frame["layer"]]
    return frame.assign(density=frame["kept"] / frame["size"])


def test_a_row_of_the_table_is_a_mean_over_runs():
    first = rows(kept=[60, 0, 30, 10], effective=[0.3, 0, 0.3, 0])
    second = rows(kept=[80, 0, 10, 10], effective=[0.8, 0, 0.1, 0.1], replicate=1)
    row = evidence.by_role(pd.concat([first, second])).iloc[0]
    assert row["first layer"] == 0.7 and row["shortcuts"] == pytest.approx(0.2) and row["classifier"] == 0.1
    assert row["emptied"] == 1 and row["cut_off"] == 1.5 and row["runs"] == 2
    assert row["on_path"] == pytest.approx((0.6 + 1.0) / 2)


def test_nothing_is_said_of_the_paths_of_masks_by_scores():
    row = evidence.by_role(rows(kept=[60, 0, 30, 10], effective=np.nan)).iloc[0]
    assert row["emptied"] == 1 and np.isnan(row["cut_off"]) and np.isnan(row["on_path"])


@pytest.mark.parametrize("kept", [30, 31])
def test_weights_that_differ_from_the_density_are_counted(kept):
    both = [rows(kept=[60, 0, 30, 10], effective=1.0), rows(kept=[50, 10, kept, 10], effective=1.0, arm="b")]
    matched = common.compare_densities(pd.concat(both))
    assert matched["error"].item() == kept - 30 and matched["arms"].item() == 2 and matched["runs"].item() == 2
    assert matched["highest"].item() == pytest.approx((70 + kept) / 400)
