"""make clean removes what the study made for one profile, whatever the folder is called, and nothing else."""

from __future__ import annotations

import pytest

from randsparse.errors import StudyError
from randsparse.study import cleaning


@pytest.fixture
def results(tmp_path):
    folder = tmp_path / "my results"
    made = [
        "figures/02_x.svg",
        "tables/02_x.csv",
        "notebooks/02_x.ipynb",
        "html/02_x.html",
        ".staging/02_x/a",
        "state.json",
    ]
    for name in [f"tiny/{path}" for path in made] + ["tiny/figures/mine.svg", "tiny/notes.txt", "runs/digits/0.json"]:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("x")
    (tmp_path / "my").mkdir()
    (tmp_path / "my" / "file").touch()
    return folder


def test_only_what_the_study_made_goes(root, results):
    assert cleaning.clean("tiny", root, results) == 6
    left = sorted(path.relative_to(results).as_posix() for path in results.rglob("*") if path.is_file())
    assert left == ["runs/digits/0.json", "tiny/figures/mine.svg", "tiny/notes.txt"]
    assert (results.parent / "my" / "file").exists() and not (results / "tiny" / "html").exists()
    assert cleaning.clean("tiny", root, results) == 0


@pytest.mark.parametrize("profile", ["..", "runs", "runs digits", "", "."])
def test_a_profile_that_there_is_none_of_is_refused(root, results, profile, monkeypatch, capsys):
    with pytest.raises(StudyError, match="unknown profile"):
        cleaning.clean(profile, root, results)
    monkeypatch.chdir(root)
    monkeypatch.setenv("RANDSPARSE_RESULTS", str(results))
    assert cleaning.main([profile]) == 2 and "unknown profile" in capsys.readouterr().err
    assert len([path for path in results.rglob("*") if path.is_file()]) == 9
