"""What `make bench` measures: that it measures, and that the report is whole."""

from __future__ import annotations

import json
import os

import pytest
import torch

from randsparse.bench import candidates, kernels, reference, report, steps, throughput, timing
from randsparse.runs.config import RunConfig
from randsparse.training.network import create
from randsparse.training.train import prepare

CONFIG = RunConfig(batch_size=16, sparsity=0.8)


def test_masking_is_measured_against_a_step():
    row = steps.time_masking("wrn-10-1", size=8, batch_size=16, steps=3)
    assert 0 < row["masking_ms"] < row["step_ms"]
    assert row["share"] == row["masking_ms"] / row["step_ms"]
    assert row["ratio"] == sorted(row["ratio"]) and row["ratio"][0] > 0


def test_compaction_is_measured_against_the_masked_step():
    row = steps.time_compaction("wrn-10-1", size=8, batch_size=16, sparsity=0.5, steps=3)
    assert row["speedup"] == sorted(row["speedup"]) and 2.5 < row["flops"] < 4


def test_the_reference_loop_takes_the_steps_of_training():
    """In double precision, the same batches give the same losses, in another order of operations."""
    config = CONFIG.replace(precision="float64", warmup_epochs=0.0)
    run = prepare([config], steps.make_noise(8, 64))
    network = create(config, 10, 3, 8)
    model = network.model.double().train()
    weights = [p for p in model.parameters() if p.dim() > 1]
    others = [p for p in model.parameters() if p.dim() <= 1]
    groups = [{"params": weights, "weight_decay": config.weight_decay}, {"params": others}]
    optimizer = torch.optim.SGD(groups, lr=config.lr, momentum=0.9, nesterov=True)
    with torch.no_grad():
        for name, kept in network.mask.items():
            model.get_parameter(name).mul_(kept)
    run.model.train()
    for images, labels in run.batches.epoch(0):
        ours = run.step(images, labels).item()
        assert reference.step(model, optimizer, network.mask, images.double(), labels) == pytest.approx(ours, rel=1e-9)


def test_rates_are_measured():
    data = steps.make_noise(8, 32)
    assert reference.measure_rate(CONFIG, data, seconds=0.1) > 0
    assert throughput.measure_rate(CONFIG, data, seconds=0.05) > 0
    assert throughput.measure_rate(CONFIG.replace(engine="batched"), data, seconds=0.05) > 0
    assert timing.measure_matmul_rate(torch.bfloat16, seconds=0.01) > 0


def process(*, seconds: float) -> tuple[int, int]:
    return os.getpid(), torch.get_num_threads()


def test_measuring_side_by_side_takes_a_process_each():
    with timing.Processes(2, threads=1) as two:
        (one, threads), (other, _) = two.measure(process, seconds=0.01)
    assert len({one, other, os.getpid()}) == 3 and threads == 1


def test_ways_are_compared_within_a_round(monkeypatch):
    rates = iter([100.0, 300.0, 1e9, 200.0, 400.0, 2e9])
    monkeypatch.setattr(throughput.Way, "rate", lambda way, processes, seconds: next(rates))
    way = throughput.Way(process, ())
    row = throughput.compare_ways({"reference": way, "a": way}, {torch.float32: way}, 1e6, 1.0, rounds=2)
    assert row["rates"] == {"reference": 150.0, "a": 350.0}
    assert row["speedup"]["a"] == pytest.approx([1.75, 2.5, 3.25]) and row["speedup"]["reference"][1] == 1
    assert row["of_limit"]["a"] == pytest.approx((0.3 + 0.2) / 2) and row["limit_gflops"] == {"float32": 1.5}


def test_flops_are_those_of_the_images_measured():
    small, large = (throughput.count_training_flops(CONFIG, steps.make_noise(size, 8)) for size in (8, 32))
    classifier = 3 * 2 * 64 * 10
    assert large - classifier == 16 * (small - classifier)


def test_ways_that_measure_differently_have_processes_of_their_own():
    ours, theirs = (throughput.Way(measure, (), 1, None) for measure in (throughput.measure_rate, process))
    assert ours.place != theirs.place == throughput.Way(process, (CONFIG,), 1, None).place


def test_candidates_are_swept_in_every_way(monkeypatch):
    monkeypatch.setattr(candidates, "SIZE", 2)
    monkeypatch.setattr(candidates.joblib, "cpu_count", lambda: 1)
    row = candidates.time_batched(rounds=2)
    assert row["seconds"].keys() == row["speedup"].keys() == {"one_by_one", "side_by_side", "batched"}
    assert row["speedup"]["one_by_one"][1] == 1 and all(value > 0 for value in row["seconds"].values())


def test_the_report_is_written_and_printed(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(report, "SETTINGS", (("wrn-10-1", 8, 16),))
    monkeypatch.setattr(report, "COMPACTED", ("wrn-10-1", 8, 16))
    monkeypatch.setattr(kernels, "SHAPES", ((8, 18, 20),))
    spread = {"reference": [1.0, 1.0, 1.0]}
    monkeypatch.setattr(throughput.Way, "rate", lambda way, processes, seconds: 1e3)
    monkeypatch.setattr(
        candidates,
        "time_batched",
        lambda rounds: {"candidates": 2, "workers": 1, "speedup": spread, "seconds": {"reference": 1.0}},
    )
    report.main(["--steps", "2", "--rounds", "1"], tmp_path)
    written = json.loads((tmp_path / "bench" / "cpu.json").read_text())
    assert set(written) == {"environment", "masking", "compaction", "kernels", "candidates", "throughput"}
    assert [row["sparsity"] for row in written["compaction"]] == list(steps.NODE_SPARSITIES)
    assert [row["sparsity"] for row in written["kernels"]] == list(kernels.SPARSITIES)
    shown = capsys.readouterr().out
    assert "wrn-10-1 8x8, batch 16" in shown and "cpu.json" in shown and "matrix products" in shown
    assert "8x18 weights" in shown


@pytest.mark.parametrize("sparsity", [0.5, 0.9])
def test_sparse_products_are_the_dense_ones(sparsity):
    """The gradient of the weights only where the mask keeps them, all else everywhere."""
    layer = kernels.Products(8, 27, 30, sparsity)
    for name in ("forward", "inputs"):
        assert torch.allclose(layer.sparse[name](), layer.dense[name](), atol=1e-4)
    gradient = layer.sparse["weights"]().to_dense()
    assert torch.allclose(gradient[layer.kept], layer.dense["weights"]()[layer.kept], atol=1e-4)
    assert not gradient[~layer.kept].any() and layer.kept.float().mean().item() == pytest.approx(1 - sparsity, abs=0.07)


def test_sparse_kernels_are_measured_against_dense_ones(monkeypatch):
    """By a clock: a dense product takes 3 seconds, a sparse forward product 1, another sparse one 2."""
    taken = {"dense": {"forward": 3.0, "inputs": 3.0, "weights": 3.0}}
    taken["sparse"] = {"forward": 1.0, "inputs": 2.0, "weights": 2.0}

    def clock(call):
        return call()

    monkeypatch.setattr(kernels, "time_call", clock)
    monkeypatch.setattr(
        kernels.Products,
        "__init__",
        lambda self, *_: self.__dict__.update(
            kept=torch.tensor([[True, False, False, False]]),
            **{kind: {name: lambda t=t: t for name, t in own.items()} for kind, own in taken.items()},
        ),
    )
    row = kernels.time_products(1, 4, 1, 0.75, steps=3)
    assert row["forward"] == [3, 3, 3] and row["training"] == [1.8, 1.8, 1.8] and row["flops"] == 4
    assert (row["dense_ms"], row["sparse_ms"]) == (9000, 5000)


def test_a_quick_bench_writes_nothing(tmp_path, monkeypatch):
    asked = []
    monkeypatch.setattr(report, "_measured", lambda options: asked.append(options) or [])
    report.main(["--quick"], tmp_path)
    assert asked[0].seconds < 1 and asked[0].steps == 2 and not list(tmp_path.iterdir())
