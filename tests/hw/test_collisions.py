import pytest
from amaranth import Module
from amaranth.lib.memory import Memory
from spikeplane_hw.memories import BlockRam
from spikeplane_hw.testing import simulate


@pytest.mark.parametrize("granularity", [None, 4])
def test_a_word_read_while_it_is_written_is_garbage(granularity):
    dut = BlockRam(8, 16, granularity=granularity)
    ports = dut.ports

    async def testbench(ctx):
        async def cycle(read=None, write=None):
            ctx.set(ports.read_enable, read is not None)
            ctx.set(ports.read_address, read or 0)
            ctx.set(ports.write_enable, 0 if write is None else 1)
            address, word = write or (0, 0)
            ctx.set(ports.write_address, address)
            ctx.set(ports.write_data, word)
            await ctx.tick()
            return ctx.get(ports.read_data)

        await cycle(write=(3, 0x05))
        await cycle(write=(4, 0x06))
        assert await cycle(read=3) == 0x05
        assert await cycle(read=3, write=(4, 0x09)) == 0x05  # another word
        assert await cycle(read=4) == 0x09
        assert await cycle(read=3, write=(3, 0x0A)) == 0xFA
        assert await cycle(write=(4, 0x0C)) == 0xFA  # held
        assert await cycle(read=3) == 0x0A

    simulate(dut, testbench)


def test_a_memory_without_the_mark_gives_the_old_word():
    m = Module()
    m.submodules.memory = memory = Memory(shape=8, depth=4, init=[0x11, 0x22])
    read, write = memory.read_port(), memory.write_port()

    async def testbench(ctx):
        ctx.set(read.addr, 1)
        ctx.set(write.addr, 1)
        ctx.set(write.data, 0x33)
        ctx.set(write.en, 1)
        await ctx.tick()
        assert ctx.get(read.data) == 0x22
        await ctx.tick()
        assert ctx.get(read.data) == 0x33

    simulate(m, testbench)
