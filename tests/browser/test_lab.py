"""A notebook is changed in JupyterLab, run and saved: the results of the profile stay, and the change is announced."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
import urllib.request

import nbformat
import pytest

from conftest import PARAMETERS, REPOSITORY, write_notebook
from randsparse.study import parameters

pytestmark = pytest.mark.browser
CELLS = (
    "import pandas\nfrom randsparse.study.notebook import Notebook\nnotebook = Notebook.open('01_first', globals())",
    "notebook.table(pandas.DataFrame({'sparsity': sparsities, 'epochs': epochs}), 'values')",
)
CHANGED = PARAMETERS.replace("[0, 0.5]", "[0.25, 0.75]").replace("= 3", "= 7")


@pytest.fixture
def study(root):
    """A study under git, whose one notebook saves its parameters as a table."""
    path = write_notebook(root, "01_first", *CELLS)
    notebook = nbformat.read(path, as_version=4)
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3 (ipykernel)", "language": "python"}
    nbformat.write(notebook, path)
    parameters.define_default("01_first", root)
    (root / ".gitignore").write_text("results/\n.ipynb_checkpoints/\n")
    for arguments in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run(["git", "-C", root, "-c", "user.name=a", "-c", "user.email=a@b", *arguments], check=True)
    return root


def run(root, command):
    environment = {**os.environ, "PYTHONPATH": str(root / "lib")}
    done = subprocess.run(
        [sys.executable, "-m", "randsparse", command], cwd=root, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def lab(study):
    """The address of a JupyterLab that was started as `make lab` starts it."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    outside = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}  # nothing of an outer make
    command = ["make", "-n", "lab"]
    made = subprocess.run(command, cwd=REPOSITORY, env=outside, capture_output=True, text=True).stdout.split()
    options = made[made.index("lab") + 1 :]
    assert options == ["--ServerApp.root_dir=.", "notebooks/00_overview.ipynb"]
    options[-1] = "notebooks/01_first.ipynb"
    more = ["--no-browser", "--allow-root", f"--port={port}", "--ServerApp.ip=127.0.0.1", "--IdentityProvider.token="]
    environment = {**os.environ, "PYTHONPATH": str(study / "lib")}
    log = (study.parent / "lab.log").open("w")
    command = [sys.executable, "-m", "jupyter", "lab", *options, *more]
    server = subprocess.Popen(command, cwd=study, env=environment, stdout=log, stderr=log)
    address = f"http://127.0.0.1:{port}"
    for _ in range(240):
        try:
            urllib.request.urlopen(f"{address}/api", timeout=5).close()
            break
        except OSError:
            assert server.poll() is None, (study.parent / "lab.log").read_text()
            time.sleep(0.5)
    yield address
    server.terminate()
    server.wait(30)


def test_a_notebook_that_is_changed_run_and_saved_leaves_the_profile_as_it_was(study, lab, browser):
    run(study, "all")
    table = study / "results" / "digits" / "tables" / "01_first_values.csv"
    before = table.read_text()
    assert before == "sparsity,epochs\n0.0,3\n0.5,3\n"
    assert "differ" not in run(study, "status")

    page = browser.new_page()
    page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(f"{lab}/lab/tree/notebooks/01_first.ipynb")
    cell = page.locator(".jp-CodeCell .cm-content").first
    cell.wait_for(timeout=90_000)
    kernel = page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]")
    kernel.wait_for(state="attached", timeout=180_000)  # what is run before its start can be lost
    cell.click()
    page.keyboard.press("Control+A")
    page.keyboard.insert_text(CHANGED)
    shown = page.locator(".jp-OutputArea-output table")
    for _ in range(3):  # on a busy machine JupyterLab can lose what is asked of it
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        end = time.monotonic() + 60
        while not shown.count() and time.monotonic() < end:
            page.wait_for_timeout(500)
        if shown.count():
            break
    shown.wait_for(timeout=1_000)
    page.keyboard.press("Control+S")
    source = study / "notebooks" / "01_first.ipynb"
    end = time.monotonic() + 60
    while "0.75" not in source.read_text() and time.monotonic() < end:
        time.sleep(0.5)
    assert "0.75" in source.read_text() and '"outputs": []' in source.read_text()
    page.close()

    changed = study / "results" / "custom" / "tables" / "01_first_values.csv"
    assert changed.read_text() == "sparsity,epochs\n0.25,7\n0.75,7\n" and table.read_text() == before
    announced = "01_first differs from the committed form"
    assert announced in run(study, "status") and announced in run(study, "all")
    assert table.read_text() == before
    executed = (study / "results" / "digits" / "notebooks" / "01_first.ipynb").read_text()
    assert "sparsities = [0, 0.5]" in executed and "0.25, 0.75" in executed
