"""Masks that change in training: inside their source, of the counts that were planned, and resumed bit for bit."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from changing_masks import SOURCE, TINY, assert_masked_is_zero, config, steps, trainer
from randsparse.data import catalogue
from randsparse.errors import StudyError
from randsparse.runs import feasibility, flops, methods
from randsparse.runs import store as runs
from randsparse.runs.config import RunConfig
from randsparse.sparsity import densities
from randsparse.sparsity.layers import maskable
from randsparse.sparsity.masks import Mask
from randsparse.sweeps import final_weights
from randsparse.training import checkpoints
from randsparse.training import methods as mask_methods
from randsparse.training import train as training
from randsparse.training.methods import dynamic

METHODS = ("set", "rigl", "gmp", "granet")


@pytest.mark.parametrize(("source", "optimizer"), [({}, "sgd"), (SOURCE, "adamw")], ids=["dense", "random"])
@pytest.mark.parametrize("method", METHODS)
def test_masks_stay_in_their_source_with_the_planned_number_of_weights_in_every_step(method, source, optimizer):
    recipe = dict(optimizer=optimizer, lr=0.01) if optimizer == "adamw" else {}
    run = trainer(config(method, **source, **recipe))
    first, inside = run.method.mask, run.method.source
    size, end = inside.size, round(0.1 * inside.size)
    assert inside.nnz == round(0.4 * size if source else size)
    assert first.nnz == (end if method in ("set", "rigl") else inside.nnz)
    changed = []
    for step in steps(run):
        before, mask = first, run.method.mask
        assert all((mask[name] <= inside[name]).all() for name in inside)
        if method in ("set", "rigl"):
            assert mask.counts == first.counts
        else:
            passed = min(max(step // 3, 0), 6)  # updates in steps 3, 6, …, 18, three quarters of training
            assert mask.nnz == end + round((inside.nnz - end) * (1 - passed / 6) ** 3)
        assert_masked_is_zero(run)
        changed += [step] if mask != before else []
        first = mask
    # The cosine leaves nothing to replace in step 18 = 0.75 · 24; GMP and GraNet still prune to the last weight there.
    assert changed == ([3, 6, 9, 12, 15] if method in ("set", "rigl") else [3, 6, 9, 12, 15, 18])
    assert run.density()["weights"] == end == run.method.mask.nnz


@pytest.mark.parametrize("method", METHODS)
def test_resume_is_bit_for_bit(method, tmp_path):
    of = config(method, **SOURCE)
    straight = training.train(of)
    first = training.train(of.replace(stop_epoch=1), checkpoint_dir=tmp_path)
    training.train(of.replace(stop_epoch=2), checkpoint_dir=tmp_path)
    resumed = training.train(of, checkpoint_dir=tmp_path)
    assert runs.keep_comparable(resumed) == runs.keep_comparable(straight) and straight["status"] == "done"
    assert resumed["cost"]["sparse_flops"] == pytest.approx(straight["cost"]["sparse_flops"], rel=1e-12)
    assert straight["density"]["realised"] == pytest.approx(0.1, abs=1e-4)
    assert straight["density"]["effective"] <= straight["density"]["realised"]
    assert first["status"] == "stopped"
    assert (first["density"]["weights"] > straight["density"]["weights"]) == (method in ("gmp", "granet"))


@pytest.mark.parametrize("method", METHODS)
def test_weights_and_masks_after_resuming_are_bit_for_bit(method, tmp_path):
    of = config(method, **SOURCE)
    straight, again = trainer(of), trainer(of)
    straight.train_epoch()
    checkpoints.save(straight.states()[0], of, tmp_path)
    again.resume([checkpoints.load(of, tmp_path)])
    assert again.method.mask == straight.method.mask
    for run in (straight, again):
        run.train_epoch()
    assert again.method.mask == straight.method.mask
    for a, b in zip(straight.model.state_dict().values(), again.model.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_a_run_that_ends_early_does_not_take_the_densities_of_a_later_epoch(tmp_path):
    of = config("gmp")
    early = training.train(of.replace(stop_epoch=1))
    training.train(of.replace(stop_epoch=2), checkpoint_dir=tmp_path)
    again = training.train(of.replace(stop_epoch=1), checkpoint_dir=tmp_path)
    assert runs.keep_comparable(again) == runs.keep_comparable(early)
    store = runs.Store(tmp_path)
    store.put(training.train(of))
    assert store.get(of.replace(stop_epoch=1)) is None and store.get(of) is not None


def by_hand(method: str, source: Mask | None = None, step: int = 1) -> SimpleNamespace:
    """A run of a net of two layers, x = (1, 2), at step 1 of 4; every layer replaces one of its three weights.

    h = W1 x = (1, 2, .5), z = W2 h = (1, 2.1), label 0: δ = ∂L/∂z = a (-1, 1) with a = 1 / (1 + exp(-1.1)), and
    ∂L/∂W2 = δ hᵀ = a [[-1, -2, -.5], [1, 2, .5]], ∂L/∂W1 = W2ᵀδ xᵀ = a [[-1, -2], [1, 2], [.2, .4]].
    """
    model = nn.Sequential(nn.Linear(2, 3, bias=False), nn.ReLU(), nn.Linear(3, 2, bias=False))
    model[0].weight.data = torch.tensor([[1.0, 0.0], [0.0, 1.0], [0.5, 0.0]])
    model[2].weight.data = torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.2]])
    mask = Mask({name: weight != 0 for name, weight in model.named_parameters()})
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    settings = dict(total_steps=4, update_interval=1, update_end=1.0, prune_rate=0.34, prune_decay="constant")
    settings |= {"density": 0.5} if method == "granet" else {}
    made = dynamic.UPDATED[method](model, mask, optimizer, source=source, **settings)
    made.steps = step
    F.cross_entropy(model(torch.tensor([[1.0, 2.0]])), torch.tensor([0])).backward()
    made.step()
    return SimpleNamespace(model=model, method=made)


def test_rigl_grows_the_largest_dense_gradients_of_a_net_of_two_layers():
    run = by_hand("rigl")
    a = 1 / (1 + math.exp(-1.1))
    torch.testing.assert_close(run.model[2].weight.grad, a * torch.tensor([[-1.0, -2.0, -0.5], [1.0, 2.0, 0.5]]))
    torch.testing.assert_close(run.model[0].weight.grad, a * torch.tensor([[-1.0, -2.0], [1.0, 2.0], [0.2, 0.4]]))
    # dropped: .5 in the first layer, .2 in the second; grown: 2a in both
    assert run.method.mask["0.weight"].int().tolist() == [[1, 1], [0, 1], [0, 0]]
    assert run.method.mask["2.weight"].int().tolist() == [[1, 1, 0], [0, 1, 0]]
    assert run.model[0].weight.tolist() == [[1, 0], [0, 1], [0, 0]]  # no other step: new weights are zero
    assert run.model[2].weight.tolist() == [[1, 0, 0], [0, 1, 0]]


def test_rigl_grows_nothing_outside_its_source():
    source = Mask(
        {
            "0.weight": torch.tensor([[1, 0], [1, 1], [1, 1]]).bool(),
            "2.weight": torch.tensor([[1, 0, 0], [0, 1, 1]]).bool(),
        }
    )
    run = by_hand("rigl", source)
    assert run.method.mask["0.weight"].int().tolist() == [[1, 0], [1, 1], [0, 0]]  # a, since 2a is not in the source
    assert run.method.mask["2.weight"].int().tolist() == [[1, 0, 0], [0, 1, 1]]  # nowhere to go: it stays
    assert run.model[2].weight[1, 2].item() == pytest.approx(0.2)  # and stays as it is


def test_set_grows_by_its_seed_alone_and_the_others_by_the_gradient_of_the_step_before():
    masks = [by_hand("set", step=step).method.mask for step in (1, 1, 2, 3)]
    assert masks[0] == masks[1] and any(masks[0] != mask for mask in masks[2:])
    granet = by_hand("granet").method.mask  # its first mask is all it may keep, so that it replaces as RigL does
    assert granet.counts == {"0.weight": 3, "2.weight": 3}


def test_the_gradients_that_an_update_sees_are_those_of_masked_weights_too(monkeypatch):
    seen = []

    def note(method, number, magnitudes, gradients):
        seen.append(gradients)
        return method.mask

    monkeypatch.setattr(dynamic.RigL, "next_mask", note)
    run = trainer(config("rigl", **SOURCE, precision="float64"))
    batches = list(run.batches.epoch(0))
    for batch in batches[:3]:
        run.advance(*batch)
    run.model.train()
    before = {name: value.clone() for name, value in run.model.state_dict().items()}
    images, labels = batches[3]
    loss = F.cross_entropy(run.model(images.double()), labels)
    wanted = torch.autograd.grad(loss, list(run.method.parameters.values()))
    run.model.load_state_dict(before)
    run.advance(images, labels)
    for (name, gradient), each in zip(seen[0].items(), wanted, strict=True):
        torch.testing.assert_close(gradient, each.abs())
        masked = ~run.method.mask[name]
        assert not masked.any() or gradient[masked].max() > 0
    for name, weight in run.method.parameters.items():
        assert torch.equal(weight, before[name])  # RigL's update takes the place of the step


@pytest.mark.parametrize("scope", ["global", "layer"])
def test_pruning_keeps_the_largest_weights_that_are_left(scope):
    run = trainer(config("gmp", **SOURCE, prune_scope=scope))
    source = run.method.source
    for _ in steps(run):
        pass
    mask, weights = run.method.mask, dict(run.model.named_parameters())
    shares = [mask.counts[name] / source.counts[name] for name in mask]
    if scope == "layer":
        assert shares == pytest.approx([0.25] * len(shares), abs=2 / min(source.counts.values()))
    else:
        assert max(shares) - min(shares) > 0.05
    magnitudes = {name: weights[name].detach().abs() for name in mask}
    once = dynamic.prune_weights(magnitudes, mask, mask.nnz // 2, scope)
    low, high = (
        [each for name in mask for each in [magnitudes[name][mask[name] & (once[name] == stays)]]]
        for stays in (False, True)
    )
    assert once.nnz == mask.nnz // 2 and all((once[name] <= mask[name]).all() for name in mask)
    if scope == "global":
        bottom = torch.cat([each for each in high if len(each) > 1]).min()
        assert torch.cat(low).max() <= bottom  # a layer of one weight keeps it
    else:
        assert all(a.max() <= b.min() for a, b in zip(low, high, strict=True) if len(a))


def test_pruning_leaves_no_layer_empty_and_refuses_counts_it_cannot_reach():
    mask = Mask({name: torch.ones(2, 3, dtype=torch.bool) for name in "ab"})
    magnitudes = {"a": torch.full((2, 3), 0.1), "b": torch.arange(1.0, 7).view(2, 3)}
    assert dynamic.prune_weights(magnitudes, mask, 4).counts == {"a": 1, "b": 3}
    assert dynamic.prune_weights(magnitudes, mask, 3, "layer").counts == {"a": 2, "b": 1}
    for count in (1, 13):
        with pytest.raises(StudyError, match=f"cannot keep {count} of 12 weights in 2 layers"):
            dynamic.prune_weights(magnitudes, mask, count)


def test_replaced_drops_the_lowest_and_grows_the_highest():
    kept, source = (torch.tensor(each).bool() for each in ([1, 1, 1, 0, 0, 0], [1, 1, 1, 1, 1, 0]))
    magnitude, growth = torch.tensor([3.0, 1, 2, 0, 0, 0]), torch.tensor([9.0, 1, 9, 4, 5, 9])
    assert dynamic.replace_weights(kept, source, magnitude, growth, 0).tolist() == kept.tolist()
    assert dynamic.replace_weights(kept, source, magnitude, growth, 1).int().tolist() == [1, 0, 1, 0, 1, 0]
    assert dynamic.replace_weights(kept, source, magnitude, growth, 2).int().tolist() == [
        1,
        0,
        1,
        0,
        1,
        0,
    ]  # 2 comes back
    assert dynamic.replace_weights(kept, source, magnitude, growth * 0, 3).sum() == 3


def test_granet_starts_where_it_is_told_and_regrows():
    of = config("granet", start_sparsity=0.5, update_start=0.25, prune_rate=0.5)
    run = trainer(of)
    first, size = run.method.mask, run.method.source.size
    assert first.nnz == round(0.5 * size) and run.method.source.nnz == size
    seen = [(step, run.method.mask) for step in steps(run)]
    pairs = zip(seen, seen[1:], strict=False)
    back = [step for (_, a), (step, b) in pairs if any((b[name] & ~a[name]).any() for name in a)]
    assert back == [9, 12, 15]
    assert seen[-1][1].nnz == round(0.1 * size)


def test_flops_are_those_of_the_masks_that_training_had():
    static = training.train(RunConfig(**TINY))["cost"]
    assert training.train(config("set"))["cost"]["sparse_flops"] == pytest.approx(static["sparse_flops"], rel=1e-12)
    rigl = training.train(config("rigl"))["cost"]  # six updates need the gradient of all weights
    dense = rigl["flops"]
    more = 6 / 24 * (dense / 3 - static["sparse_flops"] / 3)
    assert rigl["sparse_flops"] == pytest.approx(static["sparse_flops"] + more, rel=1e-12)
    run = trainer(config("gmp"))
    masks = [run.method.mask]
    masks += [run.method.mask for _ in steps(run)][:-1]  # the mask that each step begins with
    mean = sum(flops.count_kept(run.flops, mask.layer_densities) for mask in masks) / 24
    assert run.costs.mean(24, run.method.mask) == pytest.approx(mean, rel=1e-12)


def test_a_schedule_without_an_update_is_refused():
    with pytest.raises(StudyError, match="update_interval=19 is not possible: it must be at most 18, as masks change"):
        trainer(config("rigl", update_interval=19))
    assert trainer(config("rigl", update_interval=18)).method.updates.updates == 1


@pytest.mark.parametrize("method", ["rigl", "edge-popup", "str"])
def test_the_network_of_a_finished_run_has_its_final_mask(method, tmp_path):
    of, store = config(method, source_sparsity=0.5), runs.Store(tmp_path)
    store.put(training.train(of, weights_root=tmp_path))
    network = final_weights.load_network(of, store, train=False)
    kept = sum(int((network.get_parameter(name) != 0).sum()) for name in maskable(network))
    assert 0.98 * round(0.1 * 77072) <= kept <= store.get(of)["density"]["weights"] == round(0.1 * 77072)


def test_every_method_is_made_and_says_what_it_cannot_reach():
    assert set(mask_methods.METHODS) == {"static", "small-dense", *methods.DYNAMIC}
    for method in methods.DYNAMIC:
        of = RunConfig(method=method, sparsity=0.9, source_sparsity=0.5)
        assert feasibility.explain_infeasible(of, *catalogue.shape("digits")) is None
        too_sparse = feasibility.explain_infeasible(of.replace(sparsity=0.99999), *catalogue.shape("digits"))
        assert "density 1e-05 cannot be met by 10 layers" in too_sparse
    of = RunConfig(method="gmp", sparsity=0.9995, source_sparsity=0.999, source_rule="uniform+")
    assert "stem.weight cannot be sparser" in feasibility.explain_infeasible(of, *catalogue.shape("digits"))


def test_masks_change_in_a_run_that_diverges():
    record = training.train(config("granet", lr=1e30))
    assert record["status"] == "diverged" and record["density"]["weights"]


def test_another_mask_seed_gives_another_source_and_the_rule_its_counts():
    a, b = (trainer(config("set", **SOURCE, mask_seed=seed)).method for seed in (0, 1))
    assert a.source != b.source and a.source.counts == b.source.counts
    shapes = {name: tuple(kept.shape) for name, kept in a.source.items()}
    assert a.source.counts == densities.allocate(shapes, 0.4, "balanced")
    tight = trainer(config("rigl", source_sparsity=0.85, source_rule="uniform")).method
    wanted = densities.allocate(shapes, 0.1, "erk")
    assert any(wanted[name] > count for name, count in tight.source.counts.items())  # the others take the rest
    assert all((kept <= tight.source[name]).all() for name, kept in tight.mask.items())
    assert tight.mask.nnz == round(0.1 * tight.mask.size)
