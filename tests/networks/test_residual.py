from __future__ import annotations

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from randsparse.errors import StudyError
from randsparse.networks.initialization import initialize
from randsparse.networks.registry import Widths, architecture, build, default_widths
from randsparse.sparsity.layers import fan_in, maskable


def parameters(name: str, classes: int = 10) -> int:
    with torch.device("meta"):
        return sum(p.numel() for p in build(name, classes, channels=3, size=32).parameters())


@pytest.mark.parametrize(
    ("name", "millions"), [("wrn-16-4", 2.75), ("wrn-22-2", 1.08), ("wrn-28-10", 36.48), ("wrn-40-4", 8.95)]
)
def test_parameter_counts_of_the_papers(name, millions):
    assert parameters(name) / 1e6 == pytest.approx(millions, abs=0.005)


def test_parameter_count_of_resnet_20_is_that_of_its_layers():
    conv = 432 + 6 * 16**2 * 9 + (16 * 32 + 5 * 32**2) * 9 + (32 * 64 + 5 * 64**2) * 9
    shortcuts, classifier = 16 * 32 + 32 * 64, 64 * 10 + 10
    norms = 2 * (16 * 7 + 32 * 7 + 64 * 7)
    assert parameters("resnet-20") == conv + shortcuts + classifier + norms == 272_474


@pytest.mark.parametrize("name", ["wrn-10-1", "wrn-16-2", "resnet-8", "resnet-20-8"])
@pytest.mark.parametrize("size", [8, 28, 32])
def test_any_size_of_image_gives_one_logit_a_class(name, size):
    model = build(name, classes=7, channels=1, size=size)
    assert model(torch.randn(2, 1, size, size).to(memory_format=torch.channels_last)).shape == (2, 7)


def pre_activation(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Wide ResNet as in its paper, with no operation in place."""
    x = model.stem(x)
    for _, block in model.named_blocks():
        activated = F.relu(block.norm1(x))
        shortcut = block.shortcut(activated) if block.shortcut is not None else x
        x = block.conv2(F.relu(block.norm2(block.conv1(activated)))) + shortcut
    return model.classifier(F.adaptive_avg_pool2d(F.relu(model.head_norm(x)), 1).flatten(1))


def post_activation(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """CIFAR ResNet as in its paper, with no operation in place."""
    x = F.relu(model.stem_norm(model.stem(x)))
    for _, block in model.named_blocks():
        shortcut = block.shortcut_norm(block.shortcut(x)) if block.shortcut is not None else x
        x = F.relu(block.norm2(block.conv2(F.relu(block.norm1(block.conv1(x))))) + shortcut)
    return model.classifier(F.adaptive_avg_pool2d(x, 1).flatten(1))


@pytest.mark.parametrize(
    ("name", "reference"),
    [("wrn-16-1", pre_activation), ("wrn-16-2", pre_activation), ("resnet-14", post_activation)],
)
def test_outputs_and_gradients_are_those_of_the_paper(name, reference):
    model = initialize(build(name, 10, 3, 8), seed=0).double()
    for parameter in model.parameters():
        parameter.data += 0.1 * torch.randn(parameter.shape, generator=torch.Generator().manual_seed(0))
    x = torch.randn(4, 3, 8, 8, dtype=torch.float64)
    gradients = []
    for forward in (model, lambda x: reference(model, x)):
        outputs = forward(x)
        loss = F.cross_entropy(outputs, torch.arange(4))
        gradients.append([outputs.detach(), *torch.autograd.grad(loss, list(model.parameters()))])
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs)


def test_groups_halve_the_resolution_twice():
    model = build("wrn-16-1", 10, 3, 32)
    seen = []
    for _, block in model.named_blocks():
        block.register_forward_hook(lambda module, inputs, output: seen.append(output.shape[-1]))
    model(torch.zeros(1, 3, 32, 32))
    assert seen == [32, 32, 16, 16, 8, 8]


def test_shortcut_convolutions_are_where_streams_change():
    def shortcuts(name: str, **more) -> list[str]:
        return [n for n, block in build(name, 10, 3, 8, **more).named_blocks() if block.shortcut is not None]

    assert shortcuts("wrn-16-2") == ["group1.0", "group2.0", "group3.0"]
    assert shortcuts("wrn-16-1") == shortcuts("resnet-14") == ["group2.0", "group3.0"]
    same = Widths(streams=(5, 5, 5, 5), inner=(3, 4, 5))
    assert shortcuts("wrn-10-2", widths=same) == ["group1.0", "group2.0", "group3.0"]


@pytest.mark.parametrize(
    ("name", "streams", "inner"),
    [
        ("wrn-10-1", (16, 32, 64), (16, 32, 64)),
        ("wrn-16-2", (16, 32, 64, 128), (32, 32, 64, 64, 128, 128)),
        ("resnet-8-24", (24, 48, 96), (24, 48, 96)),
    ],
)
def test_default_widths(name, streams, inner):
    assert default_widths(name) == Widths(streams, inner)
    assert maskable(build(name, 10, 3, 8)) == maskable(build(name, 10, 3, 8, widths=Widths(streams, inner)))


def test_explicit_widths_are_taken_in_order_of_depth():
    model = build("wrn-16-2", 10, 3, 8, widths=Widths((4, 5, 6, 7), (11, 12, 13, 14, 15, 16)))
    assert [block.conv1.out_channels for _, block in model.named_blocks()] == [11, 12, 13, 14, 15, 16]
    assert [block.conv2.out_channels for _, block in model.named_blocks()] == [5, 5, 6, 6, 7, 7]
    assert (model.stem.out_channels, model.classifier.in_features) == (4, 7)
    assert model(torch.randn(2, 3, 8, 8)).shape == (2, 10)


@pytest.mark.parametrize("widths", [Widths((16, 32), (16, 32, 64)), Widths((16, 32, 64), (16, 0, 64))])
def test_impossible_widths_are_refused(widths):
    with pytest.raises(StudyError, match="this network needs 3 positive numbers, such as"):
        build("wrn-10-1", 10, 3, 8, widths=widths)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("wrn-11-1", r"depth must be 6n\+4 .* so 11 is not possible; choose depth 10 or 16"),
        ("wrn-4-1", "choose depth 10 or 16"),
        ("resnet-21", r"depth must be 6n\+2 .* choose depth 20 or 26"),
        ("resnet-152", "ImageNet; choose one of resnet-50, wrn-50-2"),
        ("resnet-50-8", "ImageNet"),
        ("wrn-50-4", r"depth must be 6n\+4"),
        ("wrn-16", "wrn-<depth>-<width>"),
        ("wrn-016-1", "unknown model"),
        ("wrn-16-0", "unknown model"),
        ("WRN-16-1", "unknown model"),
        ("vgg-16", "wrn-<depth>-<width> .* resnet-<depth>"),
        ("", "unknown model"),
        (None, "unknown model"),
    ],
)
def test_names_are_parsed_strictly(name, message):
    with pytest.raises(StudyError, match=message):
        build(name, 10, 3, 8)
    with pytest.raises(StudyError, match=message):
        default_widths(name)


def test_one_network_has_one_canonical_name():
    assert architecture("resnet-20-16").name == architecture("resnet-20").name == "resnet-20"
    assert architecture("resnet-20-8").name == "resnet-20-8"
    assert architecture("wrn-16-16").name == "wrn-16-16"


@pytest.mark.parametrize(("name", "millions"), [("resnet-50", 25.557), ("wrn-50-2", 68.883)])
def test_networks_for_large_images_are_those_of_their_papers(name, millions):
    assert parameters(name, classes=1000) / 1e6 == pytest.approx(millions, abs=0.001)
    assert architecture(name).name == name
    with torch.device("meta"):
        shapes = maskable(build(name, 7, 3, 224))
    assert len(shapes) == 54 and list(shapes)[0] == "conv1.weight" and shapes["fc.weight"] == (7, 2048)
    with pytest.raises(StudyError, match=f"{name} has bottleneck blocks.*structure 'weight'"):
        default_widths(name)
    with pytest.raises(StudyError, match="bottleneck blocks"):
        build(name, 10, 3, 224, widths=Widths((16,), (16,)))
    with pytest.raises(StudyError, match="31x31 are too small.*32x32"):
        build(name, 10, 3, 31)
    with pytest.raises(StudyError, match="3 colours, not of 1"):
        build(name, 10, 1, 32)


def test_images_below_8_pixels_are_refused():
    with pytest.raises(StudyError, match="7x7 are too small for wrn-10-1: the smallest are 8x8"):
        build("wrn-10-1", 10, 3, 7)


def test_masks_cover_every_convolution_and_the_classifier_in_order_of_depth():
    shapes = maskable(build("wrn-10-2", 10, 3, 8))
    assert list(shapes)[:4] == [
        "stem.weight",
        *(f"group1.0.{n}.weight" for n in ("conv1", "conv2", "shortcut")),
    ]
    assert list(shapes)[-1] == "classifier.weight"
    assert shapes["group2.0.conv1.weight"] == (64, 32, 3, 3)
    assert len(shapes) == 1 + 3 * 3 + 1
    model = build("resnet-8", 10, 3, 8)
    assert set(maskable(model)) == {n for n, p in model.named_parameters() if p.dim() > 1}


def test_weights_are_kaiming_normal_by_fan_in():
    model = initialize(build("wrn-16-4", 10, 3, 8), seed=3)
    for name, shape in maskable(model).items():
        weight = model.get_parameter(name)
        inputs = shape[1] * (9 if len(shape) == 4 and shape[2] == 3 else 1)
        assert fan_in(shape) == inputs
        standard = (weight * (inputs / 2) ** 0.5).flatten()
        assert abs(standard.mean()) < 5 / standard.numel() ** 0.5
        assert abs(standard.std() - 1) < 5 / (2 * standard.numel()) ** 0.5


def test_initial_weights_depend_on_seed_and_name_alone():
    first = initialize(build("wrn-10-1", 10, 3, 8), seed=1)
    state = torch.get_rng_state()
    again = initialize(build("wrn-16-1", 10, 3, 8), seed=1)
    initialize(again, seed=1)
    other = initialize(build("wrn-10-1", 10, 3, 8), seed=2)
    for name in maskable(first):
        assert torch.equal(first.get_parameter(name), again.get_parameter(name))
        assert not torch.equal(first.get_parameter(name), other.get_parameter(name))
    assert not torch.equal(first.group1[0].conv1.weight, first.group1[0].conv2.weight)
    torch.set_rng_state(state)
    initialize(first, seed=1)
    assert torch.equal(state, torch.get_rng_state())


def test_initialize_resets_all_but_weights_whatever_was_there():
    model = build("resnet-8", 10, 3, 8)
    model(torch.randn(8, 3, 8, 8))
    for parameter in model.parameters():
        parameter.data.fill_(7)
    initialize(model, seed=0)
    fresh = build("resnet-8", 10, 3, 8).state_dict() | {"classifier.bias": torch.zeros(10)}
    for name, tensor in model.state_dict().items():
        assert name in maskable(model) or torch.equal(tensor, fresh[name]), name


def test_scales_multiply_the_weights_they_name():
    plain = initialize(build("wrn-10-1", 10, 3, 8), seed=0)
    scaled = initialize(build("wrn-10-1", 10, 3, 8), seed=0, scales={"group1.0.conv1.weight": 0.5})
    for name in maskable(plain):
        factor = 0.5 if name == "group1.0.conv1.weight" else 1.0
        torch.testing.assert_close(scaled.get_parameter(name), factor * plain.get_parameter(name))
    with pytest.raises(StudyError, match="unknown weight 'stem'"):
        initialize(plain, seed=0, scales={"stem": 1.0})
