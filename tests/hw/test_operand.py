import random

from amaranth import Module, Signal
from amaranth.lib import wiring
from amaranth.lib.memory import Memory
from configs import NARROW, WIDE
from geometry import random_load
from pytest import mark
from spikeplane_hw.memories import spike_read_latency
from spikeplane_hw.operand import Operand, copied_blocks, load_cycles
from spikeplane_hw.testing import simulate


class OperandWithSpikes(wiring.Component):
    """The spike memory and what lies between an address and its word."""

    def __init__(self, config, words):
        super().__init__({})
        self.config, self.words = config, words
        self.operand = Operand(config)

    def elaborate(self, platform):
        m = Module()
        m.submodules.operand = self.operand
        m.submodules.spikes = spikes = Memory(shape=self.config.word_width, depth=len(self.words), init=self.words)
        port = spikes.read_port(domain="comb")
        m.d.comb += port.addr.eq(self.operand.address)
        data = port.data
        for cycle in range(spike_read_latency(self.config)):
            following = Signal(self.config.word_width, name=f"word_{cycle}")
            m.d.sync += following.eq(data)
            data = following
        m.d.comb += self.operand.data.eq(data)
        return m


@mark.parametrize("config", [NARROW, WIDE], ids=lambda c: c.name)
def test_blocks_are_copied_as_the_reference_says(config):
    generator = random.Random(2)
    words = [generator.getrandbits(config.word_width) for _ in range(config.spike_depth)]
    dut = OperandWithSpikes(config, words)
    operand = dut.operand
    written = []

    def row(slot):
        word = words[slot // config.word_slots % len(words)]
        return word >> slot % config.word_slots * config.banks & ((1 << config.banks) - 1)

    async def watch(ctx):
        fields = ("enable", "slot", "bank", "block", "row")
        async for _, _, enable, *write in ctx.tick().sample(*(getattr(operand.write, name) for name in fields)):
            if enable:
                written.append(tuple(write))

    async def testbench(ctx):
        for _ in range(30):
            load = random_load(config, generator)
            offset = generator.randrange(20)
            written.clear()
            ctx.set(operand.load, load)
            ctx.set(operand.offset, offset)
            ctx.set(operand.start, 1)
            await ctx.tick()
            ctx.set(operand.start, 0)
            cycles = 1
            while not ctx.get(operand.idle):
                cycles += 1
                await ctx.tick()
            await ctx.tick()  # the watcher sees the last write
            expected = []
            for block in copied_blocks(config, load, offset):
                rows = [row(slot) for slot in block.slots]
                if not load["transposed"]:
                    rows = [sum((rows[i] >> k & 1) << i for i in range(len(rows))) for k in range(len(rows))]
                expected += [(block.weight, k, block.block, bits) for k, bits in enumerate(rows)]
            assert written == expected, load
            assert cycles == load_cycles(config, load), load

    simulate(dut, testbench, background=[watch])
