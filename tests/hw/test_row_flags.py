import random

from configs import NARROW
from spikeplane_hw.row_flags import RowFlags
from spikeplane_hw.testing import simulate


def test_the_first_of_several_writers_is_heard():
    dut = RowFlags(NARROW)
    draw = random.Random(1)
    flags = [0] * NARROW.row_flag_count

    async def testbench(ctx):
        for _ in range(400):
            busy = draw.randrange(2)
            ctx.set(dut.busy, busy)
            done = False
            for port, value in (
                (dut.clear, 0), (dut.clear_layer, 0), (dut.spikes if busy else dut.events, 1),
                (dut.events if busy else dut.spikes, None),
            ):
                address, enable = draw.randrange(NARROW.row_flag_count), draw.random() < 0.4
                ctx.set(port.address, address)
                ctx.set(port.enable, enable)
                if enable and not done and value is not None:
                    flags[address], done = value, True
            await ctx.tick()
            for port in (dut.clear, dut.clear_layer, dut.spikes, dut.events):
                ctx.set(port.enable, 0)
            await ctx.tick()
            address = draw.randrange(NARROW.row_flag_count)
            ctx.set(dut.address, address)
            ctx.set(dut.enable, 1)
            await ctx.tick()
            ctx.set(dut.enable, 0)
            assert ctx.get(dut.data) == flags[address]

    simulate(dut, testbench)
