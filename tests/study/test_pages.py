from __future__ import annotations

import re
import shutil

import nbformat
import pandas as pd
import pytest

from conftest import write_notebook
from randsparse.study import pages


@pytest.fixture
def folder(root):
    """A profile's results: a notebook with a table as output, a figure, and verdicts."""
    results = root / "results" / "tiny"
    for name in ("notebooks", "figures", "tables"):
        (results / name).mkdir(parents=True)
    source = write_notebook(root, "01_first", "frame")
    notebook = nbformat.read(source, as_version=4)
    table = {"text/html": "<table><tr><td>0.5</td></tr></table>"}
    notebook.cells[-1].outputs = [nbformat.v4.new_output("execute_result", table)]
    nbformat.write(notebook, results / "notebooks" / "01_first.ipynb")
    shutil.copy(source, results / "notebooks" / "02_second.failed.ipynb")
    (results / "figures" / "01_first_final_accuracy.png").write_bytes(b"png")
    verdicts = pd.DataFrame({"claim": ["searched > random & so on"], "verdict": ["inconclusive"]})
    verdicts.to_csv(results / "tables" / "01_first_verdicts.csv", index=False)
    return results


def test_front_is_the_title_and_the_claim(root):
    notebook = nbformat.read(write_notebook(root, "01_first"), as_version=4)
    assert pages.front(notebook) == pages.Front("Title of 01_first", "It holds that $p_l < 1$.")
    notebook.cells = notebook.cells[1:]
    assert pages.front(notebook) == pages.Front("", "")


def test_pages_are_whole_and_need_no_network(folder):
    index = pages.write_pages("tiny", folder)
    assert {path.name for path in index.parent.iterdir()} == {"index.html", "01_first.html"}
    for path in index.parent.iterdir():
        text = path.read_text()
        assert text.startswith("<!DOCTYPE html>") and "</html>" in text
        assert not re.search(r"<script|@import|url\(|(src|href)=[\"']?(https?:|//|/)", text)
        assert str(folder) not in text


def test_the_index_links_notebooks_figures_and_shows_claims_and_verdicts(folder):
    text = pages.write_pages("tiny", folder).read_text()
    for link in re.findall(r'(?:href|src)="([^"]+)"', text):
        assert link.endswith(".svg") or (folder / "html" / link).resolve().is_file(), link
    assert '<img src="../figures/01_first_final_accuracy.png" alt="final accuracy">' in text
    assert "<math" in text and "It holds that" in text and "Profile <b>tiny</b>" in text
    assert '<span class="verdict open">inconclusive</span> <span>searched &gt; random &amp; so on</span>' in text


def test_a_page_has_the_outputs_and_the_code_folded(folder):
    text = (pages.write_pages("tiny", folder).parent / "01_first.html").read_text()
    assert '<td class="number">0.5</td>' in text and "<h1" in text and text.count("<details") == 2


def test_columns_of_numbers_are_told_from_text():
    rows = "<tr><td>erk</td><td>-0.5</td><td></td></tr><tr><td>2 runs</td><td>1e-05</td><td>nan</td></tr>"
    body = pages.with_aligned_columns(f"<p>1</p><table><tr><th>a</th><th>b</th><th>c</th></tr>{rows}</table>")
    assert body.count('class="number"') == 6 and '<th>a</th><th class="number">b</th>' in body
    assert "<td>2 runs</td>" in body and body.startswith("<p>1</p>")


def test_formulas_become_mathml_and_other_dollars_stay():
    assert pages.with_mathml("so $p_l$ is").startswith("so <math") and "$" not in pages.with_mathml("$p_l$")
    assert 'display="block"' in pages.with_mathml("$$\n\\sum_l N_l\n$$")
    for text in (r"a \$5 b \$", "costs 5$ and 6$", "`$x$`", "```\n$x$\n```"):
        assert pages.with_mathml(text) == text
