"""Checkpoints that are damaged, or of another run, never decide what a run gives."""

from __future__ import annotations

import hashlib
import io

import pytest
import torch

from damage import damages
from randsparse.errors import StudyError
from randsparse.runs.config import RunConfig
from randsparse.runs.records import find_differences
from randsparse.training import checkpoints
from randsparse.training import train as training

TINY = RunConfig(train_samples=256, batch_size=64, epochs=4, sparsity=0.8)


def test_a_damaged_checkpoint_is_never_used(tmp_path, caplog):
    training.train(TINY.replace(stop_epoch=1), checkpoint_dir=tmp_path)
    path = checkpoints.find_path(TINY, tmp_path)
    good = path.read_bytes()
    found = list(damages(good, 100))
    for bad in [*found, b"", good[32:], bytes(len(good))]:
        path.write_bytes(bad)
        caplog.clear()
        assert checkpoints.load(TINY, tmp_path) is None and "training starts anew" in caplog.text
    assert len(found) > 90
    undisturbed = training.train(TINY.replace(stop_epoch=1))
    assert find_differences(training.train(TINY.replace(stop_epoch=1), checkpoint_dir=tmp_path), undisturbed) == ()


def test_a_folder_that_cannot_be_made_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StudyError, match="cannot write .*file/checkpoints/.*: Not a directory"):
        checkpoints.save({"epoch": 1}, TINY, tmp_path / "file" / "checkpoints")


@pytest.mark.parametrize(
    "change", [{"version": 2}, {"epoch": 99}, {"epoch": -1}, {"epoch": 0}, {"epoch": "a"}, {"key": "0" * 16}]
)
def test_a_checkpoint_of_another_run_or_epoch_is_never_used(tmp_path, caplog, change):
    training.train(TINY.replace(stop_epoch=1), checkpoint_dir=tmp_path)
    path = checkpoints.find_path(TINY, tmp_path)
    content = io.BytesIO()
    torch.save(torch.load(io.BytesIO(path.read_bytes()[checkpoints.CHECKSUM :])) | change, content)
    path.write_bytes(hashlib.sha256(content.getvalue()).digest() + content.getvalue())
    assert checkpoints.load(TINY, tmp_path) is None and "training starts anew" in caplog.text
    other = TINY.replace(mask_seed=9)
    training.train(TINY.replace(stop_epoch=1), checkpoint_dir=tmp_path)
    checkpoints.find_path(TINY, tmp_path).rename(checkpoints.find_path(other, tmp_path))
    assert checkpoints.load(other, tmp_path) is None
