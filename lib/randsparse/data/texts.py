"""Texts as datasets: words, the vocabulary of the training part, and the tokens that a network sees."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np

from randsparse.data import docstrings

PADDING, OTHER = 0, 1
"""The tokens behind the end of a text, and of a word that is not in the vocabulary."""


@dataclass(frozen=True)
class Text:
    """A dataset of texts, as it is published.

    Args:
        read: returns all texts and their labels (N,); it is given the folder of datasets.
        vocabulary: the number of tokens: PADDING, OTHER, and the most frequent words of the training part.
        length: how many words a network sees, from the beginning of a text.
        samples: the number of texts; `val` and `test` of them, drawn from all, are these parts.
    """

    read: Callable[[Path], tuple[Sequence[str], np.ndarray]]
    classes: int
    vocabulary: int
    length: int
    samples: int
    val: int
    test: int
    kind: ClassVar[str] = "text"
    official_test: ClassVar[bool] = False

    @property
    def shape(self) -> tuple[int, int, int]:
        """(classes, vocabulary, length)."""
        return self.classes, self.vocabulary, self.length


TEXTS: dict[str, Text] = {
    "docstrings": Text(
        read=docstrings.read,
        classes=len(docstrings.PACKAGES),
        vocabulary=1000,
        length=32,
        samples=docstrings.EACH * len(docstrings.PACKAGES),
        val=800,
        test=800,
    ),
}


def words(text: str) -> list[str]:
    """Return the words of a text in lower case: runs of letters, without digits and underscores."""
    return re.findall(r"[^\W\d_]+", text.lower())


def vocabulary(texts: Iterable[str], size: int) -> dict[str, int]:
    """Return the tokens of the `size` - 2 most frequent words of some texts, from 2; equally frequent ones by name."""
    counts = Counter(word for text in texts for word in words(text))
    frequent = sorted(counts, key=lambda word: (-counts[word], word))[: size - 2]
    return {word: token for token, word in enumerate(frequent, start=OTHER + 1)}


def encode(texts: Sequence[str], tokens: Mapping[str, int], length: int) -> np.ndarray:
    """Return the tokens of the first `length` words of each text, int32 (N, length), PADDING behind a shorter one."""
    encoded = np.full((len(texts), length), PADDING, dtype=np.int32)
    for row, text in zip(encoded, texts, strict=True):
        found = [tokens.get(word, OTHER) for word in words(text)[:length]]
        row[: len(found)] = found
    return encoded
