"""A dataset of real text that needs no download: from which of five installed libraries does a docstring come?

Docstrings are read from the libraries' source files, whose versions are those of requirements.lock; nothing is
imported. Words that name a library are left out, so that the rest of a text has to tell.
"""

from __future__ import annotations

import ast
import contextlib
import hashlib
import importlib.metadata
import importlib.util
import re
import warnings
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from randsparse.errors import StudyError

PACKAGES: dict[str, tuple[str, str]] = {
    "matplotlib": ("matplotlib", "3.11.2"),
    "pandas": ("pandas", "3.1.1"),
    "scikit-learn": ("sklearn", "1.9.1"),
    "statsmodels": ("statsmodels", "0.15.0"),
    "sympy": ("sympy", "1.14.0"),
}
"""The classes in order: folder and version of a distribution, whose source files are the same on all platforms."""
SHA256 = "ae13f870de3d29ef757714dacd2740d20acede6abea6723c729c4d9e5af1e751"
"""Of the texts that `read` returns. Other versions make another dataset, which needs another name."""
EACH = 800
"""Docstrings of each library."""
FEWEST_WORDS = 8
NAMES = {"matplotlib", "mpl", "pyplot", "plt", "pandas", "pd", "scikit", "sklearn", "statsmodels", "sm", "smf", "sympy"}
"""Words that are left out: names of the libraries, and those by which they are customarily imported."""

_LEFT_OUT = re.compile(
    r"(^|/)(tests?|testing|conftest|externals|_vendor|benchmarks?|examples?|sandbox)(/|\.py$)|_version|_distributor_init"
)


def read(data_dir: Path | None = None) -> tuple[list[str], np.ndarray]:
    """Return EACH docstrings of every library, their words in lower case, and labels (N,); `data_dir` is unused.

    Raises:
        StudyError: a library is not there in the version of PACKAGES, or its files are not those of that version.
    """
    check_versions()
    texts = [
        text for each in drop_shared([docstrings(folder) for folder, _ in PACKAGES.values()]) for text in each[:EACH]
    ]
    digest = hashlib.sha256("\n".join(texts).encode()).hexdigest()
    if digest != SHA256:
        raise StudyError(
            f"dataset docstrings: the source files of {', '.join(PACKAGES)} are not those of their releases (SHA-256 "
            f"of the texts {digest[:12]}…, not {SHA256[:12]}…): install them again, as requirements.lock has them"
        )
    return texts, np.repeat(np.arange(len(PACKAGES)), EACH)


def check_versions() -> None:
    """Raise StudyError that names the libraries which are not there in the version of PACKAGES."""
    found = dict.fromkeys(PACKAGES, "none")
    for name in PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    other = [f"{name} {wanted} (here {found[name]})" for name, (_, wanted) in PACKAGES.items() if found[name] != wanted]
    if other:
        raise StudyError(
            f"dataset docstrings is made of the source of {', '.join(other)}: other versions are another dataset, so "
            "install those of requirements.lock"
        )


def docstrings(package: str) -> list[str]:
    """Return a few more than EACH different docstrings of public classes, methods and functions of a package.

    Files come in the order of a hash of their paths, so that the first ones are of all its parts; without tests.
    """
    folder = Path(importlib.util.find_spec(package).submodule_search_locations[0])
    paths = [path.relative_to(folder).as_posix() for path in folder.rglob("*.py")]
    paths = [path for path in paths if not _LEFT_OUT.search(path)]
    found: dict[str, None] = {}
    for path in sorted(paths, key=lambda path: hashlib.sha256(path.encode()).digest()):
        found |= dict.fromkeys(read_source((folder / path).read_text(encoding="utf-8")))
        if len(found) >= 1.1 * EACH:
            break
    return list(found)


def read_source(source: str) -> Iterator[str]:
    """Yield the words of each public docstring of a source file that has FEWEST_WORDS, but for NAMES, in lower case."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of escapes in strings, which depend on the version of Python
        tree = ast.parse(source)
    for node in _definitions(tree.body):
        words = re.findall(r"[a-z]+", (ast.get_docstring(node, clean=False) or "").lower())
        words = [word for word in words if word not in NAMES]
        if not node.name.startswith("_") and len(words) >= FEWEST_WORDS:
            yield " ".join(words)


def _definitions(body: Sequence[ast.stmt]) -> Iterator[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    """Yield the definitions of a module or class, in their order, and those of classes in it."""
    for node in body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from _definitions(node.body)


def drop_shared(texts: Sequence[list[str]]) -> list[list[str]]:
    """Return the texts of each library without those that another library has, too."""
    counts = Counter(text for each in texts for text in set(each))
    return [[text for text in each if counts[text] == 1] for each in texts]
