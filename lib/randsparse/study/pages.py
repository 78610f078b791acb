"""HTML pages of a profile's results: the executed notebooks and an index; no network is needed."""

from __future__ import annotations

import copy
import html
import os
import re
from dataclasses import dataclass
from pathlib import Path
from string import Template

import nbformat

from randsparse.study.notebook import read_verdicts, writing

_INLINE = re.compile(r"(?<![\\$\w])\$(?![\s$])([^$\n]+?)(?<![\s\\])\$(?![\w$])")
_DISPLAY = re.compile(r"\$\$(.+?)\$\$", re.DOTALL)
_CODE = re.compile(r"(```.*?```|`[^`\n]*`)", re.DOTALL)
_TABLE, _ROW = re.compile(r"<table.*?</table>", re.DOTALL), re.compile(r"<tr.*?</tr>", re.DOTALL)
_CELL = re.compile(r"<(t[dh])[^>]*>(.*?)</t[dh]>", re.DOTALL)
_VALUE = re.compile(r"\s*([-+−]?[\d.,]+(e[-+]?\d+)?|nan|inf)?\s*")
_COLOURS = {"supported": "good", "contradicted": "bad"}
_NUMBER = re.compile(r"^\d+\s*[·:.]\s*")  # of a title: it stands beside it already
TITLE = "Random sparse networks"
ABOUT = (
    "Sparse neural networks whose masks are drawn at random: does a search over them find better ones, "
    "and when do they match the dense network? Every number and figure here was computed from training runs "
    "whose records lie in <code>results/runs</code>; each notebook says what it claims, and ends with a "
    "verdict made from the data."
)


@dataclass(frozen=True)
class Front:
    """What the first Markdown cell of a notebook says: its title, and its claim in Markdown."""

    title: str
    claim: str


def front(notebook: nbformat.NotebookNode) -> Front:
    """Return the first heading of a notebook and the first paragraph after it, which states the claim."""
    text = "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    heading = re.search(r"^# +(.+)$", text, flags=re.MULTILINE)
    if not heading:
        return Front("", "")
    claim = text[heading.end() :].strip().split("\n\n")[0]
    return Front(heading[1].strip(), re.sub(r"^\*\*Claim[.:]?\*\*[.:]?\s*", "", claim))


def write_pages(profile: str, folder: Path) -> Path:
    """Write the pages of a profile's executed notebooks into its html/, and return their index."""
    notebooks = {path.stem: path for path in sorted((folder / "notebooks").glob("[0-9]*.ipynb"))}
    notebooks = {name: path for name, path in notebooks.items() if not name.endswith(".failed")}
    pages = folder / "html"
    with writing(pages):
        fronts = {}
        for name, path in notebooks.items():
            notebook = nbformat.read(path, as_version=4)
            fronts[name] = front(notebook)
            _write(pages / f"{name}.html", notebook_page(notebook, profile))
        _write(pages / "index.html", index_page(profile, fronts, folder))
    return pages / "index.html"


def _write(path: Path, text: str) -> None:
    temporary = path.with_suffix(".tmp")
    temporary.write_text(text, encoding="utf-8")
    os.replace(temporary, path)


def _template(name: str) -> Template:
    return Template((Path(__file__).parent / "templates" / name).read_text(encoding="utf-8"))


def page(title: str, profile: str, body: str, links: str = "") -> str:
    """Return a whole page in the study's style; title and profile are text, body and links HTML."""
    style = _template("style.css").template
    return _template("page.html").substitute(
        title=html.escape(title), profile=html.escape(profile), body=body, links=links, style=style
    )


def notebook_page(notebook: nbformat.NotebookNode, profile: str) -> str:
    """Return the page of an executed notebook: its cells, pictures within, code folded behind a click."""
    from nbconvert import HTMLExporter
    from pygments.formatters import HtmlFormatter

    notebook = copy.deepcopy(notebook)
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            cell.source = with_mathml(cell.source)
    folded = (Path(__file__).parent / "templates" / "notebook.html.j2").read_text(encoding="utf-8")
    exporter = HTMLExporter(raw_template=folded, exclude_input_prompt=True, exclude_output_prompt=True)
    exporter.exclude_anchor_links = True
    body, _ = exporter.from_notebook_node(notebook)
    colours = HtmlFormatter(style="friendly").get_style_defs(".highlight")
    links = '<a href="index.html">All notebooks</a>'
    body = f"<style>{colours}</style>\n<main>{with_aligned_columns(body)}</main>"
    return page(front(notebook).title, profile, body, links)


def with_aligned_columns(body: str) -> str:
    """Return HTML with the class "number" on all cells of those columns of its tables that hold numbers, or nothing."""

    def table(match: re.Match[str]) -> str:
        rows = [_CELL.findall(row) for row in _ROW.findall(match[0])]
        columns = zip(*(row for row in rows if row and row[-1][0] == "td"), strict=False)
        of_numbers = [all(_VALUE.fullmatch(text) for _, text in column) for column in columns]

        def row(match: re.Match[str]) -> str:
            numbers = iter(of_numbers)

            def cell(match: re.Match[str]) -> str:
                return f'<{match[1]} class="number">{match[2]}</{match[1]}>' if next(numbers, False) else match[0]

            return _CELL.sub(cell, match[0])

        return _ROW.sub(row, match[0])

    return _TABLE.sub(table, body)


def with_mathml(markdown: str) -> str:
    """Return Markdown with TeX formulas as MathML, which browsers draw without a script; not in code."""
    from latex2mathml.converter import convert

    parts = _CODE.split(markdown)
    for index in range(0, len(parts), 2):
        parts[index] = _DISPLAY.sub(lambda m: convert(m[1].strip(), display="block"), parts[index])
        parts[index] = _INLINE.sub(lambda m: convert(m[1]), parts[index])
    return "".join(parts)


def index_page(profile: str, fronts: dict[str, Front], folder: Path) -> str:
    """Return the index: every notebook with its claim, verdicts and small pictures of its figures."""
    verdicts = read_verdicts(folder)
    rows = []
    for name, text in fronts.items():
        own = verdicts[verdicts["notebook"] == name]
        figures = sorted((folder / "figures").glob(f"{name}_*.png"))
        rows.append(
            _template("entry.html").substitute(
                name=html.escape(name),
                number=html.escape(name.split("_")[0]),
                title=_inline(_NUMBER.sub("", text.title)) or html.escape(name),
                claim=_inline(text.claim),
                verdicts="".join(map(_verdict, own["claim"], own["verdict"])),
                figures="".join(_thumbnail(name, figure) for figure in figures),
            )
        )
    body = f'<h1>{TITLE}</h1>\n<p class="about">{ABOUT}</p>\n<main>{"".join(rows)}</main>'
    return page(TITLE, profile, body)


def _inline(markdown: str) -> str:
    """Return one paragraph of Markdown as HTML without the paragraph's tags."""
    from nbconvert.filters import markdown2html

    text = markdown2html(with_mathml(markdown)).strip()
    return re.sub(r"^<p>(.*?)</p>$", r"\1", text, flags=re.DOTALL)


def _verdict(claim: str, verdict: str) -> str:
    kind = _COLOURS.get(str(verdict).split()[0], "open")
    verdict = f'<span class="verdict {kind}">{html.escape(str(verdict))}</span>'
    return f"<li>{verdict} <span>{html.escape(str(claim))}</span></li>"


def _thumbnail(notebook: str, figure: Path) -> str:
    name = html.escape(figure.stem.removeprefix(f"{notebook}_").replace("_", " "))
    source = f"../figures/{html.escape(figure.name)}"
    vector = f"../figures/{html.escape(figure.stem)}.svg"
    return f'<a href="{vector}" title="{name}"><img src="{source}" alt="{name}"></a>'
