"""The book of a profile: its executed notebooks, the guides and a reference of the library as HTML pages, by Sphinx.

The sources of the book mirror the repository (README.md, docs/, notebooks/), so that relative links hold in both. They
are written only where they differ, since Sphinx reads again what has changed.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

from randsparse.errors import StudyError
from randsparse.study import book_pages
from randsparse.study.settings import make_folder, python_path

BUILD = ".book"
"""The folder, beside the finished book, of its sources and of what Sphinx remembers."""
TEMPLATES = Path(__file__).parent / "templates"
LATE = 2
"""How many notebooks may still be missing when the reference of the library is made."""
_EXECUTED = re.compile(r"\]\(((?:\.\./)*)results/[\w-]+/notebooks/")
"""A link of a guide to an executed notebook, which is a page of the book."""
_LINKED = re.compile(r"\]\(([\w./-]+)\)")


def write_book(profile: str, root: Path, folder: Path) -> Path:
    """Write the book of the profile whose results are in `folder` into its html/, and return the first page.

    Notebooks that are not executed yet are shown as they are. Raises StudyError, in one line, if a page has a fault.
    """
    build, pages = folder / BUILD, folder / "html"
    with make_folder(build), make_folder(pages):
        if (build / "unfinished").exists():  # what Sphinx remembers may say more than it has written
            shutil.rmtree(build)
            build.mkdir()
        (build / "unfinished").touch()
        _update(build / "sources", collect_sources(profile, root, folder))
        _run_sphinx(build, root)
        _update(pages, {path.relative_to(build / "html").as_posix(): path for path in _files(build / "html")})
        (build / "unfinished").unlink()
    return pages / "index.html"


def collect_sources(profile: str, root: Path, folder: Path) -> dict[str, str | bytes | Path]:
    """Return what the book is made from by its path: the content of each source, or the file that it is a copy of.

    The reference of the library takes longest, so that it comes late: when the last runs are trained, beside them.
    """
    found: dict[str, str | bytes | Path] = {"extra/.nojekyll": ""}
    found |= {f"extra/tables/{path.name}": path for path in (folder / "tables").glob("*.csv")}
    others = (root / "CONTRIBUTING.md", root / "CHANGELOG.md")
    guides = [path for path in (root / "README.md", *sorted((root / "docs").glob("*.md")), *others) if path.is_file()]
    for path in guides:
        found[path.relative_to(root).as_posix()] = _EXECUTED.sub(r"](\1notebooks/", path.read_text(encoding="utf-8"))
        found |= dict(_files_of(path, root))
    notebooks = {path.stem: path for path in sorted((root / "notebooks").glob("[0-9]*.ipynb"))}
    executed = {name: folder / "notebooks" / path.name for name, path in notebooks.items()}
    executed = {name: path for name, path in executed.items() if path.is_file()}
    read = {name: json.loads(path.read_text(encoding="utf-8")) for name, path in (notebooks | executed).items()}
    for name, notebook in read.items():
        found[f"notebooks/{name}.ipynb"] = json.dumps(book_pages.make_page(notebook, name in executed))
    pictures = {name: book_pages.find_first_picture(read[name]) for name in executed}
    found |= {f"figures/{name}.png": picture for name, picture in pictures.items() if picture}
    library = book_pages.make_reference(root / "lib") if len(executed) + LATE >= len(notebooks) else {}
    chapters = [path.relative_to(root).as_posix() for path in guides]
    first = book_pages.make_first_page(profile, read, pictures, folder, chapters, sorted(library))
    return found | library | {"index.md": first}


def _files_of(guide: Path, root: Path) -> Iterator[tuple[str, Path]]:
    """Yield the pictures and other files that a page of Markdown links to, and that are no pages themselves."""
    for link in _LINKED.findall(guide.read_text(encoding="utf-8")):
        path = (guide.parent / link).resolve()
        if path.is_file() and path.suffix not in (".md", ".ipynb") and path.is_relative_to(root):
            yield path.relative_to(root).as_posix(), path


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


def _update(folder: Path, wanted: dict[str, str | bytes | Path]) -> None:
    """Make a folder hold these files and no others; a file that holds what it should stays untouched."""
    for path in _files(folder):
        if path.relative_to(folder).as_posix() not in wanted:
            path.unlink()
    for name, content in wanted.items():
        data, path = content.encode() if isinstance(content, str) else content, folder / name
        data = data.read_bytes() if isinstance(data, Path) else data
        if not path.is_file() or path.read_bytes() != data:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.with_name(f"{path.name}.tmp").write_bytes(data)
            os.replace(path.with_name(f"{path.name}.tmp"), path)


def _run_sphinx(build: Path, root: Path) -> None:
    """Make the pages by Sphinx in a process of its own; its first warning or error is a StudyError."""
    options = ["-q", "--no-color", "--fail-on-warning", "-D", f"html_extra_path={build / 'sources' / 'extra'}"]
    places = ["-c", str(TEMPLATES), "-d", str(build / "doctrees"), str(build / "sources"), str(build / "html")]
    command = [sys.executable, "-m", "sphinx", *options, *places]
    environment = {**os.environ, "PYTHONPATH": python_path(root), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        said = [line.strip() for line in done.stderr.splitlines() if line.strip()]
        faults = [line for line in said if "WARNING:" in line or "ERROR:" in line] or said or ["Sphinx failed"]
        first = faults[0].replace(f"{build / 'sources'}{os.sep}", "")
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        raise StudyError(f"the book has a fault: {first}{more}")
