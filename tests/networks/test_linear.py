"""Perceptrons and Transformers: shapes by arithmetic, masks, and every method that images have."""

from __future__ import annotations

import math

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from randsparse.data import catalogue
from randsparse.data.dataset import load
from randsparse.errors import StudyError
from randsparse.networks import registry
from randsparse.networks.initialization import initialize
from randsparse.networks.registry import Widths
from randsparse.runs import flops, methods, store
from randsparse.runs.config import RunConfig
from randsparse.runs.feasibility import explain_infeasible
from randsparse.sparsity import densities
from randsparse.sparsity.layers import maskable
from randsparse.training import checkpoints, network
from randsparse.training import train as training

NETWORKS = {"mlp-4-32": "breast-cancer", "transformer-2-16": "docstrings"}
SHAPES = {"mlp-4-32": (2, 30, 1), "mlp-2-7": (10, 3, 9), "transformer-2-16": (5, 50, 12), "transformer-1-8": (3, 9, 4)}
NARROW = {
    "mlp-4-32": Widths((5, 1, 7), ()),
    "mlp-2-7": Widths((3,), ()),
    "transformer-2-16": Widths((7,), (1, 9, 3, 2)),
    "transformer-1-8": Widths((3,), (2, 5)),
}


def config(model: str, **changes) -> RunConfig:
    small = dict(train_samples=128, batch_size=32, epochs=3, lr=0.02, sparsity=0.8, update_interval=2)
    return RunConfig(**dict(dataset=NETWORKS[model], model=model) | small | changes)


@pytest.mark.parametrize("narrow", [False, True])
@pytest.mark.parametrize("name", SHAPES)
def test_layers_are_those_of_the_network_in_order(name, narrow):
    widths = NARROW[name] if narrow else None
    model = registry.build(name, *SHAPES[name], widths)
    shapes = registry.shapes(name, *SHAPES[name], widths)
    assert list(shapes.items()) == list(maskable(model).items()) and list(shapes)[-1] == "classifier.weight"


@pytest.mark.parametrize("name", SHAPES)
def test_flops_are_those_that_torch_counts(name):
    classes, channels, size = SHAPES[name]
    model = registry.build(name, classes, channels, size).eval()
    layers = registry.layers(name, classes, channels, size)
    counted = sum(2.0 * math.prod(shape) * positions for shape, positions in layers.values())
    counted += sum(registry.products(name, size).values())
    sample = torch.ones(1, *registry.architecture(name).sample_shape(channels, size))
    with FlopCounterMode(display=False) as counter:
        model(sample)
    assert counter.get_total_flops() == counted


@pytest.mark.parametrize("name", NETWORKS)
def test_products_of_attention_are_dense_whatever_the_mask(name):
    shape = catalogue.shape(NETWORKS[name])
    nothing = dict.fromkeys(registry.shapes(name, *shape), 0.0)
    none = flops.count_kept(flops.count_for_config(config(name)), nothing)
    assert none == sum(registry.products(name, shape[2]).values())
    assert (none > 0) == (name == "transformer-2-16")


@pytest.mark.parametrize(
    ("values", "says"),
    [
        (dict(dataset="breast-cancer"), "wrn-10-1 is not for breast-cancer, which is a table: choose one of mlp-"),
        (dict(dataset="docstrings", model="mlp-4-32"), "not for docstrings, which is text: choose one of transformer-"),
        (dict(model="transformer-2-16"), "not for digits, which is images: choose one of wrn-.*resnet-.*mlp-"),
        (dict(dataset="breast-cancer", model="resnet-50"), "resnet-50 is not for breast-cancer"),
        (dict(dataset="breast-cancer", model="mlp-1-32"), "layers=1.*2 or more in mlp-<layers>-<width>"),
        (dict(dataset="docstrings", model="transformer-2-31"), "width 31.*multiple of 2"),
        (dict(model="mlp-4-32", engine="batched"), "engine='batched'.*'masked' with mlp-4-32"),
        (dict(model="mlp-4-32", engine="compacted", sparsity=0.5, structure="node"), "engine='compacted'.*'masked'"),
        (dict(model="mlp-4-32", structure="node", sparsity=0.5), "structure='node'.*'weight' with mlp-4-32"),
        (dict(model="mlp-4"), "unknown model 'mlp-4': choose one of wrn-.*mlp-.*transformer-"),
    ],
)
def test_impossible_combinations_say_what_is_possible(values, says):
    with pytest.raises(StudyError, match=says) as raised:
        RunConfig(**values)
    assert "\n" not in str(raised.value)


def test_fields_without_effect_do_not_split_keys():
    assert config("mlp-4-32", memory_format="contiguous").key == config("mlp-4-32").key


def test_initial_weights_are_of_their_fan_in_and_depend_on_seed_and_name_alone():
    torch.manual_seed(1)
    first = initialize(registry.build("transformer-2-64", 5, 200, 16), 0)
    torch.manual_seed(2)
    again = initialize(registry.build("transformer-2-64", 5, 200, 16), 0)
    other = initialize(registry.build("transformer-2-64", 5, 200, 16), 1)
    for (name, weight), same in zip(first.named_parameters(), again.parameters(), strict=True):
        assert torch.equal(weight, same), name
        drawn = name in maskable(first) or name in ("embedding.weight", "places.weight")
        assert torch.equal(weight, other.get_parameter(name)) != drawn
    assert first.blocks[0].expand.weight.std().item() == pytest.approx(math.sqrt(2 / 64), rel=0.05)
    assert first.embedding.weight.std().item() == pytest.approx(1 / 8, rel=0.05)


@pytest.mark.parametrize("density", [0.9, 0.5, 0.2, 0.1, 0.05])
@pytest.mark.parametrize("name", NETWORKS)
def test_a_narrower_network_has_about_as_many_weights(name, density):
    small = config(name, sparsity=1 - density, method="small-dense", init_scale="own")
    net = network.create(small, *catalogue.shape(small.dataset))
    assert net.mask is None and net.density["realised"] == pytest.approx(density, rel=0.25)
    dense = registry.build(name, *catalogue.shape(small.dataset))
    assert list(maskable(net.model)) == list(maskable(dense))


def test_a_perceptron_sees_images_of_any_size():
    assert registry.shapes("mlp-2-32", *catalogue.shape("digits"))["hidden.0.weight"] == (32, 64)
    small = RunConfig(model="mlp-3-32", sparsity=0.9, method="small-dense")
    net = network.create(small, *catalogue.shape("digits"))
    assert net.density["realised"] == pytest.approx(0.1, rel=0.1)
    assert explain_infeasible(small.replace(sparsity=0.999), *catalogue.shape("digits"))


@pytest.mark.parametrize("rule", [*densities.RULES, *densities.SCORED])
@pytest.mark.parametrize("name", NETWORKS)
def test_every_rule_is_exact(name, rule):
    of = config(name, rule=rule, sparsity=0.6)
    net = network.create(of, *catalogue.shape(of.dataset), load(of.dataset, None, 128))
    assert net.mask.nnz == round(of.density * net.mask.size) and not net.density["empty_layers"]
    assert 0 < net.density["effective"] <= net.density["realised"]
    assert list(net.mask) == list(maskable(net.model))


@pytest.mark.parametrize("criterion", densities.SCORED)
@pytest.mark.parametrize("name", NETWORKS)
def test_scores_can_choose_the_weights(name, criterion):
    of = config(name, rule=criterion, criterion=criterion)
    net = network.create(of, *catalogue.shape(of.dataset), load(of.dataset, None, 128))
    assert net.mask.nnz == round(of.density * net.mask.size)


def changes_of(method: str) -> dict:
    own = {"imp": dict(levels=3, warmup_epochs=0.0), "edge-popup": dict(start_sparsity=0.6)}
    return dict(method=method, source_sparsity=0.5, source_rule="er", rule="balanced") | own.get(method, {})


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("method", methods.DYNAMIC)
@pytest.mark.parametrize("name", NETWORKS)
def test_every_method_stays_in_its_source_and_ends_with_the_number_that_was_asked_for(name, method, optimizer):
    of = config(name, **changes_of(method), optimizer=optimizer)
    run = training.prepare([of], load(of.dataset, None, of.train_samples))
    source = run.method.source
    assert source.nnz == round(0.5 * source.size)
    before = {name: parameter.detach().clone() for name, parameter in run.model.named_parameters()}
    for _ in range(of.epochs):
        run.train_epoch()
        mask = run.method.mask
        assert all((mask[layer] <= source[layer]).all() for layer in source)
        assert all((run.model.get_parameter(layer)[~mask[layer]] == 0).all() for layer in source)
    assert run.method.mask.nnz == round(0.2 * source.size)
    assert not any(run.diverged) and run.density()["weights"] == run.method.mask.nnz
    for layer, was in before.items():
        if layer not in source:
            assert torch.equal(was, run.model.get_parameter(layer)) == (method == "edge-popup"), layer


@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
@pytest.mark.parametrize("method", ["static", "small-dense"])
@pytest.mark.parametrize("name", NETWORKS)
def test_static_masks_and_narrow_networks_train(name, method, optimizer):
    record = training.train(config(name, method=method, optimizer=optimizer, weight_decay=0.1))
    assert record["status"] == "done" and record["density"]["realised"] == pytest.approx(0.2, rel=0.2)
    assert record["curve"][-1]["train_loss"] < record["curve"][0]["train_loss"]


@pytest.mark.parametrize("name", NETWORKS)
def test_masked_weights_stay_zero_and_weight_decay_leaves_embeddings_alone(name):
    of = config(name, optimizer="adamw", weight_decay=0.5)
    run = training.prepare([of], load(of.dataset, None, of.train_samples))
    run.train_epoch()
    for layer, kept in run.masks[0].items():
        assert (run.model.get_parameter(layer)[~kept] == 0).all() and (run.model.get_parameter(layer)[kept] != 0).all()
    decayed, others = run.optimizer.param_groups
    assert {id(p) for p in decayed["params"]} == {id(run.model.get_parameter(layer)) for layer in run.masks[0]}
    assert others["weight_decay"] == 0


@pytest.mark.parametrize("precision", ["bfloat16", "float64"])
@pytest.mark.parametrize("name", NETWORKS)
def test_other_precisions_train(name, precision):
    assert training.train(config(name, precision=precision))["status"] == "done"


@pytest.mark.parametrize("method", ["static", "granet"])
@pytest.mark.parametrize("name", NETWORKS)
def test_resume_is_bit_for_bit(name, method, tmp_path):
    of = config(name, method=method, optimizer="adamw")
    straight = training.train(of)
    training.train(of.replace(stop_epoch=1), checkpoint_dir=tmp_path)
    assert checkpoints.load(of, tmp_path)["epoch"] == 1
    resumed = training.train(of, checkpoint_dir=tmp_path)
    assert store.keep_comparable(resumed) == store.keep_comparable(straight) and straight["status"] == "done"
