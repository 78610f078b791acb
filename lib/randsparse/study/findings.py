"""What was found, as the README says it: the primary claim of each notebook, in a table made from its verdicts."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from randsparse.comparison.conclusions import PRIMARY, find_interim
from randsparse.comparison.wording import number
from randsparse.errors import StudyError
from randsparse.files import write
from randsparse.study.parameters import find_root

BEGIN, END = "<!-- found: made by `make findings`, not by hand -->", "<!-- end of found -->"
HEAD = [PRIMARY, "verdict", "estimate [one-sided 95 % limits]", "n", "regime"]


def make_table(folder: Path, link: str) -> str:
    """Return a Markdown table with one row per notebook of a profile that has judged a primary claim.

    Args:
        folder: of the profile's results.
        link: how a link to that folder begins.
    """
    rows = [HEAD, ["---"] * len(HEAD)]
    for path in sorted((folder / "tables").glob("[0-9]*_verdicts.csv")):
        frame = pd.read_csv(path)
        if "kind" in frame and not (own := frame[frame["kind"] == PRIMARY]).empty:
            name = path.name.removesuffix("_verdicts.csv")
            rows.append(_row(own.iloc[0], f"[{name[:2]}]({link}/notebooks/{name}.ipynb)"))
    return "".join(f"| {' | '.join(row)} |\n" for row in rows)


def _row(claim: pd.Series, link: str) -> list[str]:
    estimate = "none yet"
    if pd.notna(claim["estimate"]):
        low, high = number(claim["low"]), number(claim["high"])
        estimate = f"{number(claim['estimate'])} [{low}, {high}] {claim['unit']}"
    n = "" if pd.isna(claim["n"]) else f"{claim['n']:g}"
    interim = find_interim(claim["evidence"])
    verdict = f"*{claim['verdict']}*" + (f" ({interim})" if interim else "")
    return [f"{link} {claim['claim']}", verdict, estimate, n, str(claim["regime"])]


def put(text: str, table: str) -> str:
    """Return the text of the README with another table; raises StudyError if it has no place for one."""
    before, begin, rest = text.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise StudyError(f"the README has no lines {BEGIN} and {END}")
    return f"{before}{begin}\n\n{table}\n{end}{after}"


def update(readme: Path, folder: Path) -> None:
    """Write the table of a profile's results into the README."""
    table = make_table(folder, folder.relative_to(readme.parent).as_posix())
    write(readme, put(readme.read_text(encoding="utf-8"), table).encode())


if __name__ == "__main__":
    root = find_root()
    update(root / "README.md", root / "results" / "cifar10-small")
