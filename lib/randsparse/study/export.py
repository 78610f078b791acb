"""All records as Parquet files with a data card, which can be read without this library: `make export`."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from randsparse.files import check_folder, write
from randsparse.runs.evaluations import EVALUATIONS
from randsparse.runs.records import MARKS, Record
from randsparse.runs.store import Store

FOLDER = "export"
"""Where the files go, below the folder of results."""
CORRECT = (("val_correct", "validation"), ("ema_val_correct", "validation, moving average"))
CARD = Path(__file__).parent / "templates" / "data_card.md"
"""What the data card says, with a place for the tables."""


def export(store: Store, folder: Path | None = None) -> Path:
    """Write all records of a store as Parquet, with a data card, and return the folder.

    The same records give the same tables. Raises StudyError where the folder cannot be written, and as `Store.records`.
    """
    folder = folder or store.root / FOLDER
    check_folder(folder)
    records = store.records()
    tables = {
        "runs": (_runs(store), "a run"),
        "curves": (_curves(records), "a run and epoch"),
        "correct": (_correct(records), "a run, epoch and part; epoch 0 is the test set at the end"),
        "evaluations": (_evaluations(store), "a run, evaluation and value"),
    }
    lines = []
    for name, (frame, row) in tables.items():
        frame.to_parquet(folder / f"{name}.parquet", index=False)
        lines.append(f"| {name}.parquet | {len(frame):,} | {row} | {', '.join(f'`{each}`' for each in frame)} |")
    write(folder / "README.md", CARD.read_text(encoding="utf-8").format(tables="\n".join(lines)).encode())
    return folder


def _runs(store: Store) -> pd.DataFrame:
    frame = store.frame()
    for name in frame:
        if name.endswith("_seed"):  # of any size
            frame[name] = frame[name].astype("string")
        elif frame[name].map(lambda value: isinstance(value, tuple)).any():
            frame[name] = frame[name].map(json.dumps)
    return frame


def _curves(records: list[Record]) -> pd.DataFrame:
    names = ["epoch", "lr", "train_loss", "val_loss", "val_accuracy", "ema_val_accuracy"]
    rows = [point | {"key": record["key"]} for record in records for point in record["curve"]]
    frame = pd.DataFrame(rows, columns=["key", *names])
    return frame.astype(dict.fromkeys(names[1:], float) | {"epoch": int})


def _correct(records: list[Record]) -> pd.DataFrame:
    rows = [row for record in records for row in _bits(record)]
    return pd.DataFrame(rows, columns=["key", "epoch", "part", "images", "bits"]).astype({"epoch": int, "images": int})


def _bits(record: Record) -> Iterator[tuple[str, int, str, int, bytes]]:
    places = [(point["epoch"], part, point.get(name)) for point in record["curve"] for name, part in CORRECT]
    places.append((0, "test", (record["test"] or {}).get(MARKS["test"][0])))
    for epoch, part, text in places:
        if text is not None:
            images, _, packed = text.partition(":")
            yield record["key"], epoch, part, int(images), base64.b64decode(packed)


def _evaluations(store: Store) -> pd.DataFrame:
    files, damaged, rows = store.of(EVALUATIONS), [], []
    for path in sorted(Path(entry.path) for _, entry in files.found()):
        entry = files.read(path, damaged, remember=False)
        if entry is not None:
            rows += _values(entry.record)
    files.report(damaged)
    return pd.DataFrame(rows, columns=["key", "evaluation", "kind", "parameters", "name", "value", "list"])


def _values(record: Record) -> Iterator[tuple[Any, ...]]:
    """Yield the values of an evaluation: numbers in `value`, all others as JSON in `list`."""
    described = dict(record["evaluation"])
    kind, _ = described.pop("kind"), described.pop("version")
    for name, value in record["values"].items():
        number = isinstance(value, int | float)
        pair = (float(value), None) if number else (None, json.dumps(value))
        yield record["run"], record["key"], kind, json.dumps(described, sort_keys=True), name, *pair
