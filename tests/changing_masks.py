"""What tests of methods that change their mask share."""

from __future__ import annotations

import torch

from randsparse.data.dataset import load
from randsparse.runs.config import RunConfig
from randsparse.training import train as training

TINY = dict(train_samples=256, batch_size=32, epochs=3, sparsity=0.9, update_interval=3)  # 24 steps
SOURCE = dict(source_sparsity=0.6, source_rule="balanced")


def config(method: str, **changes) -> RunConfig:
    return RunConfig(**TINY | dict(method=method) | changes)


def trainer(of: RunConfig) -> training.Trainer:
    return training.prepare([of], load(of.dataset, None, of.train_samples))


def steps(run: training.Trainer):
    """Advance a run step by step, and yield the number of each after it."""
    run.model.train()
    for epoch in range(run.config.epochs):
        run.begin()
        for step, batch in enumerate(run.batches.epoch(epoch), start=epoch * len(run.batches)):
            run.advance(*batch)
            yield step


def assert_masked_is_zero(run: training.Trainer) -> None:
    for name, kept in run.method.mask.items():
        weight = run.model.get_parameter(name)
        assert (weight[~kept] == 0).all(), name
        for state in run.optimizer.state[weight].values():
            if torch.is_tensor(state) and state.shape == kept.shape:
                assert (state[~kept] == 0).all(), name
