import random

import pytest
from amaranth.lib import data
from spikeplane_hw.queue import Queue
from spikeplane_hw.testing import simulate

LAYOUT = data.StructLayout({"word": 12, "last": 1})


@pytest.mark.parametrize("pauses", [(0, 0), (0, 0.6), (0.6, 0), (0.5, 0.5)])
@pytest.mark.parametrize("depth", [1, 4, 32])
def test_payloads_come_out_in_order(depth, pauses):
    generator = random.Random(1)
    sent = [{"word": generator.randrange(1 << 12), "last": generator.randint(0, 1)} for _ in range(200)]
    dut = Queue(LAYOUT, depth)
    received = []

    async def source(ctx):
        for payload in sent:
            while generator.random() < pauses[0]:
                await ctx.tick()
            ctx.set(dut.i.payload, payload)
            ctx.set(dut.i.valid, 1)
            await ctx.tick().until(dut.i.ready)
            ctx.set(dut.i.valid, 0)

    async def sink(ctx):
        while len(received) < len(sent):
            while generator.random() < pauses[1]:
                await ctx.tick()
            ctx.set(dut.o.ready, 1)
            (payload,) = await ctx.tick().sample(dut.o.payload).until(dut.o.valid)
            ctx.set(dut.o.ready, 0)
            received.append({"word": payload.word, "last": payload.last})

    async def stalled(ctx):
        """A stalled payload holds."""
        before = None
        async for _, _, valid, ready, payload in ctx.tick().sample(dut.o.valid, dut.o.ready, dut.o.payload):
            now = (valid, payload.word, payload.last)
            assert before is None or now == before
            before = now if valid and not ready else None

    simulate(dut, source, sink, background=[stalled])
    assert received == sent


@pytest.mark.parametrize("depth", [1, 4, 32])
def test_it_holds_its_depth(depth):
    dut = Queue(LAYOUT, depth)

    async def testbench(ctx):
        ctx.set(dut.i.valid, 1)
        for taken in range(depth):
            assert ctx.get(dut.i.ready), taken
            assert taken <= ctx.get(dut.level) <= depth
            await ctx.tick()
        assert not ctx.get(dut.i.ready)

    simulate(dut, testbench)
