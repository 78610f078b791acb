"""The sources of the book's pages: notebooks as they are shown, the first page, and the reference of the library."""

from __future__ import annotations

import base64
import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from randsparse.study.display import make_alternative_text
from randsparse.study.notebook import read_verdicts

TITLE = "Random sparse networks"
ABOUT = (
    "Sparse neural networks whose masks are drawn at random: does a search over them find better ones, and when do "
    "they match the dense network? Every number and figure here was computed from training runs whose records lie in "
    "`results/runs`."
)
NOT_EXECUTED = ":::{note}\nThis notebook is not executed yet in this profile: what follows is its source.\n:::"
SHOWN = 5
"""How many findings of a notebook the first page has; the notebook has them all."""
REFERENCE = {
    "sparsity": ("*",),
    "networks": ("*",),
    "data": ("*",),
    "runs": ("config", "store", "records", "evaluations"),
    "training": ("train", "methods/*"),
    "sweeps": ("sweep", "measuring", "merging"),
    "comparison": ("*", "inference/*"),
    "study": ("notebook",),
}
"""The rooms of the library that the reference has, and which of their modules."""
_PROMPTS = {"parameters": "Parameters", "injected-parameters": "What this profile changes"}
_BETWEEN = re.compile(r"\]\((\d\d_)")
_NOTEBOOK_LINK = re.compile(r'(href="[^":]*?\d\d_\w+)\.ipynb(["#])')


def make_page(notebook: dict, executed: bool) -> dict:
    """Return a notebook as the book shows it: code folded, links in tables to pages, and a note without outputs."""
    notebook = copy.deepcopy(notebook)
    notebook["metadata"]["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    for cell in notebook["cells"]:
        if cell["cell_type"] != "code":
            continue
        tags = cell["metadata"].setdefault("tags", [])
        prompt = next((text for tag, text in _PROMPTS.items() if tag in tags), "Code")
        tags.append("hide-input")
        shown = [output.get("metadata", {}).get("image/png", {}).get("alt") for output in cell["outputs"]]
        words = {"image": {"alt": " ".join(filter(None, shown))}} if any(shown) else {}
        cell["metadata"]["mystnb"] = {"code_prompt_show": prompt, "code_prompt_hide": prompt, **words}
        for output in cell["outputs"]:
            if html := output.get("data", {}).get("text/html"):
                output["data"]["text/html"] = _NOTEBOOK_LINK.sub(r"\1.html\2", "".join(html))
    if not executed:
        first = next(index for index, cell in enumerate(notebook["cells"]) if "# " in "".join(cell["source"]))
        note = {"cell_type": "markdown", "id": "not-executed", "metadata": {}, "source": NOT_EXECUTED}
        notebook["cells"].insert(first + 1, note)
    return notebook


def read_front(notebook: dict) -> tuple[str, str]:
    """Return the title of a notebook and its abstract, or else the first paragraph below the title, in Markdown."""
    text = "\n\n".join("".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "markdown")
    heading = re.search(r"^# +(.+)$", text, flags=re.MULTILINE)
    title, first = (heading[1].strip(), text[heading.end() :].strip().split("\n\n")[0]) if heading else ("", "")
    abstract = next((text for text in _shown(notebook, "text/markdown") if text.startswith("**Abstract.**")), first)
    return title, re.sub(r"^\*\*(?:Abstract|Claim)[.:]?\*\*[.:]?\s*", "", abstract)


def find_first_picture(notebook: dict) -> bytes | None:
    """Return the first figure that an executed notebook shows, as PNG, or None if it shows none."""
    return next((base64.b64decode(picture) for picture in _shown(notebook, "image/png") if picture), None)


def _shown(notebook: dict, kind: str) -> Iterator[str]:
    """Yield what the outputs of a notebook hold of a kind of data; "" for an output that holds none."""
    for cell in notebook["cells"]:
        for output in cell.get("outputs", []):
            yield "".join(output.get("data", {}).get(kind, ""))


def make_first_page(
    profile: str,
    notebooks: Mapping[str, dict],
    pictures: Mapping[str, bytes | None],
    folder: Path,
    guides: Sequence[str],
    library: Sequence[str],
) -> str:
    """Return the first page: of each notebook its abstract, its findings with their verdicts, and a figure.

    Args:
        notebooks: all notebooks by their names; `pictures` has the first picture of those that are executed.
        folder: the results of the profile.
        guides: the sources of the guides, and `library` those of the reference, for the contents.
    """
    verdicts = read_verdicts(folder)
    parts = [f"# {TITLE}", ABOUT, f"These are the results of the profile *{profile}*."]
    if left := len(notebooks.keys() - pictures.keys()):
        parts.append(f":::{{note}}\n{left} of {len(notebooks)} notebooks are not executed yet.\n:::")
    for name, notebook in notebooks.items():
        title, abstract = read_front(notebook)
        parts.append(f"## [{title or name}](notebooks/{name}.ipynb)")
        if pictures.get(name):
            alt = make_alternative_text(title)
            parts.append(f"```{{image}} figures/{name}.png\n:alt: {alt}\n:class: first-figure\n```")
        parts.append(_BETWEEN.sub(r"](notebooks/\1", abstract))
        own = verdicts[verdicts["notebook"] == name]
        if "kind" in own:
            own = own[own["kind"] != "check"]
        lines = [_finding(str(row.claim), str(row.verdict)) for row in own.head(SHOWN).itertuples()]
        if len(own) > SHOWN:
            lines.append(f"- [{len(own) - SHOWN} more](notebooks/{name}.ipynb)")
        parts.append("\n".join(lines))
    contents = {"Notebooks": [f"notebooks/{name}" for name in notebooks], "Guides": guides, "Library": library}
    parts += [_contents(caption, pages) for caption, pages in contents.items()]
    return "\n\n".join(parts) + "\n"


def _finding(claim: str, verdict: str) -> str:
    return f"- [{verdict}]{{.verdict .{verdict.split()[0]}}} {claim}"


def _contents(caption: str, pages: Sequence[str]) -> str:
    return "\n".join(["```{toctree}", ":hidden:", f":caption: {caption}", "", *pages, "```"]) if pages else ""


def make_reference(library: Path) -> dict[str, str]:
    """Return the sources of the reference: one page for each room, by its path."""
    package = library / "randsparse"
    rooms = {room: wanted for room, wanted in REFERENCE.items() if (package / room).is_dir()}
    return {f"reference/{room}.md": _room(room, package, wanted) for room, wanted in rooms.items()}


def _room(room: str, package: Path, wanted: Sequence[str]) -> str:
    paths = sorted({path for pattern in ("__init__", *wanted) for path in (package / room).glob(f"{pattern}.py")})
    parts = [f"# randsparse.{room}"]
    for path in paths:
        module = path.relative_to(package.parent).with_suffix("").as_posix().replace("/", ".").removesuffix(".__init__")
        if module != f"randsparse.{room}":
            parts.append(f"## {module.removeprefix(f'randsparse.{room}.')}")
        parts.append(f"```{{eval-rst}}\n.. automodule:: {module}\n   :members:\n```")
    return "\n\n".join(parts) + "\n"
