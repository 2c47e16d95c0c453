"""Host and stream share the bus of the memory outside the chip: each gets what it asked for."""

import random

import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out, connect, flipped
from sdram_bench import QUICK_SDRAM, attach, bursts
from spikeplane_hw.external_bus import BURST_BEATS, ExternalBus
from spikeplane_hw.external_port import MOST_BURSTS, ExternalPort
from spikeplane_hw.testing import simulate

DEPTH = 1 << 10


class Shared(wiring.Component):
    """A port whose bus is the member `external`."""

    external: Out(ExternalBus(DEPTH))

    def __init__(self):
        super().__init__()
        self.port = ExternalPort(DEPTH)

    def elaborate(self, platform):
        m = Module()
        m.submodules.port = self.port
        connect(m, self.port.bus, flipped(self.external))
        return m


async def access(ctx, port, address: int, word: int | None = None) -> int:
    """Write a burst, or return what is read."""
    ctx.set(port.host.address, address)
    ctx.set(port.host.write_data, word or 0)
    side = port.host.read if word is None else port.host.write
    ctx.set(side, 1)
    await ctx.tick().until(port.done)
    ctx.set(side, 0)
    found = ctx.get(port.host.read_data)
    await ctx.tick()
    return found


@pytest.mark.parametrize("seed", range(3))
def test_both_get_what_they_asked_for(seed):
    generator = random.Random(seed)
    dut = Shared()
    port = dut.port
    design, watching = attach(dut, QUICK_SDRAM, 100e6)
    held = {address: generator.getrandbits(128) for address in range(64)}
    asked, beats, begun = [], [], []

    async def host(ctx):
        for address, word in held.items():
            await access(ctx, port, address, word)
        begun.append(True)
        for _ in range(60):
            address = generator.randrange(64)
            if generator.random() < 0.3:  # where the stream does not read
                word = generator.getrandbits(128)
                await access(ctx, port, 100 + address, word)
                assert await access(ctx, port, 100 + address) == word
            assert await access(ctx, port, address) == held[address]
            await ctx.tick().repeat(generator.randint(1, 30))

    async def stream(ctx):
        address = 0
        while True:
            asking = bool(begun)
            ctx.set(port.request.valid, asking)
            ctx.set(port.request.payload, address)
            _, _, taken = await ctx.tick().sample(port.request.ready)
            if asking and taken:
                asked.append(address)
                address = (address + 1) % 64

    async def collect(ctx):
        async for _, _, valid, beat in ctx.tick().sample(port.beat_valid, port.beat):
            if valid:
                beats.append(beat)

    simulate(design, host, background=[stream, collect, *watching])
    whole = len(beats) // BURST_BEATS
    assert whole > 60
    assert bursts(beats[:whole * BURST_BEATS]) == [held[address] for address in asked[:whole]]


def test_no_more_bursts_are_on_their_way_than_it_counts():
    """A memory that takes a request in every cycle, and answers late."""
    port = ExternalPort(DEPTH)
    taken, given, beats = [], [], []

    async def memory(ctx):
        ctx.set(port.bus.request.ready, 1)
        ctx.set(port.request.valid, 1)
        cycle = 0
        async for _, _, valid in ctx.tick().sample(port.bus.request.valid):
            cycle += 1
            if valid:
                taken.append(cycle)
            answering = len(given) < BURST_BEATS * len(taken) and cycle > taken[len(given) // BURST_BEATS] + 50
            ctx.set(port.bus.beat_valid, answering)
            if answering:
                given.append(cycle)

    async def testbench(ctx):
        async for _, _, valid in ctx.tick().sample(port.beat_valid):
            beats.append(valid)
            if sum(beats) > 20 * BURST_BEATS:
                return

    simulate(port, testbench, background=[memory])
    assert max(len([each for each in taken if each <= cycle]) * BURST_BEATS
               - len([each for each in given if each < cycle]) for cycle in taken) <= MOST_BURSTS * BURST_BEATS


@pytest.mark.parametrize("seed", range(3))
def test_nothing_comes_for_the_stream_while_it_is_still(seed):
    """From ``still`` on, until ``pausing`` ends; then the stream goes on where it was."""
    generator = random.Random(seed)
    dut = Shared()
    port = dut.port
    design, watching = attach(dut, QUICK_SDRAM, 100e6)
    held = {address: generator.getrandbits(128) for address in range(64)}
    beats, quiet, broken = [], [], []

    async def hold(ctx):
        for address, word in held.items():
            await access(ctx, port, address, word)
        for _ in range(30):
            ctx.set(port.request.valid, 1)
            await ctx.tick().repeat(generator.randint(1, 60))
            ctx.set(port.pausing, 1)
            await ctx.tick().until(port.still)
            quiet.append(True)
            await ctx.tick().repeat(generator.randint(1, 60))
            quiet.clear()
            ctx.set(port.pausing, 0)

    async def stream(ctx):
        async for _, _, taken in ctx.tick().sample(port.request.ready & port.request.valid):
            if taken:
                ctx.set(port.request.payload, (ctx.get(port.request.payload) + 1) % 64)

    async def collect(ctx):
        async for _, _, valid, beat in ctx.tick().sample(port.beat_valid, port.beat):
            if valid:
                beats.append(beat)
                broken.extend(quiet)

    simulate(design, hold, background=[stream, collect, *watching])
    whole = len(beats) // BURST_BEATS
    assert whole > 30 and not broken
    assert bursts(beats[:whole * BURST_BEATS]) == [held[number % 64] for number in range(whole)]
