"""Processes of `make all` while notebooks run: they end together and wait for each other."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from conftest import REPOSITORY, write_notebook

SLOW = "import time; open('{place}', 'a').write('x'); time.sleep({seconds})"


@pytest.fixture
def study(root, tmp_path):
    """Return a function that starts `python -m randsparse all` on a study of one notebook with this cell."""
    started: list[subprocess.Popen] = []

    def start(cell: str | None = None) -> subprocess.Popen:
        if cell:
            write_notebook(root, "01_first", cell)
        environment = {
            **os.environ,
            "PYTHONPATH": str(REPOSITORY / "lib"),
            "RANDSPARSE_RESULTS": str(tmp_path / "results"),
        }
        command = [sys.executable, "-m", "randsparse", "all"]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
        started.append(subprocess.Popen(command, cwd=root, env=environment, **pipes))
        return started[-1]

    yield start
    for process in started:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def wait_for(condition, seconds: float = 90) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it took too long"
        time.sleep(0.1)


def family(process: subprocess.Popen) -> list[psutil.Process]:
    return psutil.Process(process.pid).children(recursive=True)


def kernel_of(process: subprocess.Popen) -> psutil.Process:
    (kernel,) = [each for each in family(process) if "ipykernel_launcher" in " ".join(each.cmdline())]
    return kernel


def cell(tmp_path: Path, seconds: float) -> tuple[str, Path]:
    place = tmp_path / "started"
    return SLOW.format(place=place, seconds=seconds), place


def test_the_end_of_the_parent_ends_notebook_processes_and_kernels(study, tmp_path):
    code, place = cell(tmp_path, 300)
    process = study(code)
    wait_for(place.exists)
    children = family(process)
    assert len(children) >= 2
    process.kill()
    wait_for(lambda: not [each for each in children if each.is_running() and each.status() != "zombie"], 30)


def test_a_dead_kernel_is_started_again_and_then_said_in_one_line(study, tmp_path):
    code, place = cell(tmp_path, 0)
    process = study(code + "; import os; os._exit(9)")
    out, err = process.communicate(timeout=240)
    assert process.returncode == 2 and place.read_text() == "xxx"  # twice again
    lines = [line for line in err.splitlines() if line]
    assert lines[-1].startswith("randsparse: notebook 01_first: its process died 3 times; is memory short?")
    assert "Traceback" not in err and len(lines) == 3
    assert not list((tmp_path / "results").rglob("*.failed.ipynb"))


def test_a_kernel_that_is_killed_once_costs_nothing_else(study, tmp_path):
    code, place = cell(tmp_path, 8)
    process = study(code)
    wait_for(place.exists)
    kernel_of(process).kill()
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0 and "01_first: executed" in out and "Traceback" not in err
    assert place.read_text() == "xx"


def test_a_notebook_process_that_is_killed_once_costs_nothing_else(study, tmp_path):
    code, place = cell(tmp_path, 8)
    process = study(code)
    wait_for(place.exists)
    kernel_of(process).parent().kill()
    out, err = process.communicate(timeout=240)
    assert process.returncode == 0 and "01_first: executed" in out and "Traceback" not in err, err
    assert place.read_text() == "xx"


def test_a_second_make_all_waits_for_the_first(study, tmp_path):
    code, place = cell(tmp_path, 8)
    first = study(code)
    wait_for(place.exists)
    second = study()
    ends = [each.communicate(timeout=240) for each in (first, second)]
    assert first.returncode == second.returncode == 0 and place.read_text() == "x"
    assert "waiting for process" in ends[1][1] and "executed" not in ends[1][0]


def test_ctrl_c_while_notebooks_run_is_one_line_within_seconds(study, tmp_path):
    code, place = cell(tmp_path, 300)
    process = study(code)
    wait_for(place.exists)
    children = family(process)
    os.killpg(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130
    assert [line for line in err.splitlines() if line] == [
        "randsparse: stopped; the same command goes on where this one was"
    ]
    wait_for(lambda: not [each for each in children if each.is_running() and each.status() != "zombie"], 30)


def test_ctrl_c_at_the_start_is_no_traceback(study, tmp_path):
    for seconds in (0.1, 0.2, 0.4, 0.8):  # of computing: before the first of these, Python itself is not ready
        process = study(cell(tmp_path, 300)[0])
        started = psutil.Process(process.pid)
        wait_for(lambda: sum(started.cpu_times()[:2]) >= seconds)  # noqa: B023, it is called at once
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert process.returncode in (130, -signal.SIGINT) and len(err.splitlines()) <= 1, err
