from __future__ import annotations

import torch

from randsparse.networks import registry
from randsparse.networks.initialization import initialize
from randsparse.sparsity.layers import maskable


def test_a_perceptron_is_its_layers_one_after_another():
    model = initialize(registry.build("mlp-3-8", 4, 3, 2), seed=0).eval()
    images = torch.randn(5, 3, 2, 2)
    first, second, last = (model.get_parameter(name) for name in maskable(model))
    scale = (1 + model.norms[0].eps) ** -0.5  # of a batch norm that has seen nothing
    hidden = (scale * (images.flatten(1) @ first.T)).relu()
    hidden = (scale * (hidden @ second.T)).relu()
    torch.testing.assert_close(model(images), hidden @ last.T)
    torch.testing.assert_close(model(images.flatten(1)), model(images))
    assert [tuple(weight.shape) for weight in (first, second, last)] == [(8, 12), (8, 8), (4, 8)]
