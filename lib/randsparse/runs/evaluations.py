"""Evaluations of finished runs: small records beside those of the runs, keyed by run and evaluation."""

from __future__ import annotations

import hashlib
import json
import math
import os
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import MISSING, dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from randsparse.errors import StudyError, unknown
from randsparse.files import check_folder, plain, write
from randsparse.runs.config import RunConfig
from randsparse.runs.records import Record, comparable, config_row
from randsparse.runs.store import CorruptRecord, Store

if TYPE_CHECKING:
    import pandas as pd
    import torch
    from torch import Tensor, nn

    from randsparse.data.dataset import Dataset

SCHEMA = 1
"""Version of the format of these records."""
FIELDS = ("schema", "key", "run", "config", "evaluation", "values", "environment")


@dataclass(eq=False)
class Subject:
    """What is evaluated: a network with the weights of its run, in evaluation mode, and the data it was trained on."""

    model: nn.Module
    dataset: Dataset
    precision: torch.dtype
    data_dir: Path
    device: str = "cpu"

    def logits(self, images: Tensor) -> Tensor:
        """Return the logits, float64 (N, classes), of uint8 images (N, C, size, size)."""
        from randsparse.training.metrics import logits

        return logits(self.model, images.to(self.device), self.dataset, self.precision)

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
            object.__setattr__(self, field.name, _typed(field.name, getattr(self, field.name), field.default))
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


def require(condition: bool, name: str, value: object, allowed: str) -> None:
    """Raise the StudyError of an impossible value unless `condition` holds."""
    if not condition:
        raise StudyError(f"{name}={value!r} is not possible: it must be {allowed}")


def path_of(config: RunConfig, evaluation: Evaluation, store: Store) -> Path:
    """Return where the record of an evaluation is, or would be."""
    return store.root / "evaluations" / config.dataset / f"{config.key}-{evaluation.key}.json"


def load(
    runs: Iterable[RunConfig], evaluations: Iterable[Evaluation], store: Store
) -> dict[tuple[RunConfig, Evaluation], Record]:
    """Return the records that there are, by run and evaluation, in this order.

    Raises CorruptRecord for files that are no record of their evaluation, after setting them aside as
    `<name>.corrupt`; StudyError for one of another schema version, which is left in place.
    """
    evaluations, damaged = list(dict.fromkeys(evaluations)), []
    pairs = [(run, evaluation) for run in dict.fromkeys(runs) for evaluation in evaluations]
    found = {pair: record for pair in pairs if (record := _read(*pair, store, damaged)) is not None}
    if damaged:
        files = "; ".join(damaged[:5]) + (f"; and {len(damaged) - 5} more" if len(damaged) > 5 else "")
        raise CorruptRecord(f"corrupt evaluation {files}: run the same command again to make it anew")
    return found


def save(config: RunConfig, evaluation: Evaluation, values: dict[str, Any], environment: Record, store: Store) -> None:
    """Write the record of an evaluation, whole or not at all; NaN and infinity become null.

    Raises StudyError if the store is read-only or the folder cannot be written.
    """
    record = {
        "schema": SCHEMA,
        "key": evaluation.key,
        "run": config.key,
        "config": config.to_dict(),
        "evaluation": evaluation.to_dict(),
        "values": values,
        "environment": environment,
    }
    _write(path_of(config, evaluation, store), record, store)


def _write(path: Path, record: Record, store: Store) -> None:
    if store.read_only:
        raise StudyError(f"the store {store.root} was opened read-only: use read_only=False to evaluate runs")
    if not path.parent.is_dir():
        check_folder(path.parent)
    write(path, (json.dumps(plain(record), sort_keys=True, indent=1, allow_nan=False) + "\n").encode())


def merge(content: bytes, store: Store) -> tuple[bool, tuple[str, ...]]:
    """Take the record of an evaluation from another folder of results, unless `store` has it.

    Returns:
        Whether it was added, and the fields in which it differs from the stored one, which is kept; the environment
        does not count.

    Raises StudyError for what is no record of an evaluation, or one of another version.
    """
    try:
        record = json.loads(content)
        config = RunConfig.from_dict(record["config"])
        whole = set(FIELDS) <= set(record) and isinstance(record["values"], dict) and record["schema"] == SCHEMA
    except (ValueError, TypeError, KeyError, RecursionError):
        raise StudyError("no record of an evaluation") from None
    if not whole or (record["run"], record["key"]) != (config.key, _key(record["evaluation"])):
        raise StudyError("no record of an evaluation of this version: its key, run and config do not fit together")
    path = store.root / "evaluations" / config.dataset / f"{config.key}-{record['key']}.json"
    if path.exists():
        stored = json.loads(path.read_bytes())
        differing = {name for name in FIELDS if stored.get(name) != record[name]} - {"environment"}
        return False, tuple(sorted(differing))
    _write(path, record, store)
    return True, ()


def frame(runs: Iterable[RunConfig], evaluations: Iterable[Evaluation], store: Store) -> pd.DataFrame:
    """Return one row a run and evaluation that is stored, runs first; raises as `load`.

    Columns: key and fields of the run; `evaluation` (its key), `kind` and parameters; then the values that are
    numbers or texts. What has no effect, or belongs to another kind, is missing.
    """
    import pandas as pd

    return pd.DataFrame(
        config_row(run)
        | {"evaluation": evaluation.key, "kind": evaluation.kind, **evaluation.parameters}
        | dict.fromkeys(evaluation.without_effect())
        | {name: value for name, value in record["values"].items() if not isinstance(value, list | dict)}
        for (run, evaluation), record in load(runs, evaluations, store).items()
    )


def digest(runs: Iterable[RunConfig], evaluations: Iterable[Evaluation], store: Store) -> str:
    """Return 16 hex digits of the records that there are, whatever their order and environment; raises as `load`."""
    lines = {json.dumps(comparable(record), sort_keys=True) for record in load(runs, evaluations, store).values()}
    return hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()[:16]


def _read(config: RunConfig, evaluation: Evaluation, store: Store, damaged: list[str]) -> Record | None:
    path = path_of(config, evaluation, store)
    try:
        record = json.loads(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise StudyError(f"cannot read evaluation {path}: {error.strerror}") from error
    except (ValueError, RecursionError):
        damaged.append(f"{path} (not whole JSON), {_set_aside(path, store)}")
        return None
    if isinstance(record, dict) and record.get("schema", SCHEMA) != SCHEMA:
        raise StudyError(
            f"evaluation {path} has schema version {record['schema']} and this library reads {SCHEMA}: it was left in "
            "place; use the library that wrote it, or another results folder"
        )
    if not _fits(record, config, evaluation):
        damaged.append(f"{path} (its key, run and file name do not fit together), {_set_aside(path, store)}")
        return None
    return record


def _fits(record: Any, config: RunConfig, evaluation: Evaluation) -> bool:
    return (
        isinstance(record, dict)
        and set(FIELDS) <= set(record)
        and (record["run"], record["key"]) == (config.key, evaluation.key)
        and record["config"] == config.to_dict()
        and record["evaluation"] == evaluation.to_dict()
        and isinstance(record["values"], dict)
    )


def _set_aside(path: Path, store: Store) -> str:
    if store.read_only:
        return "left in place in a read-only store"
    aside, number = path.with_name(f"{path.name}.corrupt"), 1
    while aside.exists():
        number += 1
        aside = path.with_name(f"{path.name}.corrupt{number}")
    try:
        os.rename(path, aside)
    except OSError as error:
        return f"not set aside: {error.strerror}"
    return f"set aside as {aside.name}"


def _key(described: dict[str, Any]) -> str:
    text = json.dumps({"schema": SCHEMA, "evaluation": described}, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _typed(name: str, value: Any, default: Any) -> Any:
    """Return `value` in the field's one form (1 becomes 1.0), or raise for a wrong type."""
    if default is MISSING:
        raise TypeError(f"the field {name} of an evaluation has no default")
    if value is None and default is None:
        return None
    wanted = int if default is None else type(default)
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    if wanted in (int, float) and number and value == wanted(value):
        return wanted(value)
    if wanted in (bool, str) and isinstance(value, wanted):
        return value
    allowed = f"{wanted.__name__} or None" if default is None else wanted.__name__
    raise StudyError(f"{name}={value!r} is a {type(value).__name__}: it must be {allowed}")
