import random

import pytest
from spikeplane_hw.testing import Pauses, receive, send, simulate, watch
from spikeplane_hw.uart import Uart, divisor


async def write_line(ctx, dut, byte: int, cycles: float, stop: int = 1) -> None:
    """Put a frame on the line whose bits take ``cycles`` cycles each."""
    elapsed, time = 0, 0.0
    for bit in [0, *(byte >> i & 1 for i in range(8)), stop]:
        ctx.set(dut.rx_line, bit)
        time += cycles
        while elapsed < round(time):
            await ctx.tick()
            elapsed += 1
    ctx.set(dut.rx_line, 1)


@pytest.mark.parametrize("longest_pause", [0, 60])
@pytest.mark.parametrize("cycles", [4, 5, 16])
def test_loop(cycles, longest_pause):
    """Bytes sent are the bytes received over a wire from output to input."""
    dut = Uart(cycles)
    generator = random.Random(cycles)
    data = bytes(generator.randrange(256) for _ in range(60))

    async def wire(ctx):
        async for _, _, line in ctx.tick().sample(dut.tx_line):
            ctx.set(dut.rx_line, line)

    async def source(ctx):
        await send(ctx, dut.tx, data, Pauses(longest_pause))

    async def sink(ctx):
        assert bytes(await receive(ctx, dut.rx, len(data), Pauses(longest_pause // 20))) == data

    simulate(dut, source, sink, background=[wire, watch(dut.rx)])


@pytest.mark.parametrize("rate", [0.96, 1, 1.04])
def test_receiver_tolerates_clocks(rate):
    dut = Uart(20)
    data = bytes(range(0, 256, 5))

    async def source(ctx):
        for byte in data:
            await write_line(ctx, dut, byte, 20 * rate)

    async def sink(ctx):
        assert bytes(await receive(ctx, dut.rx, len(data), Pauses(0))) == data

    simulate(dut, source, sink)


def test_bad_frames_are_dropped():
    """A byte without a stop bit, a spike on the line and a break leave no trace."""
    dut = Uart(8)

    async def source(ctx):
        await write_line(ctx, dut, 0x11, 8, stop=0)
        await ctx.tick().repeat(20)
        ctx.set(dut.rx_line, 0)
        await ctx.tick().repeat(2)
        ctx.set(dut.rx_line, 1)
        await ctx.tick().repeat(100)
        ctx.set(dut.rx_line, 0)
        await ctx.tick().repeat(300)
        ctx.set(dut.rx_line, 1)
        await ctx.tick().repeat(20)
        await write_line(ctx, dut, 0x22, 8)

    async def sink(ctx):
        assert await receive(ctx, dut.rx, 1, Pauses(0)) == [0x22]

    simulate(dut, source, sink)


def test_byte_holds_until_taken():
    dut = Uart(4)

    async def testbench(ctx):
        await write_line(ctx, dut, 1, 4)
        await write_line(ctx, dut, 2, 4)
        await ctx.tick().repeat(10)
        assert await receive(ctx, dut.rx, 1, Pauses(0)) == [1]
        await write_line(ctx, dut, 3, 4)
        assert await receive(ctx, dut.rx, 1, Pauses(0)) == [3]

    simulate(dut, testbench, background=[watch(dut.rx)])


def test_divisor():
    assert divisor(100e6, 1_000_000) == 100
    assert divisor(25e6, 115_200) == 217
    with pytest.raises(ValueError, match=r"^baud must be at most 3000000 with a clock of 12000000 Hz, "
                       r"not 4000000$"):
        divisor(12e6, 4_000_000)
    with pytest.raises(ValueError, match=r"^baud must be within 2\.5% of a fraction of 12000000 Hz, "
                       r"not 2600000: 5 cycles are 7\.7% off$"):
        divisor(12e6, 2_600_000)
