"""Images whose weights lie outside the chip: a load goes on where it broke off, and a wrong word is named."""

from dataclasses import replace

import deep_network
import numpy as np
import pytest
import ragged_networks
import spilled_networks
import streamed_networks
from spikeplane.compiler.compile import compile_network
from spikeplane.device import loading
from spikeplane.device.comparison import compare_with_model
from spikeplane.device.driver import DeviceError, Driver
from spikeplane.device.simulated import SimulatedTransport
from spikeplane.network.schedule import Schedule
from spikeplane_hw.memory_map import Register, Space


@pytest.fixture(scope="module")
def streamed():
    """A network, its core and its image."""
    network, config = streamed_networks.find(ragged_networks.CORES[1], Schedule.REGISTERS, 20)
    return network, config, compile_network(network, config)


class Counting(Driver):
    """A driver that counts words written, and whose line breaks after ``most`` of them."""

    def __init__(self, transport, config):
        super().__init__(transport, config)
        self.written, self.most = 0, 1 << 30

    def write(self, space, address, words):
        if space is Space.EXTERNAL and len(words) > 1:  # not those that try the lines
            if self.written >= self.most:
                raise DeviceError("the line broke")
            self.written += len(words)
        super().write(space, address, words)


def test_a_broken_load_goes_on(streamed, monkeypatch):
    network, config, image = streamed
    monkeypatch.setattr(loading, "PIECE", 8)
    words = len(image.contents[Space.EXTERNAL][1])
    with SimulatedTransport(config) as transport, Counting(transport, config) as driver:
        driver.most = words // 2
        with pytest.raises(DeviceError, match="the line broke"):
            driver.load(image)
        assert driver.image is None
        half, driver.most = driver.written, 1 << 30
        assert words // 2 <= half < words
        driver.load(image)
        # Trying the lines takes the bursts at powers of two, with their pieces.
        assert driver.written - half <= words - half + 8 * words.bit_length()
        again = driver.written
        driver.load(image)
        assert driver.written - again <= 8 * (words.bit_length() + 1)
        assert not compare_with_model(driver, network, ragged_networks.samples(network, 2)).total


def test_another_image_streams_anew(streamed):
    """Resident, streamed and resident again, on one core: no weights of one are left to another."""
    network, config, image = streamed
    # A classifier alone: its weights stay on the chip.
    whole = deep_network.deep()
    small = replace(whole, nodes=[ragged_networks.layer(np.random.default_rng(1), "out", 3, 2, (2, 2), padding=0)],
                    logit_offset=np.zeros(3, np.int64))
    resident = compile_network(small, config)
    assert Space.WEIGHTS in resident.contents
    with SimulatedTransport(config) as transport, Driver(transport, config) as driver:
        for made, which in ((small, resident), (network, image), (small, resident)):
            driver.load(which)
            assert not compare_with_model(driver, made, ragged_networks.samples(made, 2)).total


def test_stop_begins_the_stream_anew(streamed):
    network, config, image = streamed
    samples = ragged_networks.samples(network, 1)
    with SimulatedTransport(config) as transport, Driver(transport, config) as driver:
        driver.load(image)
        for rest in (1, 50, 400):
            driver.write_register(Register.CONTROL, 1)
            transport.advance(rest)
            driver.stop()
            driver.image = image
            assert not compare_with_model(driver, network, samples).total


def test_a_wrong_word_is_named(streamed):
    _, config, image = streamed

    class Forgetful(Driver):
        def read(self, space, address, count):
            found = super().read(space, address, count).copy()
            if space is Space.EXTERNAL and address <= 5 < address + count and count > 1:
                found[5 - address, 0] ^= 8
            return found

    with SimulatedTransport(config) as transport, Forgetful(transport, config) as driver:
        with pytest.raises(DeviceError, match=r"1 words of EXTERNAL read back differently, .* at address 5: "):
            driver.load(image)
        assert driver.image is None


def test_a_weak_cell_where_spikes_will_lie_is_named():
    network, config, _ = spilled_networks.find(ragged_networks.CORES[1], Schedule.REGISTERS, 0)
    image = compile_network(network, config, keep_maps=False)
    weak = image.spilled_bursts[-1][-1]

    class Weak(Driver):
        def read(self, space, address, count):
            found = super().read(space, address, count).copy()
            if space is Space.EXTERNAL and address <= weak < address + count:
                found[weak - address, 3] |= 16
            return found

    with SimulatedTransport(config) as transport, Weak(transport, config) as driver:
        with pytest.raises(DeviceError, match=rf"at address {weak}: .* data line 12$"):
            driver.load(image)
        weak = -1
        driver.load(image)
        found = compare_with_model(driver, network, ragged_networks.samples(network, 2))
        assert not found.total, found.mismatches
