from __future__ import annotations

import sys

import pytest
import torch
from torch import nn

from randsparse.data import catalogue, extensions
from randsparse.data.extensions import VARIABLE
from randsparse.errors import StudyError
from randsparse.networks import registry
from randsparse.networks.initialization import initialize
from randsparse.networks.registry import ARCHITECTURES, Architecture
from randsparse.runs.config import RunConfig
from randsparse.sparsity import paths
from randsparse.training import network


class Small(nn.Module):
    """Two convolutions, of which the second is added to what it reads, and a classifier; its input a dataset's."""

    def __init__(self, classes, channels, size):
        super().__init__()
        self.stem, self.block = nn.Conv2d(channels, 6, 3, padding=1, stride=2), nn.Conv2d(6, 6, 3, padding=1)
        self.norm, self.classifier = nn.GroupNorm(2, 6), nn.Linear(6, classes)

    def forward(self, x):
        x = self.stem(x)
        x = x + self.block(self.norm(x).relu())
        return self.classifier(x.mean((2, 3)))

    def flows(self):
        return (
            paths.Flow("stem.weight", "input", "s@0"),
            paths.Flow("block.weight", "s@0", "s@1"),
            paths.Flow(None, "s@0", "s@1"),
            paths.Flow("classifier.weight", "s@1", "classes"),
        )


@pytest.fixture
def small(monkeypatch):
    monkeypatch.setitem(ARCHITECTURES, "small", Architecture(Small))
    return RunConfig(model="small", sparsity=0.5)


def test_layers_and_positions_are_those_of_a_pass(small):
    assert registry.layers("small", 10, 1, 8) == {
        "stem": ((6, 1, 3, 3), 16),
        "block": ((6, 6, 3, 3), 16),
        "classifier": ((10, 6), 1),
    }
    net = network.create(small, *catalogue.shape("digits"))
    assert net.mask.nnz == round(0.5 * net.mask.size) and 0 < net.density["effective"] <= 0.5


def test_initial_weights_depend_on_the_seed_alone(small):
    first, again = (network.create(small, 10, 1, 8).model.state_dict() for _ in range(2))
    assert all(torch.equal(value, again[name]) for name, value in first.items())
    assert (first["stem.bias"] == 0).all() and (first["norm.weight"] == 1).all()


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        (dict(structure="node"), "structure='node'.*'weight' with small"),
        (dict(engine="batched"), "engine='batched'.*'masked' with small"),
        (dict(dataset="breast-cancer"), "small is not for breast-cancer, which is a table"),
    ],
)
def test_what_needs_the_studys_own_networks_is_refused(small, changes, says):
    with pytest.raises(StudyError, match=says):
        small.replace(**changes)


def test_there_are_no_narrower_ones(small):
    with pytest.raises(StudyError, match="small has no groups of convolutions"):
        network.create(small.replace(method="small-dense"), 10, 1, 8)


def test_parameters_that_nothing_would_draw_are_refused():
    model = nn.Sequential(nn.Linear(3, 3), nn.PReLU())
    with pytest.raises(StudyError, match="parameter 1.weight is of a PReLU, which is not initialised"):
        initialize(model, seed=0)


def test_modules_of_the_environment_are_imported_where_a_name_is_unknown(monkeypatch, tmp_path):
    (tmp_path / "of_mine.py").write_text(
        "import numpy as np\n"
        "from randsparse.networks.registry import ARCHITECTURES, Architecture\n"
        "from randsparse.data.tables import TABLES, Table\n"
        "TABLES['mine'] = Table(lambda data_dir: (np.eye(9), np.arange(9) % 3), 3, 9, 9, 3, 3)\n"
        "ARCHITECTURES['my-net'] = Architecture(None, takes=('table',))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv(VARIABLE, "of_mine, ")
    try:
        assert RunConfig(dataset="mine", model="my-net").key
    finally:
        catalogue.TABLES.pop("mine", None)
        ARCHITECTURES.pop("my-net", None)
        sys.modules.pop("of_mine", None)


def test_a_module_that_cannot_be_imported_is_named(monkeypatch):
    monkeypatch.setenv(VARIABLE, "not_there")
    with pytest.raises(StudyError, match="RANDSPARSE_MODULES: cannot import 'not_there' .*PYTHONPATH"):
        RunConfig(dataset="mine")


def test_without_it_names_stay_unknown(monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    extensions.load()
    with pytest.raises(StudyError, match="unknown model 'my-net'"):
        RunConfig(model="my-net")
