import random
import zlib

import pytest
from spikeplane_hw.checksum import Checksum
from spikeplane_hw.frame import CRC_BYTES
from spikeplane_hw.testing import simulate


@pytest.mark.parametrize("bits", [1, 2, 8])
def test_sums_are_those_of_ethernet(bits):
    dut = Checksum(bits)
    draw = random.Random(bits)

    async def take(ctx, content):
        """Hand the bytes over, with pauses; return the cycles that it took to take them."""
        cycles = 0
        for byte in content:
            ctx.set(dut.data, byte)
            ctx.set(dut.valid, 1)
            taken = False
            while not taken:
                _, _, taken = await ctx.tick().sample(dut.ready)
                cycles += 1
            ctx.set(dut.valid, 0)
            for _ in range(draw.choice((0, 0, 3))):
                await ctx.tick()
        return cycles

    async def testbench(ctx):
        for length in (1, 5, 40):
            content = draw.randbytes(length)
            expected = zlib.crc32(content).to_bytes(CRC_BYTES, "little")
            ctx.set(dut.start, 1)
            await ctx.tick()
            ctx.set(dut.start, 0)
            assert await take(ctx, content) == length * 8 // bits
            assert ctx.get(dut.sum) == int.from_bytes(expected, "little")
            assert not ctx.get(dut.match)
            await take(ctx, expected)
            assert ctx.get(dut.match)

    simulate(dut, testbench)
