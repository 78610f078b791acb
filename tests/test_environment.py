from __future__ import annotations

import importlib
import importlib.metadata
import re
import subprocess
import tomllib

import pytest
import yaml
from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from conftest import REPOSITORY

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
RANGES = [Requirement(text) for texts in (PROJECT["dependencies"], *EXTRAS.values()) for text in texts]
LOCK = (REPOSITORY / "requirements.lock").read_text()


def locked() -> dict[str, str]:
    """The version of each package that the lock holds for this machine."""
    versions = {}
    for line in re.findall(r"^[a-zA-Z0-9].*$", LOCK, flags=re.MULTILINE):
        name, version, marker = re.fullmatch(r"(\S+)==(\S+?)(?: ; (.*?))? \\", line).groups()
        if marker is None or Marker(marker).evaluate():
            versions[canonicalize_name(name)] = version
    return versions


@pytest.mark.parametrize("required", RANGES, ids=lambda required: required.name)
def test_the_lock_satisfies_every_range_of_pyproject(required):
    assert required.specifier.contains(locked()[canonicalize_name(required.name)])


def test_what_is_installed_is_what_the_lock_says():
    found = {name: importlib.metadata.version(name) for name in locked()}
    assert found == locked()


def test_every_locked_file_has_a_hash_and_none_an_address():
    entries = re.split(r"\n(?=\S)", LOCK.strip())
    assert len(entries) == len(re.findall(r"^\S+==", LOCK, flags=re.MULTILINE)) > 100
    assert all("--hash=sha256:" in entry for entry in entries)
    assert "//" not in LOCK and "index" not in LOCK and " @ " not in LOCK


def test_conda_takes_its_versions_from_the_lock():
    python, pip, with_pip = yaml.safe_load((REPOSITORY / "environment.yml").read_text())["dependencies"]
    assert pip == "pip" and with_pip == {"pip": ["-r requirements.lock"]}
    assert python.removeprefix("python ").startswith(PROJECT["requires-python"])


def test_torchvision_imports_with_the_torch_that_is_installed():
    assert importlib.import_module("torchvision.datasets").CIFAR10


def make(*arguments: str) -> str:
    done = subprocess.run(["make", "-n", *arguments], cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_make_shows_what_it_would_do():
    assert '-m randsparse all --profile "$PROFILE"' in make("-j2", "all")
    assert "pytest" in make("test") and "ruff" in make("test")
    assert '-m randsparse.study.cleaning "$PROFILE"' in make("clean", "PROFILE=cifar10-small", "RESULTS=elsewhere")


def test_help_names_every_target_of_the_design():
    said = subprocess.run(["make", "help"], cwd=REPOSITORY, capture_output=True, text=True).stdout
    assert {"all", "test", "lab", "runs", "status", "bench", "clean"} <= {line.split()[0] for line in said.splitlines()}


def test_an_old_python_is_refused_in_one_clear_line(tmp_path):
    for name in ("python3", "python3.11", "python3.12", "python3.13", "python3.14"):
        (tmp_path / name).write_text("#!/bin/sh\nexit 1\n")
        (tmp_path / name).chmod(0o755)
    for name in ("Makefile", "requirements.lock"):
        (tmp_path / name).write_bytes((REPOSITORY / name).read_bytes())
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run(["make", "env"], cwd=tmp_path, capture_output=True, text=True, env=environment)
    assert done.returncode != 0 and not (tmp_path / ".venv").exists()
    assert done.stdout.count("\n") == 1 and "python3 is not Python 3.11 or newer: install one" in done.stdout
