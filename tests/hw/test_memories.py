import random

import pytest
from amaranth.back import rtlil
from spikeplane_hw.memories import BlockRam, SinglePortRam, read_mostly_ram
from spikeplane_hw.testing import simulate


class UP5K:
    device = "iCE40UP5K"


def test_block_ram():
    dut = BlockRam(12, 10, granularity=4)
    generator = random.Random(1)

    async def testbench(ctx):
        words, expected = [0] * 10, 0
        ports = dut.ports
        for _ in range(500):
            read, write, enable = generator.randrange(10), generator.randrange(10), generator.randrange(8)
            reading, word = generator.randint(0, 1), generator.randrange(1 << 12)
            ctx.set(ports.read_address, read)
            ctx.set(ports.read_enable, reading)
            ctx.set(ports.write_address, write)
            ctx.set(ports.write_enable, enable)
            ctx.set(ports.write_data, word)
            await ctx.tick()
            if reading:
                expected = words[read] if read != write or not enable else None
            mask = sum(0xF << 4 * i for i in range(3) if enable >> i & 1)
            words[write] = (words[write] & ~mask) | (word & mask)
            assert expected is None or ctx.get(ports.read_data) == expected

    simulate(dut, testbench)


@pytest.mark.parametrize("blocks", [1, 2])
def test_single_port_ram(blocks):
    dut = SinglePortRam(16, blocks * 16384)
    generator = random.Random(1)
    addresses = [generator.randrange(blocks * 16384) for _ in range(20)]

    async def testbench(ctx):
        words, expected = {}, None
        ports = dut.ports
        for _ in range(500):
            action = generator.choice(["read", "write", "idle"])
            read, write = generator.choice(addresses), generator.choice(addresses)
            word = generator.randrange(1 << 16)
            ctx.set(ports.read_address, read)
            ctx.set(ports.read_enable, action == "read")
            ctx.set(ports.write_address, write)
            ctx.set(ports.write_enable, action == "write")
            ctx.set(ports.write_data, word)
            await ctx.tick()
            if action == "read":
                expected = words.get(read)
            if action == "write":
                words[write] = word
            assert expected is None or ctx.get(ports.read_data) == expected

    simulate(dut, testbench)


@pytest.mark.parametrize(
    ("width", "depth", "platform", "sprams"),
    [
        (16, 16384, UP5K(), 1), (16, 32768, UP5K(), 2), (8, 2048, UP5K(), 1), (32, 2048, UP5K(), 0),
        (16, 16384, None, 0),
    ],
)
def test_spram_is_used_where_it_fits(width, depth, platform, sprams):
    text = rtlil.convert(read_mostly_ram(width, depth, platform), platform=platform)
    assert text.count("cell \\SB_SPRAM256KA") == sprams
