import random

import pytest
from configs import NARROW, WIDE
from spikeplane_hw.memories import spike_read_latency
from spikeplane_hw.spike_memory import SpikeMemory
from spikeplane_hw.testing import simulate


@pytest.mark.parametrize("config", [NARROW, WIDE], ids=lambda c: c.name)
def test_slots_chunks_words_and_zeros_are_stored(config):
    dut = SpikeMemory(config)
    draw = random.Random(config.name)
    words = [0] * config.spike_depth
    slots = config.spike_depth * config.word_slots

    def put(slot, width, value):
        """Store slots in ``words``."""
        word, offset = divmod(slot, config.word_slots)
        mask = ((1 << width) - 1) << offset * config.banks
        words[word] = words[word] & ~mask | value << offset * config.banks

    async def write(ctx, port, width):
        slot = draw.randrange(slots // width) * width
        value = draw.randrange(1 << width * config.banks)
        ctx.set(port.slot, slot)
        ctx.set(port.data, value)
        ctx.set(port.enable, 1)
        await ctx.tick()
        ctx.set(port.enable, 0)
        put(slot, width * config.banks, value)

    async def read(ctx, port) -> int:
        address = draw.randrange(config.spike_depth)
        ctx.set(port, address)
        await ctx.tick().repeat(spike_read_latency(config))
        assert ctx.get(dut.data) == words[address]

    async def testbench(ctx):
        for _ in range(300):
            busy, what = draw.randrange(2), draw.randrange(4)
            ctx.set(dut.busy, busy)
            if what == 0 and busy:
                await write(ctx, dut.spikes, config.chunk_slots)
            elif what == 0:
                await write(ctx, dut.events, 1)
            elif what == 1 and not busy:
                address, value = draw.randrange(config.spike_depth), draw.randrange(1 << config.word_width)
                ctx.set(dut.host.address, address)
                ctx.set(dut.host.write_data, value)
                ctx.set(dut.host.write, 1)
                await ctx.tick()
                ctx.set(dut.host.write, 0)
                words[address] = value
            elif what == 2:
                address = draw.randrange(config.spike_depth)
                ctx.set(dut.clear_word, address)
                ctx.set(dut.clear, 1)
                await ctx.tick()
                ctx.set(dut.clear, 0)
                words[address] = 0
            await ctx.tick()
            if busy:
                await read(ctx, dut.address)
            else:
                by_event = draw.randrange(2)
                ctx.set(dut.event_read, by_event)
                await read(ctx, dut.event_address if by_event else dut.host.address)

    simulate(dut, testbench)
