"""Figures that are saved with their data and their provenance, the same bytes each time."""

from __future__ import annotations

import hashlib
import io
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from randsparse.comparison import plots
from randsparse.files import check_folder, write
from randsparse.runs.config import DEFAULTS, RunConfig
from randsparse.runs.store import Record, keep_comparable


@dataclass(frozen=True)
class Provenance:
    """Where a figure comes from: profile, hashes of parameters and records, how many runs, which seeds."""

    profile: str
    parameters: str
    records: str
    runs: int
    seeds: str

    @classmethod
    def of(cls, profile: str, parameters: Mapping[str, Any], records: Iterable[Record]) -> Provenance:
        """Return the provenance of a figure that shows `records`.

        Neither the order of the records nor their cost and environment matter, and runs of one trajectory (a
        candidate and what became of it) count once.
        """
        records = list(records)
        runs = {RunConfig.from_dict(record["config"]).trajectory for record in records}
        shown = {record["key"]: keep_comparable(record) for record in records}
        seeds = sorted({getattr(run, name) for run in runs for name in DEFAULTS if name.endswith("_seed")} - {None})
        return cls(profile, _digest(parameters), _digest(shown), len(runs), _ranges(seeds))

    def __str__(self) -> str:
        seeds = f" · seeds {self.seeds}" if self.seeds else ""
        runs = f"{self.runs} run{'s' if self.runs > 1 else ''} {self.records}" if self.runs else "no runs"
        return f"{self.profile} · parameters {self.parameters} · {runs}{seeds}"


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, default=str).encode()).hexdigest()[:8]


def _ranges(numbers: Sequence[int]) -> str:
    """Return sorted numbers in short: 0–2, 1000–1007; where that is still long, the ends and how many."""
    ends = np.flatnonzero(np.diff(numbers) > 1) + 1
    parts = np.split(np.array(numbers), ends) if numbers else []
    texts = [f"{part[0]}" if len(part) == 1 else f"{part[0]}–{part[-1]}" for part in parts]
    return ", ".join(texts) if len(texts) <= 5 else f"{numbers[0]}–{numbers[-1]} ({len(numbers)} of them)"


@plots.use_style
def save(figure: Figure, name: str, folder: Path | str, data: pd.DataFrame, provenance: Provenance) -> Figure:
    """Write <name>.svg, <name>.png and <name>.csv, the figure's data, and return the figure.

    The provenance stands small below the figure and in the metadata of both pictures. The same figure and
    data give the same bytes. Raises StudyError where the folder cannot be written.
    """
    folder = Path(folder)
    _sign(figure, str(provenance))
    described = {"Title": name, "Description": str(provenance)}
    quiet = {"svg": {"Date": None, "Creator": None}, "png": {"Software": None}}
    check_folder(folder)
    for kind, metadata in quiet.items():
        picture = io.BytesIO()
        figure.savefig(picture, format=kind, metadata=described | metadata)
        content = picture.getvalue()
        write(folder / f"{name}.{kind}", _number_ids(content) if kind == "svg" else content)
    write(folder / f"{name}.csv", data.to_csv(index=False, lineterminator="\n").encode())
    return figure


def _number_ids(svg: bytes) -> bytes:
    """Return an SVG whose generated ids are numbers by order of appearance: those of clip paths change otherwise."""
    names: dict[bytes, bytes] = {}

    def number(match: re.Match[bytes]) -> bytes:
        return names.setdefault(match[0], b"id%d" % len(names))

    return re.sub(rb"\b(?:C[0-9a-f]+_[0-9a-f]+_|[a-z])[0-9a-f]{10}\b", number, svg)


def _sign(figure: Figure, text: str) -> None:
    """Put the provenance in a strip below the figure that the layout leaves free, replacing an older one."""
    for old in [each for each in figure.texts if each.get_gid() == "provenance"]:
        old.remove()
    height = 0.17 / figure.get_figheight()
    if (layout := figure.get_layout_engine()) is not None and "rect" in layout.get():
        layout.set(rect=(0, height, 1, 1 - height))
    small = {"fontsize": 5.5, "color": "#777777", "gid": "provenance"}
    figure.text(0.995, 0.2 * height, text, ha="right", va="bottom", **small)
