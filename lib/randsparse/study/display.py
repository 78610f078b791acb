"""How the tables and figures of a notebook are shown: for reading, while their files have every digit and column."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

import pandas as pd

KEYS = ("sparsity", "source_sparsity", "density", "epsilon", "lr", "epoch", "K")
"""Columns of numbers that say what a row is about, as columns of text do."""
COUNTS = ("missing", "diverged")
"""Columns that say nothing where they are all zero."""
LONG = 20
"""A table of more rows is folded."""
PROSE = 40
"""A text of more characters is wrapped, and its column stands last."""


def make_table_html(frame: pd.DataFrame, csv: str = "") -> str:
    """Return a table as HTML: what a row is about, its verdict, numbers with their intervals, then explanations.

    Columns that are the same in all rows are said in one line below. A table of more than LONG rows is folded, with a
    link to `csv`, where it is whole.
    """
    if frame.empty:
        return "<p>There is nothing in this table yet.</p>"
    shown, constant = _without_constants(_with_intervals(_in_points(frame)))
    columns = [column for part in _parts(shown) for column in part]
    kinds = {column: _kind(shown[column]) for column in columns}
    texts = {column: [_text(value, column) for value in shown[column]] for column in columns}
    cells = [
        "".join(f'<td class="{kinds[c]}">{escape(texts[c][row])}</td>' for c in columns) for row in range(len(frame))
    ]
    head = "".join(f'<th class="{kinds[c]}">{escape(_heading(c))}</th>' for c in columns)
    body = "".join(f"<tr>{row}</tr>\n" for row in cells)
    table = f'<table class="dataframe">\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}</tbody>\n</table>'
    if constant:
        same = ", ".join(f"{_heading(column)} {_text(value, column)}" for column, value in constant.items())
        table += f"<p>In all rows: {escape(same)}.</p>"
    if len(frame) <= LONG:
        return table
    link = f'<p><a href="{escape(csv)}">All columns as CSV</a></p>' if csv else ""
    return f"<details><summary>Table of {len(frame)} rows</summary>{link}{table}</details>"


def _in_points(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame with accuracies, and differences of accuracies, in percent and points instead of fractions."""
    accuracies = [name for name in frame if str(name).endswith("accuracy") and frame[name].abs().max() <= 1]
    changed = {name: f"{name} (%)" for name in accuracies}
    if {"mean", "low", "high", "p_difference"} <= set(frame.columns) and "unit" not in frame.columns:
        changed |= {"mean": "difference (points)", "low": "low", "high": "high"}
    return frame.assign(**{column: 100 * frame[column] for column in changed}).rename(columns=changed)


def _with_intervals(frame: pd.DataFrame) -> pd.DataFrame:
    """Return a frame with the columns low and high in the brackets of the estimate before them."""
    columns = list(frame.columns)
    place = columns.index("low") if "low" in columns else 0
    if place == 0 or columns[place + 1 : place + 2] != ["high"] or not _of_numbers(frame[columns[place - 1]]):
        return frame
    name = columns[place - 1]
    whole = [_interval(row, name) for row in frame[[name, "low", "high"]].to_numpy()]
    return frame.assign(**{name: whole}).drop(columns=["low", "high"])


def _interval(numbers: Iterable[float], name: object) -> str:
    value, low, high = (_text(number, name, digits=3) for number in numbers)
    return f"{value} [{low}, {high}]" if low and high else value


def _without_constants(frame: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, object]]:
    """Return a frame without columns that are the same in all of several rows or say nothing, and what those say."""
    nothing = [column for column in frame if frame[column].isna().all() or (frame[column] == "").all()]
    nothing += [column for column in COUNTS if column in frame and (frame[column] == 0).all()]
    left = frame.drop(columns=list(dict.fromkeys(nothing)))
    same = [
        column for column in left if len(left) > 1 and column != "verdict" and left[column].nunique(dropna=False) == 1
    ]
    if len(same) == left.shape[1]:
        same = same[1:]
    return left.drop(columns=same), {column: left[column].iloc[0] for column in same}


def _parts(frame: pd.DataFrame) -> tuple[list[str], ...]:
    """Return the columns in the order of reading: what a row is about, its verdict, numbers, explanations."""
    kinds = {column: _kind(frame[column]) for column in frame.columns}
    verdict = [column for column in frame.columns if column == "verdict"]
    about = [column for column in frame.columns if kinds[column] == "name" or column in KEYS]
    claims = [column for column in frame.columns if column == "claim"]
    if not about or kinds[frame.columns[0]] == "prose":
        claims.append(frame.columns[0])
    about = [column for column in dict.fromkeys([*claims, *about]) if column not in verdict]
    numbers = [column for column in frame.columns if kinds[column] == "number" and column not in (*about, *verdict)]
    rest = [column for column in frame.columns if column not in (*about, *verdict, *numbers)]
    return about, verdict, numbers, rest


_NUMBER = re.compile(r"[-−+]?[\d.,]+(e[-+]?\d+)?( \[.*\])?|")


def _of_numbers(column: pd.Series) -> bool:
    return column.dtype.kind in "iuf"


def _kind(column: pd.Series) -> str:
    """Return the class of a column's cells: "number", "prose" (which is wrapped) or "name"."""
    if _of_numbers(column) or all(isinstance(value, str) and _NUMBER.fullmatch(value) for value in column):
        return "number"
    return "prose" if max(len(str(value)) for value in column) > PROSE else "name"


def _heading(column: object) -> str:
    return str(column).replace("_", " ")


def _text(value: object, column: object, digits: int = 4) -> str:
    """Return a value as it is shown; points and percent have one decimal, other numbers so many digits."""
    if value is None or value != value:
        return ""
    if isinstance(value, str):
        return value
    if not hasattr(value, "__float__") or isinstance(value, bool) or type(value).__name__ == "bool":
        return {"True": "yes", "False": "no"}.get(str(value), str(value))
    number, name = float(value), str(column)
    if re.match(r"p(_|$)", name):
        return "< 0.001" if number < 0.001 else f"{number:.2g}"
    if name.endswith(("(points)", "(%)")):
        return f"{number:.1f}" if abs(number) >= 0.1 or number == 0 else f"{number:.1g}"
    return f"{number:,.0f}" if number == int(number) or abs(number) >= 10_000 else f"{number:.{digits}g}"


def make_alternative_text(caption: str) -> str:
    """Return what a figure shows in words: the first sentence of its caption, without the marks of Markdown."""
    plain = re.sub(r"[*`$]|\[([^]]*)\]\([^)]*\)", r"\1", caption.replace("**Figure.**", "")).strip()
    first = re.match(r".*?[.:;?!](?=\s+[A-Z]|\s*$)", plain, flags=re.DOTALL)
    return " ".join((first[0] if first else plain).split())
