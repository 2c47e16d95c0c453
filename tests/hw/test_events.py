import random
from collections import deque

import pytest
from configs import NARROW, WIDE
from spikeplane_hw.events import EventWriter
from spikeplane_hw.memories import spike_read_latency
from spikeplane_hw.testing import Pauses, send, simulate


@pytest.mark.parametrize("longest_pause", [0, 4])
@pytest.mark.parametrize("config", [NARROW, WIDE], ids=lambda c: c.name)
def test_events_set_bits_of_the_map(config, longest_pause):
    generator = random.Random(4)
    width, height, steps, base = 5, 3, 4, config.word_slots
    events = [
        {
            "x": generator.randrange(width + 2),
            "y": generator.randrange(height + 1),
            "step": generator.randrange(steps + 1),
            "polarity": generator.randrange(2),
        }
        for _ in range(150)
    ]
    memory = [0] * config.spike_depth
    flags = set()
    dut = EventWriter(config)

    async def source(ctx):
        ctx.set(dut.base, base)
        ctx.set(dut.width, width)
        ctx.set(dut.height, height)
        ctx.set(dut.steps, steps)
        ctx.set(dut.enable, 1)
        await send(ctx, dut.events, events, Pauses(longest_pause))
        await ctx.tick().until(dut.idle)
        assert ctx.get(dut.accepted) == len(inside)
        assert ctx.get(dut.rejected) == len(events) - len(inside)

    async def spike_memory(ctx):
        coming = deque([None] * (spike_read_latency(config) - 1))
        while True:
            _, _, enable, address, write, slot, data, flag, row = await ctx.tick().sample(
                dut.read_enable, dut.read_address, dut.write, dut.write_slot, dut.write_data,
                dut.flag, dut.flag_address,
            )
            # At other times it is the word of another address.
            ctx.set(dut.read_data, coming[0] if coming[0] is not None else generator.getrandbits(config.word_width))
            coming.rotate(-1)
            coming[-1] = memory[address] if enable else None
            if write:
                word, position = divmod(slot, config.word_slots)
                shift = position * config.banks
                memory[word] &= ~(((1 << config.banks) - 1) << shift)
                memory[word] |= data << shift
            if flag:
                flags.add(row)

    inside = [e for e in events if e["x"] < width and e["y"] < height and e["step"] < steps]
    simulate(dut, source, background=[spike_memory])
    expected = [0] * config.spike_depth
    for event in inside:
        slot = base + (event["step"] * height + event["y"]) * width + event["x"]
        word, position = divmod(slot, config.word_slots)
        expected[word] |= 1 << (position * config.banks + event["polarity"])
    assert memory == expected
    assert flags == {event["step"] * height + event["y"] for event in inside}
    assert 0 < len(inside) < len(events)


def test_events_wait_while_disabled():
    dut = EventWriter(NARROW)

    async def testbench(ctx):
        ctx.set(dut.events.valid, 1)
        await ctx.tick().repeat(10)
        assert ctx.get(dut.events.ready) == 0
        assert ctx.get(dut.idle) == 1

    simulate(dut, testbench)
