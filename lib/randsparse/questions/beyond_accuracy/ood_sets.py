"""The names of images that a network was not trained on; `ood_images` reads or makes them."""

from __future__ import annotations

from randsparse.data.catalogue import DATASETS
from randsparse.errors import unknown

MADE = ("gaussian-noise", "uniform-noise", "rotated", "inverted", "shuffled")
"""What is made, of nothing or of the test images: `ood_images` has how."""
SETS = (*MADE, *DATASETS, "svhn")
FOLDER = "folder:"


def check_name(name: str) -> None:
    """Raise StudyError unless `name` is one of SETS or names a folder."""
    if name not in SETS and not (name.startswith(FOLDER) and name.removeprefix(FOLDER)):
        raise unknown("set of images", name, (*SETS, f"{FOLDER}PATH"))
