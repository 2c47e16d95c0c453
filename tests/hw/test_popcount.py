import pytest
from amaranth import Module, Signal
from amaranth.sim import Simulator
from spikeplane_hw.popcount import count_for_adder, popcount


def counts(make, width: int) -> list[int]:
    """Return what ``make`` counts in every value of ``width`` bits."""
    m = Module()
    bits = Signal(width)
    count = Signal(range(width + 1))
    m.d.comb += count.eq(make(m, bits))
    found = []

    async def testbench(ctx):
        for value in range(1 << width):
            ctx.set(bits, value)
            await ctx.delay(1e-9)
            found.append(ctx.get(count))

    simulator = Simulator(m)
    simulator.add_testbench(testbench)
    simulator.run()
    return found


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 7, 8])
def test_counts_ones(width):
    assert counts(popcount, width) == [value.bit_count() for value in range(1 << width)]


@pytest.mark.parametrize("width", [1, 2, 4, 8])
def test_counts_for_an_adder(width):
    def make(m, bits):
        return count_for_adder(m, bits).number

    assert counts(make, width) == [value.bit_count() for value in range(1 << width)]
