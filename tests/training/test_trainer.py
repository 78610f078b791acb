"""The training loop: masks hold, runs resume bit for bit, records say what happened."""

from __future__ import annotations

import copy
import json
import math

import pytest
import torch
from torch.nn import functional as F

from randsparse.data.dataset import load
from randsparse.runs import store
from randsparse.runs.config import RunConfig
from randsparse.training import checkpoints
from randsparse.training import train as training
from randsparse.training.step import learning_rate

TINY = RunConfig(train_samples=256, batch_size=64, epochs=4, sparsity=0.8)


def trainer(config: RunConfig) -> training.Trainer:
    return training.prepare([config], load(config.dataset, None, config.train_samples))


@pytest.mark.parametrize(
    "changes",
    [
        {},
        dict(optimizer="adamw", lr=0.01, weight_decay=0.1),
        dict(nesterov=False, momentum=0.0),
        dict(weight_decay=0.1),
        dict(structure="node"),
        dict(draw="bernoulli"),
        dict(draw="fan_in", precision="bfloat16"),
    ],
)
def test_masked_weights_stay_zero_and_kept_weights_of_both_signs_move(changes):
    run = trainer(TINY.replace(**changes))
    names = dict(run.model.named_parameters())
    before = {name: names[name].detach().clone() for name in run.method.mask}
    run.train_epoch()
    for name, keep in run.method.mask.items():
        after = names[name].detach()
        assert (after[~keep] == 0).all(), name
        for state in run.optimizer.state[names[name]].values():
            if torch.is_tensor(state) and state.shape == keep.shape:
                assert (state[~keep] == 0).all(), name
        if keep.dim() > 1:
            for sign in (1, -1):
                moved = after[keep & (before[name] * sign > 0)] != before[name][keep & (before[name] * sign > 0)]
                assert moved.float().mean() > 0.98, name  # a channel whose ReLU never opens has no gradient


def test_resume_is_bit_for_bit(tmp_path):
    straight = training.train(TINY)
    first = training.train(TINY.replace(stop_epoch=2), checkpoint_dir=tmp_path)
    assert first["status"] == "stopped" and first["test"] is None and len(first["curve"]) == 2
    assert checkpoints.find_path(TINY, tmp_path).exists()
    resumed = training.train(TINY, checkpoint_dir=tmp_path)
    assert store.keep_comparable(resumed) == store.keep_comparable(straight)
    assert resumed["curve"][:2] == first["curve"]
    assert not checkpoints.find_path(TINY, tmp_path).exists()


def test_weights_after_resuming_are_bit_for_bit(tmp_path):
    config = TINY.replace(optimizer="adamw", lr=0.01)
    straight, again = trainer(config), trainer(config)
    straight.train_epoch()
    checkpoints.save(straight.states()[0], config, tmp_path)
    again.resume([checkpoints.load(config, tmp_path)])
    straight.train_epoch()
    again.train_epoch()
    for a, b in zip(straight.model.state_dict().values(), again.model.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_the_same_config_gives_the_same_record_whatever_ran_before():
    one = training.train(TINY.replace(stop_epoch=1))
    torch.manual_seed(1)
    torch.rand(10)
    training.train(TINY.replace(stop_epoch=1, mask_seed=4))
    assert store.keep_comparable(training.train(TINY.replace(stop_epoch=1))) == store.keep_comparable(one)


@pytest.mark.parametrize("seed", ["mask_seed", "init_seed", "data_seed"])
def test_each_seed_changes_its_part_alone(seed):
    a, b = trainer(TINY), trainer(TINY.replace(**{seed: 1}))
    same_mask = a.method.mask == b.method.mask
    kept = {n: a.method.mask[n] & b.method.mask[n] for n in a.method.mask}
    weights_a, weights_b = dict(a.model.named_parameters()), dict(b.model.named_parameters())
    same_init = all(torch.equal(weights_a[n][keep], weights_b[n][keep]) for n, keep in kept.items())
    same_data = torch.equal(next(iter(a.batches.epoch(0)))[0], next(iter(b.batches.epoch(0)))[0])
    assert (same_mask, same_init, same_data) == (seed != "mask_seed", seed != "init_seed", seed != "data_seed")


@pytest.mark.parametrize("init_scale", ["parent", "own"])
def test_a_compacted_run_has_the_losses_of_the_masked_one(init_scale):
    config = TINY.replace(structure="node", sparsity=0.5, precision="float64", stop_epoch=2, init_scale=init_scale)
    masked, compacted = training.train(config), training.train(config.replace(engine="compacted"))
    for a, b in zip(masked["curve"], compacted["curve"], strict=True):
        assert all(a.pop(name) == b.pop(name) for name in ("val_correct", "ema_val_correct"))
        assert a == pytest.approx(b, rel=1e-9)
    assert compacted["density"] == masked["density"]
    assert compacted["cost"]["flops"] < masked["cost"]["flops"]


def test_small_dense_has_the_size_and_the_scale_it_is_asked_for():
    config = TINY.replace(method="small-dense", sparsity=0.75, model="wrn-16-4")
    parents, own = trainer(config), trainer(config.replace(init_scale="own"))
    assert parents.densities[0]["realised"] == pytest.approx(0.25, rel=0.05)
    name = "group3.1.conv2.weight"
    ratio = dict(parents.model.named_parameters())[name].std() / dict(own.model.named_parameters())[name].std()
    width = dict(own.model.named_parameters())[name].shape[1]
    assert ratio.item() == pytest.approx(math.sqrt(width / 256), rel=1e-5)


def test_weight_decay_spares_norms_and_biases():
    run = trainer(TINY)
    decayed = {id(p): g["weight_decay"] for g in run.optimizer.param_groups for p in g["params"]}
    for name, parameter in run.model.named_parameters():
        assert decayed[id(parameter)] == (TINY.weight_decay if parameter.dim() > 1 else 0.0), name


def test_schedules():
    cosine = RunConfig(epochs=10, warmup_epochs=2.0, lr=0.4)
    rates = [learning_rate(cosine, step, 5) for step in range(50)]
    assert rates[:10] == pytest.approx([0.4 * (i + 1) / 11 for i in range(10)])
    assert rates[10] == pytest.approx(0.4) and rates[30] == pytest.approx(0.2) and 0 < rates[-1] < 0.001
    steps = cosine.replace(schedule="step", warmup_epochs=0.0, milestones=(0.5, 0.8))
    rates = [learning_rate(steps, step, 5) for step in (0, 24, 25, 39, 40, 49)]
    assert rates == pytest.approx([0.4, 0.4, 0.04, 0.04, 0.004, 0.004])


def test_divergence_is_recorded():
    record = training.train(TINY.replace(lr=1e30))
    assert record["status"] == "diverged" and "not finite" in record["reason"] and record["test"] is None


def test_the_record_is_json_and_says_what_was_kept():
    record = json.loads(json.dumps(training.train(TINY.replace(stop_epoch=1))))
    density = record["density"]
    assert density["asked"] == pytest.approx(0.2)
    assert density["weights"] == round(0.2 * density["weights"] / density["realised"])
    assert density["effective"] <= density["realised"]
    assert record["cost"]["images"] == 256 and record["cost"]["sparse_flops"] < record["cost"]["flops"]


def test_a_complete_run_learns_and_is_tested_once():
    record = training.train(RunConfig(epochs=3, sparsity=0.5, batch_size=64))
    assert record["status"] == "done" and record["test"]["accuracy"] > 0.7
    assert set(record["test"]) == {"accuracy", "nll", "brier", "ece", "correct"}
    assert all("test" not in name for point in record["curve"] for name in point)


def test_groups_of_a_batch_have_statistics_of_their_own_and_one_step():
    config = TINY.replace(norm_group=16, precision="float64", weight_decay=0.0, nesterov=False, momentum=0.0)
    run, norm = trainer(config), "head_norm"
    images, labels = next(iter(run.batches.epoch(0)))
    before = copy.deepcopy(run.model)
    losses, means, gradients = [], [], []
    for index in range(4):
        model, part = copy.deepcopy(before).train(), slice(16 * index, 16 * index + 16)
        loss = F.cross_entropy(model(images[part].double()), labels[part])
        gradients.append(torch.autograd.grad(loss, list(model.parameters())))
        losses.append(loss)
        means.append((model.get_submodule(norm).running_mean, model.get_submodule(norm).running_var))
    run.model.train()
    run.set_learning_rate(0.1)
    torch.testing.assert_close(run.step(images, labels), sum(losses).detach()[None] / 4)
    for name, mean in zip(("running_mean", "running_var"), zip(*means, strict=True), strict=True):
        torch.testing.assert_close(getattr(run.model.get_submodule(norm), name), sum(mean) / 4)
    mask = run.method.mask
    for (name, after), old, *parts in zip(run.model.named_parameters(), before.parameters(), *gradients, strict=True):
        kept = mask[name] if name in mask else torch.ones_like(after, dtype=torch.bool)
        torch.testing.assert_close(after.detach(), (old - 0.1 * sum(parts) / 4 * kept).detach())
    assert training.train(config.replace(stop_epoch=1))["curve"] != training.train(TINY.replace(stop_epoch=1))["curve"]
