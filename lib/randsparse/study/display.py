"""How the tables and figures of a notebook are shown: for reading, while their files have every digit."""

from __future__ import annotations

import re


def alternative_text(caption: str) -> str:
    """Return what a figure shows in words: the first sentence of its caption, without the marks of Markdown."""
    plain = re.sub(r"[*`$]|\[([^]]*)\]\([^)]*\)", r"\1", caption.replace("**Figure.**", "")).strip()
    first = re.match(r".*?[.:;?!](?=\s+[A-Z]|\s*$)", plain, flags=re.DOTALL)
    return " ".join((first[0] if first else plain).split())
