"""The whole device in generated Verilog, over its byte link, against the integer model."""

import itertools
import os
import random

import cocotb
import numpy as np
import ragged_networks
import residual_networks
from cocotb.clock import Clock
from cocotb.task import bridge, resume
from cocotb.triggers import FallingEdge, RisingEdge, with_timeout
from configurations import SIMULATED
from spikeplane.compiler.compile import compile_network
from spikeplane.compiler.limits import CompileError
from spikeplane.device.comparison import compare_with_model
from spikeplane.device.driver import Driver
from spikeplane.network import model
from spikeplane.network.schedule import Schedule
from spikeplane_hw.memory_map import EXACT_COUNTERS, Space
from spikeplane_hw.sdram_model import Violation
from spilled_networks import compile_spilled

CONFIG = SIMULATED[os.environ["SPIKEPLANE_SIMULATED"]]
SEED = int(os.environ["COCOTB_RANDOM_SEED"])
PERIOD = 10
"""Nanoseconds of a clock cycle."""
SETTLE = 4
"""Quiet cycles after which no reply will come any more."""


class PinTransport:
    """A Transport for the driver, which runs in a thread: bytes at the pins, with random stalls."""

    def __init__(self, dut, stall: float, seed: int):
        self.dut, self.stall, self.random = dut, stall, random.Random(seed)
        self.pending = self.received = b""
        self.read = resume(self._read)
        self.rest = resume(self._rest)
        self.pause = resume(self._pause)

    def write(self, content: bytes) -> None:
        self.pending += content

    def close(self) -> None:
        pass

    async def _read(self, timeout: float) -> bytes:
        received, self.received = self.received, b""
        return received + await self._exchange()

    async def _pause(self, seconds: float) -> None:
        self.received += await self._exchange()
        await self._rest(seconds)

    async def _exchange(self) -> bytes:
        """Send what is pending and return what comes, until the device is idle."""
        dut, received, quiet = self.dut, bytearray(), 0
        offered = False
        while quiet < SETTLE:
            offered = offered or (bool(self.pending) and self.random.random() >= self.stall)
            ready = self.random.random() >= self.stall
            dut.rx_valid.value = int(offered)
            if offered:
                dut.rx_payload.value = self.pending[0]
            dut.tx_ready.value = int(ready)
            await FallingEdge(dut.clk)
            taken = offered and int(dut.rx_ready.value)
            if ready and int(dut.tx_valid.value):
                received.append(int(dut.tx_payload.value))
            busy = self.pending or not int(dut.idle.value) or int(dut.tx_valid.value)
            quiet = 0 if busy else quiet + 1
            await RisingEdge(dut.clk)
            if taken:
                self.pending, offered = self.pending[1:], False
        dut.rx_valid.value = 0
        return bytes(received)

    async def _rest(self, seconds: float) -> None:
        await FallingEdge(self.dut.clk)
        if int(self.dut.busy.value):
            await FallingEdge(self.dut.busy)
        await RisingEdge(self.dut.clk)


def fitting_networks(schedule: Schedule, direct: bool, batch: int = 1, *, spill: bool = False):
    """Yield random networks that fit the core, and their images: chains, then layers of several terms, in turn.

    With ``spill`` those of which maps are spilled.
    """
    for seed in itertools.count(1000 * SEED):
        if seed % 2 and CONFIG.term_count > 1:
            network = residual_networks.network(seed, direct=direct, most_terms=CONFIG.term_count)
        else:
            network = ragged_networks.network(seed, direct=direct, taps=seed % 4 == 2)
        try:
            image = (compile_spilled if spill else compile_network)(
                network, CONFIG, schedule, keep_states=True, batch=batch
            )
        except CompileError:
            continue
        if CONFIG.external_depth and Space.EXTERNAL not in image.contents:
            continue
        if spill and not any(layer.spilled for layer in image.layers):
            continue
        yield network, image


def compare(driver: Driver, network, image, sample, expected, index: int) -> None:
    """Run one sample through the driver and compare all that the host can read."""
    result = driver.run(sample)
    np.testing.assert_array_equal(result.sums, expected.sums[index].numpy())
    for layer, info in enumerate(image.layers):
        for counter in EXACT_COUNTERS if CONFIG.statistics else ():
            assert result.counters[layer, counter.value] == expected.counters[info.name][counter][index], (
                info.name, counter,
            )
        if info.spikes is not None:
            spikes = expected.spikes[info.name][index].numpy()
            if image.schedule is Schedule.STORED:
                spikes = spikes[-1:]
            np.testing.assert_array_equal(driver.read_spikes(layer), spikes, err_msg=info.name)
        if info.state_base is not None:
            states = expected.states[info.name][index].numpy()
            np.testing.assert_array_equal(driver.read_states(layer), states, err_msg=info.name)


@cocotb.test()
@cocotb.parametrize(
    stall=[0.0, 0.4], schedule=list(Schedule), direct=[False, True],
)
async def matches_the_integer_model(dut, stall, schedule, direct):
    dut.rst.value = 0
    dut.rx_valid.value = 0
    dut.rx_payload.value = 0
    dut.tx_ready.value = 0
    cocotb.start_soon(Clock(dut.clk, PERIOD, unit="ns").start())
    await RisingEdge(dut.clk)

    def host():
        driver = Driver(PinTransport(dut, stall, SEED), CONFIG)
        driver.open()
        for network, image in itertools.islice(fitting_networks(schedule, direct), 2):
            samples = ragged_networks.samples(network, 2, SEED)
            expected = model.run(network, samples, schedule=schedule, config=CONFIG, trace=True)
            driver.load(image, verify=stall == 0)
            for index, sample in enumerate(samples):
                compare(driver, network, image, sample, expected, index)
            cocotb.log.info("%d layers match", len(image.layers))
        if CONFIG.most_samples > 1 and schedule is Schedule.REGISTERS:
            batch = 2 + direct
            network, image = next(fitting_networks(schedule, direct, batch, spill=direct))
            driver.load(image, verify=stall == 0)
            found = compare_with_model(driver, network, ragged_networks.samples(network, 2 * batch, SEED))
            assert not found.total, found.mismatches
            cocotb.log.info("a batch of %d matches%s", batch, ", with maps that are spilled" if direct else "")

    await with_timeout(bridge(host)(), 100, "ms")
    if CONFIG.external_depth:
        assert Violation(int(dut.violation.value)) is Violation.NONE
