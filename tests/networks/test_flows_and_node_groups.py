from __future__ import annotations

from collections import Counter

import pytest
import torch
from torch import nn

from randsparse.errors import StudyError
from randsparse.networks.architecture import NodeGroup, Widths
from randsparse.networks.initialization import initialize
from randsparse.networks.nodes import draw_nodes, node_groups, node_mask
from randsparse.networks.registry import build
from randsparse.sparsity.layers import maskable
from randsparse.sparsity.paths import Flow, flows

NAMES = ["wrn-10-1", "wrn-16-1", "wrn-16-2", "resnet-8", "resnet-14"]


def test_groups_of_the_smallest_wide_resnet():
    assert node_groups(build("wrn-10-1", 10, 3, 8)) == (
        NodeGroup(
            name="group1",
            size=16,
            writers=("stem", "group1.0.conv2"),
            norms=("group1.0.norm1", "group2.0.norm1"),
            readers=("group1.0.conv1", "group2.0.conv1", "group2.0.shortcut"),
        ),
        NodeGroup(
            name="group2",
            size=32,
            writers=("group2.0.conv2", "group2.0.shortcut"),
            norms=("group3.0.norm1",),
            readers=("group3.0.conv1", "group3.0.shortcut"),
        ),
        NodeGroup(
            name="group3",
            size=64,
            writers=("group3.0.conv2", "group3.0.shortcut"),
            norms=("head_norm",),
            readers=("classifier",),
        ),
        NodeGroup("group1.0.inner", 16, ("group1.0.conv1",), ("group1.0.norm2",), ("group1.0.conv2",)),
        NodeGroup("group2.0.inner", 32, ("group2.0.conv1",), ("group2.0.norm2",), ("group2.0.conv2",)),
        NodeGroup("group3.0.inner", 64, ("group3.0.conv1",), ("group3.0.norm2",), ("group3.0.conv2",)),
    )


def test_a_wide_stem_is_a_stream_of_its_own():
    groups = node_groups(build("wrn-16-2", 10, 3, 8))
    assert [group.name for group in groups[:4]] == ["stem", "group1", "group2", "group3"]
    assert groups[0].readers == ("group1.0.conv1", "group1.0.shortcut")
    assert groups[1].norms == ("group1.1.norm1", "group2.0.norm1")


def test_streams_of_a_resnet_are_normalised_where_they_are_written():
    first, second, *_ = node_groups(build("resnet-14", 10, 3, 8))
    assert first.norms == ("stem_norm", "group1.0.norm2", "group1.1.norm2")
    assert second.norms == ("group2.0.norm2", "group2.0.shortcut_norm", "group2.1.norm2")


@pytest.mark.parametrize("name", NAMES)
def test_every_layer_has_its_nodes_on_both_sides(name):
    model = build(name, 10, 3, 8)
    groups = node_groups(model)
    layers = [weight.removesuffix(".weight") for weight in maskable(model)]
    norms = [n for n, module in model.named_modules() if isinstance(module, nn.BatchNorm2d)]
    assert Counter(n for group in groups for n in group.writers) == Counter(set(layers) - {"classifier"})
    assert Counter(n for group in groups for n in group.readers) == Counter(set(layers) - {"stem"})
    assert Counter(n for group in groups for n in group.norms) == Counter(norms)
    for group in groups:
        assert {model.get_submodule(n).weight.shape[0] for n in group.writers} == {group.size}
        assert {model.get_submodule(n).weight.shape[1] for n in group.readers} == {group.size}
        assert {model.get_submodule(n).num_features for n in group.norms} == {group.size}


@pytest.mark.parametrize("name", NAMES)
def test_a_node_without_rows_and_norms_outputs_exactly_zero(name):
    model = initialize(build(name, 10, 3, 8), seed=0)
    for parameter in model.parameters():
        parameter.data += 0.1
    for group in node_groups(model):
        for layer in group.writers:
            model.get_submodule(layer).weight.data[1] = 0
        for norm in group.norms:
            model.get_submodule(norm).weight.data[1] = 0
            model.get_submodule(norm).bias.data[1] = 0
    seen = []

    def inputs_of_node(module: nn.Module, inputs: tuple[torch.Tensor, ...]) -> None:
        seen.append(inputs[0][:, 1].abs().max().item())

    for layer in {n for group in node_groups(model) for n in group.readers}:
        model.get_submodule(layer).register_forward_pre_hook(inputs_of_node)
    for training in (True, False):
        model.train(training)(torch.randn(8, 3, 8, 8))
    assert seen == [0.0] * 2 * (len(maskable(model)) - 1)


def test_flows_of_the_smallest_wide_resnet():
    assert flows(build("wrn-10-1", 10, 3, 8)) == (
        Flow("stem.weight", "input", "group1@0"),
        Flow("group1.0.conv1.weight", "group1@0", "group1.0.inner"),
        Flow("group1.0.conv2.weight", "group1.0.inner", "group1@1"),
        Flow(None, "group1@0", "group1@1"),
        Flow("group2.0.conv1.weight", "group1@1", "group2.0.inner"),
        Flow("group2.0.conv2.weight", "group2.0.inner", "group2@0"),
        Flow("group2.0.shortcut.weight", "group1@1", "group2@0"),
        Flow("group3.0.conv1.weight", "group2@0", "group3.0.inner"),
        Flow("group3.0.conv2.weight", "group3.0.inner", "group3@0"),
        Flow("group3.0.shortcut.weight", "group2@0", "group3@0"),
        Flow("classifier.weight", "group3@0", "classes"),
    )


@pytest.mark.parametrize("name", NAMES)
def test_flows_use_every_weight_once_and_run_forward(name):
    model = build(name, 10, 3, 8)
    steps = flows(model)
    assert Counter(step.weight_name for step in steps if step.weight_name) == Counter(list(maskable(model)))
    paths = Counter({"input": 1})
    for position, step in enumerate(steps):
        assert all(later.target != step.source for later in steps[position:])
        paths[step.target] += paths[step.source]
    assert paths["classes"] == 2 ** len(list(model.named_blocks()))


@pytest.mark.parametrize("name", NAMES)
def test_flows_join_the_nodes_that_layers_write_and_read(name):
    model = build(name, 10, 3, 8)
    writes = {f"{layer}.weight": group.name for group in node_groups(model) for layer in group.writers}
    reads = {f"{layer}.weight": group.name for group in node_groups(model) for layer in group.readers}
    for step in flows(model):
        source, target = step.source.split("@")[0], step.target.split("@")[0]
        if step.weight_name is None:
            assert source == target
        else:
            assert source == reads.get(step.weight_name, "input")
            assert target == writes.get(step.weight_name, "classes")


@pytest.mark.parametrize("name", ["resnet-50", "wrn-50-2"])
def test_flows_of_bottlenecks_use_every_weight_once_and_run_forward(name):
    with torch.device("meta"):
        model = build(name, 10, 3, 224)
    steps = flows(model)
    assert Counter(step.weight_name for step in steps if step.weight_name) == Counter(list(maskable(model)))
    paths = Counter({"input": 1})
    for position, step in enumerate(steps):
        assert all(later.target != step.source for later in steps[position:])
        paths[step.target] += paths[step.source]
    assert paths["classes"] == 2**16
    with pytest.raises(StudyError, match="BottleneckNetwork are not grouped"):
        node_groups(model)


def test_structure_stays_when_widths_collide():
    narrow = build("wrn-10-2", 10, 3, 8, widths=Widths((4, 4, 4, 4), (4, 4, 4)))
    parent = build("wrn-10-2", 10, 3, 8)
    assert [group.name for group in node_groups(narrow)] == [group.name for group in node_groups(parent)]
    assert flows(narrow) == flows(parent)


@pytest.mark.parametrize("name", NAMES)
def test_a_shortcut_is_masked_on_both_sides(name):
    model = build(name, 10, 3, 8)
    keep = draw_nodes(model, 0.5, seed=0)
    mask, groups = node_mask(model, keep), node_groups(model)
    shortcuts = [f"{block}.shortcut" for block, module in model.named_blocks() if module.shortcut is not None]
    assert len(shortcuts) >= 2
    for layer in shortcuts:
        (written,) = (keep[group.name] for group in groups if layer in group.writers)
        (read,) = (keep[group.name] for group in groups if layer in group.readers)
        assert torch.equal(mask[f"{layer}.weight"][:, :, 0, 0], written[:, None] & read)


def test_a_module_that_does_not_say_how_signals_flow_is_refused():
    model = nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.Linear(4, 2))
    with pytest.raises(StudyError, match="a Sequential does not say how its signals flow: give it a method `flows`"):
        flows(model)
    with pytest.raises(StudyError, match="nodes of a Sequential are not grouped"):
        node_groups(model)
    import torchvision.models

    with torch.device("meta"), pytest.raises(StudyError, match="a ResNet does not say how its signals flow"):
        flows(torchvision.models.resnet18(weights=None))
