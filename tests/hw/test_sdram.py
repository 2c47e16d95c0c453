"""The controller on a model of the chip that checks every distance, and the model on commands that break it."""

import random
from dataclasses import replace

import pytest
from amaranth import Module
from amaranth.lib import wiring
from amaranth.lib.wiring import Out, connect, flipped
from sdram_bench import QUICK_SDRAM, bursts, vigilant
from spikeplane_hw.external_bus import ExternalBus
from spikeplane_hw.sdram import Sdram
from spikeplane_hw.sdram_chip import ULX3S_SDRAM, SdramChip, SdramCommand
from spikeplane_hw.sdram_model import SdramModel, Violation
from spikeplane_hw.testing import simulate

CLOCK = 100e6


class Memory(wiring.Component):
    """A controller and its chip."""

    def __init__(self, chip: SdramChip, clock: float, rows: int = 8):
        self.sdram = Sdram(chip, clock)
        self.model = SdramModel(chip, clock, rows=rows)
        super().__init__({"bus": wiring.In(ExternalBus(chip.depth)), "violation": Out(Violation)})

    def elaborate(self, platform):
        m = Module()
        m.submodules.sdram, m.submodules.model = self.sdram, self.model
        connect(m, flipped(self.bus), self.sdram.bus)
        connect(m, self.sdram.pins, self.model.pins)
        m.d.comb += self.violation.eq(self.model.violation)
        return m


async def request(ctx, bus, address: int, data: int | None = None) -> None:
    ctx.set(bus.request.payload, {"write": data is not None, "address": address})
    ctx.set(bus.write_data, data or 0)
    ctx.set(bus.request.valid, 1)
    await ctx.tick().until(bus.request.ready)
    ctx.set(bus.request.valid, 0)


def reader(bus, beats: list[int]):
    """Return a testbench that collects what is read."""
    async def testbench(ctx):
        async for _, _, valid, beat in ctx.tick().sample(bus.beat_valid, bus.beat):
            if valid:
                beats.append(beat)
    return testbench


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("clock", [143e6 - 10e6, 100e6, 70e6, 25e6])
def test_what_is_written_is_read(clock, seed):
    """Random reads and writes, near and far, with pauses; refreshes come in between, often."""
    generator = random.Random(seed)
    chip = replace(QUICK_SDRAM, retention=generator.choice([64e6, 2048 * 500.0, 2048 * 3000.0]))
    dut = Memory(chip, clock)
    held, expected, beats = {}, [], []
    near = generator.randrange(64)

    async def testbench(ctx):
        for _ in range(300):
            near_by = (near + generator.randrange(6)) % 128
            address = generator.choice([near_by, near_by, generator.randrange(128)])
            if generator.random() < 0.5:
                held[address] = generator.getrandbits(128)
                await request(ctx, dut.bus, address, held[address])
            elif address in held:
                expected.append(held[address])
                await request(ctx, dut.bus, address)
            if generator.random() < 0.3:
                await ctx.tick().repeat(generator.randrange(1, 60))
        await ctx.tick().repeat(40)

    simulate(dut, testbench, background=[reader(dut.bus, beats), vigilant(dut)])
    assert bursts(beats) == expected
    assert len(expected) > 50


def test_bursts_of_a_row_follow_without_a_gap():
    """Read in order, more than nine of ten cycles bring a beat, refreshes and new rows included."""
    count = 256
    dut = Memory(replace(QUICK_SDRAM, column_bits=9), CLOCK)
    cycles = []

    async def testbench(ctx):
        await request(ctx, dut.bus, 0)
        for address in range(1, count):
            await request(ctx, dut.bus, address)

    async def counting(ctx):
        cycle = 0
        async for _, _, valid in ctx.tick().sample(dut.bus.beat_valid):
            cycle += 1
            if valid:
                cycles.append(cycle)

    simulate(dut, testbench, background=[counting, vigilant(dut)])
    assert len(cycles) / (cycles[-1] - cycles[0] + 1) > 0.9


def test_a_clock_that_is_too_fast():
    with pytest.raises(ValueError, match="a clock of 200 MHz was asked for, with a CAS latency of 3 it takes 133"):
        ULX3S_SDRAM.times(200e6)


NOP, READ, WRITE = SdramCommand.NOP, SdramCommand.READ, SdramCommand.WRITE
ACTIVATE, PRECHARGE, REFRESH, MODE = (
    SdramCommand.ACTIVATE, SdramCommand.PRECHARGE, SdramCommand.REFRESH, SdramCommand.MODE,
)
START = [(300, PRECHARGE, 0, 1 << 10), (2, REFRESH, 0, 0), (7, MODE, 0, ULX3S_SDRAM.mode)]
WRONG = {
    Violation.START: [(10, ACTIVATE, 0, 0)],
    Violation.SETTING: [*START[:2], (7, MODE, 0, ULX3S_SDRAM.mode ^ 1)],
    Violation.MODE: [*START, (1, ACTIVATE, 0, 0)],
    Violation.PRECHARGE: [START[0], (1, REFRESH, 0, 0)],
    Violation.REFRESH: [*START[:2], (6, MODE, 0, ULX3S_SDRAM.mode)],
    Violation.CLOSED: [*START, (9, READ, 0, 0)],
    Violation.OPEN: [*START, (2, ACTIVATE, 0, 0), (9, REFRESH, 0, 0)],
    Violation.ROW_TO_COLUMN: [*START, (2, ACTIVATE, 0, 0), (1, READ, 0, 0)],
    Violation.ROW_OPEN: [*START, (2, ACTIVATE, 1, 0), (4, PRECHARGE, 1, 0)],
    Violation.ROW_CYCLE: [*START, (2, ACTIVATE, 1, 0), (5, PRECHARGE, 1, 0), (1, NOP, 0, 0), (1, ACTIVATE, 1, 0)],
    Violation.WRITE_RECOVERY: [*START, (2, ACTIVATE, 0, 0), (2, WRITE, 0, 0), (8, PRECHARGE, 0, 0)],
    Violation.BURST: [*START, (2, ACTIVATE, 0, 0), (2, READ, 0, 0), (7, READ, 0, 8)],
    Violation.BUS: [*START, (2, ACTIVATE, 0, 0), (2, READ, 0, 0), (10, WRITE, 0, 0)],
    Violation.AUTO: [*START, (2, ACTIVATE, 0, 0), (2, READ, 0, 1 << 10)],
    Violation.REFRESH_INTERVAL: [*START, (10 * 3200, NOP, 0, 0)],
}


@pytest.mark.parametrize("expected", [each for each in Violation if each is not Violation.NONE], ids=lambda v: v.name)
def test_the_model_sees(expected):
    """Every rule, broken by a cycle, with all others kept."""
    dut = SdramModel(replace(QUICK_SDRAM, row_cycle=80), CLOCK, rows=8)
    commands = WRONG[expected]

    async def testbench(ctx):
        ctx.set(dut.pins.command, NOP)
        writing = 0
        for distance, command, bank, address in commands:
            for _ in range(distance - 1):
                await ctx.tick()
                writing = max(0, writing - 1)
                ctx.set(dut.pins.command, NOP)
                ctx.set(dut.pins.write, writing > 0)
            await ctx.tick()
            writing = 8 if command is WRITE else max(0, writing - 1)
            ctx.set(dut.pins.command, command)
            ctx.set(dut.pins.bank, bank)
            ctx.set(dut.pins.address, address)
            ctx.set(dut.pins.write, writing > 0)
        await ctx.tick()
        ctx.set(dut.pins.command, NOP)
        await ctx.tick()
        assert ctx.get(dut.violation) == expected

    simulate(dut, testbench)
