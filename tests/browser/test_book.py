"""Both books in a browser: on a desk and on a phone, with every folded part open."""

from __future__ import annotations

import shutil

import pytest

import links
from conftest import REPOSITORY
from randsparse.study import book

pytestmark = pytest.mark.browser
SIZES = ((1280, 900), (390, 844))


@pytest.fixture(scope="module", params=["cifar10-small", "digits"])
def pages(request, browser, tmp_path_factory):
    """The folder of a book, sent elsewhere: of what is executed here, and of sources where nothing is."""
    folder = tmp_path_factory.mktemp("results") / request.param
    for name in ("notebooks", "tables"):
        if (REPOSITORY / "results" / request.param / name).is_dir():
            shutil.copytree(REPOSITORY / "results" / request.param / name, folder / name)
    sent = tmp_path_factory.mktemp("sent") / "book"
    shutil.move(book.write_book(request.param, REPOSITORY, folder).parent, sent)
    return sent


@pytest.fixture
def page(browser):
    """A page that notes what it asks for elsewhere, and the errors on its console."""
    page = browser.new_page()
    page.faults = []
    page.on("request", lambda asked: asked.url.startswith(("file:", "data:")) or page.faults.append(asked.url))
    page.on("requestfailed", lambda asked: page.faults.append(f"not there: {asked.url}"))
    page.on("console", lambda said: page.faults.append(said.text) if said.type in ("error", "warning") else None)
    page.on("pageerror", lambda error: page.faults.append(str(error)))
    yield page
    page.close()


def test_every_page_fits_loads_nothing_from_elsewhere_and_has_no_error(pages, page):
    assert links.dead(pages) == [] and links.outside(pages) == []
    found = sorted(pages.rglob("*.html"))
    assert len(found) > 15
    too_wide, broken = [], []
    for path in found:
        for width, height in SIZES:
            page.set_viewport_size({"width": width, "height": height})
            page.goto(path.as_uri())
            page.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
            if page.evaluate("document.documentElement.scrollWidth") > width:
                too_wide.append((path.name, width))
        page.evaluate("document.querySelectorAll('img').forEach(each => each.loading = 'eager')")
        broken += page.evaluate(
            "[...document.images].filter(each => !each.complete || !each.naturalWidth).map(each => each.src)"
        )
        unnamed = page.evaluate("[...document.images].filter(each => !each.alt).map(each => each.src)")
        assert unnamed == [], path.name
    assert (too_wide, broken, page.faults) == ([], [], [])


def test_a_wide_table_scrolls_in_its_own_box_and_says_so(pages, page):
    page.set_viewport_size({"width": 390, "height": 844})
    said = "[getComputedStyle(each).overflowX, getComputedStyle(each, '::before').content, each.tabIndex]"
    wide = []
    for path in sorted((pages / "notebooks").glob("*.html")):
        page.goto(path.as_uri())
        wide += page.evaluate(f"""[...document.querySelectorAll('.cell_output .text_html')]
            .filter(each => each.scrollWidth > each.clientWidth + 1).map(each => {said})""")
    executed = "executed yet" not in (pages / "index.html").read_text()
    assert all(box == ["auto", '"The table scrolls sideways →"', 0] for box in wide) and (wide or not executed)


def test_one_can_search_go_on_and_read_in_the_dark(pages, page):
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto((pages / "index.html").as_uri())
    page.fill("input[name=q]", "density")
    page.press("input[name=q]", "Enter")
    page.wait_for_selector("#search-results li a", timeout=20_000)
    page.goto((pages / "notebooks" / "02_random_search.html").as_uri())
    page.click("text=Next")
    page.wait_for_url("**/03_sparsity_vs_accuracy.html")
    colour = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(colour)
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(colour) != light and page.faults == []
