"""What a training process does with memory that it frees."""

from __future__ import annotations

import platform
import resource
import subprocess
import sys

import pytest

from randsparse.training import environment

PAGES = """
import resource
from randsparse.training import environment
KEEP
for round in range(11):
    block = bytearray(2**26)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt if round == 0 else before
    del block
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def faults(keep: bool) -> int:
    """Return how many pages the system gave a process that asked for 64 MiB ten times, after a first time."""
    program = PAGES.replace("KEEP", "assert environment.keep_freed()" if keep else "")
    return int(subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="needs glibc")
def test_freed_memory_is_used_again():
    pages = 10 * 2**26 // resource.getpagesize()
    assert faults(keep=False) > 0.5 * pages
    assert faults(keep=True) < 0.05 * pages


def test_another_c_library_is_left_alone(monkeypatch):
    monkeypatch.setattr(environment.sys, "platform", "darwin")
    assert not environment.keep_freed()
