from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from randsparse.data.texts import PADDING
from randsparse.errors import StudyError
from randsparse.networks import registry
from randsparse.networks.initialization import initialize
from randsparse.networks.linear import HEADS


@pytest.fixture
def model():
    return initialize(registry.build("transformer-2-16", 5, 50, 12), seed=0).eval()


def test_attention_is_that_of_torch(model):
    block, x = model.blocks[0], torch.randn(3, 12, 16)
    hidden = torch.zeros(3, 1, 1, 12)
    hidden[1, :, :, 7:] = -torch.inf
    q, k, v = (layer(x).view(3, 12, HEADS, -1).transpose(1, 2) for layer in (block.query, block.key, block.value))
    wanted = F.scaled_dot_product_attention(q, k, v, attn_mask=hidden.expand(3, HEADS, 12, 12))
    torch.testing.assert_close(block.attend(x, hidden), wanted.transpose(1, 2).flatten(2))


def test_padding_changes_nothing(model):
    tokens = torch.randint(1, 50, (4, 12))
    tokens[:, 7:] = PADDING
    outputs = model(tokens)
    model.places.weight.data[7:] = 100.0
    model.embedding.weight.data[PADDING] = 100.0
    torch.testing.assert_close(model(tokens), outputs)
    torch.testing.assert_close(model(tokens.float()), outputs)


def test_order_and_words_matter(model):
    tokens = torch.arange(1, 13)[None]
    for other in (tokens.flip(1), tokens + 1):
        assert not torch.allclose(model(tokens), model(other), atol=1e-3)


def test_the_classifier_reads_the_mean_over_words_alone(model):
    seen = {}
    model.norm.register_forward_hook(lambda module, inputs, output: seen.update(stream=output))
    tokens = torch.randint(1, 50, (4, 12))
    tokens[:, 7:] = PADDING
    outputs = model(tokens)
    torch.testing.assert_close(outputs, model.classifier(seen["stream"][:, :7].mean(1)))


def test_without_blocks_the_order_of_words_changes_nothing():
    model = initialize(registry.build("transformer-0-16", 5, 50, 12), seed=0).eval()
    tokens = torch.arange(1, 13)[None]
    torch.testing.assert_close(model(tokens), model(tokens.flip(1)))
    assert not torch.allclose(model(tokens), model(tokens + 1), atol=1e-3)
    assert {name for name, _ in model.named_parameters() if name.endswith("weight")} == {
        "embedding.weight",
        "norm.weight",
        "classifier.weight",
    }
    assert list(registry.shapes("transformer-0-16", 5, 50, 12)) == ["classifier.weight"]


@pytest.mark.parametrize("name", ["wrn-0-1", "resnet-0", "mlp-0-8", "transformer-00-16"])
def test_no_other_network_has_no_layers(name):
    with pytest.raises(StudyError):
        registry.architecture(name)
