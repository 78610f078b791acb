from __future__ import annotations

import importlib.metadata
import re

import numpy as np
import pytest

from conftest import REPOSITORY
from randsparse.data import docstrings
from randsparse.errors import StudyError

SOURCE = '''"""Of the module, which is none of a definition."""
def first(x):
    """Return the matplotlib Figure of X_1, one two three four."""
    def inner():
        """Of a function inside a function, which is not public at all."""
class Second(Base):
    """A class of pandas with words enough to be seen here, `pd.DataFrame`."""
    def _private(self):
        """Nobody has to know what this one does, and nobody reads it."""
    async def method(self):
        r"""Methods count, too: the regex \\d is eight words long."""
    def short(self):
        """Too short."""
    def none(self):
        return 1
'''


def test_public_docstrings_of_classes_methods_and_functions_without_the_names_of_libraries():
    assert list(docstrings.read_source(SOURCE)) == [
        "return the figure of x one two three four",
        "a class of with words enough to be seen here dataframe",
        "methods count too the regex d is eight words long",
    ]


def test_what_two_libraries_share_is_of_neither():
    assert docstrings.drop_shared([["a", "b"], ["b", "c"], ["d"]]) == [["a"], ["c"], ["d"]]


def test_versions_are_those_of_the_lock_where_they_are_the_same_everywhere():
    lock = (REPOSITORY / "requirements.lock").read_text()
    for name, (_, version) in docstrings.PACKAGES.items():
        assert re.findall(rf"^{name}==(\S+)", lock, flags=re.MULTILINE) == [version]


def test_texts_are_balanced_different_and_name_no_library():
    texts, labels = docstrings.read()
    assert np.bincount(labels).tolist() == [docstrings.EACH] * len(docstrings.PACKAGES)
    assert len(set(texts)) == len(texts)
    assert not docstrings.NAMES & {word for text in texts for word in text.split()}
    assert min(len(text.split()) for text in texts) >= docstrings.FEWEST_WORDS


def test_another_version_is_named_and_no_other_dataset_comes_of_it(monkeypatch):
    installed = importlib.metadata.version
    monkeypatch.setattr(importlib.metadata, "version", lambda name: "9.9" if name == "pandas" else installed(name))
    with pytest.raises(StudyError, match=r"source of pandas 3\S+ \(here 9.9\): other versions.*requirements.lock"):
        docstrings.read()

    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(StudyError, match=r"sympy \S+ \(here none\)"):
        docstrings.read()


def test_files_that_are_not_of_the_release_are_told_by_the_checksum(monkeypatch):
    monkeypatch.setattr(docstrings, "docstrings", lambda package: [f"{package} {index}" for index in range(900)])
    with pytest.raises(StudyError, match="are not those of their releases.*install them again"):
        docstrings.read()
