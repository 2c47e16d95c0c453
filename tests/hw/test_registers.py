import pytest
from configs import NARROW
from spikeplane_hw.identity import interface_hash
from spikeplane_hw.memory_map import IDENTITY, Control, Register
from spikeplane_hw.registers import STOP_CYCLES, Registers
from spikeplane_hw.testing import simulate


async def write(ctx, dut, register, value):
    ctx.set(dut.address, register)
    ctx.set(dut.write_data, int(value) if isinstance(value, int) else value.value)
    ctx.set(dut.write, 1)
    await ctx.tick()
    ctx.set(dut.write, 0)


async def read(ctx, dut, register):
    ctx.set(dut.address, register)
    await ctx.tick()
    return ctx.get(dut.read_data)


def test_identity_and_settings():
    dut = Registers(NARROW)

    async def testbench(ctx):
        assert await read(ctx, dut, Register.IDENTITY) == IDENTITY
        assert await read(ctx, dut, Register.CONFIGURATION) == NARROW.hash
        assert await read(ctx, dut, Register.REGISTER_MAP) == interface_hash(NARROW)
        settings = {Register.OUTER_STEPS: 300, Register.INPUT_BASE: 200,
                    Register.INPUT_WORDS: 64, Register.INPUT_WIDTH: 512,
                    Register.INPUT_HEIGHT: 511, Register.INPUT_STEPS: 8000}
        for register, value in settings.items():
            await write(ctx, dut, register, value)
        for register, value in settings.items():
            if register is not Register.INPUT_WORDS:
                assert ctx.get(getattr(dut, register.name.lower())) == value, register
        ctx.set(dut.busy, 1)
        await ctx.tick()  # a run begins some cycles before the host's next write
        await write(ctx, dut, Register.OUTER_STEPS, 1)
        assert ctx.get(dut.outer_steps) == 300

    simulate(dut, testbench)


def test_run_waits_for_events_and_is_counted():
    dut = Registers(NARROW)

    async def testbench(ctx):
        await write(ctx, dut, Register.CONTROL, Control.RUN | Control.RESUME)
        await ctx.tick().repeat(3)
        assert ctx.get(dut.run) == 0
        assert await read(ctx, dut, Register.STATUS) == 1
        ctx.set(dut.events_idle, 1)
        assert ctx.get(dut.run) == 1
        assert ctx.get(dut.resume) == 1
        await ctx.tick()
        ctx.set(dut.busy, 1)
        assert ctx.get(dut.run) == 0
        await write(ctx, dut, Register.CONTROL, Control.RUN)  # ignored: a run is under way
        await ctx.tick().repeat(3)
        ctx.set(dut.busy, 0)
        await ctx.tick().repeat(2)
        assert await read(ctx, dut, Register.STATUS) == 1 << 1

    simulate(dut, testbench)


@pytest.mark.parametrize("count, height, steps", [
    (7, 5, 2), (1, 1, 1), (2, 1, 1), (3, 1, 1), (20, 3, 1),  # words take longer than flags, also by one
    (1, 2, 1), (1, 3, 1), (2, 1, 5), (1, 20, 3),  # flags do
])
def test_clear_covers_map_and_flags(count, height, steps):
    dut = Registers(NARROW)
    words, flags = set(), set()

    async def testbench(ctx):
        ctx.set(dut.events_idle, 1)
        await write(ctx, dut, Register.INPUT_BASE, 3 * NARROW.word_slots)
        await write(ctx, dut, Register.INPUT_WORDS, count)
        await write(ctx, dut, Register.INPUT_HEIGHT, height)
        await write(ctx, dut, Register.INPUT_STEPS, steps)
        await ctx.tick()  # no two writes follow each other at once
        await write(ctx, dut, Register.CONTROL, Control.CLEAR)
        await ctx.tick()
        while ctx.get(dut.clearing):
            words.add(ctx.get(dut.clear_word))
            flags.add(ctx.get(dut.clear_flag))
            await ctx.tick()

    simulate(dut, testbench)
    assert words == set(range(3, 3 + count))
    assert flags == set(range(height * steps))


@pytest.mark.parametrize("moment", range(4))
def test_stop_ends_whatever_is_under_way(moment):
    """Waiting for events, running, clearing or idle: held in reset for a while, then idle; nothing is counted."""
    dut = Registers(NARROW)

    async def testbench(ctx):
        await write(ctx, dut, Register.INPUT_WORDS, 60)
        await write(ctx, dut, Register.INPUT_HEIGHT, 40)
        await write(ctx, dut, Register.INPUT_STEPS, 10)
        if moment == 0:
            await write(ctx, dut, Register.CONTROL, Control.RUN)
        if moment == 1:
            ctx.set(dut.events_idle, 1)
            await write(ctx, dut, Register.CONTROL, Control.RUN)
            await ctx.tick()
            ctx.set(dut.busy, 1)
        if moment == 2:
            await write(ctx, dut, Register.CONTROL, Control.CLEAR)
        await ctx.tick().repeat(3)
        assert (await read(ctx, dut, Register.STATUS)) & 1 == (moment < 3)
        if moment == 3:
            ctx.set(dut.events_idle, 1)
        await write(ctx, dut, Register.CONTROL, Control.STOP | Control.RUN | Control.CLEAR)
        for _ in range(STOP_CYCLES):
            assert ctx.get(dut.stopping)
            assert ctx.get(dut.run) == ctx.get(dut.clear_counts) == 0
            assert await read(ctx, dut, Register.STATUS) == 1
            ctx.set(dut.busy, 0)  # what is held in reset
            ctx.set(dut.events_idle, 1)
        assert not ctx.get(dut.stopping)
        assert await read(ctx, dut, Register.STATUS) == 0
        assert not ctx.get(dut.clearing) and not ctx.get(dut.run)
        # A run is begun, and counted, as if there had been none.
        await write(ctx, dut, Register.CONTROL, Control.RUN)
        await ctx.tick()
        ctx.set(dut.busy, 1)
        await ctx.tick().repeat(3)
        ctx.set(dut.busy, 0)
        await ctx.tick().repeat(2)
        assert await read(ctx, dut, Register.STATUS) == 1 << 1

    simulate(dut, testbench)
