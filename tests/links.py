"""What the pages of a folder link to, read from their HTML."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The addresses of a page, those among them that a browser loads by itself, and the names of its places."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.all: list[str] = []
        self.loaded: list[str] = []
        self.places = {""}
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        for name, value in attributes:
            if name == "id":
                self.places.add(value)
            if name in ("href", "src", "data", "srcset") and value:
                self.all.append(value)
                if tag not in ("a", "svg"):
                    self.loaded.append(value)


def dead(folder: Path) -> list[str]:
    """Return each link of a page to a file, or to a place in a page, of this folder that is not there."""
    folder = folder.resolve()
    pages = {path: Page(path) for path in folder.rglob("*.html")}
    assert pages
    found = []
    for path, page in pages.items():
        for link in page.all:
            parts = urlsplit(link)
            if parts.scheme:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            places = pages[target].places if target in pages else {unquote(parts.fragment)}
            if not target.is_file() or not target.is_relative_to(folder) or unquote(parts.fragment) not in places:
                found.append(f"{path.relative_to(folder)}: {link}")
    return found


def outside(folder: Path) -> list[str]:
    """Return the addresses outside of the folder that a page would make a browser load."""
    loaded = {link for path in folder.rglob("*.html") for link in Page(path).loaded}
    return sorted(link for link in loaded if urlsplit(link).scheme not in ("", "data") or link.startswith("/"))
