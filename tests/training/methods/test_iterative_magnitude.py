"""Iterative magnitude pruning: levels, what each keeps, and rewinding bit for bit."""

from __future__ import annotations

import pytest
import torch

from changing_masks import config as config_of
from changing_masks import trainer
from randsparse.runs import methods, store
from randsparse.runs.config import RunConfig
from randsparse.training import train as training
from randsparse.training.methods.dynamic import prune_weights
from randsparse.training.step import learning_rate


def config(**changes) -> RunConfig:
    """Three levels: of epochs 0 to 2, 3 to 4 and 5 to 6."""
    return config_of("imp", **dict(levels=3, rewind_epoch=1, epochs=7, sparsity=0.96) | changes)


@pytest.mark.parametrize(
    "changes", [{}, dict(rewind_epoch=0, epochs=6, optimizer="adamw", lr=0.01)], ids=["epoch 1", "initial weights"]
)
def test_rewinding_is_bit_for_bit(changes):
    of = config(source_sparsity=0.5, **changes)
    run, begun = trainer(of), trainer(of)
    source = run.method.mask
    for _ in range(of.rewind_epoch):
        begun.train_epoch()
    wanted, k = begun.model.state_dict(), of.rewind_epoch
    previous = source
    for level, first in ((1, k + 2), (2, k + 4)):
        while run.epoch < first:
            run.train_epoch()
            assert run.method.mask == previous
        weights = {name: weight.detach().abs() for name, weight in run.method.parameters.items()}
        run.method.begin()
        mask, size = run.method.mask, source.size
        count = round(source.nnz * (round(0.04 * size) / source.nnz) ** (level / 2))
        assert (
            mask == prune_weights(weights, previous, count) and mask.nnz == count
        )  # by magnitudes at the end of the level
        assert all((mask[name] <= previous[name]).all() for name in mask)
        for name, value in run.model.state_dict().items():
            assert torch.equal(value, wanted[name] * mask.get(name, torch.tensor(1, dtype=value.dtype))), name
        assert all((value == 0).all() for state in run.optimizer.state.values() for value in state.values())
        previous = mask
    assert run.method.level == 2  # so that begin() does nothing any more
    while run.epoch < of.epochs:
        run.train_epoch()
    assert run.density()["weights"] == round(0.04 * size)
    for name, kept in run.method.mask.items():
        assert (run.model.get_parameter(name)[~kept] == 0).all()


def test_with_rate_alone_the_weights_that_are_left_stay():
    run = trainer(config(rewind="rate"))
    for _ in range(3):
        run.train_epoch()
    before = {name: value.clone() for name, value in run.model.state_dict().items()}
    momenta = [state["momentum_buffer"].clone() for state in run.optimizer.state.values()]
    run.method.begin()
    mask = run.method.mask
    assert mask.nnz < mask.size
    for name, value in run.model.state_dict().items():
        assert torch.equal(value, before[name] * mask[name] if name in mask else before[name]), name
    for (parameter, state), was in zip(run.optimizer.state.items(), momenta, strict=True):
        kept = parameter != 0 if parameter.dim() > 1 else torch.tensor(True)
        assert torch.equal(state["momentum_buffer"], was * kept)


def test_a_level_has_the_whole_schedule_and_later_ones_its_end():
    of = config()
    alone = RunConfig(**dict(epochs=methods.count_level_epochs(of)))
    assert methods.count_level_epochs(of) == 3
    assert [methods.find_level(of, epoch) for epoch in range(7)] == [0, 0, 0, 1, 1, 2, 2]
    whole = [learning_rate(alone, step, 5) for step in range(15)]
    assert [learning_rate(of, step, 5) for step in range(35)] == whole + whole[5:] + whole[5:]


@pytest.mark.parametrize("changes", [{}, dict(rewind="rate", source_sparsity=0.5), dict(prune_scope="layer")])
def test_resume_is_bit_for_bit(changes, tmp_path):
    of = config(**changes)
    straight = training.train(of)
    for stop in (2, 3, 5):  # within a level, and at the ends of two
        early = training.train(of.replace(stop_epoch=stop), checkpoint_dir=tmp_path)
        assert early["curve"] == straight["curve"][:stop]
    resumed = training.train(of, checkpoint_dir=tmp_path)
    assert store.keep_comparable(resumed) == store.keep_comparable(straight) and straight["status"] == "done"
    assert resumed["cost"]["sparse_flops"] == pytest.approx(straight["cost"]["sparse_flops"], rel=1e-12)


def test_flops_are_those_of_all_levels():
    record, run = training.train(config(prune_scope="layer")), trainer(config())
    shares = [1.0, 0.04**0.5, 0.04]  # in every layer
    mean = (3 * shares[0] + 2 * shares[1] + 2 * shares[2]) / 7
    assert record["cost"]["sparse_flops"] == pytest.approx(record["cost"]["flops"] * mean, rel=0.01)
    assert run.costs.mean(0, run.method.mask) == sum(run.flops.values())
