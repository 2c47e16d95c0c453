"""The comparison must find every kind of difference: here the device answers for a changed network."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
import ragged_networks
import streamed_networks
from ragged_networks import changed
from spikeplane.compiler.compile import compile_network
from spikeplane.device.comparison import compare_with_model
from spikeplane.device.driver import Answer
from spikeplane.network import model
from spikeplane_hw.memory_map import EXACT_COUNTERS, Counter
from spikeplane_hw.neuron import FRACTION_BITS

CONFIG = ragged_networks.CORES[0]


@dataclass
class ModelDriver:
    """Answers as a board does, but computes with the integer model of ``network``."""

    network: object
    image: object

    def run_batch(self, samples):
        assert len(samples) == self.image.batch
        self.result = model.run(self.network, np.stack(samples), config=self.image.config, trace=True)
        counters = np.zeros((len(self.network.nodes), len(Counter)), np.int64)
        for layer, values in enumerate(self.result.counters.values()):
            for counter in EXACT_COUNTERS:
                counters[layer, counter.value] = values[counter].sum()
        return [
            Answer(sums=sums, logits=sums + self.network.logit_offset, counters=counters)
            for sums in self.result.sums.numpy()
        ]

    def read_spikes(self, layer):
        info = self.image.layers[layer]
        held = info.spikes.steps // self.network.input.steps
        return np.concatenate(list(self.result.spikes[info.name][-held:]))

    def read_states(self, layer):
        return self.result.states[self.image.layers[layer].name][-1].numpy()


@pytest.fixture
def network():
    """Return a network whose first layer's potentials go on from step to step."""
    return next(
        network for network in map(ragged_networks.network, range(1, 100))
        if network.nodes[0].ending.neuron.state_bits and network.input.steps > 1
    )


def test_equal_boards_have_no_mismatch(network):
    samples = ragged_networks.samples(network, 3)
    driver = ModelDriver(network, compile_network(network, CONFIG, keep_states=True))
    done = []
    result = compare_with_model(driver, network, samples, progress=done.append)
    assert result.total == 0
    assert all(count > 0 for count in result.compared.values())
    assert done == [1, 2, 3]
    assert result.operations.shape == (3, len(network.nodes))
    assert len(result.predictions) == 3


def test_batches_are_filled_up_with_the_last_sample():
    network, config = streamed_networks.find_batched(CONFIG, 3, seed=0)
    image = compile_network(network, config, keep_states=True, batch=3)
    driver, done = ModelDriver(network, image), []
    result = compare_with_model(driver, network, ragged_networks.samples(network, 4), progress=done.append)
    assert result.total == 0 and all(count > 0 for count in result.compared.values())
    assert done == [3, 4] and result.samples == len(result.predictions) == len(result.cycles) == 4
    assert result.compared["logits"] == 6 * len(network.logit_offset)


def test_layers_without_a_state_have_none_to_compare(network):
    stateless = replace(network, nodes=[
        changed(node, neuron=replace(node.ending.neuron, state_bits=0)) if hasattr(node, "ending")
        and node.ending.kind == "fire" else node for node in network.nodes
    ])
    image = compile_network(stateless, CONFIG, keep_states=True)
    assert [layer.state_base for layer in image.layers] == [None] * len(network.nodes)
    result = compare_with_model(
        ModelDriver(stateless, image), stateless, ragged_networks.samples(stateless, 2)
    )
    assert result.compared["states"] == 0 and result.compared["spikes"] > 0
    assert result.total == 0


def test_differences_are_counted(network):
    samples = ragged_networks.samples(network, 3)
    first = network.nodes[0]
    (term,) = first.terms
    livelier = changed(first, offset=term.offset + (1 << (FRACTION_BITS + term.shift)))
    other = replace(network, nodes=[livelier, *network.nodes[1:]])
    driver = ModelDriver(other, compile_network(network, CONFIG, keep_states=True))
    result = compare_with_model(driver, network, samples)
    assert all(result.mismatches[kind] > 0 for kind in ("spikes", "states", "logits", "counters"))
    assert result.total == sum(result.mismatches.values())
