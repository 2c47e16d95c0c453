import random
from dataclasses import replace

import pytest
from configs import NARROW, WIDE
from spikeplane_hw.host_access import HostAccess
from spikeplane_hw.memories import HOST_READ_LATENCY
from spikeplane_hw.memory_map import Space, memory_map
from spikeplane_hw.testing import simulate

UNCOUNTED = replace(NARROW, name="uncounted", statistics=False)


@pytest.mark.parametrize("config", [NARROW, WIDE, UNCOUNTED], ids=lambda c: c.name)
def test_every_space_has_its_port(config):
    dut = HostAccess(config)
    draw = random.Random(2)
    spaces = memory_map(config)
    assert hasattr(dut, "counters") == config.statistics

    async def access(ctx, space, memory, busy):
        port, bus = getattr(dut, space.name.lower()), dut.bus
        ctx.set(dut.busy, busy)
        await ctx.tick()
        address, word = draw.randrange(memory.depth), draw.randrange(1 << memory.width)
        ctx.set(bus.space, space)
        ctx.set(bus.address, address)
        if memory.writable:
            ctx.set(bus.write_data, word << len(bus.write_data) - 8 * memory.word_bytes)
            ctx.set(bus.write, 1)
            await ctx.tick()
            ctx.set(bus.write, 0)
            assert ctx.get(port.write) == (not busy or space is Space.REGISTERS)
            assert (ctx.get(port.address), ctx.get(port.write_data)) == (address, word)
            for other in spaces:
                if other is not space and spaces[other].writable:
                    assert not ctx.get(getattr(dut, other.name.lower()).write)
            await ctx.tick()
            assert not ctx.get(port.write)
        word = draw.randrange(1 << memory.width)
        ctx.set(bus.read, 1)
        await ctx.tick()
        ctx.set(bus.read, 0)
        assert ctx.get(port.read) == (not busy)
        # As late as a memory may answer that is not near.
        near = space in (Space.REGISTERS, Space.SPIKES, Space.PROGRAM, Space.PASSES, Space.COUNTERS)
        await ctx.tick().repeat(2 if near else HOST_READ_LATENCY)
        ctx.set(port.read_data, word)
        await ctx.tick().until(bus.read_valid)
        assert ctx.get(bus.read_data) == word
        ctx.set(port.read_data, 0)

    async def testbench(ctx):
        for _ in range(5):
            for space, memory in spaces.items():
                if memory.depth:
                    await access(ctx, space, memory, draw.randrange(2))

    simulate(dut, testbench)
