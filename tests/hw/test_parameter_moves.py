"""Parameters that come from outside the chip: each neuron of a chunk gets its own, and no other chunk changes."""

import random
from dataclasses import replace

import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import In
from configs import BATCHED
from spikeplane_hw.config import BURST_BITS
from spikeplane_hw.descriptor import parameter_bursts
from spikeplane_hw.memories import BlockRam
from spikeplane_hw.neuron_unit import parameter_layout
from spikeplane_hw.parameter_moves import parameter_move, write_moved
from spikeplane_hw.testing import simulate

WIDTH = parameter_layout().size


class Parameters(wiring.Component):
    """The parameter memory, as moves see it."""

    def __init__(self, config):
        super().__init__({"moves": In(parameter_move(config))})
        self.config = config
        self.ram = BlockRam(WIDTH * config.updates, config.parameter_depth, granularity=WIDTH)

    def elaborate(self, platform):
        m = Module()
        m.submodules.ram = self.ram
        write_moved(m, self.config, self.moves, self.ram.ports)
        return m


@pytest.mark.parametrize("updates", [1, 2, 8])
def test_bursts_are_parts_of_chunks(updates):
    config = replace(BATCHED, lanes=16, updates=updates, word_slots=8, parameter_depth=32)
    generator, parts = random.Random(updates), parameter_bursts(config)
    units = updates // parts
    dut = Parameters(config)
    moves, ports = dut.moves, dut.ram.ports
    held = [[0] * updates for _ in range(config.parameter_depth)]

    async def testbench(ctx):
        for _ in range(60):
            word, burst = generator.randrange(config.parameter_depth * parts), generator.getrandbits(BURST_BITS)
            ctx.set(moves.word, word)
            ctx.set(moves.burst, burst)
            ctx.set(moves.write, 1)
            await ctx.tick()
            ctx.set(moves.write, 0)
            ctx.set(moves.burst, generator.getrandbits(BURST_BITS))  # it is there for one cycle
            await ctx.tick().repeat(generator.randint(1, 3))
            chunk, part = divmod(word, parts)
            for unit in range(units):
                held[chunk][part * units + unit] = burst >> unit * WIDTH & ((1 << WIDTH) - 1)
        ctx.set(ports.read_enable, 1)
        for chunk, own in enumerate(held):
            ctx.set(ports.read_address, chunk)
            await ctx.tick()
            found = ctx.get(ports.read_data)
            assert [found >> unit * WIDTH & ((1 << WIDTH) - 1) for unit in range(updates)] == own

    simulate(dut, testbench)
