"""The data release: what is in it can be read back without the library, and is what the records say."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd

from made_up import BASE, record_of
from randsparse.runs.records import pack
from randsparse.runs.store import Store
from randsparse.study.export import export


def test_all_records_come_back_from_parquet_alone(tmp_path):
    store = Store(tmp_path)
    right = np.array([True, False, True, True, False, False, False, True, True])
    first = record_of(BASE)
    first["curve"][2] |= {"val_correct": pack(right), "ema_val_accuracy": 0.25}
    first["test"]["correct"] = pack(~right)
    second = record_of(BASE.replace(mask_seed=2**70, milestones=(0.5,)), status="diverged", reason="nan", epochs=3)
    for record in (first, second):
        store.put(record)
    folder = export(store)
    runs = pd.read_parquet(folder / "runs.parquet").set_index("key")
    assert len(runs) == 2 and runs.loc[first["key"], "test_accuracy"] == 0.9
    assert runs.loc[second["key"], "mask_seed"] == str(2**70) and runs.loc[second["key"], "reason"] == "nan"
    curves = pd.read_parquet(folder / "curves.parquet").set_index(["key", "epoch"])
    assert len(curves) == 6 + 3 and curves.loc[(first["key"], 3), "ema_val_accuracy"] == 0.25
    assert curves.loc[(second["key"], 2), "val_accuracy"] == second["curve"][1]["val_accuracy"]
    bits = pd.read_parquet(folder / "correct.parquet")
    for epoch, part, expected in ((3, "validation", right), (0, "test", ~right)):
        (row,) = bits[(bits["epoch"] == epoch) & (bits["part"] == part)].itertuples()
        found = np.unpackbits(np.frombuffer(row.bits, dtype="uint8"), count=row.images).astype(bool)
        assert row.key == first["key"] and found.tolist() == expected.tolist()
    assert len(bits) == 2
    card = (folder / "README.md").read_text()
    assert "| runs.parquet | 2 | a run |" in card and "| curves.parquet | 9 |" in card and "Licence: MIT" in card


def test_evaluations_are_in_it_value_by_value(tmp_path):
    from randsparse.questions.beyond_accuracy.calibration import Calibration
    from randsparse.runs import evaluations

    store = Store(tmp_path)
    store.put(record_of(BASE))
    evaluations.save(BASE, Calibration(bins=7), {"ece": 0.5, "counts": [1, 2]}, {}, store)
    found = pd.read_parquet(export(store) / "evaluations.parquet").set_index("name")
    assert found.loc["ece", "value"] == 0.5 and json.loads(found.loc["counts", "list"]) == [1, 2]
    assert set(found["key"]) == {BASE.key} and json.loads(found["parameters"].iloc[0]) == {"bins": 7}
