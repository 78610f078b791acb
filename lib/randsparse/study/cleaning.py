"""Removing what the study made for a profile, and nothing else: `make clean`. Records of runs stay.

It needs no package but Python's own, so that it works without the environment.
"""

from __future__ import annotations

import contextlib
import shutil
import sys
from pathlib import Path

from randsparse.errors import StudyError, unknown
from randsparse.study import parameters
from randsparse.study.settings import find_results_folder

CACHES = (".pytest_cache", ".ruff_cache")
CUSTOM = "custom"
"""The folder of notebooks whose parameters were changed."""
MADE = (
    *("notebooks/[0-9][0-9]_*.ipynb", "figures/[0-9][0-9]_*", "tables/[0-9][0-9]_*.csv", "state.json"),
    *(".staging", ".book", "html"),
)
"""What the study makes below the results of a profile: files, and folders of the moment."""


def clean(profile: str, root: Path, results: Path) -> int:
    """Remove the outputs of a profile and of changed notebooks, and the caches of tools; return how many files.

    Files that the study did not make, and folders that hold some, stay. Raises StudyError for an unknown profile.
    """
    if profile not in parameters.list_profiles(root):
        raise unknown("profile", profile, parameters.list_profiles(root))
    count = 0
    for folder in (results / profile, results / CUSTOM):
        for path in [path for pattern in MADE for path in folder.glob(pattern)]:
            count += 1
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        for name in ("notebooks", "figures", "tables", ""):
            with contextlib.suppress(OSError):  # it is not there, or not empty
                (folder / name).rmdir()
    for name in CACHES:
        shutil.rmtree(root / name, ignore_errors=True)
    return count


def main(arguments: list[str]) -> int:
    """Clean the profile that is named; an error that the user can mend is one line on stderr, and exit status 2."""
    root = parameters.find_root()
    try:
        count = clean(arguments[0] if arguments else parameters.DEFAULT_PROFILE, root, find_results_folder(root))
    except (StudyError, OSError) as error:
        print(f"randsparse: {error}", file=sys.stderr)  # noqa: T201
        return 2
    print(f"{count} files removed; records of runs stay")  # noqa: T201
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
