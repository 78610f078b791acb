"""Executing a notebook by papermill, so that the same results give the same executed copy, byte for byte."""

from __future__ import annotations

import concurrent.futures
import contextlib
import logging
import os
import re
import shutil
import sys
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import nbformat
from joblib.externals.loky import ProcessPoolExecutor
from jupyter_client.kernelspec import KernelSpec
from jupyter_client.manager import AsyncKernelManager
from traitlets import default

from randsparse.errors import StudyError
from randsparse.study import parameters
from randsparse.study.settings import list_outputs, make_folder, python_path
from randsparse.sweeps import locks, parents

RETRIES = 2
"""How often a notebook is started again whose process or kernel died."""
BAR = "application/vnd.jupyter.widget-view+json"
"""The kind of data of a progress bar."""

logger = logging.getLogger(__name__)
_ESCAPES = re.compile(r"\x1b\[[0-9;]*m")


class _ThisPython(AsyncKernelManager):
    """Starts the kernel with the Python that runs this, whatever kernels the user has installed."""

    @property
    def kernel_spec(self) -> KernelSpec:
        argv = [sys.executable, "-m", "ipykernel_launcher", "-f", "{connection_file}", "--log-level=50"]
        return KernelSpec(argv=argv, display_name="Python 3 (ipykernel)", language="python", env={})

    @default("connection_file")
    def _connection_file_default(self) -> str:
        """Return a file that goes with the execution's other files of the moment, however that ends."""
        return str(Path(os.environ["RANDSPARSE_STAGING"]) / "kernel.json")


class Executions:
    """Notebooks that are executed beside this process, two at a time, in processes that end with it.

    A notebook whose process or kernel died is started again, RETRIES times.

    Args:
        place: the profile, the folders of the study, of results and of datasets, as `execute` has them.
    """

    def __init__(self, *place: Any) -> None:
        self._place = place
        self._died: Counter[str] = Counter()
        self._running: dict[Future, tuple[str, ProcessPoolExecutor]] = {}
        self._pool: ProcessPoolExecutor | None = None

    def start(self, name: str) -> None:
        """Execute a notebook as soon as one of the two processes is free."""
        future = self.submit(execute, name, *self._place)  # first, as it may make the pool
        self._running[future] = name, self._pool

    def submit(self, function: Callable, *arguments: Any) -> Future:
        """Call a function in one of the processes, which are started anew if one died while it had nothing to do."""
        if self._pool is not None:
            with contextlib.suppress(BrokenProcessPool):
                return self._pool.submit(function, *arguments)
        self._pool = ProcessPoolExecutor(2, initializer=parents.work_for, initargs=(os.getpid(),))
        return self._pool.submit(function, *arguments)

    def ended(self, patience: float | None) -> Iterator[tuple[str, StudyError | None]]:
        """Yield the name of each notebook that is done, with its error if it failed.

        It waits so many seconds for the next one to be done, and without end for None.
        """
        while self._running:
            ready, _ = concurrent.futures.wait(self._running, patience, FIRST_COMPLETED)
            if not ready:
                return
            for future in ready:
                (name, pool), error = self._running.pop(future), future.exception()
                if isinstance(error, BrokenProcessPool) and pool is self._pool:
                    self._pool = None
                if isinstance(error, BrokenProcessPool | Died):
                    self._died[name] += 1
                    if self._died[name] <= RETRIES:
                        logger.warning("the process of notebook %s died: starting it again", name)
                        self.start(name)
                        continue
                    error = StudyError(
                        f"notebook {name}: its process died {self._died[name]} times; is memory short? The others are "
                        "kept: run the same command again when other programs are closed"
                    )
                elif error is not None and not isinstance(error, StudyError):
                    raise error
                yield name, error

    def close(self) -> None:
        """End the processes at once: Ctrl-C shall not wait for the cells that run."""
        if self._pool is not None:
            self._pool.shutdown(kill_workers=True)


class Died(Exception):
    """A kernel died, which says nothing about its notebook."""


def execute(name: str, profile: str, root: Path, results: Path, data_dir: Path) -> Path:
    """Execute a notebook with a profile's parameters into results/<profile>/notebooks; return the copy.

    Raises StudyError if a cell fails: an earlier copy stays as it was, and for an error that is not the
    user's the failed copy, with the whole traceback, lies beside it.
    """
    import nbclient
    import papermill

    folder = results / profile
    target, staging = folder / "notebooks" / f"{name}.ipynb", folder / ".staging" / name
    failed = target.with_suffix(".failed.ipynb")
    changes = parameters.injected_values(name, profile, root)
    os.environ.update(kernel_environment(root, results, data_dir), RANDSPARSE_STAGING=str(staging))
    for name_of_logger in ("papermill", "nbclient", "traitlets"):  # what they say is said here, in one line
        logging.getLogger(name_of_logger).setLevel(logging.CRITICAL)
    shutil.rmtree(staging, ignore_errors=True)
    with make_folder(target.parent), make_folder(staging), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            notebook = papermill.execute_notebook(
                root / "notebooks" / f"{name}.ipynb",
                failed,
                changes,
                kernel_name="python3",
                language="python",
                kernel_manager_class=_ThisPython,
                progress_bar=False,
                cwd=root / "notebooks",
                request_save_on_cell_execute=False,
            )
        except papermill.PapermillExecutionError as error:
            raise _one_line(name, error, failed) from None
        except RuntimeError as error:
            failed.unlink(missing_ok=True)
            if isinstance(error, nbclient.exceptions.DeadKernelError) or "Kernel died" in str(error):
                raise Died(str(error)) from None
            raise
        finally:
            del os.environ["RANDSPARSE_STAGING"]
        normalise(notebook, root, results)
        nbformat.write(notebook, staging / target.name)
        _publish(name, staging, folder)
        failed.unlink(missing_ok=True)
    return target


def _publish(name: str, staging: Path, folder: Path) -> None:
    """Move what an execution made into the profile's folder in place of what the last one made."""
    fresh = {path: folder / path.relative_to(staging) for path in staging.glob("*/*") if path.is_file()}
    fresh[staging / f"{name}.ipynb"] = folder / "notebooks" / f"{name}.ipynb"
    for target in set(list_outputs(name, folder)) - set(fresh.values()):
        target.unlink()
    for path, target in fresh.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        os.replace(path, target)
    shutil.rmtree(staging)
    with contextlib.suppress(OSError):
        staging.parent.rmdir()


def kernel_environment(root: Path, results: Path, data_dir: Path) -> dict[str, str]:
    """Return what tells a notebook's kernel where the library, results and datasets are."""
    return {
        "RANDSPARSE_RESULTS": str(results),
        "DATA_DIR": str(data_dir),
        locks.HELD_FOR_US: str((results / locks.LOCK).absolute()),
        "PYTHONPATH": python_path(root),
        "PYTHONHASHSEED": "0",
        "MPLBACKEND": "agg",
        # Two kernels run beside the training, with more threads they would wait for one another's cores.
        "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "1"),
    }


def _one_line(name: str, error: Exception, failed: Path) -> StudyError:
    """Return a failed cell's error in one line; the failed copy keeps the stack, where that helps."""
    first = (_ESCAPES.sub("", str(error.evalue)).strip().splitlines() or [""])[0]
    if len(error.traceback) == 1:  # a StudyError renders without its stack
        failed.unlink(missing_ok=True)
        return StudyError(f"notebook {name}: {first}")
    return StudyError(f"notebook {name}, cell {error.exec_count}: {error.ename}: {first}; see {failed}")


def normalise(notebook: nbformat.NotebookNode, root: Path, results: Path) -> None:
    """Remove from an executed notebook what the next execution would change: times, ids, paths, bars."""
    for key in ("papermill", "widgets"):
        notebook.metadata.pop(key, None)
    notebook.metadata.get("language_info", {}).pop("version", None)
    count = 0
    for index, cell in enumerate(notebook.cells):
        injected = "injected-parameters" in cell.metadata.get("tags", [])
        cell.id = "injected-parameters" if injected else cell.get("id") or f"cell-{index}"
        for key in ("papermill", "execution"):
            cell.metadata.pop(key, None)
        if cell.cell_type == "code":
            count += bool(cell.source.strip())
            cell.execution_count = count if cell.source.strip() else None
            kept = [each for each in cell.outputs if each.get("name") != "stderr" and BAR not in each.get("data", {})]
            cell.outputs = [_normal(output, count, root, results) for output in kept]


def _normal(output: nbformat.NotebookNode, count: int, root: Path, results: Path) -> nbformat.NotebookNode:
    if "execution_count" in output:
        output.execution_count = count
    if "text" in output:
        output.text = _without_paths(output.text, root, results)
    for kind, content in output.get("data", {}).items():
        if isinstance(content, str) and not kind.startswith("image/"):
            output.data[kind] = _without_paths(content, root, results)
    return output


def _without_paths(text: str, root: Path, results: Path) -> str:
    for folder, name in ((results, "results"), (root, "."), (Path(sys.prefix), ".venv"), (Path.home(), "~")):
        text = re.sub(rf"{re.escape(str(folder))}(?=[/\\]|\b)", name, text)
    return text
