"""The captured step: what it does with a graph, here one that repeats the step in Python; on a GPU, the real one."""

from __future__ import annotations

import contextlib

import pytest
import torch

from randsparse.data.dataset import load
from randsparse.runs.config import RunConfig
from randsparse.training import train as training
from randsparse.training.engines import captured as capture

TINY = RunConfig(train_samples=320, batch_size=32, epochs=2, sparsity=0.8)


class Graph:
    """Repeats the step that was called while it was being recorded."""

    def replay(self) -> None:
        self.calls += 1
        self.loss.copy_(self.repeat())


@pytest.fixture
def graphs(monkeypatch: pytest.MonkeyPatch) -> list[Graph]:
    made: list[Graph] = []

    @contextlib.contextmanager
    def record(graph: Graph):
        graph.calls = 0
        made.append(graph)
        yield

    stream = type("Stream", (), {"wait_stream": lambda self, other: None})
    for name, value in {
        "CUDAGraph": Graph,
        "graph": record,
        "Stream": stream,
        "current_stream": stream,
        "stream": lambda _: contextlib.nullcontext(),
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)
    return made


def test_after_the_first_calls_the_graph_reads_each_batch_and_replays(graphs):
    seen = []

    def step(images, labels):
        loss = images.sum() + labels.sum()
        seen.append(images)
        if graphs:
            graphs[0].repeat, graphs[0].loss = lambda: images.sum() + labels.sum(), loss
        return loss

    captured = capture.Captured(step, warmup=2)
    batches = [(torch.full((2,), float(i)), torch.full((2,), i)) for i in range(5)]
    losses = [captured(*batch).item() for batch in batches]
    assert losses == [4.0 * i for i in range(5)]
    assert len(graphs) == 1 and graphs[0].calls == 3
    assert len(seen) == 3 and seen[0] is batches[0][0] and seen[2] is captured.images  # the third was recorded
    assert captured.images is not batches[2][0]


def test_a_learning_rate_on_the_device_is_set_in_place():
    run = training.prepare([TINY], load("digits", None, 320))
    rate = torch.tensor(0.0)
    run.optimizer.param_groups[0]["lr"] = rate
    run.set_learning_rate(0.25)
    assert run.optimizer.param_groups[0]["lr"] is rate and rate.item() == 0.25
    assert run.optimizer.param_groups[1]["lr"] == 0.25


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize("changes", [{}, {"optimizer": "adamw", "lr": 0.01}, {"engine": "batched"}])
def test_on_a_gpu_a_captured_run_equals_the_same_steps_one_by_one(changes):
    config = TINY.replace(**changes)
    data = load("digits", None, 320).to("cuda")
    captured, plain = (training.prepare([config], data, "cuda") for _ in range(2))
    plain.update = plain.step
    for _ in range(2):
        captured.train_epoch()
        plain.train_epoch()
    assert captured.update.graph is not None
    for point, other in zip(captured.curves[0], plain.curves[0], strict=True):
        assert point == pytest.approx(other, rel=1e-4)
    for name, kept in captured.masks[0].items():
        assert (captured.states()[0]["model"][name][~kept.to("cuda")] == 0).all()
