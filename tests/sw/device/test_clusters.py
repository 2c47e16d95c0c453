"""Boards that walk several output pixels at once: all equals the integer model, and cycles are predicted."""

from dataclasses import replace

import numpy as np
import pytest
import ragged_networks
import random_graphs
import transformer_networks
from narrow_core import CONFIG
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.cycles import predict_cycles
from spikeplane.compiler.interpreter import interpret
from spikeplane.compiler.place import place
from spikeplane.device.comparison import compare_with_model
from spikeplane.device.driver import Driver
from spikeplane.device.simulated import SimulatedTransport
from spikeplane.network import model
from spikeplane.network.schedule import Schedule
from spikeplane_hw.memory_map import EXACT_COUNTERS, Counter

CLUSTERED = replace(CONFIG, name="clustered", clusters=4)
OUTSIDE = replace(
    CONFIG, name="pair, memory outside", clusters=2, external_depth=1 << 14, weight_depth=128, state_depth=128,
    layer_count=64, pass_count=512,
)
"""Holds neither all weights nor all streams of the networks below."""


@pytest.fixture(scope="module")
def driver():
    with SimulatedTransport(CLUSTERED) as transport, Driver(transport, CLUSTERED) as driver:
        yield driver


@pytest.fixture(scope="module")
def outside():
    with SimulatedTransport(OUTSIDE) as transport, Driver(transport, OUTSIDE) as driver:
        yield driver


def networks(schedule):
    """Yield chains, a graph of several terms, and one with products."""
    yield from (ragged_networks.network(seed, direct=seed % 2 == 0, taps=seed == 5) for seed in (2, 3, 5, 17))
    yield random_graphs.fitting(0, CLUSTERED, schedule)
    yield transformer_networks.transformer(1, width=12, heads=1, side=3, steps=2, blocks=1)


@pytest.mark.parametrize("schedule", Schedule, ids=lambda s: s.value)
def test_all_equals_the_integer_model(driver, schedule):
    for network in networks(schedule):
        driver.load(compile_network(network, CLUSTERED, schedule, keep_states=True))
        result = compare_with_model(driver, network, ragged_networks.samples(network, 2))
        assert result.total == 0 < result.compared["spikes"]


@pytest.mark.parametrize("schedule", Schedule, ids=lambda s: s.value)
def test_words_give_the_same_without_gateware(schedule):
    for network in networks(schedule):
        image = compile_network(network, CLUSTERED, schedule)
        sample = ragged_networks.samples(network, 1)
        expected, found = model.run(network, sample, schedule=schedule, config=CLUSTERED), interpret(image, sample[0])
        np.testing.assert_array_equal(found.sums, expected.sums[0])
        for layer, counters in enumerate(expected.counters.values()):
            for counter in EXACT_COUNTERS:
                assert found.counters[layer, counter.value] == counters[counter][0], (layer, counter)


@pytest.mark.parametrize("density", [0.05, 0.5])
@pytest.mark.parametrize("schedule", Schedule, ids=lambda s: s.value)
def test_cycles_are_predicted_within_ten_percent(driver, schedule, density):
    for seed, direct in ((3, False), (17, True)):
        network = ragged_networks.network(seed, direct=direct)
        inputs = ragged_networks.samples(network, 2, density=density)
        driver.load(compile_network(network, CLUSTERED, schedule))
        for sample, cycles in zip(inputs, predict_cycles(network, inputs, CLUSTERED, schedule), strict=True):
            real = driver.run(sample).counters[:, Counter.CYCLES.value]
            assert np.abs(cycles / real - 1).max() < 0.1, (seed, real.tolist(), cycles.tolist())


def test_clusters_count_the_same_in_fewer_cycles(driver):
    """Passes are those of each pixel, so nothing that is counted exactly depends on how many pixels run at once."""
    network = ragged_networks.network(17)
    sample = ragged_networks.samples(network, 1)
    one, four = (model.run(network, sample, config=replace(CLUSTERED, clusters=count)) for count in (1, 4))
    for name in network.names:
        for counter in EXACT_COUNTERS:
            assert int(one.counters[name][counter][0]) == int(four.counters[name][counter][0])
    cycles = [int(predict_cycles(network, sample, replace(CLUSTERED, clusters=count)).sum()) for count in (1, 2, 4)]
    assert cycles == sorted(cycles, reverse=True) and cycles[-1] < cycles[0]


@pytest.mark.parametrize(
    ("schedule", "batch"), [(Schedule.STORED, 1), (Schedule.REGISTERS, 1), (Schedule.REGISTERS, 3)],
)
def test_weights_stream_into_a_pair(outside, schedule, batch):
    """What streams in is written through a port that the first cluster reads with."""
    for seed in (3, 6):
        network = ragged_networks.network(seed, direct=seed % 2 == 0)
        assert place(network, OUTSIDE, schedule, keep_states=True, batch=batch).streaming
        outside.load(compile_network(network, OUTSIDE, schedule, keep_states=True, batch=batch))
        result = compare_with_model(outside, network, ragged_networks.samples(network, 2 * batch))
        assert result.total == 0 < result.compared["spikes"]


def test_streams_of_a_pair_come_in_pieces(outside):
    network = transformer_networks.transformer(1, width=12, heads=1, side=3, steps=2, blocks=1)
    image = compile_network(network, OUTSIDE, keep_maps=False)
    assert image.in_pieces and image.halves_ring
    outside.load(image)
    result = compare_with_model(outside, network, ragged_networks.samples(network, 2))
    assert result.total == 0 < result.compared["logits"]
