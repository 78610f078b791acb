"""Edge-popup: frozen weights, scores trained straight-through, masks inside their source."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from changing_masks import config as config_of
from changing_masks import steps, trainer
from randsparse.data import catalogue
from randsparse.runs import store
from randsparse.runs.config import RunConfig
from randsparse.sparsity.layers import fan_in
from randsparse.sparsity.masks import Mask
from randsparse.training import checkpoints
from randsparse.training import train as training
from randsparse.training.methods import edge_popup
from randsparse.training.network import create


def config(**changes) -> RunConfig:
    return config_of("edge-popup", **changes)


@pytest.mark.parametrize("weights", ["signed-constant", "kaiming-normal"])
@pytest.mark.parametrize("density", [1.0, 0.5, 0.3, 0.2])
def test_edge_popup_never_changes_a_weight(density, weights):
    run = trainer(config(source_sparsity=1 - density, source_rule="er", frozen_weights=weights))
    drawn = create(run.config, *catalogue.shape("digits")).model
    source, first, size = run.method.source, run.method.mask, run.method.source.size
    assert first == source and source.nnz == round(density * size)
    changed = []
    for step in steps(run):
        mask = run.method.mask
        for name, parameter in run.model.named_parameters():
            kept = mask.get(name, torch.tensor(True))
            assert torch.equal(parameter.detach(), drawn.get_parameter(name).detach() * kept), name
        assert all((mask[name] <= source[name]).all() for name in source)
        passed = min(step // 3, 6)
        end = round(0.1 * size)
        assert mask.nnz == end + round((source.nnz - end) * (1 - passed / 6) ** 3)
        shares = [mask.counts[name] / source.counts[name] for name in mask]
        assert shares == pytest.approx([mask.nnz / source.nnz] * len(shares), abs=1 / min(source.counts.values()))
        changed.append(mask != first)
        first = mask
    assert all(changed[3:]) and not any(changed[:3])  # the first three steps keep all of the source
    assert run.density()["weights"] == end


def test_weights_are_of_the_kind_and_scale_that_was_asked_for():
    shape = catalogue.shape("digits")
    for name, kept in create(config(source_sparsity=0.5), *shape).mask.items():
        constant, normal, own = (
            create(config(source_sparsity=0.5, **changes), *shape).model.get_parameter(name).detach()
            for changes in ({}, dict(frozen_weights="kaiming-normal"), dict(init_scale="own"))
        )
        sigma = math.sqrt(2 / fan_in(tuple(constant.shape)))
        torch.testing.assert_close(constant, sigma * normal.sign())
        final = kept.sum() / kept.numel() * 0.1 / 0.5  # the density of the layer at the end
        torch.testing.assert_close(own, constant * final**-0.5, rtol=1e-4, atol=0)


def test_the_density_can_be_final_from_the_first_step():
    run = trainer(config(start_sparsity=0.9, source_sparsity=0.5))
    counts, masks = run.method.mask.counts, [run.method.mask]
    for _ in steps(run):
        assert run.method.mask.counts == counts
        masks.append(run.method.mask)
    assert sum(counts.values()) == round(0.1 * run.method.source.size) and masks[0] != masks[-1]
    passes = (2 * run.costs._of(masks[0]) + run.costs.source) / 3  # scores of all weights are trained
    assert run.costs.mean(24, run.method.mask) == pytest.approx(passes, rel=1e-12)


def test_scores_have_the_straight_through_gradient_of_a_net_of_two_layers():
    """As `by_hand` of test_dynamic: ∂L/∂(w ⊙ h) is a [[-1, -2], [1, 2], [.2, .4]] and a [[-1, -2, -.5], [1, 2, .5]]."""
    model = nn.Sequential(nn.Linear(2, 3, bias=False), nn.ReLU(), nn.Linear(3, 2, bias=False))
    frozen = [torch.tensor([[1.0, -2.0], [3.0, 1.0], [0.5, 4.0]]), torch.tensor([[1.0, 2.0, -3.0], [5.0, 1.0, 0.2]])]
    kept = [torch.tensor([[1, 0], [0, 1], [1, 0]]), torch.tensor([[1, 0, 0], [0, 1, 1]])]
    inside = [torch.tensor([[1, 0], [1, 1], [1, 1]]), torch.tensor([[1, 1, 0], [0, 1, 1]])]
    for layer, weight in zip((model[0], model[2]), frozen, strict=True):
        layer.weight.data = weight.clone()
    source = Mask({"0.weight": inside[0].bool(), "2.weight": inside[1].bool()})
    popup = edge_popup.EdgePopup(model, source, torch.optim.SGD(model.parameters(), lr=0.1), density=0.5)
    for name, each in zip(popup.scores, kept, strict=True):
        popup.scores[name].data = torch.where(each.bool(), 2.0, -1.0)  # of which 2 is the highest magnitude
    popup.change(popup.best())
    before = {name: score.detach().clone() for name, score in popup.scores.items()}
    F.cross_entropy(model(torch.tensor([[1.0, 2.0]])), torch.tensor([0])).backward()
    popup.step()
    a, sign = 1 / (1 + math.exp(-1.1)), [2 * each - 1 for each in kept]
    gradients = [
        a * torch.tensor([[-1.0, -2.0], [1.0, 2.0], [0.2, 0.4]]),
        a * torch.tensor([[-1.0, -2.0, -0.5], [1.0, 2.0, 0.5]]),
    ]
    for name, gradient, w, s, m in zip(popup.scores, gradients, frozen, sign, inside, strict=True):
        torch.testing.assert_close(popup.scores[name].detach(), before[name] - 0.1 * gradient * w * s * m)


def test_resume_is_bit_for_bit(tmp_path):
    of = config(source_sparsity=0.5)
    straight = training.train(of)
    training.train(of.replace(stop_epoch=2), checkpoint_dir=tmp_path)
    resumed = training.train(of, checkpoint_dir=tmp_path)
    assert store.keep_comparable(resumed) == store.keep_comparable(straight) and straight["status"] == "done"
    assert resumed["cost"]["sparse_flops"] == pytest.approx(straight["cost"]["sparse_flops"], rel=1e-12)
    one, again = trainer(of), trainer(of)
    one.train_epoch()
    checkpoints.save(one.states()[0], of, tmp_path)
    again.resume([checkpoints.load(of, tmp_path)])
    one.train_epoch()
    again.train_epoch()
    assert one.method.mask == again.method.mask
    assert all(torch.equal(score, again.method.scores[name]) for name, score in one.method.scores.items())


def test_fine_tuning_trains_the_weights_of_the_ticket_that_a_shorter_run_ends_with(tmp_path):
    ticket = config(source_sparsity=0.5)
    of = ticket.replace(epochs=ticket.epochs + 3, fine_tune_epochs=3, warmup_epochs=1)
    ticket = ticket.replace(warmup_epochs=1)
    straight = training.train(of)
    chosen = trainer(ticket)
    for _ in range(ticket.epochs):
        chosen.train_epoch()
    assert chosen.curves[0] == straight["curve"][: ticket.epochs]
    last, first = (straight["curve"][epoch]["lr"] for epoch in (ticket.epochs - 1, ticket.epochs))
    assert first > last == pytest.approx(0, abs=0.01)
    tuned = trainer(of)
    for epoch in range(of.epochs):
        tuned.train_epoch()
        if epoch in (ticket.epochs - 1, ticket.epochs):  # the last of edge-popup, the first of fine-tuning
            checkpoints.save(tuned.states()[0], of, tmp_path / str(epoch))
    assert tuned.method.mask == chosen.method.mask
    for name, weight in tuned.model.named_parameters():
        before, kept = chosen.model.get_parameter(name), chosen.method.mask.get(name)
        moved = weight.detach() != before.detach()
        assert moved.any() if kept is None else moved[kept].float().mean() > 0.9 and not moved[~kept].any(), name
    for epoch in (ticket.epochs - 1, ticket.epochs):
        resumed = training.train(of, checkpoint_dir=tmp_path / str(epoch))
        assert store.keep_comparable(resumed) == store.keep_comparable(straight)


def test_choosing_weights_is_enough_to_learn():
    of = RunConfig(method="edge-popup", sparsity=0.5, start_sparsity=0.5, epochs=6, batch_size=64, train_samples=640)
    record = training.train(of)
    assert record["test"]["accuracy"] > 0.6 and record["density"]["realised"] == pytest.approx(0.5, abs=1e-4)
    assert training.train(of.replace(mask_seed=1))["curve"] != record["curve"]  # which the first scores depend on
