"""Damaged records never change a result: what is read is what was written, or is set aside in one line."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path

import pytest

from damage import damages
from made_up import BASE, record_of
from randsparse import files
from randsparse.questions.beyond_accuracy.calibration import Calibration
from randsparse.runs import evaluations
from randsparse.runs.store import CorruptRecord, Store


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path)


def test_a_hundred_damages_of_a_record_give_no_other_result(store):
    store.put(record_of(BASE))
    path = store.path(BASE)
    good = path.read_bytes()
    written = store.get(BASE)
    refused = 0
    for bad in damages(good, 130):
        path.write_bytes(bad)
        try:
            found = Store(store.root).get(BASE)
        except CorruptRecord as error:
            refused += 1
            assert "\n" not in str(error) and not path.exists()
        else:  # white space between values, or the name of a field that says nothing
            assert {name: found[name] for name in written} == written
    assert refused > 100


def test_a_hundred_damages_of_an_evaluation_give_no_other_result(store):
    evaluations.save(BASE, Calibration(), {"x": 0.125, "y": [1, 2, 3]}, {"torch": "3"}, store)
    path = evaluations.find_path(BASE, Calibration(), store)
    good, refused = path.read_bytes(), 0
    for bad in damages(good, 130):
        path.write_bytes(bad)
        try:
            (found,) = evaluations.load([BASE], [Calibration()], Store(store.root)).values()
        except CorruptRecord as error:
            refused += 1
            assert "\n" not in str(error)
        else:
            assert found["values"] == json.loads(good)["values"]
    assert refused > 100


def test_a_folder_of_records_that_is_a_link_to_itself_is_passed_over(store):
    store.put(record_of(BASE))
    loop = store.root / "runs" / "loop"
    loop.symlink_to(loop)
    assert [record["key"] for record in Store(store.root).records()] == [BASE.key]


def test_a_folder_that_cannot_be_listed_hides_no_other_error(tmp_path, monkeypatch):
    def lacking(self, pattern):
        raise OSError(errno.ENOMEM, os.strerror(errno.ENOMEM))

    monkeypatch.setattr(Path, "glob", lacking)
    files.clean(tmp_path)
