"""From a config to a sparse network: rules and criteria that look at weights, and their controls."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch.nn import functional as F

from randsparse.data import catalogue
from randsparse.data import dataset as data
from randsparse.errors import StudyError
from randsparse.networks import registry
from randsparse.networks.initialization import initialize
from randsparse.runs.config import CHOICES, RunConfig
from randsparse.runs.feasibility import explain_infeasible
from randsparse.sparsity import densities, scores
from randsparse.sparsity.layers import maskable
from randsparse.training import train as training
from randsparse.training.engines import programs
from randsparse.training.network import create, sample

SHAPE = catalogue.shape("digits")
SPARSE = RunConfig(sparsity=0.9, train_samples=256, batch_size=64, epochs=2)
# Masks of SPARSE with rule and criterion by that score: they change with the score's definition, not with the machine.
GOLDEN = {
    "magnitude": "413ce222355c",
    "snip": "d23e3af3018a",
    "grasp": "c391cbbbc0fc",
    "synflow": "ea59fc933412",
}


@pytest.fixture(scope="module")
def digits() -> data.Dataset:
    return data.load("digits", train_samples=256)


def scored(name: str, **changes) -> RunConfig:
    return SPARSE.replace(rule=name, criterion=name, **changes)


def mask_of(config: RunConfig, dataset: data.Dataset):
    return create(config, *SHAPE, dataset).mask


def test_criteria_are_the_scores_there_are():
    assert set(CHOICES["criterion"]) == {"random", *scores.SCORES}


@pytest.mark.parametrize("name", scores.SCORES)
def test_score_masks_do_not_depend_on_process_or_machine(name, digits):
    torch.rand(3)
    assert mask_of(scored(name), digits).digest[:12] == GOLDEN[name]


@pytest.mark.parametrize("name", scores.SCORES)
def test_a_score_mask_its_shuffle_and_its_redrawn_init_differ_in_one_field_each(name, digits):
    own, ratio = scored(name), scored(name).replace(criterion="random")
    redrawn = own.replace(score_init_seed=7)
    nets = {config: create(config, *SHAPE, digits) for config in (own, ratio, redrawn, ratio.replace(mask_seed=1))}
    total = nets[own].mask.size
    assert all(net.mask.nnz == round(0.1 * total) == net.density["weights"] for net in nets.values())
    shuffled = [nets[ratio].mask, nets[ratio.replace(mask_seed=1)].mask]
    assert all(mask.counts == nets[own].mask.counts and mask != nets[own].mask for mask in shuffled)
    assert shuffled[0] != shuffled[1]
    assert nets[redrawn].mask != nets[own].mask
    assert nets[redrawn].mask == mask_of(own.replace(init_seed=7), digits)  # the mask of that other init
    weights = [net.model.state_dict() for net in nets.values()]
    assert all(torch.equal(each[key], value) for each in weights for key, value in weights[0].items())  # one init


def test_a_snip_run_scores_its_own_initial_weights(digits):
    config = scored("snip", init_seed=3, data_seed=2)
    model = initialize(registry.build(config.model, *SHAPE), 3).double().train()
    images, labels = sample("snip", digits, 2, 64)
    weights = {name: model.get_parameter(name) for name in maskable(model)}
    gradients = torch.autograd.grad(F.cross_entropy(model(images.double()), labels), list(weights.values()))
    by_hand = {name: (g * w).abs().detach() for (name, w), g in zip(weights.items(), gradients, strict=True)}
    flat = torch.cat([each.flatten() for each in by_hand.values()])
    threshold = flat.sort(descending=True).values[round(0.1 * len(flat)) - 1]
    net = create(config, *SHAPE, digits)
    for name, each in by_hand.items():
        assert net.density["layers"][name] == pytest.approx((each >= threshold).double().mean().item(), abs=1e-6)
        assert torch.equal(net.mask[name], each >= threshold)


def test_rule_and_criterion_are_chosen_apart(digits):
    by_rule = SPARSE.replace(rule="uniform", criterion="snip")
    shapes = maskable(registry.build("wrn-10-1", *SHAPE))
    assert mask_of(by_rule, digits).counts == densities.allocate(shapes, 0.1, "uniform")
    assert mask_of(by_rule, digits) != mask_of(by_rule.replace(criterion="magnitude"), digits)
    both = SPARSE.replace(rule="grasp", criterion="snip")
    assert mask_of(both, digits).counts == mask_of(scored("grasp"), digits).counts


@pytest.mark.parametrize("name", scores.SCORES)
@pytest.mark.parametrize("sparsity", [0.5, 0.99, 0.999])
def test_ratios_by_scores_are_exact(name, sparsity, digits):
    mask = mask_of(SPARSE.replace(rule=name, sparsity=sparsity), digits)
    assert mask.nnz == round(round(1 - sparsity, 12) * mask.size) and not mask.empty_layers


def test_scores_are_of_the_parents_init_scale(digits):
    own = create(scored("snip", init_scale="own"), *SHAPE, digits)
    assert own.mask == mask_of(scored("snip"), digits)
    assert own.model.stem.weight.std() > create(scored("snip"), *SHAPE, digits).model.stem.weight.std()


def test_scores_on_images_need_the_dataset_and_others_do_not():
    for name in scores.SCORES:
        for config in (SPARSE.replace(rule=name), SPARSE.replace(criterion=name)):
            if name in densities.NEED_DATA:
                with pytest.raises(StudyError, match=f"{name} scores weights on training images"):
                    create(config, *SHAPE)
            else:
                assert create(config, *SHAPE).mask.nnz
            assert explain_infeasible(config, *SHAPE) is None


def test_samples_are_of_the_training_part_and_follow_from_the_seed():
    digits = data.load("digits")
    held_out = [f"{part}_{kind}" for part in ("val", "test") for kind in "xy"]
    blank = {name: torch.zeros_like(getattr(digits, name)) for name in held_out}
    torch.rand(7)
    for name, size in (("snip", 64), ("grasp", 250)):
        images, labels = sample(name, digits, 5, 64)
        again = sample(name, dataclasses.replace(digits, **blank), 5, 64)
        assert torch.equal(images, again[0]) and torch.equal(labels, again[1]) and len(labels) == size
        assert not torch.equal(images, sample(name, digits, 6, 64)[0])
        plain = {image.numpy().tobytes() for image in data.normalize(digits.train_x, digits).contiguous()}
        assert all(image.numpy().tobytes() in plain for image in images.contiguous())
    assert labels.bincount().tolist() == [25] * 10
    assert all(sorted(part.tolist()) == list(range(10)) for part in labels.split(10))  # chunks are balanced


def test_grasp_takes_all_images_of_a_small_class():
    few = data.load("digits", train_samples=100)
    labels = sample("grasp", few, 0, 64)[1]
    assert torch.equal(labels.bincount(minlength=10), few.train_y.bincount(minlength=10))


def test_infeasible_says_what_it_can_without_data(digits):
    config = scored("snip", sparsity=0.9999)
    assert "density 0.0001 cannot be met by" in explain_infeasible(config, *SHAPE)
    with pytest.raises(StudyError, match="density 0.0001 cannot be met by"):
        create(config, *SHAPE, digits)
    custom = SPARSE.replace(rule="custom", layer_densities={"group3.0.conv2.weight": 0.9})
    assert "layer_densities allow a density from" in explain_infeasible(custom, *SHAPE)
    with pytest.raises(StudyError, match="layer_densities allow a density from"):
        create(custom, *SHAPE)


def test_custom_densities_are_those_of_the_network():
    given = {"stem.weight": 1.0, "classifier.weight": 0.25, "group1.0.conv1.weight": 0.5}
    net = create(SPARSE.replace(rule="custom", layer_densities=given), *SHAPE)
    assert {name: net.density["layers"][name] for name in given} == given
    assert net.mask.nnz == round(0.1 * net.mask.size)
    rest = [p for name, p in net.density["layers"].items() if name not in given]
    assert max(rest) - min(rest) < 0.002


def test_scored_runs_train_and_share_a_program_with_others():
    record = training.train(scored("snip"))
    assert record["status"] == "done" and record["config"]["criterion"] == "snip"
    members = (scored("snip"), SPARSE, scored("synflow", score_init_seed=1))
    batched = [config.replace(engine="batched") for config in members]
    assert len({programs.find_shared_program(config) for config in batched}) == 1
    together = training.train_together(batched)
    assert [record["density"]["weights"] for record in together] == [record["density"]["weights"]] * 3
    assert together[0]["density"] == record["density"]
