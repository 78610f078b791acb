"""FLOPs against torch's own counter, and networks of as many FLOPs as a mask leaves."""

from __future__ import annotations

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from randsparse.data import catalogue
from randsparse.networks import registry
from randsparse.runs import flops
from randsparse.runs.config import RunConfig
from randsparse.sparsity.layers import maskable


@pytest.mark.parametrize("model", ["wrn-10-2", "wrn-16-1", "resnet-20", "resnet-20-8"])
@pytest.mark.parametrize("dataset", ["digits", "cifar10", "fashion-mnist"])
def test_layers_have_the_flops_that_torch_counts(model, dataset):
    network = registry.build(model, *catalogue.shape(dataset))
    channels, size = catalogue.shape(dataset)[1:]
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        network.eval()(torch.zeros(1, channels, size, size))
    by_layer = flops.count_for_config(RunConfig(model=model, dataset=dataset))
    assert sum(by_layer.values()) == counter.get_total_flops()
    assert [f"{layer}.weight" for layer in by_layer] == list(maskable(network))


def test_kept_weights_have_their_share():
    assert flops.count_kept({"a": 100.0, "b": 10.0}, {"a.weight": 0.25}) == 35


def test_a_masked_network_computes_all_and_a_compacted_one_less():
    config = RunConfig(sparsity=0.5, structure="node")
    dense, masked, compacted = (
        sum(flops.count_for_config(each).values()) for each in (RunConfig(), config, config.replace(engine="compacted"))
    )
    assert masked == dense and compacted < 0.4 * dense
