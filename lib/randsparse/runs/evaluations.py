"""Evaluations of finished runs: small records beside those of the runs, keyed by run and evaluation."""

from __future__ import annotations

import hashlib
import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import MISSING, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from randsparse.errors import unknown
from randsparse.files import plain
from randsparse.runs import records
from randsparse.runs.config import RunConfig
from randsparse.runs.forms import convert
from randsparse.runs.kinds import Kind
from randsparse.runs.records import WITHOUT_WEIGHTS, Damage, Record, make_config_row
from randsparse.runs.store import Store

if TYPE_CHECKING:
    import pandas as pd
    import torch
    from torch import Tensor, nn

    from randsparse.data.dataset import Dataset

    Logits = Callable[[nn.Module, Tensor, Dataset, torch.dtype], Tensor]

SCHEMA = 1
"""Version of the format of these records."""
FIELDS = ("schema", "key", "run", "config", "evaluation", "values", "environment")


@dataclass(eq=False)
class Subject:
    """What is evaluated: a network with the weights of its run, in evaluation mode, and the data it was trained on.

    Attributes:
        compute: gives the logits of a network for images, as `training.metrics.logits` does.
        run: whose network it is.
        network_of: gives the network of another run, one of `Evaluation.others`, in evaluation mode.
    """

    model: nn.Module
    dataset: Dataset
    precision: torch.dtype
    data_dir: Path
    compute: Logits
    device: str = "cpu"
    run: RunConfig | None = None
    network_of: Callable[[RunConfig], nn.Module] | None = None

    def logits(self, images: Tensor) -> Tensor:
        """Return the logits, float64 (N, classes), of uint8 images (N, C, size, size)."""
        return self.compute(self.model, images.to(self.device), self.dataset, self.precision)

    @cached_property
    def val_logits(self) -> Tensor:
        """The logits of the validation part."""
        return self.logits(self.dataset.val_x)

    @cached_property
    def test_logits(self) -> Tensor:
        """The logits of the test part."""
        return self.logits(self.dataset.test_x)


@dataclass(frozen=True)
class Evaluation(ABC):
    """What is measured of a network; the fields of each kind are its parameters, all with defaults.

    Values are checked and brought to one form on construction, and those without effect go back to their defaults.
    Raises StudyError for a wrong type or an impossible value. `version` is raised when the same evaluation of the
    same network would give other values.

    Plans make evaluations without a network in reach: a kind imports torch where it measures, not with its file.
    """

    kind: ClassVar[str]
    version: ClassVar[int] = 1
    choices: ClassVar[dict[str, tuple[str, ...]]] = {}

    def __post_init__(self) -> None:
        for field in fields(self):
            if field.default is MISSING:
                raise TypeError(f"the field {field.name} of an evaluation has no default")
            value = convert(field.name, getattr(self, field.name), field.default)
            object.__setattr__(self, field.name, value)
        for name, allowed in self.choices.items():
            if getattr(self, name) not in allowed:
                raise unknown(name, getattr(self, name), allowed)
        self.check_values()
        for field in fields(self):
            if field.name in self.without_effect():
                object.__setattr__(self, field.name, field.default)

    def check_values(self) -> None:  # noqa: B027, a kind can do without
        """Raise StudyError for a value that is not possible."""

    def without_effect(self) -> set[str]:
        """Return the parameters that change nothing, given the others."""
        return set()

    def check(self, dataset: Dataset, data_dir: Path) -> None:  # noqa: B027, a kind can do without
        """Raise StudyError if runs on `dataset` cannot be evaluated so; asked before anything is trained."""

    def others(self, run: RunConfig) -> tuple[RunConfig, ...]:
        """Return the runs whose networks are needed beside that of `run`; raises StudyError for a run without them."""
        return ()

    @abstractmethod
    def measure(self, subject: Subject) -> dict[str, Any]:
        """Return the values, as JSON has them; a frame shows those that are numbers and texts."""

    @property
    def parameters(self) -> dict[str, Any]:
        """The values of all fields."""
        return {field.name: getattr(self, field.name) for field in fields(self)}

    def to_dict(self) -> dict[str, Any]:
        """Return kind and version, and the fields that differ from their defaults, as JSON values."""
        defaults = {field.name: field.default for field in fields(self)}
        changed = {name: value for name, value in self.parameters.items() if value != defaults[name]}
        return {"kind": self.kind, "version": self.version, **changed}

    @property
    def key(self) -> str:
        """16 hex digits: the hash of `to_dict`."""
        return _key(self.to_dict())


class Unit(NamedTuple):
    """The evaluations of one kind of one run, which share what they compute."""

    run: RunConfig
    evaluations: tuple[Evaluation, ...]

    @property
    def runs(self) -> list[RunConfig]:
        """The runs whose networks are needed."""
        return [self.run, *dict.fromkeys(other for each in self.evaluations for other in each.others(self.run))]


def find_missing(runs: Iterable[RunConfig], wanted: Iterable[Evaluation], store: Store) -> list[Unit]:
    """Return what `measuring.evaluate` would measure now, in the units in which it is measured; raises as `load`.

    Runs that are recorded as diverged or failed have no weights and are left out, and so is what needs them beside.
    Raises StudyError for evaluations that are not possible of a run.
    """
    runs, wanted = list(dict.fromkeys(runs)), list(dict.fromkeys(wanted))
    needed = {(run, each): (run, *each.others(run)) for run in runs for each in wanted}
    trained = store.load(dict.fromkeys(run for needs in needed.values() for run in needs))
    hopeless = {key for key, record in trained.items() if record["status"] in WITHOUT_WEIGHTS}
    have = load(runs, wanted, store)
    groups: dict[tuple[RunConfig, str], list[Evaluation]] = {}
    for (run, each), needs in needed.items():
        if (run, each) not in have and not any(other.key in hopeless for other in needs):
            groups.setdefault((run, each.kind), []).append(each)
    return [Unit(run, tuple(group)) for (run, _), group in groups.items()]


def find_path(config: RunConfig, evaluation: Evaluation, store: Store) -> Path:
    """Return where the record of an evaluation is, or would be."""
    return store.of(EVALUATIONS).path(config.dataset, f"{config.key}-{evaluation.key}")


def load(
    runs: Iterable[RunConfig], evaluations: Iterable[Evaluation], store: Store
) -> dict[tuple[RunConfig, Evaluation], Record]:
    """Return the records that there are, by run and evaluation, in this order.

    Raises CorruptRecord for files that are no record of their evaluation, after setting them aside as
    `<name>.corrupt`; StudyError for one of another schema version, which is left in place.
    """
    evaluations, damaged, files = list(dict.fromkeys(evaluations)), [], store.of(EVALUATIONS)
    pairs = [(run, evaluation) for run in dict.fromkeys(runs) for evaluation in evaluations]
    read = {pair: files.read(find_path(*pair, store), damaged) for pair in pairs}
    files.report(damaged)
    return {pair: entry.record for pair, entry in read.items() if entry is not None}


def record_of(config: RunConfig, evaluation: Evaluation, values: dict[str, Any], environment: Record) -> Record:
    """Return the record of an evaluation."""
    return {
        "schema": SCHEMA,
        "key": evaluation.key,
        "run": config.key,
        "config": config.to_dict(),
        "evaluation": evaluation.to_dict(),
        "values": values,
        "environment": environment,
    }


def save(config: RunConfig, evaluation: Evaluation, values: dict[str, Any], environment: Record, store: Store) -> None:
    """Write the record of an evaluation, whole or not at all; NaN and infinity become null.

    Raises StudyError if the store is read-only or the folder cannot be written.
    """
    store.of(EVALUATIONS).put(record_of(config, evaluation, values, environment))


def make_frame(runs: Iterable[RunConfig], evaluations: Iterable[Evaluation], store: Store) -> pd.DataFrame:
    """Return one row per run and evaluation that is stored, runs first; raises as `load`.

    Columns: key and fields of the run; `evaluation` (its key), `kind` and parameters; then the values that are
    numbers or texts. What has no effect, or belongs to another kind, is missing.
    """
    import pandas as pd

    return pd.DataFrame(
        make_config_row(run)
        | {"evaluation": evaluation.key, "kind": evaluation.kind, **evaluation.parameters}
        | dict.fromkeys(evaluation.without_effect())
        | {name: value for name, value in record["values"].items() if not isinstance(value, list | dict)}
        for (run, evaluation), record in load(runs, evaluations, store).items()
    )


def digest(runs: Iterable[RunConfig], evaluations: Iterable[Evaluation], store: Store) -> str:
    """Return 16 hex digits of the records that there are, whatever their order and environment; raises as `load`."""
    return records.digest(load(runs, evaluations, store).values())


def parse(text: bytes) -> tuple[Record, RunConfig]:
    """Return the record of an evaluation that `text` holds, and the config of its run; raises `records.Damage`."""
    record = records.decode(text, FIELDS, SCHEMA)
    if not isinstance(record["values"], dict):
        raise Damage("not a record: its fields are of other types")
    config = records.read_config(record, record["run"])
    if (record["run"], record["key"]) != (config.key, _key(record["evaluation"])):
        raise Damage("its key, run and config do not fit together")
    return record, config


def check(record: Record) -> tuple[Record, RunConfig]:
    """Return the record of an evaluation as it is stored, NaN and infinity as null, and the config of its run."""
    return plain(record), RunConfig.from_dict(record["config"])


def find_differences(one: Record, other: Record) -> tuple[str, ...]:
    """Return the fields in which the records of an evaluation differ; the environment does not count."""
    return tuple(sorted({name for name in FIELDS if one[name] != other[name]} - {"environment"}))


EVALUATIONS = Kind(
    folder="evaluations",
    word="evaluation",
    parsed=parse,
    checked=check,
    differences=find_differences,
    name=lambda record: f"{record['run']}-{record['key']}",
    made="evaluate runs",
    again="make it anew",
)
"""The records of evaluations: `evaluations/<dataset>/<key of run>-<key of evaluation>.json`."""


def _key(described: dict[str, Any]) -> str:
    text = json.dumps({"schema": SCHEMA, "evaluation": described}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]
