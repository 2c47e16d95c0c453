"""The cycle model against the compiled gateware."""

from dataclasses import replace

import numpy as np
import pytest
import residual_networks
import transformer_networks
from narrow_core import CONFIG
from ragged_networks import chain, changed, layer, or_pool, samples
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.cycles import predict_cycles
from spikeplane.device.driver import Driver
from spikeplane.device.simulated import SimulatedTransport
from spikeplane.network.graph import IntegerNetwork
from spikeplane.network.input import InputFormat
from spikeplane.network.pool import Pooling
from spikeplane.network.schedule import Schedule
from spikeplane.network.weights import WeightKind
from spikeplane_hw.memory_map import Counter
from spikeplane_hw.neuron import Neuron, Reset

NEURON = Neuron(state_bits=4)


def events() -> IntegerNetwork:
    random = np.random.default_rng(0)
    return IntegerNetwork(
        input=InputFormat(channels=2, height=8, width=8, steps=3),
        nodes=chain(
            layer(random, "first", 8, 2, (3, 3), bits=4, kind=WeightKind.TWOS, neuron=NEURON,
                  stride=2, padding=1),
            layer(random, "second", 20, 8, (3, 3), neuron=NEURON, padding=1),
            or_pool("pool", 2),
            layer(random, "out", 10, 20, (2, 2), bits=8, kind=WeightKind.TWOS),
        ),
        logit_offset=np.zeros(10, np.int64),
    )


def image() -> IntegerNetwork:
    random = np.random.default_rng(1)
    return IntegerNetwork(
        input=InputFormat(channels=1, height=9, width=9, steps=2, bits=4, direct=True),
        nodes=chain(
            layer(random, "first", 10, 1, (3, 3), bits=2, kind=WeightKind.TWOS, neuron=NEURON,
                  stride=2),
            layer(random, "full", 30, 10, (4, 4), neuron=NEURON),
            layer(random, "out", 5, 30, (1, 1), bits=8, kind=WeightKind.TWOS),
        ),
        logit_offset=np.zeros(5, np.int64),
    )


def memory_free() -> IntegerNetwork:
    """Return ``events()`` with memory-free neurons, in its first layer too."""
    net, neuron = events(), replace(NEURON, state_bits=0, reset=Reset.NONE)
    taps = {"first": (0, 1), "second": (0, 1, 3)}
    return replace(net, nodes=[
        changed(node, taps=taps[node.name], neuron=neuron) if node.name in taps else node
        for node in net.nodes
    ])


def image_and_spikes() -> IntegerNetwork:
    """Return a network of which a layer sums up spikes and the image, and pools on the way out."""
    random = np.random.default_rng(2)
    pooling = Pooling(kernel=(2, 2), stride=2)
    twos = {"bits": 8, "kind": WeightKind.TWOS}
    first = layer(random, "first", 8, 1, (3, 3), neuron=NEURON, padding=1, **twos)
    second = layer(random, "second", 20, 8, (3, 3), source="first", neuron=NEURON, padding=1)
    beside = layer(random, "second", 20, 1, (1, 1), neuron=NEURON, **twos)
    both = replace(second, terms=(*second.terms, *beside.terms), ending=replace(second.ending, pooling=pooling))
    return IntegerNetwork(
        input=InputFormat(channels=1, height=9, width=9, steps=3, bits=8, direct=True),
        nodes=[first, both, layer(random, "out", 10, 20, (4, 4), source="second")],
        logit_offset=np.zeros(10, np.int64),
    )


def residual() -> IntegerNetwork:
    return residual_networks.network(18)


def transformer() -> IntegerNetwork:
    """Return a network of products, streams and means."""
    return transformer_networks.transformer(1, width=12, heads=1, side=3, steps=2, blocks=1)


@pytest.fixture(scope="module")
def driver():
    with SimulatedTransport(CONFIG) as transport, Driver(transport, CONFIG) as driver:
        yield driver


@pytest.mark.parametrize("density", [0.05, 0.5])
@pytest.mark.parametrize(
    "make", [events, image, image_and_spikes, memory_free, residual, transformer], ids=lambda make: make.__name__
)
@pytest.mark.parametrize("schedule", Schedule, ids=lambda schedule: schedule.value)
def test_prediction_is_within_ten_percent_of_the_core(driver, schedule, make, density):
    net = make()
    inputs = samples(net, 3, density=density)
    driver.load(compile_network(net, CONFIG, schedule))
    predicted = predict_cycles(net, inputs, CONFIG, schedule)
    for sample, cycles in zip(inputs, predicted, strict=True):
        real = driver.run(sample).counters[:, Counter.CYCLES.value]
        assert np.abs(cycles / real - 1).max() < 0.1, (real.tolist(), cycles.tolist())


def test_prediction_does_not_depend_on_the_batch():
    net = events()
    inputs = samples(net, 3)
    whole = predict_cycles(net, inputs, CONFIG)
    assert [predict_cycles(net, inputs[i:i + 1], CONFIG)[0].tolist() for i in range(3)] == (
        whole.tolist())
