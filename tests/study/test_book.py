from __future__ import annotations

import base64
import json
import re
import shutil

import nbformat
import pandas as pd
import pytest

import links
from conftest import REPOSITORY, write_notebook
from randsparse.errors import StudyError
from randsparse.study import book, book_pages

PIXEL = base64.b64encode(
    bytes.fromhex(
        "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
        "1f15c4890000000d49444154789c6360000002000001e221bc330000000049454e44ae426082"
    )
).decode()


@pytest.fixture
def folder(root, monkeypatch):
    """A profile's results: of two notebooks the first is executed, with a table, a figure, an abstract and verdicts."""
    monkeypatch.setattr(book, "LATE", 0)
    (root / "docs").mkdir()
    (root / "README.md").write_text(
        "# A study\n\n[First](notebooks/01_first.ipynb), [terms](LICENSE), [more](docs/more.md)\n"
    )
    (root / "LICENSE").write_text("terms")
    (root / "docs" / "more.md").write_text("# More\n\nBack to [the study](../README.md).\n")
    results = root / "results" / "tiny"
    for name in ("notebooks", "tables"):
        (results / name).mkdir(parents=True)
    source = write_notebook(root, "01_first", "frame")
    write_notebook(root, "02_second", "2 + 2")
    notebook = nbformat.read(source, as_version=4)
    notebook.cells[0].source += " See [the second](02_second.ipynb).\n\n$$\\sum_l N_l$$"
    table = '<table><tr><td class="number">0.5</td><td><a href="02_second.ipynb">b</a></td></tr></table>'
    rest = '<a href="../tables/01_first_verdicts.csv">all</a>'
    notebook.cells[-1].outputs = [
        nbformat.v4.new_output("execute_result", {"text/markdown": "**Abstract.** So it [is](02_second.ipynb)."}),
        nbformat.v4.new_output("display_data", {"text/html": table + rest}),
        nbformat.v4.new_output("display_data", {"image/png": PIXEL}, metadata={"image/png": {"alt": "What & how"}}),
    ]
    nbformat.write(notebook, results / "notebooks" / "01_first.ipynb")
    claims = ["searched > random & so on", "a check"]
    verdicts = pd.DataFrame({"claim": claims, "verdict": ["not tested", "supported"], "kind": ["finding", "check"]})
    verdicts.to_csv(results / "tables" / "01_first_verdicts.csv", index=False)
    return results


def write(root, folder):
    return book.write_book("tiny", root, folder)


def times(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_a_book_is_whole_links_within_itself_and_is_written_anew_where_its_sources_differ(root, folder, tmp_path):
    first = write(root, folder)
    shutil.copytree(first.parent, tmp_path / "sent")
    assert links.dead(tmp_path / "sent") == [] and links.outside(tmp_path / "sent") == []
    page = (first.parent / "notebooks" / "01_first.html").read_text()
    assert '<a href="02_second.html">b</a>' in page and '<td class="number">0.5</td>' in page
    assert 'alt="What &amp; how"' in page and "<math" in page
    assert re.search(r'<div class="formula"><math[^>]*display="block"', page) and page.count("<details") == 2
    index = first.read_text()
    assert '<span class="verdict not">not tested</span> searched &gt; random &amp; so on' in index
    assert "a check" not in index and "1 of 2 notebooks are not executed yet" in index
    assert "not executed yet" in (first.parent / "notebooks" / "02_second.html").read_text()
    assert "not executed yet" not in page and "What follows" not in page
    for path in first.parent.rglob("*.html"):
        assert str(root) not in path.read_text()

    before = times(first.parent)
    write(root, folder)
    assert {path.name for path, time in times(first.parent).items() if before.get(path) != time} <= {
        "search.html",
        "genindex.html",
        "searchindex.js",
        "objects.inv",
    }
    (root / "docs" / "more.md").write_text("# More than that\n")
    (first.parent / "notebooks" / "02_second.html").unlink()
    (first.parent / "index.html").write_text("by hand")
    (folder / book.BUILD / "unfinished").touch()
    (folder / book.BUILD / "html" / "README.html").write_text("half")
    write(root, folder)
    assert "More than that" in (first.parent / "docs" / "more.html").read_text()
    assert links.dead(first.parent) == [] and "by hand" not in first.read_text()
    assert not (folder / book.BUILD / "unfinished").exists() and "A study" in (first.parent / "README.html").read_text()


def test_a_fault_is_one_line_that_names_the_page_each_time(root, folder):
    (root / "docs" / "more.md").write_text("# More\n\n[nowhere](nothing.md)\n")
    for _ in range(2):
        with pytest.raises(StudyError, match=r"^the book has a fault: docs/more.md:3: WARNING: .*nothing.md") as raised:
            write(root, folder)
        assert "\n" not in str(raised.value)


def test_the_front_of_a_notebook_is_its_title_and_its_abstract_or_first_paragraph(root, folder):
    executed = json.loads((folder / "notebooks" / "01_first.ipynb").read_text())
    assert book_pages.read_front(executed) == ("Title of 01_first", "So it [is](02_second.ipynb).")
    source = json.loads((root / "notebooks" / "01_first.ipynb").read_text())
    assert book_pages.read_front(source) == ("Title of 01_first", "It holds that $p_l < 1$.")
    source["cells"] = source["cells"][1:]
    assert book_pages.read_front(source) == ("", "")


def test_a_page_folds_code_says_what_it_is_and_changes_no_other_link(root, folder):
    executed = json.loads((folder / "notebooks" / "01_first.ipynb").read_text())
    executed["cells"][1]["metadata"]["tags"] = ["injected-parameters"]
    html = '<a href="https://e.org/02_a.ipynb">a</a> <a href="../notebooks/02_a.ipynb#b">b</a> <a href="02_a.csv">c</a>'
    executed["cells"][-1]["outputs"][1]["data"]["text/html"] = html
    page = book_pages.make_page(executed, True)
    shown = page["cells"][-1]["outputs"][1]["data"]["text/html"]
    assert shown == html.replace("notebooks/02_a.ipynb#b", "notebooks/02_a.html#b")
    prompts = [cell["metadata"]["mystnb"]["code_prompt_show"] for cell in page["cells"] if cell["cell_type"] == "code"]
    assert prompts == ["What this profile changes", "Code"]
    assert len(page["cells"]) == len(executed["cells"]) == len(book_pages.make_page(executed, False)["cells"]) - 1


def test_the_first_picture_is_that_of_the_first_output_that_has_one(folder):
    executed = json.loads((folder / "notebooks" / "01_first.ipynb").read_text())
    assert book_pages.find_first_picture(executed) == base64.b64decode(PIXEL)
    executed["cells"] = executed["cells"][:-1]
    assert book_pages.find_first_picture(executed) is None


def test_the_reference_of_the_library_comes_when_few_notebooks_are_missing(root, folder, monkeypatch):
    monkeypatch.setattr(book_pages, "make_reference", lambda lib: {"reference/sparsity.md": "the library"})
    assert not [path for path in book.collect_sources("tiny", root, folder) if path.startswith("reference/")]
    monkeypatch.setattr(book, "LATE", 1)
    assert "reference/sparsity.md" in book.collect_sources("tiny", root, folder)


def test_the_reference_has_the_public_modules_of_each_room():
    pages = book_pages.make_reference(REPOSITORY / "lib")
    assert set(pages) == {f"reference/{room}.md" for room in book_pages.REFERENCE}
    assert "automodule:: randsparse.sparsity.masks\n" in pages["reference/sparsity.md"]
    assert "automodule:: randsparse.training.methods.dynamic\n" in pages["reference/training.md"]
    assert "trainer" not in pages["reference/training.md"]
