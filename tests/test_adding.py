"""docs/adding.md, carried out on a copy of the library."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import REPOSITORY
from made_up import environment

USED = """
import torch
from randsparse import questions
from randsparse.networks.registry import ARCHITECTURES
from randsparse.questions.confidence import Confidence
from randsparse.runs.config import RunConfig
from randsparse.runs.store import Store
from randsparse.sparsity import densities
from randsparse.sweeps import measuring
from randsparse.training import train

shapes = {"a": (10, 100), "b": (100, 100)}
counts = densities.allocate(shapes, 0.1, "root")
assert sum(counts.values()) == 1100
assert abs(counts["a"] / 1000 / (counts["b"] / 10000) - 10**0.5) < 0.01  # densities go as 1 / sqrt(N)

torch.set_num_threads(1)
tiny = dict(train_samples=128, batch_size=32, epochs=2, warmup_epochs=0)
method = RunConfig(**tiny, sparsity=0.9, method="shuffle", update_interval=2, rule="root")
record = train.train(method)
assert record["status"] == "done" and abs(record["density"]["realised"] - 0.1) < 1e-4
assert train.train(method.replace(update_interval=3))["curve"] != record["curve"]

own = RunConfig(dataset="wine", model="two-layers", epochs=20, batch_size=16, sparsity=0.5, lr=0.05)
store = Store("results")
(measured,) = measuring.evaluate([own], [Confidence()], store, workers=1, progress=False)
assert 1 / 3 < measured["values"]["confidence"] <= 1
assert store.get(own)["test"]["accuracy"] > 0.6 and store.get(own)["density"]["effective"] > 0.3

values = {"dataset": "digits", "lrs": [0.1, 0.2], "seeds": 3}
plan = questions.plan("13_rates", values, store)
assert [config.lr for config in plan] == [0.1] * 3 + [0.2] * 3
print("all is there")
"""
TWO_LAYERS = '''
"""Two linear layers."""

from torch import Tensor, nn

from randsparse.sparsity import paths


class TwoLayers(nn.Module):
    """A hidden layer of 64 units with batch norm."""

    def __init__(self, classes: int, features: int) -> None:
        super().__init__()
        self.first, self.norm, self.last = nn.Linear(features, 64), nn.BatchNorm1d(64), nn.Linear(64, classes)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.norm(self.first(x.flatten(1))).relu())

    def flows(self) -> tuple[paths.Flow, ...]:
        return paths.chain(["first.weight", "last.weight"])
'''


@pytest.fixture
def library(tmp_path: Path) -> Path:
    shutil.copytree(REPOSITORY / "lib", tmp_path / "lib", ignore=shutil.ignore_patterns("__pycache__"))
    return tmp_path / "lib" / "randsparse"


def test_one_of_each_is_added_as_written_and_used(library, tmp_path):
    blocks = re.findall(r"```python\n(.*?)```", (REPOSITORY / "docs" / "adding.md").read_text(), flags=re.DOTALL)
    rule, method, entry, reads, network, dataset, evaluation, lines, plan = blocks

    def append(name: str, text: str) -> None:
        path = library / name
        path.write_text(path.read_text() + "\n\n" + text)

    append("sparsity/densities.py", rule)
    (library / "training/methods/shuffle.py").write_text(method)
    append("training/methods/__init__.py", f"from randsparse.training.methods.shuffle import Shuffle\n{entry}")
    fields = library / "runs/methods.py"
    begin = "READS: dict[str, set[str]] = {\n"
    fields.write_text(fields.read_text().replace(begin, begin + reads))
    (library / "networks/two_layers.py").write_text(TWO_LAYERS)
    append("networks/registry.py", network)
    append("data/tables.py", f"from sklearn.datasets import load_wine\n{dataset}")
    imports = "from dataclasses import dataclass\nfrom typing import Any, ClassVar\n"
    imports += "from randsparse.runs.evaluations import Evaluation, Subject\n"
    (library / "questions/confidence.py").write_text(imports + evaluation)
    append("questions/__init__.py", lines)
    (library / "questions/rates").mkdir()
    (library / "questions/rates/plan.py").write_text(plan)
    where = environment() | {"PYTHONPATH": str(library.parent)}
    done = subprocess.run([sys.executable, "-c", USED], cwd=tmp_path, env=where, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "all is there\n"
