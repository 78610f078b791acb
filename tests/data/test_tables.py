from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from randsparse.data import dataset as data
from randsparse.data import tables
from randsparse.data.dataset import Batches, load, normalize
from randsparse.data.tables import TABLES, Table


def test_parts_of_the_table_are_disjoint_whole_and_hold_the_classes_in_proportion():
    dataset = load("breast-cancer")
    positions = torch.cat([dataset.indices[part] for part in data.PARTS])
    assert sorted(positions.tolist()) == list(range(TABLES["breast-cancer"].samples))
    assert [len(dataset.indices[part]) for part in data.PARTS] == [269, 100, 200]
    rows, labels = tables.read_breast_cancer()
    for part in data.PARTS:
        own = getattr(dataset, f"{part}_y")
        assert own.tolist() == labels[dataset.indices[part]].tolist()
        assert own.double().mean().item() == pytest.approx(labels.mean(), abs=0.01)


def test_features_are_standardised_by_the_training_part_alone():
    dataset = load("breast-cancer")
    rows, _ = tables.read_breast_cancer()
    train = rows[dataset.indices["train"]]
    np.testing.assert_allclose(dataset.mean, train.mean(0), rtol=1e-6)
    np.testing.assert_allclose(dataset.std, train.std(0), rtol=1e-6)
    test = (rows[dataset.indices["test"]] - train.mean(0)) / train.std(0)
    np.testing.assert_allclose(dataset.test_x.numpy(), test, atol=1e-5)
    assert dataset.train_x.mean(0).abs().max() < 1e-5 and dataset.test_x.mean(0).abs().max() > 0.01
    assert (dataset.classes, dataset.channels, dataset.size) == TABLES["breast-cancer"].shape == (2, 30, 1)


def test_batches_of_a_table_are_its_rows_in_the_order_of_the_seed():
    dataset = load("breast-cancer")
    batches = Batches(dataset, 64, data_seed=1)
    rows, labels = (torch.cat(each) for each in zip(*batches.epoch(2), strict=True))
    assert len(batches) == 4 and rows.shape == (256, 30) and rows.dtype == torch.float32
    found = [(dataset.train_x == row).all(1).nonzero().item() for row in rows]
    assert len(set(found)) == 256 and torch.equal(dataset.train_y[found], labels)
    assert torch.equal(rows, torch.cat([rows for rows, _ in Batches(dataset, 64, data_seed=1).epoch(2)]))
    assert not torch.equal(rows, torch.cat([rows for rows, _ in Batches(dataset, 64, data_seed=2).epoch(2)]))
    assert torch.equal(normalize(dataset.test_x, dataset), dataset.test_x)


def test_a_constant_feature_becomes_zero(monkeypatch):
    def read(data_dir: Path):
        return np.stack([np.arange(40.0), np.full(40, 7.0)], 1), np.arange(40) % 2

    monkeypatch.setitem(TABLES, "constant", Table(read, classes=2, features=2, samples=40, val=10, test=10))
    dataset = load("constant")
    assert (dataset.train_x[:, 1] == 0).all() and dataset.std[1] == 1
    assert len(load("constant", train_samples=5).train_y) == 5
