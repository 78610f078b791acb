"""Records of evaluations: their keys, and what becomes of damaged ones."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import ClassVar

import pytest

from made_up import sealed
from randsparse.errors import StudyError
from randsparse.questions.beyond_accuracy.adversarial import Adversarial
from randsparse.questions.beyond_accuracy.calibration import Calibration
from randsparse.questions.beyond_accuracy.corruptions import Corruption
from randsparse.questions.beyond_accuracy.ood import OutOfDistribution
from randsparse.runs import evaluations
from randsparse.runs.config import RunConfig
from randsparse.runs.evaluations import Evaluation, Subject
from randsparse.runs.store import CorruptRecord, Store

KINDS = (Calibration, OutOfDistribution, Corruption, Adversarial)


@dataclass(frozen=True)
class Constant(Evaluation):
    value: float = 1.0
    other: int | None = None

    kind: ClassVar[str] = "constant"

    def measure(self, subject: Subject) -> dict[str, float]:
        return {"x": self.value}


@pytest.fixture
def store(tmp_path) -> Store:
    return Store(tmp_path)


def save(store: Store, run: RunConfig, evaluation: Evaluation, **values: object) -> None:
    evaluations.save(run, evaluation, values, {"torch": "2"}, store)


def test_defaults_never_change_since_keys_leave_them_out():
    assert {kind.kind: (kind().key, kind().parameters) for kind in KINDS} == {
        "calibration": ("034ec0c031c80123", {"bins": 15}),
        "ood": ("2a1d2e9a0b726b94", {"data": "gaussian-noise", "resize": False, "images": None, "seed": 0}),
        "corruption": (
            "9e03162235aede1a",
            {"corruption": "gaussian-noise", "severity": 1, "images": None, "seed": 0},
        ),
        "adversarial": (
            "95372720ea48c354",
            {"attack": "pgd", "epsilon": 8.0, "steps": 20, "restarts": 1, "images": None, "seed": 0},
        ),
    }


def test_keys_tell_evaluations_apart_and_equal_ones_not():
    assert Constant(1) == Constant(1.0) and Constant(1).key == Constant(1.0).key == Constant().key
    assert len({Constant(value, other).key for value in (1, 2) for other in (None, 1)}) == 4

    @dataclass(frozen=True)
    class Newer(Constant):
        version: ClassVar[int] = 2

    assert Newer().key != Constant().key


@pytest.mark.parametrize("value", ["1", None, True, float("nan"), float("inf")])
def test_a_value_of_a_wrong_type_is_an_error(value):
    with pytest.raises(StudyError, match=r"value=.* is a \w+: it must be a finite number"):
        Constant(value)


def test_a_record_comes_back_and_makes_a_row(store, tiny):
    other = tiny.replace(sparsity=0.5)
    save(store, other, Constant(2), x=0.5, bins=[{"a": 1}], text="t", bad=float("nan"))
    save(store, tiny, Constant(2), x=0.25)
    frame = evaluations.make_frame([tiny, other, tiny], [Constant(2), Constant(3)], store)
    assert frame["key"].tolist() == [tiny.key, other.key]
    assert frame["x"].tolist() == [0.25, 0.5] and frame["value"].tolist() == [2, 2]
    assert frame["kind"].unique().tolist() == ["constant"] and frame["sparsity"].tolist() == [0, 0.5]
    assert "bins" not in frame and frame["bad"].isna().all()
    path = store.root / "evaluations" / "digits" / f"{tiny.key}-{Constant(2).key}.json"
    assert json.loads(path.read_text())["run"] == tiny.key


def test_the_digest_is_that_of_the_values_in_any_order(store, tiny):
    other = tiny.replace(sparsity=0.5)
    save(store, tiny, Constant(), x=1)
    save(store, other, Constant(), x=2)
    before = evaluations.digest([tiny, other], [Constant()], store)
    assert before == evaluations.digest([other, tiny], [Constant()], store)
    evaluations.save(tiny, Constant(), {"x": 1}, {"torch": "3"}, store)
    assert before == evaluations.digest([tiny, other], [Constant()], store)
    save(store, tiny, Constant(), x=3)
    assert before != evaluations.digest([tiny, other], [Constant()], store)


@pytest.mark.parametrize("damage", ["cut", "another", "list", "version"])
def test_a_damaged_record_is_named_and_set_aside(store, tiny, damage):
    save(store, tiny, Constant(), x=1)
    save(store, tiny, Constant(2), x=2)
    path = evaluations.find_path(tiny, Constant(), store)
    text = path.read_text()
    content = {
        "cut": text[:50],
        "another": evaluations.find_path(tiny, Constant(2), store).read_text(),
        "list": "[]",
        "version": sealed(text.replace('"version": 1', '"version": 2')),
    }
    path.write_text(content[damage])
    with pytest.raises(CorruptRecord, match=rf"{path.name} \(.*\), set aside as {path.name}\.corrupt: run the same"):
        evaluations.load([tiny], [Constant(), Constant(2)], store)
    assert not path.exists() and path.with_name(f"{path.name}.corrupt").read_text() == content[damage]
    assert list(evaluations.load([tiny], [Constant(), Constant(2)], store)) == [(tiny, Constant(2))]


def test_a_record_of_another_schema_stays(store, tiny):
    save(store, tiny, Constant(), x=1)
    path = evaluations.find_path(tiny, Constant(), store)
    path.write_text(sealed(path.read_text().replace('"schema": 1', '"schema": 9')))
    assert evaluations.load([tiny], [Constant()], store) == {} and path.exists()


def test_a_read_only_store_is_not_written(store, tiny):
    save(store, tiny, Constant(), x=1)
    path = evaluations.find_path(tiny, Constant(), store)
    path.write_text("cut")
    closed = Store(store.root, read_only=True)
    with pytest.raises(CorruptRecord, match="left in place in a read-only store"):
        evaluations.load([tiny], [Constant()], closed)
    with pytest.raises(StudyError, match="opened read-only"):
        save(closed, tiny, Constant(), x=1)
