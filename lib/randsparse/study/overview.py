"""The page of findings, read from the verdicts that all notebooks of a profile have saved.

A finding is a primary claim, or the first finding of a notebook that has no primary claim. Checks are not findings.
"""

from __future__ import annotations

import re
from html import escape
from typing import Any

import pandas as pd
from IPython.display import HTML, Markdown

from randsparse.comparison.conclusions import CHECK, FINDING, PRIMARY, find_interim
from randsparse.comparison.primary import read_claims
from randsparse.comparison.wording import number

COLUMNS = ["notebook", "claim", "verdict", "estimate", "low", "high", "unit", "n", "regime", "evidence"]
MOST = 15
"""Findings on the page."""
SETTLED = ("supported", "contradicted")
NOT_YET = "No notebook of this profile has judged it yet."


def write_findings(verdicts: pd.DataFrame) -> pd.DataFrame:
    """Return one row per finding, all primary claims in their order and then the others, at most MOST.

    Args:
        verdicts: as from `notebook.read_verdicts`; notebooks without a column kind have no findings in it.

    Columns COLUMNS; a primary claim that no notebook has judged is "not tested".
    """
    whole = verdicts.reindex(columns=[*COLUMNS, "kind"])
    rows: list[dict[str, Any]] = []
    for claim in read_claims():
        own = whole[(whole["kind"] == PRIMARY) & (whole["claim"] == claim.claim)]
        missing = {"notebook": _named(whole, claim.notebook), "claim": claim.claim, "verdict": "not tested", "n": 0}
        rows.append(own.iloc[0].to_dict() if len(own) else missing | {"evidence": NOT_YET})
    told = {str(row["notebook"])[:2] for row in rows}
    others = whole[(whole["kind"] == FINDING) & ~whole["notebook"].astype(str).str[:2].isin(told)]
    rows += others.drop_duplicates("notebook").to_dict("records")
    return pd.DataFrame(rows, columns=COLUMNS)[:MOST]


def write_settled(verdicts: pd.DataFrame) -> Markdown:
    """Return the findings that are supported or contradicted, a sentence each."""
    found = write_findings(verdicts)
    rows = found[found["verdict"].isin(SETTLED)].to_dict("records")
    return _list([_sentence(row) for row in rows], "Nothing is decided yet.")


def write_undecided(verdicts: pd.DataFrame) -> Markdown:
    """Return the findings that are not decided, with what their intervals exclude and what would decide them."""
    found = write_findings(verdicts)
    rows = found[~found["verdict"].isin(SETTLED)].to_dict("records")
    return _list([_sentence(row, _would_decide(row)) for row in rows], "Nothing is open.")


def fold_checks(verdicts: pd.DataFrame) -> HTML:
    """Return all checks as a table that opens: identities, theorems, predictions of own formulas, complete runs."""
    own = verdicts[verdicts.get("kind", pd.Series(index=verdicts.index, dtype=object)) == CHECK]
    held = (own["verdict"] == "supported").sum()
    shown = own[["notebook", "claim", "verdict", "evidence"]] if len(own) else own
    return _folded(shown, f"{held} of {len(own)} checks hold")


def fold_everything(verdicts: pd.DataFrame) -> HTML:
    """Return the verdicts of all notebooks as a table that opens."""
    shown = verdicts.filter(["notebook", "kind", "claim", "verdict", "n", "evidence"])
    return _folded(shown, f"All {len(verdicts)} verdicts")


def _sentence(row: dict[str, Any], more: str = "") -> str:
    """Return verdict, claim, effect with limits, n, regime, what else is to be said, and a link to the notebook."""
    told = ""
    if pd.notna(row["estimate"]):
        limits = f"one-sided 95 % limits {number(row['low'])} and {number(row['high'])}"
        interim = f"; {interim}" if (interim := find_interim(row["evidence"])) else ""
        told = f" {number(row['estimate'])} {row['unit']}, {limits} (n = {row['n']:.0f}{interim}; {row['regime']})."
    name = str(row["notebook"])
    more = f" {more}" if more else ""
    return f"**{str(row['verdict']).capitalize()}.** {row['claim']}{told}{more} [{name[:2]}]({name}.ipynb)"


def _would_decide(row: dict[str, Any]) -> str:
    """Return what the evidence says beyond the numbers that the sentence has."""
    text = str(row["evidence"]) if pd.notna(row["evidence"]) else ""
    excluded = re.search(r"(Values below|No value is excluded).*", text)
    return excluded[0] if excluded else ("" if pd.notna(row["estimate"]) else text)


def _named(verdicts: pd.DataFrame, notebook: str) -> str:
    """Return the whole name of a notebook, such as "05"; that number where it has saved no verdicts."""
    names = [name for name in verdicts["notebook"].dropna().unique() if str(name).startswith(notebook)]
    return str(names[0]) if names else notebook


def _list(sentences: list[str], nothing: str) -> Markdown:
    return Markdown("\n".join(f"- {sentence}" for sentence in sentences) or nothing)


def _folded(frame: pd.DataFrame, title: str) -> HTML:
    table = frame.to_html(index=False, border=0, na_rep="", float_format="{:.4g}".format)
    return HTML(f"<details><summary>{escape(title)}</summary>{table}</details>")
