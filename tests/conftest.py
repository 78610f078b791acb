from __future__ import annotations

import shutil
import signal
from pathlib import Path

import nbformat
import pytest
import torch

from randsparse.runs.config import RunConfig

torch.set_num_threads(1)
# A shell starts background jobs deaf to Ctrl-C, and so would be all that tests start.
signal.signal(signal.SIGINT, signal.default_int_handler)

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def only_own_folders(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    """No test reads or writes the folders that the caller's environment names; the CIFAR-10 check reads its data."""
    for name in (
        "RANDSPARSE_RESULTS",
        "RANDSPARSE_STAGING",
        "RANDSPARSE_WORKERS",
        "RANDSPARSE_DEVICE",
        "RANDSPARSE_CLUSTER",
    ):
        monkeypatch.delenv(name, raising=False)
    if "cifar10" not in request.keywords:
        monkeypatch.delenv("DATA_DIR", raising=False)


@pytest.fixture
def tiny() -> RunConfig:
    """A run of about a second."""
    return RunConfig(dataset="digits", train_samples=256, model="wrn-10-1", epochs=2, batch_size=64)


PARAMETERS = """\
profile: str = "digits"  # where the results go
sparsities: list[float] = [0, 0.5]  # fractions removed
epochs: int = 3  # of training
"""


def write_notebook(root: Path, name: str, *cells: str, parameters: str = PARAMETERS) -> Path:
    """Write a notebook of `root`: its title, its parameters cell and code cells."""
    notebook = nbformat.v4.new_notebook()
    tagged = nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]})
    title = nbformat.v4.new_markdown_cell(f"# Title of {name}\n\n**Claim.** It holds that $p_l < 1$.\n\nMore.")
    notebook.cells = [title, tagged, *map(nbformat.v4.new_code_cell, cells)]
    for index, cell in enumerate(notebook.cells):
        cell.id = f"{name[:2]}-{index}"
    path = root / "notebooks" / f"{name}.ipynb"
    nbformat.write(notebook, path)
    return path


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A study of one's own: the library of this one, a profile "tiny", and no notebooks yet."""
    folder = tmp_path / "study"
    (folder / "notebooks" / "profiles" / "tiny").mkdir(parents=True)
    (folder / "pyproject.toml").touch()
    shutil.copytree(REPOSITORY / "lib", folder / "lib", ignore=shutil.ignore_patterns("__pycache__"))
    return folder
