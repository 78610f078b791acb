"""Three numbers of notebook 08, computed again from the JSON files of the runs with NumPy alone."""

from __future__ import annotations

import json

import numpy as np
import pytest

from conftest import REPOSITORY
from planted_methods import planted
from randsparse import questions
from randsparse.questions.sparse_to_sparse import verdicts
from randsparse.questions.sparse_to_sparse.evidence import Methods
from randsparse.runs.store import Store
from randsparse.study import parameters


def runs(folder, cell):
    """Test accuracy and training FLOPs, in order of seeds, of the runs in files that are those of a cell.

    A cell has fewer than a hundred networks.
    """
    found, wanted = {}, {name: value for name, value in cell.point.to_dict().items() if name != "lr"}
    for path in sorted(folder.rglob("*.json")):
        record = json.loads(path.read_text())
        config = record["config"]
        own = {
            name: value for name, value in config.items() if name not in ("lr", "mask_seed", "init_seed", "data_seed")
        }
        seed = config.get("init_seed", 0)
        if own == wanted and 0 <= seed - cell.first_seed < 100:
            found[seed] = (record["test"]["accuracy"], record["cost"]["sparse_flops"])
    return np.array([found[seed] for seed in sorted(found)]).T


def check(found, folder, inside, start, mask, small):
    """Source − dense, source − static mask of one method and sparsity, and the cost of a small dense network."""
    cells = {cell.name: cell for cell in found.design.networks}
    (inside, _), (start, _), (mask, _), (accuracy, flops) = (
        runs(folder, cells[name]) for name in (inside, start, mask, small)
    )
    row = found.source_forest.iloc[1]
    assert len(inside) >= 3 and row["mean"] == pytest.approx(np.mean(inside - start), abs=1e-9)
    static = found.static_forest.set_index("row").loc[row["row"], "mean"]
    assert static == pytest.approx(inside.mean() - mask.mean(), abs=1e-9)
    dense = runs(folder, found.dense)[1].mean()
    point = found.points[found.points["cell"] == small].iloc[0]
    assert point["cost"] == pytest.approx(flops.mean() / dense) and point["mean"] == pytest.approx(accuracy.mean())


def test_planted_runs(tmp_path):
    found = planted(tmp_path)
    check(found, tmp_path, "gmp 90 inside", "gmp 90", "mask 90", "small 98")
    names = [f"{method} {at}" for method in ("rigl", "gmp") for at in (90, 98)]
    cells = {cell.name: cell for cell in found.design.networks}
    by_pair = [np.mean(runs(tmp_path, cells[f"{name} inside"])[0] - runs(tmp_path, cells[name])[0]) for name in names]
    assert verdicts.judge(found).loc[0, "estimate"] == pytest.approx(100 * np.mean(by_pair), abs=1e-9)


def test_the_runs_on_cifar_10():
    values = parameters.read_parameters("08_sparse_to_sparse", "cifar10-small", REPOSITORY)
    found = Methods(questions.compare("08_sparse_to_sparse", values), Store(REPOSITORY / "results"))
    small = "" if "dense" in values["cells"] else "small, "
    at = "80" if not small else "90"
    names = (f"GMP {at} %, in a source", f"GMP {at} %, from dense", f"ERK {at} %", f"small dense {at} %")
    check(found, REPOSITORY / "results/runs/cifar10", *(f"{small}{name}" for name in names))
