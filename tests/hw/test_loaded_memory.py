import random

from spikeplane_hw.loaded_memory import LoadedMemory
from spikeplane_hw.memory_map import Memory
from spikeplane_hw.testing import simulate


def test_the_host_fills_it_and_the_core_reads_it():
    dut = LoadedMemory(Memory(12, 20))
    draw = random.Random(3)
    words = [draw.randrange(1 << 12) for _ in range(20)]

    async def testbench(ctx):
        for address, word in enumerate(words):
            ctx.set(dut.host.address, address)
            ctx.set(dut.host.write_data, word)
            ctx.set(dut.host.write, 1)
            await ctx.tick()
        ctx.set(dut.host.write, 0)
        for _ in range(60):
            ctx.set(dut.busy, busy := draw.randrange(2))
            ctx.set(dut.address, mine := draw.randrange(20))
            ctx.set(dut.host.address, hosts := draw.randrange(20))
            await ctx.tick()
            assert ctx.get(dut.data) == ctx.get(dut.host.read_data) == words[mine if busy else hosts]

    simulate(dut, testbench)
