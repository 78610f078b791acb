"""STR: gradients against autograd, masks inside their source, and the exact density in the end."""

from __future__ import annotations

import pytest
import torch
from torch.func import functional_call
from torch.nn import functional as F

from changing_masks import SOURCE, assert_masked_is_zero, steps, trainer
from changing_masks import config as config_of
from randsparse.runs import flops, store
from randsparse.runs.config import RunConfig
from randsparse.training import checkpoints
from randsparse.training import train as training


def config(**changes) -> RunConfig:
    return config_of("str", **dict(threshold_init=-4.0, threshold_decay=1.0) | changes)


def test_a_step_is_that_of_autograd_through_the_threshold():
    of = config(precision="float64", momentum=0.0, nesterov=False, weight_decay=0.01, threshold_decay=0.5)
    run = trainer(of)
    run.model.train()
    images, labels = next(iter(run.batches.epoch(0)))
    w = {name: latent.clone().requires_grad_() for name, latent in run.method.latent.items()}
    s = {name: threshold.detach().clone().requires_grad_() for name, threshold in run.method.thresholds.items()}
    soft = {name: w[name].sign() * (w[name].abs() - s[name].sigmoid()).relu() for name in w}
    for name, each in soft.items():
        assert torch.equal(each.detach(), run.model.get_parameter(name).detach()), name
        assert torch.equal(each != 0, run.method.mask[name])
    buffers = {name: value.clone() for name, value in run.model.named_buffers()}
    loss = F.cross_entropy(functional_call(run.model, {**soft, **buffers}, images.double()), labels)
    gradients = torch.autograd.grad(loss, [*w.values(), *s.values()])
    run.set_learning_rate(0.1)
    torch.testing.assert_close(run.advance(images, labels), loss.detach()[None])
    old = [*w.values(), *s.values()]
    decays = [0.01] * len(w) + [0.5] * len(s)
    new = [*run.method.latent.values(), *run.method.thresholds.values()]
    for before, gradient, decay, after in zip(old, gradients, decays, new, strict=True):
        torch.testing.assert_close(after.detach(), before.detach() - 0.1 * (gradient + decay * before.detach()))


@pytest.mark.parametrize(
    ("source", "changes"),
    [({}, {}), (SOURCE, dict(optimizer="adamw", lr=0.01)), (SOURCE, dict(threshold_decay=0.0))],
    ids=["dense", "random", "slow"],
)
def test_masks_stay_in_their_source_and_end_with_the_exact_number(source, changes):
    run = trainer(config(**source, **changes))
    inside, counts, end = run.method.source, [], round(0.1 * run.method.source.size)
    for step in steps(run):
        mask, fixed = run.method.mask, run.method.fixed
        assert all((mask[name] <= inside[name]).all() for name in inside)
        for name, kept in mask.items():
            assert (run.model.get_parameter(name)[~kept] == 0).all()
        if fixed:
            assert_masked_is_zero(run)
        assert fixed == (mask.nnz == end) and mask.nnz >= end
        assert fixed or step + 1 < 18  # three quarters of training
        counts.append(mask.nnz)
    assert counts[-1] == end and counts[0] > end
    if not changes:
        assert counts.index(end) + 1 < 18  # thresholds alone got there


@pytest.mark.parametrize("changes", [dict(SOURCE, threshold_decay=0.1, threshold_init=-6.0), dict(threshold_decay=0.0)])
def test_resume_is_bit_for_bit(changes, tmp_path):
    of = config(**changes)
    straight = training.train(of)
    for stop in (1, 2):
        training.train(of.replace(stop_epoch=stop), checkpoint_dir=tmp_path)
    resumed = training.train(of, checkpoint_dir=tmp_path)
    assert store.keep_comparable(resumed) == store.keep_comparable(straight) and straight["status"] == "done"
    assert resumed["cost"]["sparse_flops"] == pytest.approx(straight["cost"]["sparse_flops"], rel=1e-12)
    assert straight["density"]["realised"] == pytest.approx(0.1, abs=1e-4)
    one, again = trainer(of), trainer(of)
    one.train_epoch()
    checkpoints.save(one.states()[0], of, tmp_path)
    again.resume([checkpoints.load(of, tmp_path)])
    assert not one.method.fixed
    for run in (one, again):
        run.train_epoch()
    while one.epoch < 3:
        one.train_epoch()
        again.train_epoch()
    assert one.method.fixed and one.method.mask == again.method.mask
    for a, b in zip(one.model.state_dict().values(), again.model.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_weights_below_the_threshold_go_on_and_can_come_back():
    run = trainer(config(threshold_decay=0.0))
    first, back, passes = run.method.mask, False, 0.0
    for step in steps(run):
        mask = run.method.mask
        passes += flops.count_kept(run.flops, first.layer_densities)
        if step == 0:
            for name, weight in run.method.parameters.items():
                moved = run.optimizer.state[weight]["momentum_buffer"][~mask[name]]  # by weight decay alone
                assert len(moved) and (moved != 0).all(), name
        back |= not run.method.fixed and any((mask[name] & ~first[name]).any() for name in mask)
        first = mask
    assert back
    assert run.costs.mean(24, run.method.mask) == pytest.approx(passes / 24, rel=1e-12)


def test_a_run_that_diverges_is_recorded():
    assert training.train(config(lr=1e30))["status"] == "diverged"
