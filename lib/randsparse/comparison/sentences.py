"""The sentences that notebooks share: the claim as it was fixed, an abstract, and which runs are missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from randsparse.comparison.primary import find_claims
from randsparse.comparison.wording import list_names, list_words

if TYPE_CHECKING:
    from IPython.display import HTML, Markdown


def write_claims(notebook: str) -> Markdown:
    """Return the primary claims of a notebook, "05", as they were fixed: claim, estimand, replicates and power."""
    texts = [
        f"**Primary claim.** {each.claim} *Estimand*: {each.estimand} ({each.unit}). *Replicates*: {each.replicates}. "
        f"*Power*: {each.power}."
        for each in find_claims(notebook)
    ]
    return write_what_follows("\n\n".join(texts))


def write_abstract(*sentences: str) -> Markdown:
    """Return sentences as the abstract of a notebook."""
    return write_what_follows(f"**Abstract.** {' '.join(sentences)}")


def write_what_follows(*sentences: str) -> Markdown:
    """Return sentences for a practitioner, or any others; empty ones are left out."""
    from IPython.display import Markdown

    return Markdown(" ".join(filter(None, sentences)))


def write_missing_runs(cells: pd.DataFrame) -> Markdown:
    """Return which cells have no run yet, or not all; it says so where none is missing. `cells`: of `Cells.cells`."""
    none = list(cells.loc[cells["runs"] == 0, "cell"])
    some = [f"*{row.cell}* ({row.runs} of {row.planned})" for row in cells.itertuples() if 0 < row.runs < row.planned]
    texts = [f"No run yet: {list_names(none)}."] if none else []
    texts += [f"Not all runs yet: {list_words(some)}."] if some else []
    return write_what_follows(*texts or [f"All {cells['planned'].sum()} runs are there."])


def write_chosen_rates(rates: pd.DataFrame) -> Markdown:
    """Return which learning rates validation accuracy chose; `rates`: of `Cells.rates`."""
    if rates.empty:
        return write_what_follows("No learning rate was chosen for these cells: their campaign fixes it.")
    waiting = [cell for cell, own in rates.groupby("cell", sort=False) if not own["chosen"].any()]
    texts = [f"{row.lr:g} for *{row.cell.removeprefix('rate, ')}*" for row in rates[rates["chosen"]].itertuples()]
    told = f"Chosen: {list_words(texts)}." if texts else ""
    return write_what_follows(told, f"Not chosen yet: {list_names(waiting)}." if waiting else "")


def fold(table: HTML, title: str) -> HTML:
    """Return a long table as a line that opens."""
    from IPython.display import HTML

    return HTML(f"<details><summary>{title}</summary>{table.data}</details>")
