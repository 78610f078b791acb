"""Methods in a training loop of one's own: no run, no trainer; only a network, a mask and an optimiser."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from randsparse.errors import StudyError
from randsparse.sparsity import masks
from randsparse.sparsity.masks import Mask
from randsparse.training.methods.base import ChangingMask, StaticMask
from randsparse.training.methods.dynamic import GMP, SET, GraNet, RigL
from randsparse.training.methods.edge_popup import EdgePopup
from randsparse.training.methods.iterative_magnitude import IterativeMagnitude
from randsparse.training.methods.soft_threshold import SoftThreshold

STEPS = 20
TIMES = dict(total_steps=STEPS, update_interval=3)  # updates in steps 3, 6, 9, 12 and 15
SPARSE = {SET: TIMES, RigL: TIMES}
DENSER = {
    GMP: dict(density=0.2, **TIMES),
    GraNet: dict(density=0.2, **TIMES),
    SoftThreshold: dict(density=0.2, total_steps=STEPS, threshold_init=-3.0, threshold_decay=1.0),
    IterativeMagnitude: dict(density=0.2, total_steps=STEPS, levels=2),
    EdgePopup: dict(density=0.2, start_density=0.6, fine_tune_steps=5, **TIMES),
}
ALL = [(make, 0.2, settings) for make, settings in SPARSE.items()]
ALL += [(make, 0.6, settings) for make, settings in DENSER.items()]
OPTIMIZERS = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, 0.1, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "adamw": lambda parameters: torch.optim.AdamW(parameters, 0.01, weight_decay=0.1),
}


def network() -> nn.Module:
    torch.manual_seed(0)
    layers = (nn.Conv2d(3, 8, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(288, 20), nn.ReLU())
    return nn.Sequential(*layers, nn.Linear(20, 4))


def batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(step)
    return torch.randn(16, 3, 8, 8, generator=random), torch.randint(4, (16,), generator=random)


def made(make, density: float, settings: dict, optimizer: str = "sgd", model: nn.Module | None = None) -> ChangingMask:
    model = model or network()
    mask = masks.random(model, density=density)
    return make(model, mask, OPTIMIZERS[optimizer](model.parameters()), **settings)


def loop(method: StaticMask, first: int = 0, last: int = STEPS):
    """Train, as the head of `methods.base` says, and yield the number of each step after it."""
    method.model.train()
    for step in range(first, last):
        method.begin()
        images, labels = batch(step)
        method.optimizer.zero_grad()
        F.cross_entropy(method.model(images), labels).backward()
        method.step()
        yield step


def planned(make, step: int, size: int) -> int:
    """The number of weights after `step`, counted from 0."""
    start, end = round(0.6 * size), round(0.2 * size)
    if make in SPARSE:
        return end
    if make is IterativeMagnitude:
        return start if step < 10 else end
    passed = min(step // 3, 5 if make is not EdgePopup else 3) / (5 if make is not EdgePopup else 3)
    return end + round((start - end) * (1 - passed) ** 3)


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
@pytest.mark.parametrize(("make", "density", "settings"), ALL, ids=[make.__name__ for make, *_ in ALL])
def test_the_number_of_weights_is_exact_and_what_is_masked_is_zero(make, density, settings, optimizer):
    method = made(make, density, settings, optimizer)
    before = {name: weight.detach().clone() for name, weight in method.parameters.items()}
    size, changes, mask = method.mask.size, [], method.mask
    for step in loop(method):
        frozen = make is EdgePopup and not method.fine_tuning
        if make is not SoftThreshold:
            assert method.mask.nnz == planned(make, step, size), step
        if method.mask != mask:
            changes.append(step)
        mask = method.mask
        for name, kept in mask.items():
            weight = method.parameters[name].detach()
            assert (weight[~kept] == 0).all(), name
            if make is SoftThreshold and not method.fixed:
                continue  # weights that are zero keep their state, and can come back
            for state in method.optimizer.state.get(method.parameters[name], {}).values():
                assert state.shape != kept.shape or (state[~kept] == 0).all(), name
            if frozen:
                assert torch.equal(weight, before[name] * kept), name
    assert mask.nnz == round(0.2 * size)
    if make in (SET, RigL):
        assert changes == [3, 6, 9, 12]  # the cosine leaves nothing to replace in step 15, the last
    if make in (GMP, GraNet):
        assert changes == [3, 6, 9, 12, 15]
    if make is IterativeMagnitude:
        assert changes == [10]
    for name, kept in mask.items():
        for sign in (1, -1):
            same = kept & (before[name] * sign > 0)
            assert not same.any() or (method.parameters[name][same] != before[name][same]).float().mean() > 0.9, name


@pytest.mark.parametrize(("make", "density", "settings"), ALL, ids=[make.__name__ for make, *_ in ALL])
@pytest.mark.parametrize("stop", [7, 12, 17])
def test_it_goes_on_bit_for_bit_from_its_state(make, density, settings, stop):
    straight, first = (made(make, density, settings, "adamw") for _ in range(2))
    list(loop(straight))
    list(loop(first, last=stop))
    other = network()
    with torch.no_grad():
        for weight in other.parameters():
            weight.add_(1.0)
    again = made(make, density, settings, "adamw", other)  # whatever the network begins as
    states = copy.deepcopy([each.state_dict() for each in (first, first.model, first.optimizer)])
    for each, state in zip((again, again.model, again.optimizer), states, strict=True):
        each.load_state_dict(state)
    list(loop(again, stop))
    assert again.mask == straight.mask and again.steps == straight.steps == STEPS
    for name, value in straight.model.state_dict().items():
        assert torch.equal(value, again.model.state_dict()[name]), name


def test_rigl_grows_where_the_dense_gradient_is_largest_and_leaves_the_weights():
    method = made(RigL, 0.2, dict(total_steps=STEPS, update_interval=4, prune_rate=0.5, prune_decay="constant"))
    list(loop(method, last=4))
    before, mask = copy.deepcopy(method.model).train(), method.mask
    images, labels = batch(4)
    F.cross_entropy(before(images), labels).backward()
    list(loop(method, 4, 5))
    assert all((method.mask[name] & ~kept).any() for name, kept in mask.items() if kept.numel() > 100)
    for name, kept in mask.items():
        weight, gradient = before.get_parameter(name).detach(), before.get_parameter(name).grad.abs()
        count = int(0.5 * int(kept.sum()))
        lowest = weight.abs().masked_fill(~kept, torch.inf).flatten().argsort()[:count]
        survivors = kept.flatten().clone()
        survivors[lowest] = False
        highest = gradient.flatten().masked_fill(survivors, -1.0).argsort(descending=True)[:count]
        survivors[highest] = True
        assert torch.equal(method.mask[name].flatten(), survivors), name
        assert torch.equal(method.parameters[name].detach(), weight * method.mask[name]), name
        grown = method.mask[name] & ~kept
        assert (method.optimizer.state[method.parameters[name]]["momentum_buffer"][grown] == 0).all()


def test_a_method_that_replaces_nothing_trains_as_a_static_mask():
    settings = dict(total_steps=STEPS, update_interval=3, prune_rate=1e-9)
    replacing, static = made(SET, 0.2, settings), made(StaticMask, 0.2, {})
    for _ in zip(loop(replacing), loop(static), strict=True):
        assert replacing.mask == static.mask
    for one, other in zip(replacing.model.parameters(), static.model.parameters(), strict=True):
        assert torch.equal(one, other)


def test_set_draws_by_its_seed():
    one, same, other = (made(SET, 0.2, TIMES | dict(seed=seed)) for seed in (1, 1, 2))
    for method in (one, same, other):
        list(loop(method, last=4))
    assert one.mask == same.mask != other.mask


def test_a_schedule_of_the_learning_rate_reaches_scores_and_thresholds():
    for make in (EdgePopup, SoftThreshold):
        method = made(make, 0.6, DENSER[make])
        schedule = torch.optim.lr_scheduler.StepLR(method.optimizer, 1, 0.5)
        for _ in loop(method, last=2):
            schedule.step()
        assert {group["lr"] for group in method.optimizer.param_groups} == {0.025}


def test_a_level_that_was_not_begun_is_an_error():
    method = made(IterativeMagnitude, 0.6, DENSER[IterativeMagnitude])
    list(loop(method, last=10))
    images, labels = batch(10)
    F.cross_entropy(method.model(images), labels).backward()
    with pytest.raises(StudyError, match=r"level 0 ended with step 10: call begin\(\) before the forward pass"):
        method.step()


def test_weights_rewind_to_the_step_that_was_asked_for():
    method = made(IterativeMagnitude, 0.6, dict(density=0.2, total_steps=20, levels=3, rewind_step=2))
    list(loop(method, last=2))
    wanted = copy.deepcopy(method.model.state_dict())
    list(loop(method, 2, 8))
    method.begin()
    assert method.mask.nnz == round(method.start * (method.end / method.start) ** 0.5)
    for name, value in method.model.state_dict().items():
        assert torch.equal(value, wanted[name] * method.mask.get(name, torch.tensor(1))), name


def test_a_layer_that_takes_no_part_has_no_gradient_and_is_no_error():
    model = network()
    model.register_module("spare", nn.Linear(3, 3))
    mask = masks.random(model, density=0.3)
    model.forward = lambda images: nn.Sequential(*list(model.children())[:-1])(images)
    method = RigL(model, mask, torch.optim.SGD(model.parameters(), 0.1), **TIMES)
    list(loop(method))
    assert method.mask.counts == mask.counts


GOOD = {make: settings for make, _, settings in ALL}


@pytest.mark.parametrize(
    ("make", "changes", "says"),
    [
        (RigL, dict(update_interval=0), "update_interval=0 is not possible: it must be 1 step or more"),
        (RigL, dict(update_interval=16), "update_interval=16 .* at most 15, as masks change between steps 0 and 15"),
        (SET, dict(prune_rate=1.5), r"prune_rate=1.5 .* in \(0, 1\]"),
        (GraNet, dict(prune_decay="linear"), "unknown prune_decay 'linear': choose one of cosine, constant"),
        (GMP, dict(prune_scope="net"), "unknown prune_scope 'net': choose one of global, layer"),
        (GMP, dict(density=0.7), r"density=0.7 .* at most that of the first mask \(0.6"),
        (GMP, dict(density=0), "density=0 is not possible"),
        (GMP, dict(update_start=0.8), r"update_start=0.8 .* from 0 to update_end \(0.75\)"),
        (SoftThreshold, dict(update_end=0), "update_end=0 is not possible"),
        (SoftThreshold, dict(threshold_init=float("inf")), "threshold_init=inf .* finite"),
        (IterativeMagnitude, dict(levels=1), "levels=1 is not possible: it must be 2 or more"),
        (IterativeMagnitude, dict(total_steps=21), r"total_steps=21 .* a multiple of levels \(2\)"),
        (IterativeMagnitude, dict(rewind="all"), "unknown rewind 'all': choose one of weights, rate"),
        (EdgePopup, dict(start_density=0.1), r"start_density=0.1 .* from density \(0.2\)"),
        (EdgePopup, dict(total_steps=None), "total_steps=None is not possible"),
        (EdgePopup, dict(fine_tune_steps=20), r"fine_tune_steps=20 .* below total_steps \(20\)"),
    ],
)
def test_a_setting_that_is_impossible_is_one_line(make, changes, says):
    with pytest.raises(StudyError, match=says) as error:
        made(make, 0.2 if make in SPARSE else 0.6, GOOD[make] | changes)
    assert "\n" not in str(error.value)


def test_a_mask_or_an_optimiser_of_another_network_is_one_line():
    model, other = network(), nn.Linear(2, 3)
    mask, optimizer = masks.random(model, density=0.3), torch.optim.SGD(model.parameters(), 0.1)
    with pytest.raises(StudyError, match="the mask covers '0.weight', which the model does not have"):
        RigL(other, mask, optimizer, **TIMES)
    with pytest.raises(StudyError, match="the optimiser does not train '0.weight'"):
        RigL(model, mask, torch.optim.SGD(other.parameters(), 0.1), **TIMES)
    with pytest.raises(StudyError, match="keeps weights outside its source"):
        RigL(model, mask, optimizer, source=masks.random(model, density=0.1), **TIMES)
    shape = Mask({"0.weight": torch.ones(2, 2, dtype=torch.bool)})
    with pytest.raises(StudyError, match=r"shape \(2, 2\), the weight \(8, 3, 3, 3\)"):
        RigL(model, shape, optimizer, **TIMES)
    with mask.apply(model), pytest.raises(StudyError, match="a mask is in force on '0.weight' already: remove()"):
        RigL(model, mask, optimizer, **TIMES)
