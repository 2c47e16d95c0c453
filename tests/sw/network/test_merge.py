from dataclasses import replace

import pytest
import torch
from ragged_networks import samples
from random_graphs import graph
from spikeplane.network import model
from spikeplane.network.layer import Layer
from spikeplane.network.merge import merge_pools
from spikeplane.network.pool import OrPool
from spikeplane.training.net.export import export_network
from training_samples import network as trained


def pools(network) -> list[str]:
    return [node.name for node in network.nodes if isinstance(node, OrPool)]


def test_a_pool_is_merged_and_its_map_stays():
    before = export_network(trained())
    assert pools(before)
    after = merge_pools(before)
    after.verify()
    assert not pools(after) and len(after.nodes) == len(before.nodes) - len(pools(before))
    inputs = samples(before, 4)
    found, expected = model.run(after, inputs, trace=True), model.run(before, inputs, trace=True)
    assert torch.equal(found.sums, expected.sums)
    assert all(torch.equal(found.spikes[name], expected.spikes[name]) for name in found.spikes)


def test_a_map_that_others_read_keeps_its_pool():
    before = export_network(trained())
    (name,) = pools(before)[:1]
    pool = next(node for node in before.nodes if node.name == name)
    last = before.nodes[-1]
    twice = replace(before, nodes=[*before.nodes[:-1], replace(pool, name="again"), last])
    assert name in pools(merge_pools(twice))


@pytest.mark.parametrize("seed", range(40))
def test_random_graphs_give_the_same(seed):
    before = graph(seed)
    after = merge_pools(before)
    after.verify()
    inputs = samples(before, 2, seed)
    found, expected = model.run(after, inputs, trace=True), model.run(before, inputs, trace=True)
    assert torch.equal(found.sums, expected.sums)
    assert all(torch.equal(found.spikes[name], expected.spikes[name]) for name in found.spikes)
    for node in after.nodes:
        if node.name in pools(before) and isinstance(node, Layer):
            node.lower(after.maps())  # a core has such pools
