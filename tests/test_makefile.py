"""The Makefile passes what the user sets as it is, and runs none of it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import REPOSITORY


@pytest.fixture
def make(tmp_path: Path):
    """Return a function that runs make in a folder where the study is a script that prints its arguments."""
    shutil.copy(REPOSITORY / "Makefile", tmp_path)
    shutil.copy(REPOSITORY / "requirements.lock", tmp_path)
    python = tmp_path / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\nshift 2\nfor word in "$@"; do printf "%s\\n" "$word"; done\n')
    python.chmod(0o755)
    named = subprocess.run(
        ["make", "-pn"], cwd=tmp_path, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True
    ).stdout
    (stamp,) = [line.split(" := ")[1] for line in named.splitlines() if line.startswith("STAMP := ")]
    (tmp_path / stamp).touch()

    def run(*arguments: str) -> subprocess.CompletedProcess:
        # Nothing of a make that runs these tests, and none of the variables that it was given, reaches this one.
        clean = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        return subprocess.run(["make", *arguments], cwd=tmp_path, env=clean, capture_output=True, text=True)

    return run


HOSTILE = [
    "a b",
    "it's",
    'a"b',
    "x; touch pwned",
    "$$(touch pwned)",
    "`touch pwned`",
    "x'; touch pwned; echo '",
    "a && touch pwned",
]


@pytest.mark.parametrize("value", HOSTILE)
@pytest.mark.parametrize("name", ["PROFILE", "OUT", "FROM", "CLUSTER", "PART", "BUDGET"])
def test_values_reach_the_study_whole_and_are_never_run(make, tmp_path, name, value):
    printed = make("runs", f"{name}={value}").stdout.splitlines()
    option = f"--{name.lower()}"
    assert printed[printed.index(option) + 1] == value.replace("$$", "$")
    assert not (tmp_path / "pwned").exists()
    assert make("clean", f"PROFILE={value}").returncode == 0 and not (tmp_path / "pwned").exists()


def test_all_that_is_set_is_passed_on_and_nothing_else(make):
    assert make("all").stdout.split() == ["all", "--profile", "digits"]
    given = make("all", "PROFILE=tiny", "BUDGET=25m", "WHY=1", "RETRY=1").stdout.split()
    assert given == ["all", "--profile", "tiny", "--budget", "25m", "--why", "--retry"]


def test_an_unknown_variable_is_refused(make):
    ended = make("status", "PROFIL=tiny")
    assert ended.returncode == 2 and "unknown variable PROFIL: there are PROFILE " in ended.stderr
