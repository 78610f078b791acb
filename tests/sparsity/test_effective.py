from __future__ import annotations

import pytest
import torch
from torch import nn

from randsparse.errors import StudyError
from randsparse.networks import registry
from randsparse.networks.nodes import draw_nodes, node_mask
from randsparse.sparsity.densities import allocate
from randsparse.sparsity.effective import effective_density, effective_mask
from randsparse.sparsity.layers import maskable
from randsparse.sparsity.masks import Mask, draw
from randsparse.sparsity.paths import Attention, Flow, flows

CHAIN = (Flow("a", "input", "h"), Flow("b", "h", "g"), Flow("c", "g", "classes"))
RESIDUAL = (
    Flow("stem", "input", "s@0"),
    Flow("conv1", "s@0", "inner"),
    Flow("conv2", "inner", "s@1"),
    Flow(None, "s@0", "s@1"),
    Flow("classifier", "s@1", "classes"),
)


def bools(rows) -> torch.Tensor:
    return torch.tensor(rows).bool()


def test_three_layers_by_hand():
    mask = Mask(
        {
            "a": bools([[1, 0], [0, 1], [0, 0]]),  # h0 from x0, h1 from x1, h2 from nothing
            "b": bools([[1, 0, 0], [0, 0, 1], [0, 1, 0]]),  # g0 from h0, g1 from h2, g2 from h1
            "c": bools([[1, 1, 0], [0, 0, 0]]),  # class 0 from g0 and g1; nothing reads g2
        }
    )
    assert mask.density == 7 / 21
    effective = effective_mask(mask, CHAIN)  # only x0, h0, g0, class 0 is a path
    assert effective["a"].tolist() == [[True, False], [False, False], [False, False]]
    assert effective["b"].nonzero().tolist() == [[0, 0]]
    assert effective["c"].nonzero().tolist() == [[0, 0]]
    assert effective_density(mask, CHAIN) == 3 / 21


def test_kernel_positions_count_one_by_one():
    kernel = bools([[[[1, 0], [1, 1]], [[0, 0], [0, 1]]]])  # one channel from two, 2x2
    mask = Mask({"a": kernel, "b": bools([[1]]), "c": bools([[1], [1]])})
    assert effective_density(mask, CHAIN) == mask.density == 7 / 11
    cut = Mask({"a": kernel, "b": bools([[0]]), "c": bools([[1], [1]])})
    assert effective_density(cut, CHAIN) == 0


def test_residual_connections_by_hand():
    mask = Mask(
        {
            "stem": bools([[1], [0]]),  # only channel 0 of the stream starts
            "conv1": bools([[1, 1]]),  # its read of channel 1 comes before conv2 writes it: dead
            "conv2": bools([[0], [1]]),  # writes channel 1
            "classifier": bools([[1, 1]]),  # channel 0 arrives through the identity, 1 through the block
        }
    )
    effective = effective_mask(mask, RESIDUAL)
    assert effective["conv1"].tolist() == [[True, False]]
    assert effective.nnz == 5 and mask.nnz == 6 and mask.size == 8

    skipped = Mask(dict(mask) | {"conv2": bools([[0], [0]])})  # nothing leaves the block
    effective = effective_mask(skipped, RESIDUAL)
    assert effective.counts == {"stem": 1, "conv1": 0, "conv2": 0, "classifier": 1}


class Sum(nn.Module):
    """Stands for a norm, to leave signals positive."""

    def forward(self, x):
        return x


def paths_by_gradient(model: nn.Module, mask: Mask, size: int = 32) -> dict[str, torch.Tensor]:
    """Return where |w dy/dw| > 0 in a network of positive weights without norms: the weights that are on a path."""
    for name, module in list(model.named_modules()):
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            owner, _, child = name.rpartition(".")
            setattr(model.get_submodule(owner), child, Sum())
    model.double()
    for name, kept in mask.items():
        model.get_parameter(name).data.copy_(kept)
    model(torch.ones(1, 3, size, size, dtype=torch.float64)).sum().backward()
    return {name: (model.get_parameter(name) * model.get_parameter(name).grad) > 0 for name in mask}


@pytest.mark.parametrize("density", [0.01, 0.03, 0.1])
@pytest.mark.parametrize("name", ["wrn-10-1", "wrn-16-1", "wrn-10-2", "resnet-8", "resnet-14"])
def test_effective_weights_are_those_with_a_gradient(name, density):
    own = registry.default_widths(name)
    widths = registry.Widths(tuple(w // 4 for w in own.streams), tuple(w // 4 for w in own.inner))
    model = registry.build(name, classes=4, channels=3, size=32, widths=widths)
    shapes = maskable(model)
    for seed in range(3):
        mask = draw(shapes, allocate(shapes, density, "uniform"), seed)
        effective = effective_mask(mask, flows(model))
        for layer, kept in paths_by_gradient(model, mask).items():
            assert torch.equal(effective[layer], kept), layer
        model.zero_grad()


@pytest.mark.parametrize("density", [0.002, 0.01, 0.05])
def test_effective_weights_of_bottlenecks_are_those_with_a_gradient(density):
    from randsparse.networks.bottleneck import BottleneckNetwork

    model = BottleneckNetwork(classes=4, inner=2, blocks=(1, 2, 1, 1))
    shapes = maskable(model)
    mask = draw(shapes, allocate(shapes, density, "uniform"), seed=0)
    effective = effective_mask(mask, flows(model))
    assert 0 < effective.density < mask.density
    model.maxpool = nn.AvgPool2d(3, 2, 1)  # what a maximum hides has no gradient
    for layer, kept in paths_by_gradient(model, mask, size=128).items():  # 4x4 in the end: more than padding
        assert torch.equal(effective[layer], kept), layer


def test_effective_density_lies_between_none_and_the_density():
    model = registry.build("wrn-16-1", classes=10, channels=1, size=8)
    shapes, steps = maskable(model), flows(model)
    for density in (0.005, 0.05, 0.5, 1.0):
        mask = draw(shapes, allocate(shapes, density, "uniform"), seed=0)
        effective = effective_mask(mask, steps)
        assert all((mask[name] | ~effective[name]).all() for name in mask)
        assert effective_mask(effective, steps) == effective
        assert effective_density(mask, steps) == effective.density
    assert effective.density == 1
    sparsest = draw(shapes, allocate(shapes, 0.005, "uniform"), seed=0)
    assert effective_density(sparsest, steps) < 0.5 * sparsest.density


def test_all_kept_weights_of_a_node_mask_are_effective():
    model = registry.build("wrn-10-2", classes=10, channels=1, size=8)
    mask = node_mask(model, draw_nodes(model, 0.2, seed=0))
    assert effective_density(mask, flows(model)) == mask.density


def test_mask_and_flows_must_be_of_one_network():
    with pytest.raises(StudyError, match="different networks.*conv1"):
        effective_density(Mask({"stem": bools([[1]]), "classifier": bools([[1]])}), RESIDUAL)


def attended(heads: int = 2) -> tuple[Flow, ...]:
    """Two channels in the stream and in each head; the stream also goes around the attention."""
    return (
        Flow("query", "input", "q"),
        Flow("key", "input", "k"),
        Flow("value", "input", "v"),
        Flow(None, "v", "a", Attention("q", "k", heads)),
        Flow("output", "a", "s@1"),
        Flow(None, "input", "s@1"),
        Flow("classifier", "s@1", "classes"),
    )


def test_attention_by_hand():
    ones = bools([[1, 1]] * 4)
    full = {"query": ones, "key": ones, "value": ones, "output": ones.T, "classifier": bools([[1, 1]])}
    assert effective_density(Mask(full), attended()) == 1
    # No value of the second head leads to the classes, so that its queries and keys are of no use, nor its values.
    cut = Mask(full | {"output": bools([[1, 1, 0, 0], [0, 0, 0, 0]])})
    effective = effective_mask(cut, attended())
    for layer in ("query", "key", "value"):
        assert effective[layer].any(1).tolist() == [True, True, False, False]
    # A query whose key is cut off is multiplied by zero; one value on a path is enough for the rest of its head.
    keys, values = bools([[1, 0], [0, 0], [1, 1], [1, 1]]), bools([[0, 0], [1, 0], [0, 0], [0, 0]])
    cut = Mask(full | {"key": keys, "value": values})
    assert effective_mask(cut, attended()).counts == {"query": 2, "key": 1, "value": 1, "output": 2, "classifier": 2}
    # Without any output the stream goes around.
    cut = Mask(full | {"output": bools([[0] * 4] * 2)})
    assert effective_mask(cut, attended()).counts == {"query": 0, "key": 0, "value": 0, "output": 0, "classifier": 2}


@pytest.mark.parametrize("density", [0.02, 0.05, 0.1, 0.3])
@pytest.mark.parametrize("name", ["transformer-1-16", "transformer-3-16"])
def test_effective_weights_of_a_transformer_are_those_with_a_gradient(name, density):
    model = registry.build(name, classes=3, channels=20, size=6).double()
    model.norm = Sum()
    for block in model.blocks:
        block.attention_norm, block.feedforward_norm = Sum(), Sum()
    shapes = maskable(model)
    for seed in range(3):
        torch.manual_seed(seed)
        mask = draw(shapes, allocate(shapes, density, "uniform"), seed)
        for layer, parameter in model.named_parameters():
            parameter.data.uniform_(0.1, 1)  # positive, so that no ReLU hides a path
            if layer in mask:
                parameter.data *= mask[layer] / parameter.shape[1]
            elif layer.endswith("bias"):
                parameter.data.zero_()
        model.zero_grad()
        (model(torch.randint(1, 20, (8, 6))) * torch.rand(3)).sum().backward()
        effective = effective_mask(mask, flows(model))
        for layer, kept in effective.items():
            assert torch.equal(kept, (model.get_parameter(layer).grad != 0) & mask[layer]), layer


@pytest.mark.parametrize("density", [0.02, 0.05, 0.2])
def test_effective_weights_of_a_perceptron_are_those_with_a_gradient(density):
    model = registry.build("mlp-5-16", classes=3, channels=3, size=4)
    shapes = maskable(model)
    for seed in range(3):
        mask = draw(shapes, allocate(shapes, density, "uniform"), seed)
        for layer, kept in paths_by_gradient(model, mask, size=4).items():
            assert torch.equal(effective_mask(mask, flows(model))[layer], kept), layer
        model.zero_grad()
