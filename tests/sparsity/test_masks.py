from __future__ import annotations

import copy
import gc
import math
import weakref

import pytest
import torch
from torch import nn
from torch.optim import optimizer as torch_optimizers

from randsparse.errors import StudyError
from randsparse.sparsity import densities, masks
from randsparse.sparsity.masks import KINDS, Mask, _lowest_in_rows, draw, keep_lowest, overlap, shuffle

SHAPES = {"stem.weight": (6, 3, 3, 3), "conv.weight": (8, 6, 3, 3), "classifier.weight": (10, 8)}
COUNTS = {"stem.weight": 100, "conv.weight": 61, "classifier.weight": 7}
GOLDEN = "2eb2497642e01d24a9d8b36459e7c8d0811ab9e76b1c7fa0c0beb8a0089c4778"


def test_exact_masks_keep_exactly_the_counts():
    mask = draw(SHAPES, COUNTS, seed=0)
    assert mask.counts == COUNTS and list(mask) == list(SHAPES)
    assert {name: tuple(kept.shape) for name, kept in mask.items()} == SHAPES
    assert mask.nnz == 168 and mask.size == 674 and mask.density == 168 / 674
    assert mask.layer_densities["classifier.weight"] == 7 / 80


def test_a_mask_depends_on_its_seed_and_names_only():
    mask = draw(SHAPES, COUNTS, seed=0)
    torch.manual_seed(7)
    torch.rand(100)
    state = torch.get_rng_state()
    backwards = dict(reversed(SHAPES.items()))
    assert draw(backwards, COUNTS, seed=0) == mask
    assert torch.equal(torch.get_rng_state(), state)
    assert draw(SHAPES, COUNTS, seed=1) != mask
    assert draw(SHAPES, COUNTS, seed=0).digest == GOLDEN


@pytest.mark.parametrize("kind", KINDS)
def test_sparser_masks_are_subsets(kind):
    denser = draw(SHAPES, {name: math.prod(shape) for name, shape in SHAPES.items()}, 3, kind)
    for share in (0.9, 0.55, 0.5, 0.21, 0.2, 0.01):
        mask = draw(SHAPES, {name: round(share * math.prod(shape)) for name, shape in SHAPES.items()}, 3, kind)
        assert all((denser[name] | ~mask[name]).all() for name in mask)
        denser = mask


@pytest.mark.parametrize("count", [0, 1, 5, 61, 8 * 54])
def test_fan_in_masks_are_even_over_units_and_exact_in_all(count):
    mask = draw({"conv.weight": (8, 6, 3, 3)}, {"conv.weight": count}, 0, "fan_in")
    fan_in = mask["conv.weight"].flatten(1).sum(1)
    assert fan_in.sum() == count and fan_in.max() - fan_in.min() <= 1


def test_the_units_with_one_weight_more_are_drawn():
    first = {int(draw({"w": (8, 4)}, {"w": 1}, seed, "fan_in")["w"].any(1).nonzero()) for seed in range(20)}
    assert len(first) > 3


def test_bernoulli_counts_have_the_mean_and_variance_of_independent_weights():
    n, p = 1000, 0.3
    counts = [draw({"w": (10, 100)}, {"w": 300}, seed, "bernoulli").nnz for seed in range(400)]
    counts = torch.tensor(counts, dtype=torch.float64)
    assert abs(counts.mean() - n * p) < 4 * math.sqrt(n * p * (1 - p) / 400)
    assert 0.75 < counts.var() / (n * p * (1 - p)) < 1.25


def test_exact_masks_are_uniform_over_positions():
    kept = sum(draw({"w": (4, 5)}, {"w": 6}, seed)["w"].long() for seed in range(500)) / 500
    assert (kept - 0.3).abs().max() < 4.5 * math.sqrt(0.3 * 0.7 / 500)


def test_equal_scores_are_kept_in_order():
    scores = torch.tensor([[0.5, 0.1, 0.5], [0.5, 0.9, 0.5]])
    assert keep_lowest(scores, 3).tolist() == [[True, True, True], [False, False, False]]
    many = torch.rand(100_000, generator=torch.Generator().manual_seed(0)).mul(100).floor().div(100)
    kept = keep_lowest(many, 12_345)
    assert kept[many.argsort(stable=True)[:12_345]].all() and kept.sum() == 12_345


def test_equal_scores_of_a_unit_are_kept_in_order():
    scores = torch.tensor([[0.5, 0.1, 0.5, 0.5], [0.2, 0.2, 0.2, 0.2]])
    kept = _lowest_in_rows(scores, 5, rank=torch.tensor([1, 0]))  # the second unit keeps one more
    assert kept.tolist() == [[True, True, False, False], [True, True, True, False]]


def test_scores_far_from_uniform_are_still_exact():
    assert keep_lowest(torch.full((5000,), 0.99), 50).sum() == 50


def test_masks_validate_themselves():
    for bad in (
        {},
        {"w": torch.ones(2, 2)},
        {"w": [True]},
        {"w": torch.ones(0, 2).bool()},
        {"b": torch.ones(2).bool()},
    ):
        with pytest.raises(StudyError):
            Mask(bad)


def test_what_is_asked_of_draw_must_fit():
    with pytest.raises(StudyError, match="'foo'.*exact.*bernoulli.*fan_in"):
        draw(SHAPES, COUNTS, 0, "foo")
    with pytest.raises(StudyError, match="from 0 to 80"):
        draw(SHAPES, COUNTS | {"classifier.weight": 81}, 0)
    with pytest.raises(StudyError, match="conv.weight"):
        draw(SHAPES, {"stem.weight": 1, "classifier.weight": 1}, 0)


def test_only_weights_count():
    mask = Mask({"w": torch.eye(4).bool(), "norm.weight": torch.zeros(4).bool()})
    assert (mask.nnz, mask.size, mask.density, mask.empty_layers) == (4, 16, 0.25, [])
    assert list(mask) == ["w", "norm.weight"] and list(mask.weights) == ["w"]


def test_empty_layers_are_named():
    assert draw(SHAPES, COUNTS | {"conv.weight": 0}, 0).empty_layers == ["conv.weight"]


def test_saved_masks_come_back(tmp_path):
    mask = draw(SHAPES, COUNTS, 0)
    mask.save(tmp_path / "mask.safetensors")
    loaded = Mask.load(tmp_path / "mask.safetensors")
    assert loaded == mask and list(loaded) == list(mask) and loaded.digest == mask.digest


def test_missing_and_corrupt_files_are_named(tmp_path):
    path = tmp_path / "mask.safetensors"
    with pytest.raises(StudyError, match="mask.safetensors"):
        Mask.load(path)
    draw(SHAPES, COUNTS, 0).save(path)
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(StudyError, match="mask.safetensors"):
        Mask.load(path)
    with pytest.raises(StudyError, match="absent"):
        draw(SHAPES, COUNTS, 0).save(tmp_path / "absent" / "mask.safetensors")


def test_the_repr_is_a_table_of_layers():
    lines = repr(draw(SHAPES, COUNTS, 0)).splitlines()
    assert len(lines) == 5 and len({len(line) for line in lines}) == 1
    assert lines[2].split() == ["conv.weight", "8×6×3×3", "61", "432", "0.1412"]
    assert lines[-1].split() == ["total", "168", "674", "0.2493"]


def test_shuffling_moves_weights_within_layers():
    mask = draw(SHAPES, COUNTS, 0)
    shuffled = shuffle(mask, 0)
    assert shuffled.counts == mask.counts
    assert all(not torch.equal(shuffled[name], mask[name]) for name in mask)
    assert shuffle(mask, 0) == shuffled != shuffle(mask, 1)


def test_overlap_is_the_jaccard_index():
    a = Mask({"w": torch.tensor([[True, True, False, False]]), "v": torch.tensor([[True, False]])})
    b = Mask({"w": torch.tensor([[True, False, True, False]]), "v": torch.tensor([[True, True]])})
    found = overlap(a, b)
    assert found.jaccard == 2 / 5  # common: w0 and v0; either: w0, w1, w2, v0, v1
    assert found.expected == pytest.approx(2 / 5)  # on average 2·2/4 + 1·2/2 = 2 are common
    assert overlap(a, a).jaccard == 1
    with pytest.raises(StudyError, match="same network"):
        overlap(a, Mask({"w": a["w"]}))


def test_independent_masks_overlap_as_expected():
    shapes, counts = {"w": (100, 100), "v": (100, 30)}, {"w": 1000, "v": 2000}
    found = overlap(draw(shapes, counts, 0), draw(shapes, counts, 1))
    assert found.jaccard == pytest.approx(found.expected, rel=0.05)


def model() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv1d(3, 4, 2), nn.BatchNorm1d(4), nn.Tanh(), nn.Flatten(), nn.Linear(20, 2))


def train(net: nn.Module, optimizer: torch.optim.Optimizer, steps: int) -> None:
    inputs = torch.randn(8, 3, 6, generator=torch.Generator().manual_seed(1))
    for _ in range(steps):
        optimizer.zero_grad()
        net(inputs).square().sum().backward()
        optimizer.step()


def masked(net: nn.Module, mask: Mask) -> torch.Tensor:
    return torch.cat([net.get_parameter(name).detach()[~kept] for name, kept in mask.items()])


OPTIMIZERS = {
    "sgd": lambda net: torch.optim.SGD(net.parameters(), 0.01, momentum=0.9, nesterov=True, weight_decay=0.1),
    "adamw": lambda net: torch.optim.AdamW(net.parameters(), 0.01, weight_decay=0.1),
    "rprop": lambda net: torch.optim.Rprop(net.parameters(), 0.01),
}


@pytest.mark.parametrize("make", OPTIMIZERS.values(), ids=OPTIMIZERS)
@pytest.mark.parametrize("before", [0, 3])
def test_an_applied_mask_holds_whatever_the_optimiser_did_before(make, before):
    net = model()
    optimizer, mask = make(net), masks.random(net, density=0.3)
    train(net, optimizer, before)
    start = {name: weight.detach().clone() for name, weight in net.named_parameters()}
    applied = mask.apply(net)
    assert (masked(net, mask) == 0).all()
    for _ in range(4):
        train(net, optimizer, 1)
        assert (masked(net, mask) == 0).all()
        for name, kept in mask.items():
            for state in optimizer.state[net.get_parameter(name)].values():
                if optimizer.__class__ is not torch.optim.Rprop:
                    assert state.shape != kept.shape or (state[~kept] == 0).all(), name
    for name, kept in mask.items():
        assert (net.get_parameter(name)[kept] != start[name][kept]).all(), name
    applied.remove()
    train(net, optimizer, 2)
    assert (masked(net, mask) != 0).float().mean() > 0.9


def test_a_mask_is_in_force_until_the_end_of_its_block():
    net, other = model(), model()
    optimizer, mask = torch.optim.SGD(net.parameters(), 0.01), masks.random(net, density=0.3)
    with mask.apply(net):
        with pytest.raises(StudyError, match=r"in force on '0.weight' already: remove\(\)"):
            mask.apply(net)
        train(net, optimizer, 1)
        assert (masked(net, mask) == 0).all()
        mask.apply(other).remove()
    train(net, optimizer, 1)
    assert (masked(net, mask) != 0).all()


def test_gradients_that_are_not_finite_leave_masked_weights_at_zero():
    net = model()
    mask = masks.random(net, density=0.3)
    mask.apply(net)
    optimizer = torch.optim.SGD(net.parameters(), 0.01)
    net(torch.full((2, 3, 6), torch.inf)).sum().backward()
    optimizer.step()
    assert (masked(net, mask) == 0).all()


def test_a_copy_is_free_and_a_network_that_goes_takes_its_hooks_along():
    gc.collect()
    hooks = len(torch_optimizers._global_optimizer_post_hooks)
    net = model()
    mask = masks.random(net, density=0.3)
    mask.apply(net)
    assert len(torch_optimizers._global_optimizer_post_hooks) == hooks + 1
    free = copy.deepcopy(net)
    train(free, torch.optim.SGD(free.parameters(), 0.01), 1)
    assert (masked(free, mask) != 0).all() and (masked(net, mask) == 0).all()
    gone = weakref.ref(net)
    del net
    gc.collect()
    assert gone() is None and len(torch_optimizers._global_optimizer_post_hooks) == hooks


def test_random_masks_take_networks_and_shapes():
    net = model()
    shapes = {"0.weight": (4, 3, 2), "4.weight": (2, 20)}
    assert masks.find_weights(net) == shapes
    mask = masks.random(net, density=0.5, rule="uniform", seed=3)
    assert mask == masks.random(shapes, density=0.5, rule="uniform", seed=3)
    assert mask == draw(shapes, {"0.weight": 12, "4.weight": 20}, 3)
    assert masks.random(net, density=1).density == 1
    tied = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3))
    tied[1].weight = tied[0].weight
    assert list(masks.find_weights(tied)) == ["0.weight"] and list(masks.find_weights(tied[0])) == ["weight"]


def test_a_network_where_shapes_are_expected_is_one_line():
    with pytest.raises(StudyError, match=r"a Sequential has no shapes by name: give masks.find_weights\(model\)"):
        densities.allocate(model(), 0.5, "erk")
    with pytest.raises(StudyError, match=r"a Sequential has no shapes by name"):
        draw(model(), {"0.weight": 1}, 0)
    with pytest.raises(StudyError, match="a ReLU has no convolution or linear layer"):
        masks.random(nn.ReLU(), density=0.5)
    with pytest.raises(StudyError, match="the mask covers '4.weight', which the model does not have"):
        masks.random(model(), density=0.5).apply(nn.Sequential(nn.Conv1d(3, 4, 2)))


def test_an_update_by_hand_leaves_masked_weights_at_zero_and_moves_the_others_as_without():
    net, plain = model(), model()
    mask = masks.random(net, density=0.3)
    with torch.no_grad():
        for name, kept in mask.items():
            plain.get_parameter(name).mul_(kept)
    mask.apply(net)
    inputs = torch.randn(8, 3, 6, generator=torch.Generator().manual_seed(1))
    for each in (net, plain):
        each(inputs).square().sum().backward()
    with torch.no_grad():
        for parameter in net.parameters():
            parameter -= 0.1 * parameter.grad
    assert (masked(net, mask) == 0).all()
    for name, kept in mask.items():
        assert torch.equal(net.get_parameter(name).grad, plain.get_parameter(name).grad * kept), name
