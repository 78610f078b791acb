from __future__ import annotations

import pytest
import torch

from randsparse.data import dataset as data
from randsparse.data import texts
from randsparse.data.dataset import Batches, load, normalize
from randsparse.data.texts import OTHER, PADDING, TEXTS


@pytest.fixture(scope="module")
def published():
    return TEXTS["docstrings"].read(None)


def test_words_are_runs_of_letters_in_lower_case():
    assert texts.words("The x_1 of Erdős–Rényi: 2nd.") == ["the", "x", "of", "erdős", "rényi", "nd"]


def test_the_vocabulary_has_the_most_frequent_words_and_of_equally_frequent_ones_the_first():
    assert texts.vocabulary(["b a c", "c d", "c a"], 5) == {"c": 2, "a": 3, "b": 4}


def test_tokens_are_cut_padded_and_other():
    tokens = texts.encode(["one two three", "Three", ""], {"one": 2, "three": 3}, 2)
    assert tokens.tolist() == [[2, OTHER], [3, PADDING], [PADDING, PADDING]]


def test_the_vocabulary_is_that_of_the_training_part_alone(published):
    dataset, described = load("docstrings"), TEXTS["docstrings"]
    raw, labels = published
    train = [raw[index] for index in dataset.indices["train"].tolist()]
    tokens = texts.vocabulary(train, described.vocabulary)
    assert len(tokens) == described.vocabulary - 2 and tokens != texts.vocabulary(raw, described.vocabulary)
    for part in data.PARTS:
        indices = dataset.indices[part].tolist()
        wanted = texts.encode([raw[index] for index in indices], tokens, described.length)
        assert torch.equal(getattr(dataset, f"{part}_x"), torch.from_numpy(wanted))
        assert getattr(dataset, f"{part}_y").tolist() == labels[indices].tolist()
    assert dataset.train_x.max() == described.vocabulary - 1
    assert (dataset.classes, dataset.channels, dataset.size) == described.shape == (5, 1000, 32)


def test_parts_are_disjoint_and_no_text_is_in_two(published):
    dataset = load("docstrings")
    positions = torch.cat([dataset.indices[part] for part in data.PARTS])
    assert sorted(positions.tolist()) == list(range(TEXTS["docstrings"].samples))
    assert [len(dataset.indices[part]) for part in data.PARTS] == [2400, 800, 800]
    assert dataset.test_y.bincount().tolist() == [160] * 5
    raw, _ = published
    assert len(set(raw)) == len(raw)


def test_batches_are_tokens_as_whole_numbers():
    dataset = load("docstrings")
    tokens, labels = next(Batches(dataset, 64, data_seed=0).epoch(0))
    assert tokens.shape == (64, 32) and tokens.dtype == torch.float32 and labels.shape == (64,)
    assert torch.equal(normalize(dataset.val_x, dataset).int(), dataset.val_x)
