from __future__ import annotations

import pytest
import torch

from damage import damages
from randsparse.errors import StudyError
from randsparse.networks import registry
from randsparse.networks.initialization import initialize
from randsparse.runs.config import RunConfig
from randsparse.training import weights


@pytest.fixture
def state() -> dict[str, torch.Tensor]:
    model = initialize(registry.build("wrn-10-1", 10, 1, 8), 0)
    return model.to(memory_format=torch.channels_last).state_dict()


def test_weights_and_buffers_come_back_as_they_were(tmp_path, tiny, state):
    assert weights.load(tiny, tmp_path) is None
    path = weights.save(state, tiny, tmp_path)
    assert path == tmp_path / "weights" / f"{tiny.key}.safetensors"
    back = weights.load(tiny, tmp_path)
    assert back.keys() == state.keys() and any("running_var" in name for name in back)
    assert all(torch.equal(back[name], value) and back[name].dtype == value.dtype for name, value in state.items())
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_a_damaged_file_and_one_of_another_run_count_as_none(tmp_path, tiny, state, caplog):
    path = weights.save(state, tiny, tmp_path)
    path.write_bytes(path.read_bytes()[:1000])
    assert not weights.has(tiny, tmp_path) and weights.load(tiny, tmp_path) is None
    assert "unreadable" in caplog.text
    other = tiny.replace(init_seed=1)
    weights.save(state, other, tmp_path).rename(path)
    assert weights.load(tiny, tmp_path) is None and f"those of run {other.key}" in caplog.text


def test_damaged_weights_are_never_taken_for_those_of_a_network(tmp_path, tiny, state, caplog):
    path = weights.save(state, tiny, tmp_path)
    for bad in damages(path.read_bytes(), 100):
        path.write_bytes(bad)
        caplog.clear()
        found = weights.load(tiny, tmp_path)
        # bits of padding in the header may turn without any effect
        assert found is None or all(torch.equal(found[name], value) for name, value in state.items())
        assert (found is None) == ("made anew" in caplog.text)
    flipped = bytearray(weights.save(state, tiny, tmp_path).read_bytes())
    flipped[-1] ^= 1
    path.write_bytes(flipped)
    assert not weights.has(tiny, tmp_path) and "do not fit their checksum" in caplog.text


def test_a_folder_that_cannot_be_written_is_one_line(tmp_path, state):
    (tmp_path / "weights").write_text("a file")
    with pytest.raises(StudyError, match=r"cannot write .*safetensors"):
        weights.save(state, RunConfig(), tmp_path)
