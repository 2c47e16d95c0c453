"""The model of the stream, on cases that can be told by hand, and beside simulated boards."""

from dataclasses import replace

import numpy as np
import pytest
import ragged_networks
import streamed_networks
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.cycles import predict_cycles
from spikeplane.compiler.stream_time import StreamTime
from spikeplane.device.driver import Driver
from spikeplane.device.simulated import SimulatedTransport
from spikeplane.network.schedule import Schedule

CONFIG = replace(ragged_networks.CORES[0], weight_depth=8, external_depth=1 << 10)


def test_the_ring_is_full_at_first():
    stream = StreamTime(CONFIG, CONFIG.weight_depth, 2)
    assert (stream.arrival(5) == 0).all()
    assert (stream.arrival(3) == 0).all()


def test_slots_follow_what_was_freed():
    stream = StreamTime(CONFIG, CONFIG.weight_depth, 2)
    each = stream.slot_cycles
    stream.arrival(8)
    stream.free(3, np.array([10.0, 1000.0]))
    np.testing.assert_allclose(stream.arrival(2), [10 + 2 * each, 1000 + 2 * each])
    np.testing.assert_allclose(stream.arrival(1), [10 + 3 * each, 1000 + 3 * each])
    # What is free long before is not waited for, but for those on their way before it.
    stream.free(5, np.array([11.0, 1e6]))
    np.testing.assert_allclose(stream.arrival(5), [10 + 8 * each, 1e6 + 5 * each])


@pytest.mark.parametrize("schedule", Schedule, ids=lambda schedule: schedule.value)
def test_beside_a_simulated_board(schedule):
    """Layers that wait for most of their time are predicted as those that do not."""
    network, config = streamed_networks.find(ragged_networks.CORES[1], schedule, 20)
    inputs = ragged_networks.samples(network, 2)
    image = compile_network(network, config, schedule)
    with SimulatedTransport(config) as transport, Driver(transport, config) as driver:
        driver.load(image)
        for sample in inputs:
            driver.run(sample)  # the stream begins with the load: now the ring is full
        measured = np.array([driver.run(sample).cycles for sample in inputs])
    predicted = predict_cycles(network, inputs, config, schedule).sum(1)
    np.testing.assert_allclose(predicted, measured, rtol=0.1)
