"""A short real training on CIFAR-10, run by `pytest -m cifar10` with DATA_DIR where its files are."""

from __future__ import annotations

import os

import pytest

from randsparse.runs.config import RunConfig
from randsparse.training import train as training


@pytest.mark.cifar10
@pytest.mark.parametrize("sparsity", [0.0, 0.5])
def test_a_short_training_learns(sparsity, tmp_path):
    config = RunConfig(
        dataset="cifar10", train_samples=8000, model="wrn-10-1", sparsity=sparsity, epochs=3, warmup_epochs=0.5
    )
    record = training.train(config, data_dir=os.environ["DATA_DIR"], checkpoint_dir=tmp_path)
    assert record["status"] == "done"
    assert record["test"]["accuracy"] > 0.33  # ten classes: chance is 0.1
    assert record["curve"][-1]["train_loss"] < record["curve"][0]["train_loss"]
