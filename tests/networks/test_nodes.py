from __future__ import annotations

from math import prod

import pytest
import torch
from torch.nn import functional as F

from randsparse.errors import StudyError
from randsparse.networks import registry
from randsparse.networks.initialization import initialize
from randsparse.networks.nodes import compact, compact_widths, draw_nodes, node_groups, node_mask
from randsparse.networks.widths import node_widths, small_dense_widths
from randsparse.sparsity.layers import maskable
from randsparse.sparsity.masks import Mask

NETWORKS = ["wrn-10-1", "wrn-10-2", "wrn-16-2", "resnet-8", "resnet-20"]


def parent(name: str) -> torch.nn.Module:
    """Return a network in float64 whose norms have scales, shifts and statistics far from 1 and 0."""
    model = initialize(registry.build(name, classes=5, channels=2, size=8), seed=0).double()
    random = torch.Generator().manual_seed(1)
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            for tensor in (module.weight, module.bias, module.running_mean, module.running_var):
                tensor.data.uniform_(0.3, 1.2, generator=random)
    model.classifier.bias.data.normal_(generator=random)
    return model


def pair(name: str, density: float = 0.4):
    """Return a masked parent, its mask, the nodes kept, and the compacted network."""
    model = parent(name)
    keep = draw_nodes(model, density, seed=2)
    small = compact(model, name, keep)
    mask = node_mask(model, keep)
    multiply(model, mask)
    return model, mask, keep, small


def multiply(model: torch.nn.Module, mask: Mask) -> None:
    for name, kept in mask.items():
        model.get_parameter(name).data.mul_(kept)


def batch(step: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    random = torch.Generator().manual_seed(step)
    images = torch.randn(12, 2, 8, 8, generator=random, dtype=torch.float64)
    return images, torch.randint(5, (12,), generator=random)


def cut(value: torch.Tensor, model, keep, name: str) -> torch.Tensor:
    """Return what the kept nodes have of the parent's value for that name."""
    module = name.rpartition(".")[0]
    for group in node_groups(model):
        if module in group.writers + group.norms and value.dim():
            value = value.index_select(0, keep[group.name].nonzero().flatten())
        if module in group.readers and value.dim() > 1:
            value = value.index_select(1, keep[group.name].nonzero().flatten())
    return value


def assert_same_state(model, small, keep) -> None:
    for name, value in model.state_dict().items():
        torch.testing.assert_close(cut(value, model, keep, name), small.state_dict()[name], rtol=0, atol=1e-10)


@pytest.mark.parametrize("density", [0.05, 0.2, 0.5, 1.0])
@pytest.mark.parametrize("name", NETWORKS)
def test_every_group_keeps_its_share_of_nodes(name, density):
    model = parent(name)
    keep = draw_nodes(model, density, seed=0)
    assert {g.name: int(keep[g.name].sum()) for g in node_groups(model)} == {
        g.name: round(density * g.size) for g in node_groups(model)
    }


def test_nodes_are_nested_and_depend_on_the_seed_only():
    model = parent("wrn-10-2")
    some, more = draw_nodes(model, 0.3, 0), draw_nodes(model, 0.6, 0)
    assert all((more[group] | ~some[group]).all() for group in some)
    torch.manual_seed(3)
    again, other = draw_nodes(model, 0.3, 0), draw_nodes(model, 0.3, 1)
    assert all(torch.equal(again[group], some[group]) for group in some)
    assert any(not torch.equal(other[group], some[group]) for group in some)


@pytest.mark.parametrize("density", [0.03, 0.0, -0.1, 1.1])
def test_a_share_that_leaves_no_node_is_infeasible(density):
    with pytest.raises(StudyError, match=r"a group of \d+: choose a density from 0.03125\d to 1"):
        draw_nodes(parent("wrn-10-1"), density, seed=0)
    with pytest.raises(StudyError, match="choose a density from"):
        node_widths("wrn-10-1", density)
    assert min(node_widths("wrn-10-1", 0.031251).streams) == 1  # the lowest that the error names


@pytest.mark.parametrize("name", NETWORKS)
def test_the_node_mask_removes_rows_norms_and_columns(name):
    model = parent(name)
    keep = draw_nodes(model, 0.4, seed=2)
    mask = node_mask(model, keep)
    assert mask.weights.keys() == maskable(model).keys()
    assert mask.keys() == {n for n, _ in model.named_parameters()} - {"classifier.bias"}
    assert mask.nnz == sum(
        prod(s) for s in maskable(compact(model, name, keep)).values()
    )  # the mask is the product of rows and columns
    assert mask["classifier.weight"].any(1).all()  # classes stay
    assert mask["stem.weight"].flatten(2).any(2).any(0).all()  # inputs stay


@pytest.mark.parametrize("name", NETWORKS)
def test_removed_nodes_output_exactly_zero(name):
    model, _, keep, _ = pair(name)
    outputs = {}
    for module_name, module in model.named_modules():
        module.register_forward_hook(lambda _m, _i, out, n=module_name: outputs.__setitem__(n, out.detach().clone()))
    model(batch()[0])
    for group in node_groups(model):
        for module_name in group.writers + group.norms:
            assert (outputs[module_name][:, ~keep[group.name]] == 0).all()
            assert (outputs[module_name][:, keep[group.name]] != 0).flatten(2).any(2).any(0).all()


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", NETWORKS)
def test_compacting_keeps_outputs_and_gradients(name, training):
    model, mask, keep, small = pair(name)
    model.train(training), small.train(training)
    images, labels = batch()
    outputs, small_outputs = model(images), small(images)
    torch.testing.assert_close(outputs, small_outputs, rtol=0, atol=1e-10)
    F.cross_entropy(outputs, labels).backward()
    F.cross_entropy(small_outputs, labels).backward()
    for parameter_name, parameter in small.named_parameters():
        gradient = cut(model.get_parameter(parameter_name).grad, model, keep, parameter_name)
        torch.testing.assert_close(gradient, parameter.grad, rtol=0, atol=1e-10)
    assert_same_state(model, small, keep)  # running statistics too


@pytest.mark.parametrize("name", NETWORKS)
def test_twenty_steps_of_masked_and_compacted_training_agree(name):
    model, mask, keep, small = pair(name)
    trained = [
        (m, torch.optim.SGD(m.parameters(), lr=0.02, momentum=0.9, nesterov=True, weight_decay=5e-4))
        for m in (model, small)
    ]
    before = {n: p.detach().clone() for n, p in small.named_parameters()}
    for step in range(20):
        images, labels = batch(step)
        for network, optimizer in trained:
            optimizer.zero_grad()
            F.cross_entropy(network(images), labels).backward()
            if network is model:
                for parameter_name, kept in mask.items():
                    model.get_parameter(parameter_name).grad.mul_(kept)
            optimizer.step()
        for parameter_name, kept in mask.items():
            assert (model.get_parameter(parameter_name)[~kept] == 0).all()
    assert_same_state(model, small, keep)
    assert all((p != before[n]).any() for n, p in small.named_parameters())
    model.eval(), small.eval()
    torch.testing.assert_close(model(images), small(images), rtol=0, atol=1e-10)


def test_compacting_copies_and_keeps_mode_type_and_topology():
    model = parent("wrn-10-2").eval()
    keep = draw_nodes(model, 0.5, seed=0)  # the stem keeps 8 nodes and group1 16
    before = {n: v.clone() for n, v in model.state_dict().items()}
    small = compact(model, "wrn-10-2", keep)
    assert not small.training and small.stem.weight.dtype == torch.float64
    assert [n for n, _ in small.named_modules()] == [n for n, _ in model.named_modules()]
    for parameter in small.parameters():
        parameter.data.zero_()
    assert all(torch.equal(v, before[n]) for n, v in model.state_dict().items())
    assert compact_widths(keep) == node_widths("wrn-10-2", 0.5)


def test_what_is_kept_must_fit_the_model():
    model = parent("wrn-10-1")
    keep = draw_nodes(model, 0.5, seed=0)
    for bad in (torch.ones(3).bool(), torch.ones(16), torch.zeros(16).bool()):
        with pytest.raises(StudyError, match="'group1'.*16"):
            node_mask(model, keep | {"group1": bad})
    with pytest.raises(StudyError, match="'group1'"):
        compact(model, "wrn-10-1", {})


def weights(name: str, widths: registry.Widths | None = None) -> int:
    return sum(map(prod, maskable(registry.build(name, 10, 3, 32, widths=widths)).values()))


@pytest.mark.parametrize("density", [0.02, 0.1, 0.2, 0.5, 0.8, 1.0])
@pytest.mark.parametrize("name", ["wrn-10-1", "wrn-16-2", "resnet-20"])
def test_small_dense_networks_are_as_near_as_one_common_share_allows(name, density):
    own, wanted = registry.default_widths(name), density * weights(name)
    found = small_dense_widths(name, 10, 3, density)
    tried = {
        registry.Widths(
            *(tuple(max(1, round(f / 2000 * size)) for size in sizes) for sizes in (own.streams, own.inner))
        )
        for f in range(1, 2001)
    }
    assert abs(weights(name, found) - wanted) == min(abs(weights(name, widths) - wanted) for widths in tried)


def test_too_small_a_dense_network_is_infeasible():
    least = weights("wrn-10-1", registry.Widths((1, 1, 1), (1, 1, 1))) / weights("wrn-10-1")
    with pytest.raises(StudyError, match=f"choose a density from {least:.4f}"):
        small_dense_widths("wrn-10-1", 10, 3, 0.9 * least)
    with pytest.raises(StudyError, match="to 1$"):
        small_dense_widths("wrn-10-1", 10, 3, 1.01)
